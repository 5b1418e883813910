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

def LinalgFlattenToGap : Pass<"linalg-flatten-to-gap", "::mlir::ModuleOp"> {
  let summary = "Pool Flatten -> Dense heads that are written in linalg";
  let description = [{
    What flatten-to-gap does, by the same analysis, for heads as torch-mlir, IREE
    and other front ends write them: a map `NxCxHxW` or `NxHxWxC` that
    `tensor.collapse_shape` flattens, and a contraction with a constant: a named
    operation such as `linalg.matmul`, or a `linalg.generic` that multiplies and
    adds, of the flattened map or of the map itself. Between them may stand
    transposes, `tensor.expand_shape`, `tensor.cast`, and operations that map each
    element alone, which are repeated on the map.

    ```mlir
    %f = tensor.collapse_shape %x [[0], [1, 2, 3]] : tensor<?x512x7x7xf32> into tensor<?x25088xf32>
    %y = linalg.matmul ins(%f, %w : tensor<?x25088xf32>, tensor<25088x10xf32>) outs(%b : tensor<?x10xf32>) -> tensor<?x10xf32>
    ```
    becomes
    ```mlir
    %sum = linalg.generic {indexing_maps = [(n, c, h, w) -> (n, c, h, w), (n, c, h, w) -> (n, c)], ...}
        ins(%x) outs(%zero) { arith.addf %acc, %in }
    %mean = linalg.generic ... ins(%sum) { arith.divf %in, 49.0 }
    %y = linalg.matmul ins(%mean, %v : tensor<?x512xf32>, tensor<512x10xf32>) outs(%b : tensor<?x10xf32>) -> tensor<?x10xf32>
    ```
    The mean is what schedule-pooling and map-pooling-to-gpu make fast code of.
    A weight is constant where it is an `arith.constant`, a `linalg.fill` of one,
    or a view of these; canonicalize and constant folding before make more of
    them. Remarks have the category `linalg-flatten-to-gap`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect",
  ];
  let options = [
    Option<"residual", "residual", "bool", /*default=*/"true",
           "Report how far the weight of a refused head is from even, which "
           "reads all of it">,
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

def OutlineHead : Pass<"outline-head", "::mlir::ModuleOp"> {
  let summary = "Keep a model's head as a function of its feature map";
  let description = [{
    Leaves one function in the module: the last head of the main graph, from the
    feature map (the map that is pooled, or flattened into the first dense
    layer) to the last value that depends on it and on constants alone and that
    convert-onnx-to-linalg lowers (Analysis/Lowerable.h). Constants, and what
    computes them from constants, come along.

    ```mlir
    func.func @main_graph(%image: tensor<?x3x224x224xf32>) -> tensor<?x10xf32> {
      %w = onnx.initializer "w" ... -> tensor<512x10xf32>
      ...
      %map = onnx.Relu(%c) : (tensor<?x512x7x7xf32>) -> tensor<?x512x7x7xf32>
      %p = onnx.GlobalAveragePool(%map) : (tensor<?x512x7x7xf32>) -> tensor<?x512x1x1xf32>
      %f = onnx.Flatten(%p) : (tensor<?x512x1x1xf32>) -> tensor<?x512xf32>
      %y = onnx.Gemm(%f, %w) : (tensor<?x512xf32>, tensor<512x10xf32>) -> tensor<?x10xf32>
      return %y : tensor<?x10xf32>
    }
    ```
    becomes
    ```mlir
    func.func @head(%map: tensor<?x512x7x7xf32>) -> tensor<?x10xf32> {
      %w = onnx.initializer "w" ... -> tensor<512x10xf32>
      %p = onnx.GlobalAveragePool(%map) : (tensor<?x512x7x7xf32>) -> tensor<?x512x1x1xf32>
      %f = onnx.Flatten(%p) : (tensor<?x512x1x1xf32>) -> tensor<?x512xf32>
      %y = onnx.Gemm(%f, %w) : (tensor<?x512xf32>, tensor<512x10xf32>) -> tensor<?x10xf32>
      return %y : tensor<?x10xf32>
    }
    ```
    Nodes stay as they are, except that a Reshape whose target is computed from
    extents becomes a Flatten or gets a constant target, and that other operands
    which are computed from extents become constants. Types say all that is
    known of extents; what only a run knows stays dynamic. flatten-to-gap, run
    before, makes heads smaller.

    A model without a head that can be outlined is an error. Remarks (category
    `outline-head`) say where the head ends and why, which inner values the rest
    of the model needs, and how many other heads there are.
  }];
  let dependentDialects = ["::headopt::onnx::ONNXDialect",
                           "::mlir::func::FuncDialect"];
  let options = [
    Option<"name", "name", "std::string", /*default=*/"\"head\"",
           "The symbol name of the function">,
    Option<"constantInitializers", "constant-initializers", "bool",
           /*default=*/"false",
           "Take initializers that are also graph inputs for constants: no "
           "caller overrides them">,
  ];
}

def CutAtFeatureMap : Pass<"cut-at-feature-map", "::mlir::ModuleOp"> {
  let summary = "Keep a model's backbone, which computes the feature map";
  let description = [{
    Takes off what outline-head keeps: the feature map becomes an output of the
    main graph, in place of the first output that depends on the head, and what
    only the head needed goes, with all that is said of it.

    ```mlir
    %map = onnx.Relu(%c) : (tensor<?x512x7x7xf32>) -> tensor<?x512x7x7xf32>
    %p = onnx.GlobalAveragePool(%map) : (tensor<?x512x7x7xf32>) -> tensor<?x512x1x1xf32>
    %f = onnx.Flatten(%p) : (tensor<?x512x1x1xf32>) -> tensor<?x512xf32>
    %y = onnx.Gemm(%f, %w) : (tensor<?x512xf32>, tensor<512x10xf32>) -> tensor<?x10xf32>
    return %y : tensor<?x10xf32>
    ```
    becomes
    ```mlir
    %map = onnx.Relu(%c) : (tensor<?x512x7x7xf32>) -> tensor<?x512x7x7xf32>
    return %map : tensor<?x512x7x7xf32>
    ```
    Outputs that do not depend on the head stay. Of one that does and is not the
    head's result there is a warning, for neither part gives it. Inputs and
    model-local functions go when the head alone used them; what nothing used
    stays, as does all else that the model says.

    The head is the one that outline-head finds in the same module. A model
    without a head is an error.
  }];
  let dependentDialects = ["::headopt::onnx::ONNXDialect"];
  let options = [
    Option<"constantInitializers", "constant-initializers", "bool",
           /*default=*/"false",
           "Take initializers that are also graph inputs for constants: no "
           "caller overrides them">,
  ];
}

#endif // HEADOPT_TRANSFORMS_PASSES_TD
