//===- Passes.td - Passes that schedule pooling and dense layers ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// These passes know linalg and vector, neither ONNX nor heads.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CODEGEN_PASSES_TD
#define HEADOPT_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def SpecializeBatch : Pass<"specialize-batch", "::mlir::ModuleOp"> {
  let summary = "Make a C function of one on tensors, by blocks of the batch";
  let description = [{
    Takes the one function of the module, from a tensor whose first extent is
    the batch to another such tensor, and makes of it (each sample of the result
    must be made from the same sample of the argument alone, unless the batch is
    fixed; outline-head sees to that)

    * a function for each size of `sizes`, of tensors with that static batch,
      between two memrefs;
    * a function that calls them for a range of samples, one block after another,
      the largest first;
    * the entry point under the function's name, with the C interface
      `int32_t NAME(const T *features, int64_t batch, [int64_t extent...,]
      T *output)`.

    So every kernel has a static batch, and what it keeps between two layers has
    a bounded size that does not depend on the batch:

    ```mlir
    func.func @head(%x: tensor<?x512x7x7xf32>) -> tensor<?x512xf32>
    ```
    becomes
    ```mlir
    func.func private @head.block8(%x: memref<8x512x7x7xf32>, %y: memref<8x512xf32>)
    func.func private @head.block1(%x: memref<1x512x7x7xf32>, %y: memref<1x512xf32>)
    func.func private @head.range(%features: memref<1xi8>, %output: memref<1xi8>, %first: index, %last: index)
    func.func @head(%features: memref<1xi8>, %batch: i64, %output: memref<1xi8>) -> i32
    ```
    A tensor of fixed batch gets one function of that size. The entry point
    returns 1 when the batch is negative or another than the fixed one, an
    extent is less than 1, or a pointer is null while there is something to
    read or to write.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
  let options = [
    ListOption<"sizes", "sizes", "int64_t",
               "Batches that get a function of their own, largest first, down "
               "to 1 (default: 32,8,4,2,1)">,
    Option<"openmp", "openmp", "bool", /*default=*/"false",
           "Share the samples of a batch that is not fixed out among OpenMP's "
           "threads">,
    Option<"parallelBytes", "parallel-bytes", "int64_t", /*default=*/"1 << 20",
           "What must be read before more than one thread does it">,
  ];
}

def FuseElementwise : Pass<"fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Join chains of element-wise operations, and pools with what is before them";
  let description = [{
    Element-wise operations on tensors with one use become part of their
    element-wise user, or of the reduction that reads each of them once. Matrix
    products are left alone: what is before one would be computed again for
    each of its columns.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SchedulePooling : Pass<"schedule-pooling", "::mlir::ModuleOp"> {
  let summary = "Vectorise sums and means over axes of a tensor for a CPU";
  let description = [{
    Rewrites a `linalg` operation on tensors that sums over one or more axes,
    with what is done to each element before and after (widening, an activation,
    the division of a mean, narrowing), into loops of vector operations.

    The axes of the input fall into groups of adjacent ones that are all summed
    or all kept. When the last group is summed (NCHW), the rows of memory are:
    short ones are read whole, two in each pass of the loop, long ones by four
    accumulators. When the last group is kept (NHWC), rows are added one after
    the other to accumulators of all columns: in registers when they fit, and
    otherwise in memory of a size that stays in the nearest cache.

    Nothing beyond a row is read: the end of a row that is no multiple of the
    vector is read by a vector that ends with the row, whose lanes that were
    already added are replaced by zero. Each element of the result is computed
    by the same operations wherever it lies, so that a sample's result does not
    depend on its neighbours.

    Reductions that are left alone get a remark (category `schedule-pooling`) that
    says why.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::ub::UBDialect", "::mlir::vector::VectorDialect"];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"256",
           "Width of the vector registers: 128, 256 or 512">,
  ];
}

def ScheduleDense : Pass<"schedule-dense", "::mlir::ModuleOp"> {
  let summary = "Vectorise products with a constant matrix for a CPU";
  let description = [{
    Rewrites a matrix product on tensors whose right side is a constant, with
    the element-wise operations behind it (bias, activation), into loops of
    vector operations. The constant is packed at compile time into panels of 48
    columns that are read in order, once for each tile of rows; a tile of the
    result stays in registers for the whole inner extent. Every element is one
    chain of multiplications and additions in order of the inner index, so that
    a row's result does not depend on how many rows there are.

    Products that are left alone get a remark (category `schedule-dense`) that
    says why.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::ub::UBDialect",
    "::mlir::vector::VectorDialect"];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"256",
           "Width of the vector registers: 128, 256 or 512">,
    Option<"fma", "fma", "bool", /*default=*/"true",
           "The target has fused multiply-add instructions">,
  ];
}

def ApproximateMath : Pass<"approximate-math", "::mlir::func::FuncOp"> {
  let summary = "Write exp, tanh, log, erf and their kin of f32 as polynomials";
  let description = [{
    Upstream's approximations of exp, expm1, log, log1p, tanh and erf, so that
    compiled heads call no library and these functions are vectorised. Results
    are within a few units in the last place of f32; where the value of exp is
    below the smallest normal number, it is 0. f64 is left to the C library.
  }];
  let options = [
    Option<"fma", "fma", "bool", /*default=*/"true",
           "The target has fused multiply-add instructions; without them, they "
           "are written as two operations">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandHalf : Pass<"expand-half", "::mlir::func::FuncOp"> {
  let summary = "Write conversions between f32 and bf16, or f16, with integers";
  let description = [{
    `arith.extf` and `arith.truncf` of bf16 become integer operations, and those
    of f16 where the target has no instruction for them, so that no library of
    the compiler is called. Those between f64 and a half go by way of f32.
    Rounding is to nearest, ties to even, and once; a NaN stays one.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let options = [
    Option<"f16", "f16", "bool", /*default=*/"false",
           "Expand f16 too: the target does not convert it">,
  ];
}

def MoveBF16 : Pass<"move-bf16", "::mlir::ModuleOp"> {
  let summary = "Have bf16 loaded, moved and stored as integers";
  let description = [{
    Behind expand-half nothing in the LLVM dialect computes with bf16. Still, a
    constant of that type that reaches a phi makes LLVM call a function of the
    compiler's library on processors without instructions for bf16. So the type
    becomes i16 everywhere, except in discardable attributes.

    ```mlir
    %0 = llvm.bitcast %bits : i16 to bf16
    llvm.store %0, %to : bf16, !llvm.ptr
    ```
    becomes
    ```mlir
    %0 = llvm.bitcast %bits : i16 to i16
    llvm.store %0, %to : i16, !llvm.ptr
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def PlaceScratch : Pass<"place-scratch", "::mlir::ModuleOp"> {
  let summary = "Put buffers of static size into one global, or on the stack";
  let description = [{
    A compiled head allocates nothing per call. All `memref.alloc` of a function
    are laid out one behind the other, 64-byte aligned; when no function needs
    more than `stack-bytes` they are on its stack, and otherwise in the global
    `scratch` that all functions share; what freed them goes. (Target/Native makes that global
    thread-local; the functions do not call each other.) An allocation
    of dynamic size, or inside a loop, is an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
  let options = [
    Option<"stackBytes", "stack-bytes", "int64_t", /*default=*/"16384",
           "Largest total that is put on the stack">,
  ];
}

#endif // HEADOPT_CODEGEN_PASSES_TD
