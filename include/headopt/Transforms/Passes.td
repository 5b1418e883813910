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

#endif // HEADOPT_TRANSFORMS_PASSES_TD
