# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Emulators for kernels that are lowered here, by source and chip."""

import itertools

import kernels
from emulator import Emulator


class Builder:
    def __init__(self, folder):
        self.folder, self.built = folder, {}
        self.numbers = itertools.count()

    def __call__(self, chip, edit=None):
        """The kernels for `chip`; `edit` changes their source first."""
        kind, size = kernels.TARGETS[chip]
        source = kernels.read_kernels(size)
        if edit:
            changed = edit(source)
            assert changed != source
            source = changed
        return self.from_ir((chip, source), kind, lambda: kernels.lower(source, chip))

    def from_ir(self, key, kind, make):
        if key not in self.built:
            ir = make()
            folder = self.folder / str(next(self.numbers))
            folder.mkdir()
            self.built[key] = Emulator(ir, kind, folder)
        return self.built[key]
