// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs that are missing, or that fail, in one line. ptxas on PATH comes
// before all others.
//
// RUN: rm -rf %t && mkdir -p %t/none %t/bad
// RUN: printf '#!/bin/sh\necho "ptxas warning: old" >&2\necho "ptxas error: it is broken" >&2\nexit 3\n' > %t/bad/ptxas
// RUN: printf '#!/bin/sh\nexit 7\n' > %t/bad/ld.lld-22
// RUN: chmod +x %t/bad/ptxas %t/bad/ld.lld-22
// RUN: not env PATH=%t/bad %device %S/Inputs/kernels.mlir cuda bin 2>&1 | FileCheck %s --check-prefix=PTXAS
// RUN: not env PATH=%t/bad %device %S/Inputs/kernels.mlir rocm:gfx90a bin 2>&1 | FileCheck %s --check-prefix=LLD
// RUN: not env PATH=%t/none %device %S/Inputs/kernels.mlir rocm:gfx90a bin 2>&1 | FileCheck %s --check-prefix=NOLLD

// PTXAS:      error: {{.*}}/bad/ptxas could not assemble the kernels: ptxas error: it is broken; PTX, which the driver takes too, needs no assembler
// PTXAS-NOT:  {{.}}
// LLD:        error: {{.*}}/bad/ld.lld-22 could not link the kernels: exit status 7; try another version of lld
// LLD-NOT:    {{.}}
// NOLLD:      error: there is no ld.lld on PATH to link the code object that HIP loads; install it (Debian: apt-get install lld)
// NOLLD-NOT:  {{.}}
