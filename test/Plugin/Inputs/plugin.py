# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Facts about the plugin that need more than one program's output.

    plugin.py coverage TEST PLUGIN MLIR-OPT...
    plugin.py pipelines PLUGIN HEAD-OPT MLIR-OPT...
    plugin.py symbols PLUGIN NM LIBRARY...

Fails with a line that says what is wrong.
"""

import re
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[3] / "include" / "headopt"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names(opt, *flags):
    """Passes and pipelines in mlir-opt's help, where options are indented more."""
    text = output(*opt, *flags, "--help")
    passes, _, pipelines = text.partition("Pass Pipelines:")
    assert pipelines, "mlir-opt's help has no pipelines"
    pattern = re.compile(r"^ {6}--([\w-]+) ", re.MULTILINE)
    # Other options follow the pipelines, less indented.
    pipelines = re.split(r"^ {1,4}\S", pipelines, maxsplit=1, flags=re.MULTILINE)[0]
    return set(pattern.findall(passes)), set(pattern.findall(pipelines))


def coverage(test, plugin, *opt):
    stock, stock_pipelines = names(opt)
    passes, pipelines = names(opt, f"--load-pass-plugin={plugin}")
    by_dialect = names(opt, f"--load-dialect-plugin={plugin}")
    assert by_dialect == (passes, pipelines), "the two flags register differently"
    declared = {
        name
        for file in SOURCES.rglob("Passes.td")
        for name in re.findall(r':\s*(?:Pass|MapToGPU)<"([\w-]+)"', file.read_text())
    }
    assert len(declared) > 20, declared
    assert not declared & (stock | stock_pipelines), "names that MLIR has already"
    assert passes - stock == declared, passes - stock ^ declared
    runs = "".join(
        line for line in Path(test).read_text().splitlines() if "RUN:" in line
    )
    run = set(re.findall(r"\(([\w-]+)(?:\{[^}]*\})?\)", runs))
    assert declared <= run, f"not run by themselves: {declared - run}"


def dump(opt, pipeline):
    done = subprocess.run(
        [*opt, "-", "--dump-pass-pipeline", f"--pass-pipeline={pipeline}"],
        input="module {}", capture_output=True, text=True,
    )  # fmt: skip
    # What the passes say of an empty module does not matter.
    found = re.match(r"Pass Manager with \d+ passes:\n(.+?^\))$", done.stderr,
                     re.MULTILINE | re.DOTALL)  # fmt: skip
    assert found, f"{pipeline}: {done.stderr}"
    return found[1]


def pipelines(plugin, headopt, *opt):
    ours = names(opt, f"--load-pass-plugin={plugin}")[1] - names(opt)[1]
    options = {
        "lower-head-to-linalg": "name=f constant-initializers=true",
        "lower-head-to-llvm-cpu": "vector-bits=512 fma=false openmp=true",
        "map-head-to-gpu": "subgroup-size=8 block-threads=64",
        "lower-launches-to-llvm": "interface=hip",
        "lower-kernels-to-nvvm": None,
        "lower-kernels-to-rocdl": "chip=gfx1100",
        "lower-kernels-to-spirv": "subgroup-size=8",
    }
    assert ours == set(options), ours ^ set(options)
    tools = [headopt], [*opt, f"--load-dialect-plugin={plugin}"]
    for name in sorted(ours):
        plain = dump(tools[0], f"builtin.module({name})")
        for tool in tools:
            assert dump(tool, plain) == plain, (tool, name)
        if not options[name]:
            continue
        other = dump(tools[0], f"builtin.module({name}{{{options[name]}}})")
        assert other != plain, f"{name}: its options change nothing"
        for tool in tools:
            assert dump(tool, other) == other, (tool, name)


def symbols(plugin, nm, *libraries):
    def defined(path):
        lines = output(nm, "-D", "--defined-only", "-P", path).splitlines()
        # Versions of symbols are no part of their names.
        return {n.split("@")[0]: kind for n, kind, *_ in map(str.split, lines)}

    ours = defined(plugin)
    # Weak symbols (W, V, and u for variables of which a process has one) are what
    # each user of MLIR's headers has of inline functions and templates. The loader
    # makes one of all copies, and MLIR's type ids need that. Everything else has to
    # be ours: the namespace headopt, type ids of its types, and the C interface.
    strong = {n for n, kind in ours.items() if kind not in "WVu"}
    assert len(strong) > 1000, "that is not the library"
    foreign = {n for n in strong if "7headopt" not in n
               and not re.fullmatch(r"headopt[A-Z]\w+", n)}  # fmt: skip
    assert not foreign, f"not ours: {sorted(foreign)[:5]}"
    theirs = set().union(*map(defined, libraries))
    assert len(theirs) > 100000, "those are not MLIR and LLVM"
    assert not strong & theirs, sorted(strong & theirs)[:5]
    inner = {n for n in ours if re.search(r"N4onnx|12headopt_onnx|6google8protobuf|descriptor_table", n)}
    assert not inner, f"of ONNX or protobuf: {sorted(inner)[:5]}"
    for name in ("mlirGetDialectPluginInfo", "mlirGetPassPluginInfo",
                 "headoptModelOptimize"):  # fmt: skip
        assert name in ours, name


globals()[sys.argv[1]](*sys.argv[2:])
