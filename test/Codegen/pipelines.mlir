// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipelines by name and by flag, with their options written and read back.
//
// RUN: head-opt %S/CPU/Inputs/copy.mlir --lower-head-to-llvm-cpu | FileCheck %s
// RUN: head-opt %S/CPU/Inputs/copy.mlir --lower-head-to-llvm-cpu="vector-bits=512 fma=true converts-f16=true bf16-dot=true" | FileCheck %s
// RUN: mlir-opt %S/CPU/Inputs/copy.mlir --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(lower-head-to-llvm-cpu{vector-bits=128 fma=false})' | FileCheck %s
// CHECK:       llvm.func @head(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: !llvm.ptr) -> i32
// CHECK-NOT:   func.func

// RUN: head-opt %S/CPU/Inputs/copy.mlir --dump-pass-pipeline \
// RUN:   --pass-pipeline='builtin.module(lower-head-to-llvm-cpu{vector-bits=128 fma=false converts-f16=false})' 2>&1 >%t.first | FileCheck %s --check-prefix=DUMP
// DUMP:        store-whole-bytes
// DUMP:        specialize-batch
// DUMP:        fuse-elementwise
// DUMP:        schedule-dense{bf16-dot=false fma=false vector-bits=128}
// DUMP:        schedule-pooling{cut-bytes=0 vector-bits=128}
// DUMP-NOT:    share-loops
// DUMP:        place-scratch{stack-bytes=16384}
// DUMP:        approximate-math{fma=false}
// DUMP:        expand-half{f16=true narrow-f16=false}
// DUMP:        move-bf16

// Threads: from 1 MiB on.
// RUN: head-opt %S/CPU/Inputs/copy.mlir --dump-pass-pipeline --lower-head-to-llvm-cpu=openmp=true 2>&1 >%t.threads | FileCheck %s --check-prefix=THREADS
// THREADS:     specialize-batch{openmp=true parallel-bytes=1048576
// THREADS:     schedule-pooling{cut-bytes=1048576
// THREADS:     share-loops{parallel-bytes=1048576 stack-bytes=16384}
// THREADS:     place-scratch

// What is printed runs again, and does the same.
// RUN: head-opt %S/CPU/Inputs/copy.mlir --pass-pipeline='builtin.module(specialize-batch{sizes=4,1},schedule-pooling{cut-bytes=7 vector-bits=128},schedule-dense{vector-bits=128 fma=false},share-loops{stack-bytes=5 parallel-bytes=6},place-scratch{stack-bytes=7},func.func(approximate-math{fma=false},expand-half{f16=true}))' --dump-pass-pipeline 2>&1 >%t.a | FileCheck %s --check-prefix=ROUND
// ROUND:       specialize-batch{openmp=false parallel-bytes=1048576 sizes={4,1}}
// ROUND:       schedule-pooling{cut-bytes=7 vector-bits=128}
// ROUND:       schedule-dense{bf16-dot=false fma=false vector-bits=128}
// ROUND:       share-loops{parallel-bytes=6 stack-bytes=5}
// ROUND:       place-scratch{stack-bytes=7}
// ROUND:       approximate-math{fma=false}
// ROUND:       expand-half{f16=true narrow-f16=false}
// RUN: head-opt %S/CPU/Inputs/copy.mlir --pass-pipeline='builtin.module(specialize-batch{openmp=false parallel-bytes=1048576 sizes={4,1}},schedule-pooling{cut-bytes=7 vector-bits=128},schedule-dense{bf16-dot=false fma=false vector-bits=128},share-loops{parallel-bytes=6 stack-bytes=5},place-scratch{stack-bytes=7},func.func(approximate-math{fma=false},expand-half{f16=true}))' >%t.b
// RUN: cmp %t.a %t.b


// Options that are none.
// RUN: not head-opt %S/CPU/Inputs/copy.mlir --lower-head-to-llvm-cpu=bits=7 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION:      no such option bits
// RUN: not head-opt %S/CPU/Inputs/copy.mlir --lower-head-to-llvm-cpu=vector-bits=7 2>&1 | FileCheck %s --check-prefix=BITS
// BITS:        error: schedule-dense: vector-bits is 7; give 128, 256 or 512

// A model without a head.
// RUN: not head-opt %S/CPU/Inputs/copy.mlir --lower-head-to-linalg=name=f 2>&1 | FileCheck %s --check-prefix=NOHEAD
// NOHEAD:      error: the model has no head
