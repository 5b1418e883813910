//===- EntryPoints.h - What kernels call ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_ENTRYPOINTS_H
#define HEADOPT_TEST_EMULATOR_ENTRYPOINTS_H

#include "Kernels.h"

namespace headopt::emulator {

/// The functions for `Execution::get()`, to be put into a kernel library.
EntryPoints getEntryPoints();

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_ENTRYPOINTS_H
