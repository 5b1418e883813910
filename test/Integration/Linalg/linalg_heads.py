# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random heads in linalg, what they compute, and along which axes they may be pooled.

A map [N, axes...] is an argument, or is broadcast from one. Axes may be split, and
moved; operations on each element stand anywhere. Then a dense layer reads the map,
flattened or as it is. What is known of a head is kept beside its text and never read
from it:

* ``answer`` computes it with numpy, in double, where small integers are exact.
* ``even`` has, for each axis (of the finest view: after splits), whether the weight
  or the map does not vary along it. That is the whole theorem.

Some heads have a *spoiler*, an operation that looks like the others and is different
for each position, or takes two maps. Behind a flatten none of these heads may be
pooled; before it, the operation's result is the map, and no broadcast before it says
that it is even, unless it is one of two maps that are.
"""

import math
import random

import lowering
import numpy as np
from headopt import F16, F32, F64
from linalg_writer import Writer, affine, elementwise, tensor

#: Element types of data, weight and sums.
TYPES = ((F32, F32, F32),) * 3 + (
    (F16, F16, F32),
    (F64, F64, F64),
    (F16, F32, F32),
    (F32, F16, F32),
)
ELEMENTWISE = {
    "relu": (
        ("%z = arith.constant 0.0 : {t}", "%p = arith.maximumf %i0, %z : {t}"),
        lambda x: np.maximum(x, 0),
    ),
    "absolute": (("%p = math.absf %i0 : {t}",), abs),
    "one more": (
        ("%z = arith.constant 1.0 : {t}", "%p = arith.addf %i0, %z : {t}"),
        lambda x: x + 1,
    ),
    "less two or": (
        (
            "%z = arith.constant 2.0 : {t}",
            "%c = arith.cmpf olt, %i0, %z : {t}",
            "%p = scf.if %c -> {t} {{ scf.yield %z : {t} }} "
            "else {{ scf.yield %i0 : {t} }}",
        ),
        lambda x: np.maximum(x, 2),
    ),
}
SPOILERS = (
    *("index",) * 3,
    *("two",) * 2,
    *("init", "map init", "parameter", "pad"),
)


def constant(w, array, element):
    type_ = tensor(array.shape, element)
    data = np.ascontiguousarray(array)
    flat = data.reshape(-1)
    if (flat == flat[0]).all():
        data = flat[:1]
    hexadecimal = data.tobytes().hex().upper()
    return w(f'arith.constant dense<"0x{hexadecimal}"> : {type_}')


class RandomHead:
    """One head: a function of a module, called ``name``."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.name, self.notes = f"head{seed}", []
        self.data, self.weight, self.sums = rng.choice(TYPES)
        self.w = Writer()
        # Positions that are powers of two lose no digit of a mean.
        self.exact = rng.random() < 0.7
        self.batch = rng.choice((1, 2, 3))
        self.dynamic = rng.random() < 0.5
        self.steps = []  # from x to what the layer reads
        self.spoilt = self.lone = False
        self.make_map()
        self.change_elements("map")
        self.split()
        self.move()
        self.layer()
        self.write()

    # The shape with the batch, as types and as numbers.

    def shape(self, extents=None):
        extents = self.extents if extents is None else extents
        return [None if self.dynamic else self.batch, *extents]

    def type(self, extents=None, element=None):
        return tensor(self.shape(extents), element or self.data.name)

    def empty(self, extents, element):
        return self.w.empty(self.shape(extents), element, {0: self.size})

    # The map.

    def make_map(self):
        rng, w = self.rng, self.w
        sizes = (1, 2, 4, 4) if self.exact else (1, 2, 3, 5, 6, 7)
        while True:
            extents = [rng.choice(sizes) for _ in range(rng.randint(2, 4))]
            if sum(e > 1 for e in extents) > 1 and math.prod(extents) <= 128:
                break
        self.extents = extents
        broadcast = []
        if rng.random() < 0.35:
            broadcast = [i for i in range(len(extents)) if rng.random() < 0.6]
        self.even_map = [i in broadcast for i in range(len(extents))]
        given = [e for i, e in enumerate(extents) if i not in broadcast]
        self.x_shape, self.x_type = [self.batch, *given], self.type(given)
        zero = w("arith.constant 0 : index")
        self.size = w(f"tensor.dim %x, {zero} : {self.x_type}")
        self.value = "%x"
        if not broadcast:
            return
        axes = tuple(i + 1 for i in broadcast)
        whole = [self.batch, *extents]
        self.steps.append(
            lambda x: np.broadcast_to(np.expand_dims(x, axes), whole)
        )
        into = self.empty(extents, self.data.name)
        self.notes.append(f"broadcast {broadcast}")
        if rng.random() < 0.5:
            self.value = w(
                f"linalg.broadcast ins(%x : {self.x_type}) outs({into} : "
                f"{self.type()}) dimensions = [{', '.join(map(str, axes))}]"
            )
            return
        loops = len(whole)
        kept = [i for i in range(loops) if i not in axes]
        self.value = w.generic(
            [affine(loops, kept), affine(loops, range(loops))],
            ['"parallel"'] * loops,
            [("%x", self.x_type)],
            (into, self.type()),
            [],
            "%i0",
        )

    # Operations on elements.

    def elementwise(self, body, result="%p"):
        self.value = elementwise(
            self.w,
            [(self.value, self.type())],
            self.shape(),
            self.data.name,
            {0: self.size},
            body,
            result,
        )

    def change_elements(self, where):
        while self.rng.random() < 0.35:
            name, (body, function) = self.rng.choice([*ELEMENTWISE.items()])
            self.notes.append(f"{name} at {where}")
            t = self.data.name
            if self.rng.random() < 0.3:
                into = self.empty(self.extents, t)
                lines = [line.format(t=t) for line in body]
                self.value = self.w(
                    f"linalg.map ins({self.value} : {self.type()}) outs({into} : "
                    f"{self.type()}) (%i0: {t}, %o: {t}) {{ "
                    + "\n    ".join([*lines, f"linalg.yield %p : {t} }}"])
                )
            else:
                self.elementwise([line.format(t=t) for line in body])
            self.steps.append(function)
        if self.rng.random() < 0.2:
            self.spoil(where)

    def spoil(self, where):
        """Something for each element that is not the same for all."""
        kind = self.rng.choice(SPOILERS)
        t, rank, w = self.data.name, len(self.extents), self.w
        axis = self.rng.choice(
            [i for i, e in enumerate(self.extents) if e > 1]
        )
        self.notes.append(f"spoilt by {kind} along {axis} at {where}")
        if where != "map":
            self.spoilt = True
        elif kind != "two":
            self.even_map = [False] * rank
        if kind == "two":
            # Of two maps, which are even along the same axes.
            first = self.value
            self.elementwise([f"%p = math.absf %i0 : {t}"])
            self.value = elementwise(
                w,
                [(first, self.type()), (self.value, self.type())],
                self.shape(),
                t,
                {0: self.size},
                [f"%p = arith.addf %i0, %i1 : {t}"],
                "%p",
            )
            self.steps.append(lambda x: x + abs(x))
            return
        if kind == "index":
            index = np.arange(self.extents[axis]).reshape(
                [-1] + [1] * (rank - axis - 1)
            )
            self.elementwise(
                [
                    f"%k = linalg.index {axis + 1} : index",
                    "%j = arith.index_cast %k : index to i32",
                    f"%q = arith.sitofp %j : i32 to {t}",
                    f"%p = arith.addf %i0, %q : {t}",
                ]
            )
            self.steps.append(lambda x: x + index)
            return
        if kind == "pad":
            # All but the last slice of an axis, behind zeros.
            last = [0] * (rank + 1)
            last[axis + 1] = 1
            part = list(self.extents)
            part[axis] -= 1
            zeros, ones = str([0] * (rank + 1)), ", ".join(["1"] * (rank + 1))
            sizes = ", ".join(
                [self.size if self.dynamic else str(self.batch), *map(str, part)]
            )
            slice_ = w(
                f"tensor.extract_slice {self.value}{zeros} [{sizes}] [{ones}] : "
                f"{self.type()} to {self.type(part)}"
            )
            arguments = ", ".join(f"%a{i}: index" for i in range(rank + 1))
            zero = w(f"arith.constant 0.0 : {t}")
            self.value = w(
                f"tensor.pad {slice_} low{last} high{zeros} {{\n"
                f"    ^bb0({arguments}): tensor.yield {zero} : {t}\n"
                f"  }} : {self.type(part)} to {self.type()}"
            )

            def padded(x):
                x = np.roll(x, 1, axis + 1)
                x[(slice(None),) * (axis + 1) + (0,)] = 0
                return x

            self.steps.append(padded)
            return
        # A parameter for each element of a sample, in one way or another.
        parameter = self.numbers.integers(-3, 4, self.extents)
        parameter.flat[:2] = -1, 2
        self.steps.append(lambda x: x + parameter)
        value = constant(w, parameter.astype(self.data.numpy), t)
        fixed = tensor(self.extents, t)
        loops = rank + 1
        add = ["%p = arith.addf %i0, {} : " + t]
        if kind == "parameter":
            self.value = w.generic(
                [
                    affine(loops, range(loops)),
                    affine(loops, range(1, loops)),
                    affine(loops, range(loops)),
                ],
                ['"parallel"'] * loops,
                [(self.value, self.type()), (value, fixed)],
                (self.empty(self.extents, t), self.type()),
                [add[0].format("%i1")],
                "%p",
            )
            return
        init = w(
            f"linalg.broadcast ins({value} : {fixed}) outs("
            f"{self.empty(self.extents, t)} : {self.type()}) dimensions = [0]"
        )
        if kind == "init":
            self.value = w.generic(
                [affine(loops, range(loops))] * 2,
                ['"parallel"'] * loops,
                [(self.value, self.type())],
                (init, self.type()),
                [add[0].format("%o")],
                "%p",
            )
            return
        self.value = w(
            f"linalg.map ins({self.value} : {self.type()}) outs({init} : "
            f"{self.type()}) (%i0: {t}, %o: {t}) {{ "
            f"{add[0].format('%o')}\n    linalg.yield %p : {t} }}"
        )

    # Views.

    def listed(self, extents):
        """The extents of a tensor with the batch, as values and numbers."""
        sizes = [self.size if self.dynamic else self.batch, *extents]
        return f"[{', '.join(map(str, sizes))}]"

    def split(self):
        """Cuts an axis in two."""
        axes = [i for i, e in enumerate(self.extents) if e in (4, 6)]
        if not axes or self.rng.random() < 0.6:
            return
        axis = self.rng.choice(axes)
        self.notes.append(f"split {axis}")
        before, rank = self.type(), len(self.extents) + 1
        groups = [[i + (i > axis + 1)] for i in range(rank)]
        groups[axis + 1].append(axis + 2)
        self.extents[axis : axis + 1] = [2, self.extents[axis] // 2]
        self.even_map[axis : axis + 1] = [self.even_map[axis]] * 2
        self.value = self.w(
            f"tensor.expand_shape {self.value} {groups} output_shape "
            f"{self.listed(self.extents)} : {before} into {self.type()}"
        )
        whole = [self.batch, *self.extents]
        self.steps.append(lambda x: x.reshape(whole))

    def flatten(self):
        before, rank = self.type(), len(self.extents) + 1
        self.extents = [math.prod(self.extents)]
        self.value = self.w(
            f"tensor.collapse_shape {self.value} [[0], {[*range(1, rank)]}] : "
            f"{before} into {self.type()}"
        )
        whole = [self.batch, *self.extents]
        self.steps.append(lambda x: x.reshape(whole))

    def transpose(self, value, before, perm, element):
        """``before`` and ``perm`` count all axes. The value and its shape."""
        w, loops = self.w, len(perm)
        after = [before[i] for i in perm]
        into = w.empty(after, element, {i: self.size for i in range(loops)})
        before, result = tensor(before, element), tensor(after, element)
        if self.rng.random() < 0.5:
            value = w(
                f"linalg.transpose ins({value} : {before}) outs({into} : "
                f"{result}) permutation = {list(perm)}"
            )
        else:
            value = w.generic(
                [
                    affine(loops, [perm.index(i) for i in range(loops)]),
                    affine(loops, range(loops)),
                ],
                ['"parallel"'] * loops,
                [(value, before)],
                (into, result),
                [],
                "%i0",
            )
        return value, after

    def move(self):
        """Moves axes, the batch too if it comes back."""
        if self.rng.random() < 0.5:
            return
        rank = len(self.extents) + 1
        order = [0, *self.rng.sample(range(1, rank), rank - 1)]
        self.notes.append(f"moved {order}")
        perms, shape = [order], self.shape()
        if self.rng.random() < 0.3:
            first = self.rng.sample(range(rank), rank)
            perms = [first, [first.index(i) for i in order]]
        for perm in perms:
            self.value, shape = self.transpose(
                self.value, shape, perm, self.data.name
            )
            self.steps.append(lambda x, perm=perm: x.transpose(perm))
        self.extents = [self.extents[i - 1] for i in order[1:]]
        self.even_map = [self.even_map[i - 1] for i in order[1:]]

    # The layer.

    def make_weight(self):
        """[axes..., outputs]: small integers that are the same along some axes."""
        self.outputs = self.rng.choice((1, 2, 3))
        vary = [
            1 if self.rng.random() < 0.5 else e for e in self.extents
        ]
        numbers = self.numbers.integers(-2, 3, [*vary, self.outputs])
        self.matrix = np.broadcast_to(
            numbers, [*self.extents, self.outputs]
        ).astype(self.weight.numpy)
        weight = [
            bool((self.matrix == self.matrix.take([0], axis)).all())
            for axis in range(len(self.extents))
        ]
        self.equal = all(weight)
        self.even = [w or m for w, m in zip(weight, self.even_map)]
        self.finest = list(self.extents)

    def place_weight(self, order):
        """The weight, with its axes (outputs are the last) in this order, as a
        constant or as views of one.
        """
        t = self.weight.name
        matrix = self.matrix.reshape([*self.extents, self.outputs])
        wanted = matrix.transpose(order)
        perm = self.rng.sample(range(wanted.ndim), wanted.ndim)
        if self.rng.random() < 0.6:
            return constant(self.w, wanted, t), tensor(wanted.shape, t)
        stored = wanted.transpose(perm)
        value, _ = self.transpose(
            constant(self.w, stored, t),
            list(stored.shape),
            [perm.index(i) for i in range(wanted.ndim)],
            t,
        )
        return value, tensor(wanted.shape, t)

    def start(self, shape, axis):
        """What the sums begin with: zeros, or the bias along an axis."""
        w, t = self.w, self.sums.name
        self.bias = np.zeros(self.outputs)
        type_ = tensor(shape, t)
        empty = w.empty(shape, t, {i: self.size for i in range(len(shape))})
        if self.rng.random() < 0.5:
            zero = w(f"arith.constant 0.0 : {t}")
            return w(
                f"linalg.fill ins({zero} : {t}) outs({empty} : {type_}) -> "
                f"{type_}"
            )
        self.bias = self.numbers.integers(-3, 4, self.outputs).astype(float)
        value = constant(w, self.bias.astype(self.sums.numpy), t)
        others = [i for i in range(len(shape)) if i != axis]
        return w(
            f"linalg.broadcast ins({value} : {tensor([self.outputs], t)}) "
            f"outs({empty} : {type_}) dimensions = {others}"
        )

    def layer(self):
        self.make_weight()
        kinds = ["matmul", "contract", "batch", "generic", "axes", "axes"]
        if len(self.extents) == 3:
            kinds += ["conv", "conv"]
        kind = self.rng.choice(kinds)
        self.notes.append(kind)
        self.squares = kind in ("generic", "axes") and self.rng.random() < 0.15
        if self.squares:
            self.notes.append("squares")
            self.spoilt = True
        if kind not in ("axes", "conv"):
            self.flatten()
            self.change_elements("features")
        getattr(self, f"as_{kind}")()

    def named(self, name, weight, result, axis, attributes=""):
        """An operation of linalg that is a layer."""
        (w, w_type), out = weight, tensor(result, self.sums.name)
        start = self.start(result, axis)
        self.value = self.w(
            f"linalg.{name} {attributes}ins({self.value}, {w} : "
            f"{self.data_type}, {w_type}) outs({start} : {out}) -> {out}"
        )
        self.result = result

    def as_matmul(self):
        self.data_type = self.type()
        self.named(
            "matmul", self.place_weight([0, 1]), self.shape([self.outputs]), 1
        )

    def as_contract(self):
        self.data_type = self.type()
        maps = ", ".join(affine(3, r) for r in ((0, 2), (1, 2), (0, 1)))
        self.named(
            "contract",
            self.place_weight([1, 0]),
            self.shape([self.outputs]),
            1,
            f"indexing_maps = [{maps}] ",
        )

    def as_batch(self):
        t = self.data.name
        k = self.extents[0]
        batch = self.shape()[0]
        self.lone = batch == 1
        self.data_type = tensor([1, batch, k], t)
        sizes = f"[1, {self.listed([k])[1:]}"
        self.value = self.w(
            f"tensor.expand_shape {self.value} [[0, 1], [2]] output_shape "
            f"{sizes} : {self.type()} into {self.data_type}"
        )
        weight, w_type = self.place_weight([0, 1])
        single = tensor([1, k, self.outputs], self.weight.name)
        weight = self.w(
            f"tensor.expand_shape {weight} [[0, 1], [2]] output_shape "
            f"[1, {k}, {self.outputs}] : {w_type} into {single}"
        )
        self.named(
            "batch_matmul", (weight, single), [1, batch, self.outputs], 2
        )

    def as_conv(self):
        self.data_type = self.type()
        ones = "dense<1> : tensor<2xi64>"
        window = f"{{dilations = {ones}, strides = {ones}}} "
        n, o = self.shape()[0], self.outputs
        if self.rng.random() < 0.5:
            weight = self.place_weight([3, 0, 1, 2])
            self.named("conv_2d_nchw_fchw", weight, [n, o, 1, 1], 1, window)
        else:
            weight = self.place_weight([0, 1, 2, 3])
            self.named("conv_2d_nhwc_hwcf", weight, [n, 1, 1, o], 3, window)

    def as_generic(self):
        """A product that is written out: of any axes, in any order."""
        axes = len(self.extents)
        order = self.rng.sample(range(axes + 1), axes + 1)
        weight = self.place_weight(order)
        # Loops: samples, outputs, features.
        place = self.rng.sample(range(axes + 2), axes + 2)
        n, o, *k = place
        names = [*k, o]
        t, operands = self.sums.name, [(self.value, self.type()), weight]
        maps = [
            affine(axes + 2, [n, *k]),
            affine(axes + 2, [names[i] for i in order]),
        ]
        elements = [self.data.name, self.weight.name]
        swapped = self.rng.random() < 0.5
        if swapped:
            for pair in (operands, maps, elements):
                pair.reverse()
        body, factors = [], []
        for i, element in enumerate(elements):
            factors.append(f"%i{i}" if element == t else f"%f{i}")
            if element != t:
                body.append(f"%f{i} = arith.extf %i{i} : {element} to {t}")
        if self.squares:  # of the data
            factors[not swapped] = factors[swapped]
        kinds = ['"reduction"'] * (axes + 2)
        kinds[n] = kinds[o] = '"parallel"'
        result = self.shape([self.outputs])
        summands = ["%o", "%m"]
        self.rng.shuffle(summands)
        self.value = self.w.generic(
            [*maps, affine(axes + 2, [n, o])],
            kinds,
            operands,
            (self.start(result, 1), tensor(result, t)),
            [
                *body,
                f"%m = arith.mulf {', '.join(factors)} : {t}",
                f"%s = arith.addf {', '.join(summands)} : {t}",
            ],
            "%s",
        )
        self.result = result

    as_axes = as_generic

    def write(self):
        result = tensor(self.result, self.sums.name)
        self.text = (
            f"func.func @{self.name}(%x: {self.x_type}) -> {result} {{\n"
            + "\n".join(self.w.lines)
            + f"\n  return {self.value} : {result}\n}}\n"
        )

    # What is known of it.

    def input(self):
        x = self.numbers.integers(-3, 4, self.x_shape)
        return x.astype(self.data.numpy)

    def answer(self, x):
        """The result in double, and how far another order of sums may be off it.

        Pooled or not, a summand w x is part of no more than K + 3 additions and
        products and one division, each off by a factor within 1 + u, and of two
        numbers that are rounded to their types: a mean and an element of the new
        weight. A mean of halves may also lie below the normal numbers.
        """
        x = x.astype(float)
        for step in self.steps:
            x = step(x)
        x = x.reshape(self.batch, -1)
        w = self.matrix.reshape(-1, self.outputs).astype(float)
        if self.squares:
            x, w = x * x, np.ones_like(w)
        value = x @ w + self.bias
        size = abs(x) @ abs(w) + abs(self.bias)
        factor = (
            (1 + lowering.gamma(2 * len(w) + 8, self.sums))
            * (1 + lowering.unit(self.data))
            * (1 + lowering.unit(self.weight))
        )
        tiny = 2.0**-24 if self.data is F16 else 0.0
        error = (factor - 1) * size + tiny * abs(w).sum(0)
        whole = [self.batch if e is None else e for e in self.result]
        return value.reshape(whole), error.reshape(whole)

    def may_have(self, positions):
        """True for the number of positions that the theorem allows to average; 1
        where nothing may be.
        """
        total = math.prod(self.finest)
        if self.spoilt:
            # [1, 1, K] is a map again: of one sample, with one channel.
            return positions == (total if self.lone and self.equal else 1)
        pooled = math.prod(
            e for e, even in zip(self.finest, self.even) if even
        )
        if pooled != total:
            return positions == pooled
        # An axis stays where all could go. Which one depends on the view.
        return 1 < positions <= total and total % positions == 0
