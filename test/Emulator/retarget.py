#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Turns the LLVM IR of GPU kernels into a shared object for this machine.

    retarget.py kernels.ll -o kernels.so [--image kernels.hsaco]

The input is the text that the NVPTX or AMDGPU back end is given. Address spaces
go, intrinsics of the device become calls of the emulator, and every load and
store is preceded by a call that checks it; all else stays as it is and is
compiled without further optimisation. Whatever is not known here is an error
that names it. README.md beside this file says what the result is for.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from intrinsics import (
    ENTRY_POINTS,
    INTRINSICS,
    Error,
    Wrapper,
    measure,
    read_balanced,
    read_type,
    split,
)

LLVM = Path(os.environ.get("LLVM_BIN", "/usr/lib/llvm-22/bin"))

VERSION = 2  # kernelsVersion in Kernels.h
SHARED, CONSTANT, GLOBAL = 0, 1, 2  # RegionKind
# Behind and before each variable in shared memory.
RED_ZONE = 256

NAME = r'(?:"[^"]*"|[-\w.$]+)'

# What instructions may be, besides those that are looked at one by one.
PLAIN = set("""add sub mul udiv sdiv urem srem shl lshr ashr and or xor fadd fsub fmul
    fdiv frem fneg trunc zext sext fptrunc fpext fptoui fptosi uitofp sitofp
    bitcast icmp fcmp phi select freeze extractelement insertelement
    shufflevector extractvalue insertvalue getelementptr br switch ret""".split())

# LLVM's own intrinsics that mean the same on every target.
GENERIC = re.compile(
    r"llvm\.(?:fma|fmuladd|maximum|minimum|maxnum|minnum|maximumnum|minimumnum|"
    r"sqrt|fabs|floor|ceil|trunc|rint|nearbyint|round|roundeven|copysign|"
    r"canonicalize|is\.fpclass|ldexp|ctlz|cttz|ctpop|bswap|bitreverse|fshl|"
    r"fshr|umin|umax|smin|smax|abs|[us](?:add|sub|shl)\.sat|"
    r"[us](?:add|sub|mul)\.with\.overflow|[us]cmp|vector\.reduce\.\w+)\."
)
DROPPED = re.compile(
    r"llvm\.(?:lifetime\.(?:start|end)|experimental\.noalias\.scope\.decl|"
    r"dbg\.\w+|amdgcn\.(?:sched\.barrier|sched\.group\.barrier|iglp\.opt|"
    r"s\.waitcnt|s\.setprio))\b"
)

LETTERS = {
    "ptr": "p",
    "i64": "i",
    "i32": "w",
    "i16": "s",
    "i8": "b",
    "float": "f",
    "double": "d",
    "half": "h",
}


class Function:
    """A function that the IR defines, as it is rewritten."""

    def __init__(self, name, line):
        self.name, self.line = name, line
        self.is_kernel = False
        self.params = []  # types
        self.size = (0, 0, 0)
        self.used = set()  # globals and functions that it names


class Module:
    """The IR as it is rewritten."""

    def __init__(self, text, warp=None):
        self.lines = text.splitlines()
        self.warp = warp
        self.attributes, self.metadata = {}, {}
        self.functions, self.regions = {}, {}  # name: (kind, type)
        self.declared = {}  # name: (result, params)
        self.wrappers = {}  # name: text
        self.out = []
        self.read_attributes()

    # What is said once for the whole module.

    def read_attributes(self):
        for line in self.lines:
            group = re.match(r"attributes #(\d+) = \{(.*)\}", line)
            if group:
                self.attributes[group[1]] = dict(
                    re.findall(r'"([^"]*)"="([^"]*)"', group[2])
                )
            node = re.match(r"!(\d+) = (?:distinct )?!\{(.*)\}", line)
            if node:
                self.metadata[node[1]] = node[2]
        triple = re.search(r'^target triple = "(.*)"', "\n".join(self.lines), re.M)
        text = "\n".join(self.lines)
        self.is_amd = "amdgpu_kernel" in text
        if triple and triple[1].startswith(("amdgcn", "nvptx")):
            self.is_amd = triple[1].startswith("amdgcn")
        if self.warp is None:
            self.warp = self.find_warp() if self.is_amd else 32

    def find_warp(self):
        """Wavefronts have 64 lanes up to gfx9, and 32 later unless told."""
        for group in self.attributes.values():
            features = group.get("target-features", "")
            if "+wavefrontsize64" in features:
                return 64
            if "+wavefrontsize32" in features:
                return 32
        for group in self.attributes.values():
            chip = re.fullmatch(r"gfx(\d+)\w\w", group.get("target-cpu", ""))
            if chip:
                return 32 if int(chip[1]) >= 10 else 64
        raise Error(0, "the IR does not say for which chip it is; give --warp")

    def annotations(self, name):
        """What `!nvvm.annotations` says of a kernel."""
        found = {}
        for node in self.metadata.values():
            parts = split(node)
            if len(parts) < 3 or parts[0] != f"ptr @{name}":
                continue
            for key, value in zip(parts[1::2], parts[2::2]):
                found[key.strip('!"')] = int(value.split()[-1])
        return found

    # Text that means nothing here.

    @staticmethod
    def strip(line):
        """Without address spaces, attributes, metadata and comments."""
        line = re.sub(r"\s*;.*$", "", line) if '"' not in line else line
        line = re.sub(r", addrspace\(\d+\)", "", line)
        line = re.sub(r" addrspace\(\d+\)", "", line)
        line = re.sub(r",? ![A-Za-z][\w.]* !\d+", "", line)
        line = re.sub(r" #\d+", "", line)
        return line.replace("addrspacecast (", "bitcast (").rstrip()

    # Top level.

    def rewrite(self):
        body = None
        for number, line in enumerate(self.lines, 1):
            if body is not None:
                if line == "}":
                    self.out.append("}")
                    body = None
                else:
                    self.rewrite_line(body, line, number)
            elif line.startswith("define "):
                body = self.rewrite_define(line, number)
            elif line.startswith("declare "):
                self.read_declare(line, number)
            elif line.startswith("@"):
                self.rewrite_global(line, number)
            elif line.startswith("%"):
                self.out.append(self.strip(line))
            elif not re.match(r"$|;|source_filename|target |attributes |!|\^", line):
                raise Error(number, f"'{line[:60]}' is not supported")
        self.declare_generic()
        self.finish()
        text = "\n".join(self.out) + "\n"
        left = re.search(
            r"(?<!emulator\.)llvm\.(?:nvvm|amdgcn)\.[\w.]*|addrspace\w*|ptx_kernel",
            text,
        )
        if left:
            raise Error(0, f"'{left[0]}' is used in a way not supported")
        return text

    def read_declare(self, line, number):
        text = self.strip(line)
        found = re.match(rf"declare (.*?)@({NAME})\(", text)
        params = text[found.end() : read_balanced(text, found.end() - 1) - 1]
        # Attributes of the result come before its type.
        result = found[1].strip()
        result = re.sub(r"\b(?:range|dereferenceable|align)\([^)]*\)", "", result)
        result = re.search(r"(?:\{.*\}|<[^<>]*>|\[[^]]*\]|\S+)$", result)[0]
        types = [read_type(p)[0] for p in split(params) if p != "..."]
        self.declared[found[2]] = (result, types)

    def rewrite_global(self, line, number):
        found = re.match(rf"@({NAME}) = (.*)$", line)
        name, rest = found[1], found[2]
        if name.startswith("llvm."):
            return
        space = re.search(r"addrspace\((\d+)\)", rest.split("global")[0])
        is_shared = bool(space) and space[1] == "3"
        rest = self.strip(rest)
        words = re.match(r"(.*?)\b(global|constant) (.*)$", rest)
        if not words or "external" in words[1].split():
            raise Error(number, f"global '@{name}' is not supported")
        kind, behind = read_type(words[3])
        align = re.search(r", align (\d+)", behind)
        if not is_shared:
            linkage = "private" if "private" in words[1] else "internal"
            initial = split(behind)[0]
            text = f"@{name} = {linkage} {words[2]} {kind} {initial}"
            self.out.append(text + (align[0] if align else ""))
            region = CONSTANT if words[2] == "constant" else GLOBAL
            self.regions[name] = (region, kind)
            return
        size, natural = measure(kind, number)
        if size == 0:
            raise Error(number, f"'@{name}' has no size: dynamic shared memory")
        # Not better aligned than is asked for, so that accesses that take more
        # for granted are found.
        at = max(int(align[1]), natural) if align else natural
        # Passes take 16 for granted in larger variables that do not say theirs
        # (DataLayout::getPreferredAlign). The AMDGPU back end gives as much, but
        # NVPTX writes the type's own alignment.
        if not align and size > 16 and self.is_amd:
            at = max(at, 16)
        storage = f"<{{ [{at} x i8], {kind}, [{RED_ZONE} x i8] }}>"
        self.out += [
            f"@{name}.storage = internal global {storage} zeroinitializer, "
            f"align {max(2 * at, 32)}",
            f"@{name} = internal alias {kind}, ptr getelementptr (i8, ptr "
            f"@{name}.storage, i64 {at})",
        ]
        self.regions[name] = (SHARED, kind)

    def rewrite_define(self, line, number):
        groups = re.findall(r" #(\d+)", line)
        sizes = re.search(r"!reqd_work_group_size !(\d+)", line)
        text = self.strip(line)
        found = re.match(rf"define (.*?)@({NAME})\(", text)
        if found[2].startswith('"'):
            raise Error(number, f"a function called {found[2]}")
        end = read_balanced(text, found.end() - 1)
        function = Function(found[2], number)
        notes = self.annotations(function.name)
        words = found[1].split()
        function.is_kernel = (
            "ptx_kernel" in words or "amdgpu_kernel" in words or "kernel" in notes
        )
        params = []
        for param in split(text[found.end() : end - 1]):
            kind, rest = read_type(param)
            bad = re.search(r"\b(byref|byval|sret|inalloca|preallocated)\b", rest)
            if bad:
                raise Error(
                    number,
                    f"'{bad[1]}' on a parameter of '{function.name}' is not "
                    "supported",
                )
            function.params.append(kind)
            params.append(f"{kind} {rest.split(' ')[-1]}")
        size = [0, 0, 0]
        for group in groups:
            known = self.attributes.get(group, {})
            stated = known.get("nvvm.reqntid", known.get("nvvm.maxntid"))
            if stated:
                size = [int(n) for n in stated.split(",")]
        for i, axis in enumerate("xyz"):
            size[i] = notes.get("reqntid" + axis, size[i])
            size[i] = notes.get("maxntid" + axis, size[i])
        if sizes:
            node = split(self.metadata[sizes[1]])
            size = [int(part.split()[-1]) for part in node]
        size = (size + [1, 1])[:3]
        function.size = tuple(n or 1 for n in size) if size[0] else (0, 0, 0)
        self.functions[function.name] = function
        result = "void" if function.is_kernel else self.result_type(found[1])
        self.out.append(
            f"define internal {result} @{function.name}({', '.join(params)}) "
            "nounwind {"
        )
        return function

    @staticmethod
    def result_type(prefix):
        prefix = re.sub(r"\brange\([^)]*\)", "", prefix).strip()
        return prefix[prefix.index("{") :] if "{" in prefix else prefix.split()[-1]

    # Instructions.

    def rewrite_line(self, function, line, number):
        text = self.strip(line)
        if not text or text.lstrip().startswith("#dbg"):
            return
        if re.match(rf"{NAME}:", text):
            self.out.append(text)
            return
        for name in re.findall(rf"@({NAME})", text):
            function.used.add(name)
        if re.search(r"\b(?:inttoptr|ptrtoint|ptrtoaddr)\b", text):
            raise Error(
                number, f"'{text.strip()}': addresses as numbers are " "not supported"
            )
        if re.match(r"\s*(?:i\d+ .*, label %\S+|\])$", text):
            self.out.append(text)  # a switch goes on
            return
        found = re.match(r"\s*(?:%\S+ = )?((?:tail |notail |musttail )?\w+)", text)
        opcode = found[1].split()[-1]
        if opcode == "load":
            self.rewrite_load(text, number)
        elif opcode == "store":
            self.rewrite_store(text, number)
        elif opcode == "call":
            self.rewrite_call(text, number)
        elif opcode == "fence":
            pass  # barriers order all memory here
        elif opcode == "alloca":
            self.out.append(text)
        elif opcode == "addrspacecast":
            self.out.append(text.replace("addrspacecast", "bitcast", 1))
        elif opcode == "unreachable":
            self.out += ["  call void @llvm.trap()", text]
        elif opcode in PLAIN:
            self.out.append(text)
        else:
            raise Error(number, f"instruction '{opcode}' is not supported")

    def check(self, entry, pointer, kind, align, number):
        size, _ = measure(kind, number)
        self.out.append(
            f"  call void @emulator.{entry}(ptr {pointer}, i64 {size}, "
            f"i32 {align}, i32 {number})"
        )

    def rewrite_load(self, text, number):
        found = re.match(r"(.*?= load )(volatile )?(?!atomic )(.*)$", text)
        if not found:
            raise Error(number, f"'{text.strip()}' is not supported")
        kind, rest = read_type(found[3])
        parts = split(rest.lstrip(", "))
        align = re.fullmatch(r"align (\d+)", parts[-1])
        if len(parts) != 2 or not align or not parts[0].startswith("ptr "):
            raise Error(number, f"'{text.strip()}' is not supported")
        self.check("load", parts[0][4:], kind, align[1], number)
        self.out.append(text)

    def rewrite_store(self, text, number):
        found = re.match(r"\s*store (volatile )?(?!atomic )(.*)$", text)
        if not found:
            raise Error(number, f"'{text.strip()}' is not supported")
        kind, rest = read_type(found[2])
        parts = split(rest)
        align = re.fullmatch(r"align (\d+)", parts[-1])
        if len(parts) != 3 or not align or not parts[1].startswith("ptr "):
            raise Error(number, f"'{text.strip()}' is not supported")
        self.check("store", parts[1][4:], kind, align[1], number)
        self.out.append(text)

    def rewrite_call(self, text, number):
        found = re.match(rf"(\s*(?:%\S+ = )?)(.*?)@({NAME})\(", text)
        if not found:
            raise Error(number, f"'{text.strip()}': a call of no known function")
        name = found[3]
        end = read_balanced(text, found.end() - 1)
        args, behind = text[found.end() : end - 1], text[end:].strip()
        if DROPPED.match(name):
            return
        if name == "llvm.assume":
            self.rewrite_assume(args, behind, number)
            return
        if behind:
            raise Error(number, f"'{behind}' behind the call of '{name}'")
        if GENERIC.match(name) or name == "llvm.trap":
            self.out.append(text)
            return
        if not name.startswith("llvm."):
            if not any(
                re.match(rf"define .*@{re.escape(name)}\(", line) for line in self.lines
            ):
                raise Error(number, f"calls '{name}', which is not defined here")
            result = self.result_type(found[2])
            clean = ", ".join(self.clean_arg(a) for a in split(args))
            self.out.append(f"{found[1]}call {result} @{name}({clean})")
            return
        result, _ = self.wrap(name, number)
        clean = [self.clean_arg(a) for a in split(args)] + [f"i32 {number}"]
        self.out.append(f"{found[1]}call {result} @emulator.{name}({', '.join(clean)})")

    @staticmethod
    def clean_arg(arg):
        """An argument without its attributes."""
        kind, rest = read_type(arg)
        attribute = r"(?:noundef|nonnull|captures\([^)]*\)|align \d+|zeroext|signext|"
        attribute += r"readonly|writeonly|readnone|noalias|inreg|immarg|"
        attribute += r"dereferenceable\(\d+\)|range\([^)]*\)) "
        return f"{kind} " + re.sub(rf"^(?:{attribute})*", "", rest)

    def rewrite_assume(self, args, behind, number):
        condition = args.split()[-1]
        if condition != "true":
            self.out += [
                f"  %assume{number} = zext i1 {condition} to i32",
                f"  call void @emulator.assume(i32 %assume{number}, i32 {number})",
            ]
        for bundle, values in re.findall(r'"(\w+)"\(([^)]*)\)', behind):
            parts = split(values)
            if bundle == "align" and len(parts) == 2:
                kind, value = parts[1].split()
                if kind != "i64":
                    raise Error(number, f"alignment of type {kind}")
                self.out.append(
                    f"  call void @emulator.assumeAligned({parts[0]}, "
                    f"i64 {value}, i32 {number})"
                )

    def wrap(self, name, number):
        """The wrapper of an intrinsic, made when it is first called."""
        result, params = self.find_declaration(name, number)
        if name in self.wrappers:
            return result, params
        for pattern, write in INTRINSICS:
            match = pattern.match(name)
            if not match:
                continue
            wrapper = Wrapper(result, params)
            write(wrapper, match)
            args = [f"{kind} %a{i}" for i, kind in enumerate(params)]
            args.append("i32 %line")
            self.wrappers[name] = "\n".join(
                [
                    f"define internal {result} @emulator.{name}"
                    f"({', '.join(args)}) nounwind {{"
                ]
                + wrapper.lines
                + ["}"]
            )
            return result, params
        raise Error(number, f"intrinsic '{name}' is not one the emulator knows")

    def find_declaration(self, name, number):
        if name not in self.declared:
            # Declarations come last in printed IR.
            for at in range(number - 1, len(self.lines)):
                line = self.lines[at]
                if line.startswith("declare ") and f"@{name}(" in line:
                    self.read_declare(line, at + 1)
        if name not in self.declared:
            raise Error(number, f"'{name}' is not declared")
        return self.declared[name]

    # What comes behind.

    def declare_generic(self):
        used = set(
            re.findall(rf"@(llvm\.{NAME})\(", "\n".join(self.out))
            + re.findall(rf"@(llvm\.{NAME})\(", "\n".join(self.wrappers.values()))
        )
        known = {
            "llvm.trap": "declare void @llvm.trap()",
            "llvm.memcpy.p0.p0.i64": "declare void @llvm.memcpy.p0.p0.i64(ptr, "
            "ptr, i64, i1 immarg)",
            "llvm.memmove.p0.p0.i64": "declare void @llvm.memmove.p0.p0.i64(ptr, "
            "ptr, i64, i1 immarg)",
            "llvm.memset.p0.i64": "declare void @llvm.memset.p0.i64(ptr, i8, "
            "i64, i1 immarg)",
        }
        for name in sorted(used):
            if name in known:
                self.out.append(known[name])
            elif name in self.declared:
                result, params = self.declared[name]
                self.out.append(f"declare {result} @{name}({', '.join(params)})")
            else:
                kind = {"f32": "float", "f64": "double"}[name.split(".")[-1]]
                count = {"fma": 3, "maximum": 2, "minimum": 2}.get(
                    name.split(".")[1], 1
                )
                params = ", ".join([kind] * count)
                self.out.append(f"declare {kind} @{name}({params})")

    def closure(self, function):
        """All that a function refers to, through what it calls too."""
        seen, todo = set(), [function.name]
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.functions:
                todo += self.functions[name].used
        return seen

    def finish(self):
        """Adds wrappers, thunks and tables."""
        out = self.out
        out.append(
            f"@headopt_emulator_entry_points = global [{len(ENTRY_POINTS)} x "
            "ptr] zeroinitializer"
        )
        checks = {
            "load": ["ptr", "i64", "i32"],
            "store": ["ptr", "i64", "i32"],
            "assume": ["i32"],
            "assumeAligned": ["ptr", "i64"],
        }
        for entry, params in checks.items():
            wrapper = Wrapper("void", params)
            args = [f"{kind} %a{i}" for i, kind in enumerate(params)]
            wrapper.call(entry, *args)
            wrapper.give()
            args = ", ".join(args + ["i32 %line"])
            out.append(f"define internal void @emulator.{entry}({args}) nounwind {{")
            out += wrapper.lines + ["}"]
        out += self.wrappers.values()
        kernels = [f for f in self.functions.values() if f.is_kernel]
        if not kernels:
            raise Error(0, "the IR has no kernel")
        names = list(self.regions)
        regions = []
        for name, (kind, stored) in self.regions.items():
            size = f"ptrtoint (ptr getelementptr ({stored}, ptr null, i32 1) to i64)"
            regions.append(
                f"{{ ptr, i64, i32, i32 }} {{ ptr @{name}, i64 {size}, "
                f"i32 {kind}, i32 0 }}"
            )
        rows = [self.add_kernel(kernel, names) for kernel in kernels]
        row = "{ ptr, ptr, ptr, ptr, i32, [3 x i32] }"
        out += [
            f"@emulator.regions = internal constant [{len(regions)} x "
            f"{{ ptr, i64, i32, i32 }}] [{', '.join(regions)}]",
            f"@emulator.kernels = internal constant [{len(rows)} x {row}] "
            f"[{', '.join(row + ' ' + text for text in rows)}]",
            "@headopt_emulator_kernels = constant { i32, i32, i32, i32, i32, "
            "i32, ptr, ptr, i64, i64 } "
            f"{{ i32 {VERSION}, i32 {self.warp}, i32 {int(self.is_amd)}, "
            f"i32 {len(rows)}, i32 {len(regions)}, i32 0, "
            "ptr @emulator.kernels, ptr @emulator.regions, "
            "i64 IMAGE_HASH, i64 IMAGE_BYTES }",
        ]

    def add_kernel(self, kernel, names):
        """The thunk of a kernel, and its row in the table."""
        name, out = kernel.name, self.out
        letters = ""
        for kind in kernel.params:
            if kind not in LETTERS:
                raise Error(
                    kernel.line, f"kernel '{name}' has a parameter of type {kind}"
                )
            letters += LETTERS[kind]
        used = self.closure(kernel)
        indices = [i for i, region in enumerate(names) if region in used]
        shared = sum(
            measure(self.regions[names[i]][1], kernel.line)[0]
            for i in indices
            if self.regions[names[i]][0] == SHARED
        )
        limit = 64 * 1024 if self.is_amd else 48 * 1024
        if shared > limit:
            raise Error(
                kernel.line,
                f"kernel '{name}' has {shared} bytes of shared memory, more than "
                f"the {limit} that devices have",
            )
        out.append(f"define void @{name}__thunk(ptr %params) nounwind {{")
        args = []
        for i, kind in enumerate(kernel.params):
            out += [
                f"  %slot{i} = getelementptr ptr, ptr %params, i64 {i}",
                f"  %at{i} = load ptr, ptr %slot{i}",
                f"  %arg{i} = load {kind}, ptr %at{i}, align 1",
            ]
            args.append(f"{kind} %arg{i}")
        out += [f"  call void @{name}({', '.join(args)})", "  ret void", "}"]
        numbers = ", ".join(f"i32 {i}" for i in indices)
        out += [
            f"@emulator.name.{name} = internal constant [{len(name) + 1} x i8] "
            f'c"{name}\\00"',
            f"@emulator.params.{name} = internal constant [{len(letters) + 1} x "
            f'i8] c"{letters}\\00"',
            f"@emulator.uses.{name} = internal constant [{len(indices)} x i32] "
            f"[{numbers}]",
        ]
        size = ", ".join(f"i32 {n}" for n in kernel.size)
        return (
            f"{{ ptr @emulator.name.{name}, ptr @{name}__thunk, "
            f"ptr @emulator.params.{name}, ptr @emulator.uses.{name}, "
            f"i32 {len(indices)}, [3 x i32] [{size}] }}"
        )


def hash_image(data):
    """FNV-1a, as Image::hash computes it."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def retarget(text, output, image=None, warp=None):
    """Writes the shared object for the kernels in `text`.

    `image` has the bytes of the device binary that belongs to them. It is needed
    only where a process runs several programs whose kernels have the same names.
    """
    result = Module(text, warp).rewrite()
    # The driver measures PTX as a string.
    image = (image or b"").rstrip(b"\0") if image and image[:4] != b"\x7fELF" else image
    result = result.replace("IMAGE_HASH", str(hash_image(image) if image else 0))
    result = result.replace("IMAGE_BYTES", str(len(image) if image else 0))
    with tempfile.TemporaryDirectory() as folder:
        ir, obj = Path(folder, "kernels.ll"), Path(folder, "kernels.o")
        ir.write_text(result)
        if os.environ.get("HEADOPT_EMULATOR_KEEP"):
            Path(os.environ["HEADOPT_EMULATOR_KEEP"]).write_text(result)
        run(
            LLVM / "llc", "-O1", "-relocation-model=pic", "-filetype=obj", ir, "-o", obj
        )
        run(os.environ.get("CC", "cc"), "-shared", obj, "-o", output, "-lm")


def run(*command):
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Error(0, f"{command[0]} failed: {done.stderr.strip()[:2000]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("input", help="LLVM IR of the kernels, as text")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--image", help="the device binary, to know it by")
    parser.add_argument("--warp", type=int, help="threads of a sub-group")
    args = parser.parse_args()
    try:
        image = Path(args.image).read_bytes() if args.image else None
        retarget(Path(args.input).read_text(), args.output, image, args.warp)
    except OSError as error:
        sys.exit(f"retarget.py: {error.filename}: {error.strerror}")
    except Error as error:
        where = f"{args.input}:{error.line}" if error.line else args.input
        sys.exit(f"retarget.py: {where}: {error}")


if __name__ == "__main__":
    main()
