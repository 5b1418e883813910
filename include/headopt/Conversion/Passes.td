//===- Passes.td - Conversions from the onnx dialect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CONVERSION_PASSES_TD
#define HEADOPT_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertONNXToLinalg : Pass<"convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower what classification heads are made of to linalg on "
                "tensors";
  let description = [{
    A full conversion: afterwards the module holds func, arith, math, tensor and
    linalg alone, or there was one error that names the operator, its node, and
    why it is not lowered.

    ```mlir
    func.func @head(%x: tensor<?x8x2x2xf32>) -> tensor<?x8xf32> {
      %p = onnx.GlobalAveragePool(%x) : (tensor<?x8x2x2xf32>) -> tensor<?x8x1x1xf32>
      %y = onnx.Flatten(%p) : (tensor<?x8x1x1xf32>) -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    ```
    becomes
    ```mlir
    func.func @head(%x: tensor<?x8x2x2xf32>) -> tensor<?x8xf32> {
      %zero = arith.constant 0.0 : f32
      %n = tensor.dim %x, %c0 : tensor<?x8x2x2xf32>
      %empty = tensor.empty(%n) : tensor<?x8xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x8xf32>) -> tensor<?x8xf32>
      %sum = linalg.generic {indexing_maps = [(n, c, h, w) -> (n, c, h, w), (n, c, h, w) -> (n, c)], ...}
          ins(%x) outs(%init) { arith.addf %acc, %in }
      %mean = linalg.generic ... ins(%sum) { arith.divf %in, 4.0 }
      %p = tensor.expand_shape %mean [[0], [1, 2, 3]] output_shape [%n, 8, 1, 1]
      %y = tensor.collapse_shape %p [[0], [1, 2, 3]]
      return %y : tensor<?x8xf32>
    }
    ```

    * Sums are one `linalg.generic` each. f16 and bf16 are widened to f32 before
      anything is computed, and every node narrows its result once.
    * Extents that only a run knows are asked for at run time, the divisor of a
      mean included. Two extents of which it is not known whether they are equal
      are broadcast at run time.
    * Constants are `arith.constant`, from 1 KiB on as `dense_resource`. Weights
      that are computed from constants (Transpose, Cast, DequantizeLinear, ...)
      are computed here. Operators that only compute shapes vanish.
    * Unsigned integers become signless ones.
    * Attributes of the onnx dialect are dropped.

    Each node is read under the opset that the model imports.
  }];
  let dependentDialects = [
    "::headopt::onnx::ONNXDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect",
  ];
}

#endif // HEADOPT_CONVERSION_PASSES_TD
