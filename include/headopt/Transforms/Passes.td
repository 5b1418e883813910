//===- Passes.td - Passes on the onnx dialect -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TRANSFORMS_PASSES_TD
#define HEADOPT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def FlattenToGap : Pass<"flatten-to-gap", "::mlir::ModuleOp"> {
  let summary = "Rewrite Flatten -> Dense heads to GlobalAveragePool -> Dense";
  let description = [{
    Where the weight of a dense layer does not vary over the positions of the
    feature map that it reads, the map is averaged over them first and the
    weight summed:

    ```mlir
    %f = onnx.Flatten(%x) : (tensor<?x512x7x7xf32>) -> tensor<?x25088xf32>
    %y = onnx.Gemm(%f, %w) : (tensor<?x25088xf32>, tensor<25088x10xf32>) -> tensor<?x10xf32>
    ```
    becomes
    ```mlir
    %m = onnx.GlobalAveragePool(%x) : (tensor<?x512x7x7xf32>) -> tensor<?x512x1x1xf32>
    %f = onnx.Flatten(%m) : (tensor<?x512x1x1xf32>) -> tensor<?x512xf32>
    %y = onnx.Gemm(%f, %v) : (tensor<?x512xf32>, tensor<512x10xf32>) -> tensor<?x10xf32>
    ```
    The two are the same function over the real numbers; in floating point sums
    are taken in another order. Heads for which that is not proved are left
    alone, and a remark (category `flatten-to-gap`) says which rule of
    docs/Legality.md failed and what pooling would save.

    The pass is anchored on the module so that its remarks come from one thread,
    in order.
  }];
  let dependentDialects = ["::headopt::onnx::ONNXDialect"];
  let options = [
    Option<"residual", "residual", "bool", /*default=*/"true",
           "Report how far the weight of a refused head is from even, which "
           "reads all of it">,
    Option<"constantInitializers", "constant-initializers", "bool",
           /*default=*/"false",
           "Take initializers that are also graph inputs for constants: no "
           "caller overrides them. The input of one that the rewrite replaces "
           "goes with it">,
  ];
}

def RaiseToGap : Pass<"raise-to-gap", "::mlir::ModuleOp"> {
  let summary = "Write means over all positions of a map as GlobalAveragePool";
  let description = [{
    What is a mean over all positions of a feature map already has many
    spellings (docs/Legality.md, "Already pooled"). This pass writes them in one:
    GlobalAveragePool of the map, with what keeps the shape of the old value
    behind it (Flatten, Squeeze or Transpose). Exporters that lay maps out with
    their channels last transpose them first; the map before that Transpose is
    pooled then. Where an activation stands between the two, a Transpose back is
    written before the pool: one more copy of the map, unless what runs the model
    moves the two Transposes together.

    ```mlir
    %t = onnx.Transpose(%x) {perm = array<i64: 0, 2, 3, 1>} : (tensor<?x512x7x7xf32>) -> tensor<?x7x7x512xf32>
    %m = onnx.ReduceMean(%t) {axes = array<i64: 1, 2>, keepdims = 0 : i64} : (tensor<?x7x7x512xf32>) -> tensor<?x512xf32>
    ```
    becomes
    ```mlir
    %p = onnx.GlobalAveragePool(%x) : (tensor<?x512x7x7xf32>) -> tensor<?x512x1x1xf32>
    %m = onnx.Flatten(%p) : (tensor<?x512x1x1xf32>) -> tensor<?x512xf32>
    ```
    The value keeps its name, its shape and its type. The two are the same
    function over the real numbers; in floating point a sum may be taken in
    another order. What is not proved to be such a mean is left alone without a
    word; where GlobalAveragePool cannot be written in its place (more than two
    axes are kept, an element type or a rank that it does not have), a remark
    (category `raise-to-gap`) says so.
  }];
  let dependentDialects = ["::headopt::onnx::ONNXDialect"];
}

#endif // HEADOPT_TRANSFORMS_PASSES_TD
