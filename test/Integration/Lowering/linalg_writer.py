# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes functions of linalg on tensors as text."""


def tensor(shape, type_):
    extents = "".join(("?" if e is None else str(e)) + "x" for e in shape)
    return f"tensor<{extents}{type_}>"


def affine(loops, results):
    dims = ", ".join(f"d{i}" for i in range(loops))
    return f"affine_map<({dims}) -> ({', '.join(f'd{r}' for r in results)})>"


class Writer:
    """Lines of a function, with names for its values."""

    def __init__(self):
        self.lines, self.count = [], 0

    def __call__(self, line, results=True):
        if not results:
            self.lines.append("  " + line)
            return None
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {line}")
        return name

    def head(self, shape, result, type_, value):
        """The function of ``%x``, of ``shape``, that returns ``value``."""
        of, to = tensor(shape, type_), tensor(result, type_)
        return "\n".join(
            [
                f"func.func @head(%x: {of}) -> {to} {{",
                *self.lines,
                f"  return {value} : {to}",
                "}\n",
            ]
        )

    def empty(self, shape, type_, sizes):
        listed = ", ".join(sizes[i] for i, e in enumerate(shape) if e is None)
        return self(f"tensor.empty({listed}) : {tensor(shape, type_)}")

    def zeros(self, shape, type_, sizes):
        zero = self(f"arith.constant 0.0 : {type_}")
        empty = self.empty(shape, type_, sizes)
        t = tensor(shape, type_)
        return self(
            f"linalg.fill ins({zero} : {type_}) outs({empty} : {t}) -> {t}"
        )

    def generic(self, maps, kinds, ins, out, body, results):
        """``ins`` and ``out``: (value, tensor type). The body's arguments are %i0 ...
        and %o; it yields ``results``.
        """
        arguments = [
            f"%i{k}: {t.rsplit('x', 1)[-1].split('<')[-1].rstrip('>')}"
            for k, (_, t) in enumerate(ins)
        ]
        element = out[1].rsplit("x", 1)[-1].split("<")[-1].rstrip(">")
        arguments.append(f"%o: {element}")
        name = self(
            f"linalg.generic {{indexing_maps = [{', '.join(maps)}], "
            f"iterator_types = [{', '.join(kinds)}]}} "
            f"ins({', '.join(v for v, _ in ins)} : "
            f"{', '.join(t for _, t in ins)}) outs({out[0]} : {out[1]}) {{"
        )
        self(f"^bb0({', '.join(arguments)}):", False)
        for line in body:
            self("  " + line, False)
        self(f"  linalg.yield {results} : {element}", False)
        self(f"}} -> {out[1]}", False)
        return name


def elementwise(writer, ins, shape, type_, sizes, body, results):
    loops = len(shape)
    return writer.generic(
        [affine(loops, range(loops))] * (len(ins) + 1),
        ['"parallel"'] * loops,
        ins,
        (writer.empty(shape, type_, sizes), tensor(shape, type_)),
        body,
        results,
    )
