# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints names that two types in namespace headopt have, and fails where there are any:

    type_names.py FOLDER ...

Two files that never meet may each define a type of the same name, and the linker then
takes the functions of one of them, such as its destructor, for both. No compiler says so.
Types in anonymous namespaces and in classes are by themselves.
"""

import collections
import pathlib
import re
import sys

ANONYMOUS = re.compile(r"^namespace \{$.*?^\} // namespace$", re.M | re.S)
DEFINITION = re.compile(r"^(?:struct|class|enum class|enum) (\w+)[^;{]*\{", re.M)

places = collections.defaultdict(set)
count = 0
for folder in sys.argv[1:]:
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        text = ANONYMOUS.sub("", path.read_text("utf-8"))
        for match in DEFINITION.finditer(text):
            places[match[1]].add(path)
            count += 1
# So that nothing found does not mean that nothing was looked at.
print(f"{count} types")
doubled = {name: paths for name, paths in places.items() if len(paths) > 1}
for name, paths in sorted(doubled.items()):
    print(f"error: {name} in {', '.join(map(str, sorted(paths)))}")
sys.exit(1 if doubled else 0)
