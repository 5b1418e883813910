# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the intrinsics of the two back ends are in terms of the emulator.

An intrinsic becomes a function of the kernel library, its wrapper, which calls
one of the emulator's entry points. `INTRINSICS` has the names and who writes
them; whatever it has not is an error in retarget.py.
"""

import re

# The fields of EntryPoints in Kernels.h, and their results.
ENTRY_POINTS = {
    "load": "void",
    "store": "void",
    "special": "i32",
    "barrier": "void",
    "signal": "void",
    "wait": "void",
    "shuffle": "i64",
    "inRange": "i32",
    "redux": "i64",
    "dpp": "i64",
    "permute": "i64",
    "swap": "i64",
    "readLane": "i64",
    "readFirstLane": "i64",
    "bpermute": "i64",
    "swizzle": "i64",
    "countBelow": "i32",
    "assume": "void",
    "assumeAligned": "void",
    "packet": "ptr",
}


class Error(Exception):
    """What is wrong with the input, and in which line of it."""

    def __init__(self, line, what):
        super().__init__(what)
        self.line = line


def split(text, separator=","):
    """Splits at separators that are not inside brackets or quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


def read_balanced(text, start):
    """Where the bracket that opens at `start` closes: one behind it."""
    depth, quoted = 0, False
    for at in range(start, len(text)):
        if text[at] == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif text[at] in "([{<":
            depth += 1
        elif text[at] in ")]}>":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def read_type(text):
    """The type at the start of `text`, and what is behind it."""
    if text[0] in "[{<":
        end = read_balanced(text, 0)
    else:
        end = re.match(r"%?[-\w.$]+", text).end()
    return text[:end], text[end:].lstrip()


def measure(kind, line):
    """The size of a type in memory and its alignment."""
    scalar = {"half": 2, "bfloat": 2, "float": 4, "double": 8, "ptr": 8}
    if kind in scalar:
        return scalar[kind], scalar[kind]
    if re.fullmatch(r"i\d+", kind):
        size = (int(kind[1:]) + 7) // 8
        return size, min(1 << (size - 1).bit_length(), 16)
    shape = re.fullmatch(r"[<\[](\d+) x (.*)[>\]]", kind)
    if shape:
        count, (size, align) = int(shape[1]), measure(shape[2], line)
        if kind[0] == "[":
            return count * size, align
        if shape[2] == "i1":
            return (count + 7) // 8, 1
        return count * size, 1 << max(count * size - 1, 0).bit_length()
    raise Error(line, f"type '{kind}' in memory is not supported")


class Wrapper:
    """The function that stands for an intrinsic: arguments, then the line."""

    def __init__(self, result, params):
        self.result, self.params = result, params
        self.lines, self.count = [], 0
        self.line = "%line"

    def emit(self, text):
        self.count += 1
        self.lines.append(f"  %t{self.count} = {text}")
        return f"%t{self.count}"

    def arg(self, index):
        return f"%a{index}"

    def to_bits(self, value, kind):
        """Any value of up to 64 bits as an i64."""
        size, _ = measure(kind, 0)
        number = f"i{8 * size}"
        if kind == "ptr":
            return self.emit(f"ptrtoint ptr {value} to i64")
        if not re.fullmatch(r"i\d+", kind):
            value = self.emit(f"bitcast {kind} {value} to {number}")
        elif kind != number:
            number = kind
        if number != "i64":
            value = self.emit(f"zext {number} {value} to i64")
        return value

    def from_bits(self, value, kind):
        size, _ = measure(kind, 0)
        number = kind if re.fullmatch(r"i\d+", kind) else f"i{8 * size}"
        if number != "i64":
            value = self.emit(f"trunc i64 {value} to {number}")
        if kind != number:
            value = self.emit(f"bitcast {number} {value} to {kind}")
        return value

    def bits(self, index):
        return "i64 " + self.to_bits(self.arg(index), self.params[index])

    def word(self, index):
        """An argument as an i32."""
        kind = self.params[index]
        if kind == "i32":
            return f"i32 {self.arg(index)}"
        if int(kind[1:]) < 32:
            return "i32 " + self.emit(f"zext {kind} {self.arg(index)} to i32")
        return "i32 " + self.emit(f"trunc {kind} {self.arg(index)} to i32")

    def call(self, entry, *args, line=True):
        """Calls an entry point; `args` have their types in front."""
        args = list(args) + ([f"i32 {self.line}"] if line else [])
        index = list(ENTRY_POINTS).index(entry)
        target = self.emit(
            f"load ptr, ptr getelementptr ([{len(ENTRY_POINTS)} x ptr], ptr "
            f"@headopt_emulator_entry_points, i64 0, i64 {index})"
        )
        result = ENTRY_POINTS[entry]
        text = f"call {result} {target}({', '.join(args)})"
        if result == "void":
            self.lines.append("  " + text)
            return None
        return self.emit(text)

    def give(self, value=None):
        if value is None:
            self.lines.append("  ret void")
        else:
            self.lines.append(f"  ret {self.result} {value}")

    def give_bits(self, value):
        self.give(self.from_bits(value, self.result))

    def pair(self, first, second):
        """Gives a structure of two."""
        value = self.emit(f"insertvalue {self.result} poison, {first}, 0")
        self.give(self.emit(f"insertvalue {self.result} {value}, {second}, 1"))


INTRINSICS = []


def intrinsic(pattern):
    """Registers how intrinsics of these names are written."""

    def register(function):
        INTRINSICS.append((re.compile(pattern + r"$"), function))
        return function

    return register


@intrinsic(r"llvm\.nvvm\.read\.ptx\.sreg\.(tid|ctaid|ntid|nctaid)\.([xyz])")
def nvvm_special(w, match):
    which = ["tid", "ctaid", "ntid", "nctaid"].index(match[1])
    which = 3 * which + "xyz".index(match[2])
    w.give(w.call("special", f"i32 {which}", line=False))


@intrinsic(r"llvm\.nvvm\.read\.ptx\.sreg\.(laneid|warpsize)")
def nvvm_lane(w, match):
    which = {"laneid": 12, "warpsize": 13}[match[1]]
    w.give(w.call("special", f"i32 {which}", line=False))


@intrinsic(r"llvm\.nvvm\.barrier0|llvm\.amdgcn\.s\.barrier")
def barrier(w, _):
    w.call("barrier")
    w.give()


@intrinsic(r"llvm\.nvvm\.(?:barrier\.cta\.sync(?:\.aligned)?\.all|barrier\.n)")
def nvvm_barrier(w, _):
    # Named barriers would need a state each; nothing here uses them.
    is_zero = w.emit(f"icmp eq i32 {w.arg(0)}, 0")
    w.call("assume", "i32 " + w.emit(f"zext i1 {is_zero} to i32"))
    w.call("barrier")
    w.give()


@intrinsic(r"llvm\.nvvm\.shfl\.sync\.(up|down|bfly|idx)\.(i32|f32)(p?)")
def nvvm_shuffle(w, match):
    mode = ["up", "down", "bfly", "idx"].index(match[1])
    value = w.call("shuffle", f"i32 {mode}", w.word(0), w.bits(1), w.word(2), w.word(3))
    if not match[3]:
        w.give_bits(value)
        return
    kind = {"i32": "i32", "f32": "float"}[match[2]]
    value = w.from_bits(value, kind)
    flag = w.call("inRange", line=False)
    flag = w.emit(f"trunc i32 {flag} to i1")
    w.pair(f"{kind} {value}", f"i1 {flag}")


@intrinsic(r"llvm\.nvvm\.redux\.sync\.(add|umin|umax|min|max|and|or|xor)")
def nvvm_redux(w, match):
    operations = ["add", "umin", "umax", "min", "max", "and", "or", "xor"]
    which = operations.index(match[1])
    w.give_bits(w.call("redux", f"i32 {which}", w.word(1), w.bits(0)))


@intrinsic(r"llvm\.nvvm\.ldg\.global\.[fip]\..*")
def nvvm_ldg(w, _):
    size, _ = measure(w.result, 0)
    w.call("load", f"ptr {w.arg(0)}", f"i64 {size}", w.word(1))
    w.give(w.emit(f"load {w.result}, ptr {w.arg(0)}, align 1"))


@intrinsic(r"llvm\.nvvm\.(fma\.rn|sqrt\.rn|fabs|floor|ceil)\.(?:f|d|f32|f64)")
def nvvm_math(w, match):
    name = match[1].split(".")[0]
    suffix = {"float": "f32", "double": "f64"}[w.result]
    args = ", ".join(f"{w.result} {w.arg(i)}" for i in range(len(w.params)))
    w.give(w.emit(f"call {w.result} @llvm.{name}.{suffix}({args})"))


@intrinsic(r"llvm\.nvvm\.f(max|min)\.nan\.(f|d)")
def nvvm_extremum(w, match):
    name = {"max": "maximum", "min": "minimum"}[match[1]]
    suffix = {"f": "f32", "d": "f64"}[match[2]]
    args = ", ".join(f"{w.result} {w.arg(i)}" for i in range(2))
    w.give(w.emit(f"call {w.result} @llvm.{name}.{suffix}({args})"))


@intrinsic(r"llvm\.nvvm\.rcp\.rn\.(?:f|d)")
def nvvm_reciprocal(w, _):
    w.give(w.emit(f"fdiv {w.result} 1.0, {w.arg(0)}"))


@intrinsic(r"llvm\.amdgcn\.(workitem|workgroup)\.id\.([xyz])")
def amdgcn_special(w, match):
    which = 3 * (match[1] == "workgroup") + "xyz".index(match[2])
    w.give(w.call("special", f"i32 {which}", line=False))


@intrinsic(r"llvm\.amdgcn\.wavefrontsize")
def amdgcn_wavefront(w, _):
    w.give(w.call("special", "i32 13", line=False))


@intrinsic(r"llvm\.amdgcn\.dispatch\.ptr")
def amdgcn_packet(w, _):
    w.give(w.call("packet", line=False))


@intrinsic(r"llvm\.amdgcn\.s\.barrier\.(signal|wait)")
def amdgcn_split_barrier(w, match):
    # -1 is the barrier of the workgroup.
    kind = w.params[0]
    is_ours = w.emit(f"icmp eq {kind} {w.arg(0)}, -1")
    w.call("assume", "i32 " + w.emit(f"zext i1 {is_ours} to i32"))
    w.call(match[1])
    w.give()


@intrinsic(r"llvm\.amdgcn\.update\.dpp\.\w+")
def amdgcn_dpp(w, _):
    rest = [w.word(i) for i in range(2, 6)]
    w.give_bits(w.call("dpp", w.bits(0), w.bits(1), *rest))


@intrinsic(r"llvm\.amdgcn\.mov\.dpp\.\w+")
def amdgcn_mov_dpp(w, _):
    rest = [w.word(i) for i in range(1, 5)]
    value = w.bits(0)
    w.give_bits(w.call("dpp", value, value, *rest))


@intrinsic(r"llvm\.amdgcn\.permlane(x?)16\.(?!swap)\w+")
def amdgcn_permlane(w, match):
    # All lanes take part, so that the flags for those that do not, and the old
    # value that they would leave, mean nothing.
    cross = int(match[1] == "x")
    w.give_bits(w.call("permute", w.bits(1), w.word(2), w.word(3), f"i32 {cross}"))


@intrinsic(r"llvm\.amdgcn\.permlane(16|32)\.swap")
def amdgcn_swap(w, match):
    value = w.call("swap", w.word(0), w.word(1), f"i32 {match[1]}")
    first = w.emit(f"trunc i64 {value} to i32")
    second = w.emit(f"lshr i64 {value}, 32")
    second = w.emit(f"trunc i64 {second} to i32")
    w.pair(f"i32 {first}", f"i32 {second}")


@intrinsic(r"llvm\.amdgcn\.readlane(?:\.\w+)?")
def amdgcn_readlane(w, _):
    w.give_bits(w.call("readLane", w.bits(0), w.word(1)))


@intrinsic(r"llvm\.amdgcn\.readfirstlane(?:\.\w+)?")
def amdgcn_readfirstlane(w, _):
    w.give_bits(w.call("readFirstLane", w.bits(0)))


@intrinsic(r"llvm\.amdgcn\.ds\.bpermute(?:\.\w+)?")
def amdgcn_bpermute(w, _):
    w.give_bits(w.call("bpermute", w.word(0), w.bits(1)))


@intrinsic(r"llvm\.amdgcn\.ds\.swizzle")
def amdgcn_swizzle(w, _):
    w.give_bits(w.call("swizzle", w.bits(0), w.word(1)))


@intrinsic(r"llvm\.amdgcn\.mbcnt\.(lo|hi)")
def amdgcn_count(w, match):
    high = int(match[1] == "hi")
    w.give(w.call("countBelow", w.word(0), w.word(1), f"i32 {high}", line=False))


@intrinsic(r"llvm\.(memcpy|memmove|memset)(?:\.inline)?\..*")
def memory(w, match):
    size = "i64 " + w.to_bits(w.arg(2), w.params[2])
    is_set = match[1] == "memset"
    if not is_set:
        w.call("load", f"ptr {w.arg(1)}", size, "i32 1")
    w.call("store", f"ptr {w.arg(0)}", size, "i32 1")
    second = f"i8 {w.arg(1)}" if is_set else f"ptr {w.arg(1)}"
    suffix = "p0.i64" if is_set else "p0.p0.i64"
    w.lines.append(
        f"  call void @llvm.{match[1]}.{suffix}"
        f"(ptr {w.arg(0)}, {second}, {size}, i1 false)"
    )
    w.give()
