// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header: everything a caller has to know.

// RUN: split-file %s %t
// RUN: head-opt %t/f32.mlir -o %t/f32.o
// RUN: diff %t/f32.h %t/f32.expected
// RUN: head-opt %t/bf16.mlir -o %t/bf16.o --mcpu=x86-64-v3
// RUN: diff %t/bf16.h %t/bf16.expected

//--- f32.mlir
llvm.func @head(%f: !llvm.ptr, %batch: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = f32, features = [-1, 512, 7, 7],
                                     output = [-1, 10]}} {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
//--- f32.expected
/* The head 'head' as a C function. Written by head-opt; changes are lost. */

#ifndef HEADOPT_HEAD_H
#define HEADOPT_HEAD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Computes the head's output for `batch` feature maps.
 *
 * features  f32[batch][512][7][7]
 * batch     number of feature maps: 0 or more; with 0, nothing is read or written
 * output    f32[batch][10]
 *
 * Both arrays are row-major without gaps, need the alignment of one element,
 * and must not overlap.
 *
 * Returns 0, or 1 and writes nothing when batch is negative, or a pointer is
 * null although batch is above 0.
 *
 * Threads may call it at the same time. It allocates nothing.
 * Weights: 0 bytes, read only.
 * Compiled for x86-64-v2, x86-64-v3, x86-64-v4 (chosen when it first runs); one thread.
 * Needs no library but libc.
 */
int head(const float *features, int64_t batch, float *output);

#ifdef __cplusplus
}
#endif

#endif /* HEADOPT_HEAD_H */
//--- bf16.mlir
llvm.mlir.global private @scratch() {alignment = 64 : i64} : !llvm.array<512 x f32> {
  %0 = llvm.mlir.undef : !llvm.array<512 x f32>
  llvm.return %0 : !llvm.array<512 x f32>
}
llvm.func @expf(f32) -> f32
llvm.func @pool(%f: !llvm.ptr, %batch: i64, %h: i64, %w: i64, %o: !llvm.ptr) -> i32
    attributes {headopt.signature = {element = bf16, features = [4, 512, -1, -1],
                                     output = [-1, -2, -3, 1]}} {
  %0 = llvm.mlir.constant(0 : i32) : i32
  %scratch = llvm.mlir.addressof @scratch : !llvm.ptr
  %x = llvm.load volatile %scratch : !llvm.ptr -> f32
  %y = llvm.call @expf(%x) : (f32) -> f32
  llvm.store volatile %y, %scratch : f32, !llvm.ptr
  llvm.return %0 : i32
}
//--- bf16.expected
/* The head 'pool' as a C function. Written by head-opt; changes are lost. */

#ifndef HEADOPT_POOL_H
#define HEADOPT_POOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Computes the head's output for `batch` feature maps.
 *
 * features  bf16[4][512][extent2][extent3]
 * batch     number of feature maps: 4
 * extent2   extent 2 of the feature map, 1 or more
 * extent3   extent 3 of the feature map, 1 or more
 * output    bf16[4][512][extent2][1]
 * bf16 is the bits of a bfloat16.
 *
 * Both arrays are row-major without gaps, need the alignment of one element,
 * and must not overlap.
 *
 * Returns 0, or 1 and writes nothing when batch is not 4, a pointer is null,
 * or an extent is below 1.
 *
 * Threads may call it at the same time. It allocates nothing; each thread has
 * 2048 bytes of scratch memory (thread-local).
 * Weights: 0 bytes, read only.
 * Compiled for x86-64-v3; one thread.
 * Needs libm (-lm).
 */
int pool(const uint16_t *features, int64_t batch, int64_t extent2, int64_t extent3, uint16_t *output);

#ifdef __cplusplus
}
#endif

#endif /* HEADOPT_POOL_H */
