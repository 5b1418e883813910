//===- ONNXOps.td - Operations of the onnx dialect ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One typed operation for each ONNX operator that an analysis or a lowering
// reads, and `onnx.node` for every other one. A typed operation accepts all
// versions of its operator: where a parameter moved from an attribute to an
// input, both are declared, and the schema of the imported opset says which
// one may be there (Target/ONNX checks that).
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_DIALECT_ONNX_IR_ONNXOPS_TD
#define HEADOPT_DIALECT_ONNX_IR_ONNXOPS_TD

include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "headopt/Dialect/ONNX/IR/ONNXDialect.td"
include "headopt/Dialect/ONNX/IR/ONNXInterfaces.td"

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

def ONNX_Value : Type<
    Or<[AnyTensor.predicate, CPred<"::llvm::isa<::headopt::onnx::UnknownType>($_self)">]>,
    "tensor or value of unknown type">;

/// An optional input in the middle of the list may be left out: `onnx.none`.
def ONNX_OptionalValue : Type<
    Or<[ONNX_Value.predicate, NoneType.predicate]>,
    "tensor, value of unknown type, or none">;

def ONNX_TensorConstant : Attr<
    CPred<"::headopt::onnx::isTensorAttribute($_self)">, "tensor attribute"> {
  let storageType = "::mlir::Attribute";
  let returnType = "::mlir::Attribute";
  let convertFromStorage = "$_self";
}

//===----------------------------------------------------------------------===//
// Base classes
//===----------------------------------------------------------------------===//

class ONNX_Op<string mnemonic, list<Trait> traits = []>
    : Op<ONNX_Dialect, mnemonic, traits>;

/// What every node keeps besides operands and its operator's attributes.
defvar ONNX_nodeArguments = (ins OptionalAttr<StrAttr>:$node_name,
                                 OptionalAttr<StrAttr>:$domain,
                                 OptionalAttr<StrArrayAttr>:$outs,
                                 OptionalAttr<StrArrayAttr>:$attr_order,
                                 OptionalAttr<StrAttr>:$rest);

/// A typed node: named operands and attributes, named as in the ONNX schema.
class ONNX_Node<string mnemonic, dag args, dag res, list<Trait> traits = [Pure]>
    : ONNX_Op<mnemonic, !listconcat(traits, [ONNX_NodeOpInterface])> {
  let arguments = !con(args, ONNX_nodeArguments);
  let results = res;
  let assemblyFormat =
      "`(` operands `)` attr-dict `:` functional-type(operands, results)";
  code extraAccessors = "";
  let extraClassDeclaration = [{
    ::llvm::StringRef getOperatorName() {
      return (*this)->getName().stripDialect();
    }
    ::llvm::SmallVector<::mlir::NamedAttribute> getNodeAttributes() {
      return ::headopt::onnx::detail::getTypedNodeAttributes(*this);
    }
    ::mlir::Attribute getNodeAttribute(::llvm::StringRef name) {
      return ::headopt::onnx::detail::getTypedNodeAttribute(*this, name);
    }
  }] # extraAccessors;
}

//===----------------------------------------------------------------------===//
// Structure of a graph
//===----------------------------------------------------------------------===//

def ONNX_InitializerOp : ONNX_Op<"initializer", [Pure]> {
  let summary = "an initializer of a graph";
  let description = [{
    An entry of `GraphProto.initializer`. When the name is also a graph input,
    `default_of` names that input: the value is then only a default, which
    callers may override, unless the model's IR version is below 4 (where every
    initializer had to be listed as an input).

    Example:
    ```mlir
    %w = onnx.initializer "fc.weight" dense<1.0> : tensor<10x8xf32> -> tensor<10x8xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, ONNX_TensorConstant:$value,
                       Optional<AnyType>:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $name $value (`default_of` $input^ `:` type($input))? attr-dict `->` type($result)
  }];
  let hasVerifier = 1;
}

def ONNX_SparseInitializerOp : ONNX_Op<"sparse_initializer", [Pure]> {
  let summary = "a sparse initializer of a graph";
  let description = [{
    An entry of `GraphProto.sparse_initializer`; its SparseTensorProto is kept
    as protobuf text. Uses see a dense tensor.
  }];
  let arguments = (ins StrAttr:$name, ONNX_ProtoAttr:$value,
                       Optional<AnyType>:$input);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $name $value (`default_of` $input^ `:` type($input))? attr-dict `->` type($result)
  }];
}

def ONNX_NoneOp : ONNX_Op<"none", [Pure]> {
  let summary = "stands for an optional input that is left out";
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
}

def ONNX_YieldOp : ONNX_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "the outputs of a subgraph";
  let arguments = (ins Variadic<AnyType>:$operands,
                       OptionalAttr<ArrayAttr>:$outputs);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let hasVerifier = 1;
}

def ONNX_NodeOp : ONNX_Op<"node", [ONNX_NodeOpInterface]> {
  let summary = "a node whose operator has no operation of its own";
  let description = [{
    Holds the operator's name, its attributes and its subgraphs. `graphs` has
    one dictionary for each region: the attribute it is the value of (`attr`),
    whether that attribute is a list of graphs (`list`), the graph's `name`,
    `inputs`, `value_info` and `rest`.

    Example:
    ```mlir
    %y = onnx.node "Conv"(%x, %w) attributes {node_attrs = {group = 1 : i64}}
        : (tensor<1x3x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x6x6xf32>
    ```
  }];
  let arguments = !con((ins StrAttr:$op_type, Variadic<AnyType>:$inputs,
                            OptionalAttr<DictionaryAttr>:$node_attrs,
                            OptionalAttr<ArrayAttr>:$graphs),
                       ONNX_nodeArguments);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region VariadicRegion<SizedRegion<1>>:$bodies);
  let assemblyFormat = [{
    $op_type `(` $inputs `)` ($bodies^)? attr-dict-with-keyword
    `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::StringRef getOperatorName() { return getOpType(); }
    ::llvm::SmallVector<::mlir::NamedAttribute> getNodeAttributes();
    ::mlir::Attribute getNodeAttribute(::llvm::StringRef name) {
      return getNodeAttrs() ? getNodeAttrs()->get(name) : nullptr;
    }
  }];
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

def ONNX_ConstantOp : ONNX_Node<"Constant",
    (ins OptionalAttr<ONNX_TensorConstant>:$value,
         OptionalAttr<F32Attr>:$value_float,
         OptionalAttr<DenseF32ArrayAttr>:$value_floats,
         OptionalAttr<I64Attr>:$value_int,
         OptionalAttr<DenseI64ArrayAttr>:$value_ints),
    (outs ONNX_Value:$output)> {
  let summary = "a constant tensor";
}

def ONNX_ConstantOfShapeOp : ONNX_Node<"ConstantOfShape",
    (ins ONNX_Value:$input, OptionalAttr<ONNX_TensorConstant>:$value),
    (outs ONNX_Value:$output)> {
  let summary = "a tensor of equal elements; without `value` of f32 zeros";
}

//===----------------------------------------------------------------------===//
// Views: the same elements in another shape or order
//===----------------------------------------------------------------------===//

def ONNX_FlattenOp : ONNX_Node<"Flatten",
    (ins ONNX_Value:$input, OptionalAttr<I64Attr>:$axis),
    (outs ONNX_Value:$output)> {
  let summary = "two axes: the product of those before `axis`, and of the others";
}

def ONNX_ReshapeOp : ONNX_Node<"Reshape",
    (ins ONNX_Value:$data, ONNX_Value:$shape, OptionalAttr<I64Attr>:$allowzero),
    (outs ONNX_Value:$reshaped)> {
  let summary = "the same elements in another shape (opset 5 and later)";
}

def ONNX_SqueezeOp : ONNX_Node<"Squeeze",
    (ins ONNX_Value:$data, Optional<ONNX_OptionalValue>:$axes_input,
         OptionalAttr<DenseI64ArrayAttr>:$axes),
    (outs ONNX_Value:$squeezed)> {
  let summary = "drops axes of extent 1; `axes` is an input from opset 13 on";
}

def ONNX_UnsqueezeOp : ONNX_Node<"Unsqueeze",
    (ins ONNX_Value:$data, Optional<ONNX_OptionalValue>:$axes_input,
         OptionalAttr<DenseI64ArrayAttr>:$axes),
    (outs ONNX_Value:$expanded)> {
  let summary = "inserts axes of extent 1; `axes` is an input from opset 13 on";
}

def ONNX_TransposeOp : ONNX_Node<"Transpose",
    (ins ONNX_Value:$data, OptionalAttr<DenseI64ArrayAttr>:$perm),
    (outs ONNX_Value:$transposed)> {
  let summary = "permutes axes; without `perm` reverses them";
  let extraAccessors = [{
    /// `perm` as given, not checked, or the reversal of `rank` axes.
    ::llvm::SmallVector<int64_t> getPermutation(int64_t rank) {
      if (::std::optional<::llvm::ArrayRef<int64_t>> given = getPerm())
        return ::llvm::SmallVector<int64_t>(*given);
      return ::llvm::to_vector(
          ::llvm::reverse(::llvm::seq<int64_t>(0, rank)));
    }
  }];
}

def ONNX_IdentityOp : ONNX_Node<"Identity",
    (ins ONNX_Value:$input), (outs ONNX_Value:$output)> {
  let summary = "its input";
}

//===----------------------------------------------------------------------===//
// Shapes and indices
//===----------------------------------------------------------------------===//

def ONNX_ShapeOp : ONNX_Node<"Shape",
    (ins ONNX_Value:$data,
         OptionalAttr<I64Attr>:$start, OptionalAttr<I64Attr>:$end),
    (outs ONNX_Value:$shape)> {
  let summary = "the extents of its input, from axis `start` to before `end`";
}

def ONNX_SizeOp : ONNX_Node<"Size",
    (ins ONNX_Value:$data),
    (outs ONNX_Value:$size)> {
  let summary = "the number of elements of its input";
}

def ONNX_GatherOp : ONNX_Node<"Gather",
    (ins ONNX_Value:$data, ONNX_Value:$indices,
         OptionalAttr<I64Attr>:$axis),
    (outs ONNX_Value:$output)> {
  let summary = "the slices along `axis` that `indices` name";
}

def ONNX_GatherNDOp : ONNX_Node<"GatherND",
    (ins ONNX_Value:$data, ONNX_Value:$indices,
         OptionalAttr<I64Attr>:$batch_dims),
    (outs ONNX_Value:$output)> {
  let summary = "the slices that tuples of indices along the first axes name";
}

def ONNX_SliceOp : ONNX_Node<"Slice",
    (ins ONNX_Value:$data, Variadic<ONNX_OptionalValue>:$ranges,
         OptionalAttr<DenseI64ArrayAttr>:$starts, OptionalAttr<DenseI64ArrayAttr>:$ends,
         OptionalAttr<DenseI64ArrayAttr>:$axes),
    (outs ONNX_Value:$output)> {
  let summary = "a part of its input; starts, ends, axes and steps are inputs from opset 10 on";
}

def ONNX_ConcatOp : ONNX_Node<"Concat",
    (ins Variadic<ONNX_Value>:$inputs,
         OptionalAttr<I64Attr>:$axis),
    (outs ONNX_Value:$concat_result)> {
  let summary = "its inputs one behind the other along `axis`";
}

//===----------------------------------------------------------------------===//
// Copies along axes
//===----------------------------------------------------------------------===//

def ONNX_ExpandOp : ONNX_Node<"Expand",
    (ins ONNX_Value:$input, ONNX_Value:$shape),
    (outs ONNX_Value:$output)> {
  let summary = "its input broadcast with `shape`";
}

def ONNX_TileOp : ONNX_Node<"Tile",
    (ins ONNX_Value:$input, Variadic<ONNX_Value>:$repeats),
    (outs ONNX_Value:$output)> {
  let summary = "its input repeated along each axis";
}

def ONNX_ResizeOp : ONNX_Node<"Resize",
    (ins ONNX_Value:$X, Variadic<ONNX_OptionalValue>:$sizing,
         OptionalAttr<I64Attr>:$antialias,
         OptionalAttr<DenseI64ArrayAttr>:$axes,
         OptionalAttr<StrAttr>:$coordinate_transformation_mode,
         OptionalAttr<F32Attr>:$cubic_coeff_a,
         OptionalAttr<I64Attr>:$exclude_outside,
         OptionalAttr<F32Attr>:$extrapolation_value,
         OptionalAttr<StrAttr>:$keep_aspect_ratio_policy,
         OptionalAttr<StrAttr>:$mode,
         OptionalAttr<StrAttr>:$nearest_mode),
    (outs ONNX_Value:$Y)> {
  let summary = "its input interpolated at other extents; `sizing` is scales at opset 10, and roi, scales, sizes from 11 on";
}

def ONNX_UpsampleOp : ONNX_Node<"Upsample",
    (ins ONNX_Value:$X, Optional<ONNX_Value>:$scales_input,
         OptionalAttr<StrAttr>:$mode,
         OptionalAttr<DenseF32ArrayAttr>:$scales,
         OptionalAttr<F32Attr>:$height_scale, OptionalAttr<F32Attr>:$width_scale),
    (outs ONNX_Value:$Y)> {
  let summary = "Resize of opsets before 10";
}

//===----------------------------------------------------------------------===//
// Per-element operators
//===----------------------------------------------------------------------===//

def ONNX_DropoutOp : ONNX_Node<"Dropout",
    (ins ONNX_Value:$data, Variadic<ONNX_OptionalValue>:$ratio_and_mode,
         OptionalAttr<F32Attr>:$ratio, OptionalAttr<I64Attr>:$is_test,
         OptionalAttr<I64Attr>:$seed),
    (outs ONNX_Value:$output, Optional<ONNX_OptionalValue>:$mask), []> {
  let summary = "its input in inference, a random part of it in training";
  let extraAccessors = [{
    /// The input `training_mode` (opset 12 and later); null when left out.
    ::mlir::Value getTrainingMode() {
      if (getRatioAndMode().size() < 2 ||
          ::llvm::isa<::mlir::NoneType>(getRatioAndMode()[1].getType()))
        return nullptr;
      return getRatioAndMode()[1];
    }
  }];
}

/// A function of one number, applied to each element.
class ONNX_Unary<string mnemonic, string function, dag attributes = (ins)>
    : ONNX_Node<mnemonic, !con((ins ONNX_Value:$X), attributes),
                (outs ONNX_Value:$Y), [ONNX_PerElement, Pure]> {
  let summary = function;
}

/// A function of two numbers; before opset 7 `broadcast` and `axis` say how the
/// second operand is brought to the shape of the first.
class ONNX_Binary<string mnemonic, string function>
    : ONNX_Node<mnemonic, (ins ONNX_Value:$A, ONNX_Value:$B,
                           OptionalAttr<I64Attr>:$axis,
                           OptionalAttr<I64Attr>:$broadcast),
                (outs ONNX_Value:$C), [ONNX_PerElement, Pure]> {
  let summary = function;
}

/// A function of any number of numbers.
class ONNX_Nary<string mnemonic, string function>
    : ONNX_Node<mnemonic, (ins Variadic<ONNX_Value>:$inputs),
                (outs ONNX_Value:$result), [ONNX_PerElement, Pure]> {
  let summary = function;
}

def ONNX_CastOp : ONNX_Node<"Cast",
    (ins ONNX_Value:$input, I64Attr:$to, OptionalAttr<I64Attr>:$saturate,
         OptionalAttr<StrAttr>:$round_mode),
    (outs ONNX_Value:$output), [ONNX_PerElement, Pure]> {
  let summary = "converts elements to the type number `to`";
}

def ONNX_ClipOp : ONNX_Node<"Clip",
    (ins ONNX_Value:$input, Variadic<ONNX_OptionalValue>:$bounds,
         OptionalAttr<F32Attr>:$min, OptionalAttr<F32Attr>:$max),
    (outs ONNX_Value:$output), [ONNX_PerElement, Pure]> {
  let summary = "limits elements; min and max are inputs from opset 11 on";
}

def ONNX_AbsOp : ONNX_Unary<"Abs", "|x|">;
def ONNX_AcosOp : ONNX_Unary<"Acos", "the arc cosine of x">;
def ONNX_AsinOp : ONNX_Unary<"Asin", "the arc sine of x">;
def ONNX_AtanOp : ONNX_Unary<"Atan", "the arc tangent of x">;
def ONNX_CeilOp : ONNX_Unary<"Ceil", "x rounded up">;
def ONNX_CeluOp : ONNX_Unary<"Celu", "max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)",
    (ins OptionalAttr<F32Attr>:$alpha)>;
def ONNX_CosOp : ONNX_Unary<"Cos", "the cosine of x">;
def ONNX_EluOp : ONNX_Unary<"Elu", "x, or alpha (exp(x) - 1) where x < 0",
    (ins OptionalAttr<F32Attr>:$alpha)>;
def ONNX_ErfOp : ONNX_Unary<"Erf", "the error function of x">;
def ONNX_ExpOp : ONNX_Unary<"Exp", "exp(x)">;
def ONNX_FloorOp : ONNX_Unary<"Floor", "x rounded down">;
def ONNX_GeluOp : ONNX_Unary<"Gelu", "x times the normal distribution function at x",
    (ins OptionalAttr<StrAttr>:$approximate)>;
def ONNX_HardSigmoidOp : ONNX_Unary<"HardSigmoid", "min(max(alpha x + beta, 0), 1)",
    (ins OptionalAttr<F32Attr>:$alpha, OptionalAttr<F32Attr>:$beta)>;
def ONNX_HardSwishOp : ONNX_Unary<"HardSwish", "x HardSigmoid(x) with alpha 1/6 and beta 1/2">;
def ONNX_LeakyReluOp : ONNX_Unary<"LeakyRelu", "x, or alpha x where x < 0",
    (ins OptionalAttr<F32Attr>:$alpha)>;
def ONNX_LogOp : ONNX_Unary<"Log", "the natural logarithm of x">;
def ONNX_MishOp : ONNX_Unary<"Mish", "x tanh(log(1 + exp(x)))">;
def ONNX_NegOp : ONNX_Unary<"Neg", "-x">;
def ONNX_ReciprocalOp : ONNX_Unary<"Reciprocal", "1 / x">;
def ONNX_ReluOp : ONNX_Unary<"Relu", "max(x, 0)">;
def ONNX_RoundOp : ONNX_Unary<"Round", "x rounded to the nearest integer, ties to even">;
def ONNX_SeluOp : ONNX_Unary<"Selu", "gamma x, or gamma alpha (exp(x) - 1) where x < 0",
    (ins OptionalAttr<F32Attr>:$alpha, OptionalAttr<F32Attr>:$gamma)>;
def ONNX_SigmoidOp : ONNX_Unary<"Sigmoid", "1 / (1 + exp(-x))">;
def ONNX_SignOp : ONNX_Unary<"Sign", "-1, 0 or 1">;
def ONNX_SinOp : ONNX_Unary<"Sin", "the sine of x">;
def ONNX_SoftplusOp : ONNX_Unary<"Softplus", "log(1 + exp(x))">;
def ONNX_SoftsignOp : ONNX_Unary<"Softsign", "x / (1 + |x|)">;
def ONNX_SqrtOp : ONNX_Unary<"Sqrt", "the square root of x">;
def ONNX_SwishOp : ONNX_Unary<"Swish", "x / (1 + exp(-alpha x))",
    (ins OptionalAttr<F32Attr>:$alpha)>;
def ONNX_TanhOp : ONNX_Unary<"Tanh", "the hyperbolic tangent of x">;
def ONNX_ThresholdedReluOp : ONNX_Unary<"ThresholdedRelu", "x where x > alpha, else 0",
    (ins OptionalAttr<F32Attr>:$alpha)>;

def ONNX_AddOp : ONNX_Binary<"Add", "a + b">;
def ONNX_SubOp : ONNX_Binary<"Sub", "a - b">;
def ONNX_MulOp : ONNX_Binary<"Mul", "a * b">;
def ONNX_DivOp : ONNX_Binary<"Div", "a / b; toward zero for integers">;
def ONNX_PowOp : ONNX_Binary<"Pow", "a to the power of b">;
def ONNX_PReluOp : ONNX_Binary<"PRelu", "a, or b a where a < 0">;
def ONNX_EqualOp : ONNX_Binary<"Equal", "whether a is b">;
def ONNX_GreaterOp : ONNX_Binary<"Greater", "whether a > b">;
def ONNX_LessOp : ONNX_Binary<"Less", "whether a < b">;

def ONNX_MaxOp : ONNX_Nary<"Max", "the largest of the operands">;
def ONNX_MinOp : ONNX_Nary<"Min", "the smallest of the operands">;
def ONNX_SumOp : ONNX_Nary<"Sum", "the sum of the operands">;
def ONNX_MeanOp : ONNX_Nary<"Mean", "the mean of the operands">;

def ONNX_WhereOp : ONNX_Node<"Where",
    (ins ONNX_Value:$condition, ONNX_Value:$X, ONNX_Value:$Y),
    (outs ONNX_Value:$output), [ONNX_PerElement, Pure]> {
  let summary = "x where the condition holds, else y";
}

//===----------------------------------------------------------------------===//
// Quantisation
//===----------------------------------------------------------------------===//

def ONNX_QuantizeLinearOp : ONNX_Node<"QuantizeLinear",
    (ins ONNX_Value:$x, ONNX_Value:$y_scale,
         Optional<ONNX_OptionalValue>:$y_zero_point,
         OptionalAttr<I64Attr>:$axis, OptionalAttr<I64Attr>:$block_size,
         OptionalAttr<I64Attr>:$output_dtype, OptionalAttr<I64Attr>:$precision,
         OptionalAttr<I64Attr>:$saturate),
    (outs ONNX_Value:$y)> {
  let summary = "round(x / scale) + zero point, for the tensor or along `axis`";
}

def ONNX_DequantizeLinearOp : ONNX_Node<"DequantizeLinear",
    (ins ONNX_Value:$x, ONNX_Value:$x_scale,
         Optional<ONNX_OptionalValue>:$x_zero_point,
         OptionalAttr<I64Attr>:$axis, OptionalAttr<I64Attr>:$block_size,
         OptionalAttr<I64Attr>:$output_dtype),
    (outs ONNX_Value:$y)> {
  let summary = "(x - zero point) scale, for the tensor or along `axis`";
}

def ONNX_DynamicQuantizeLinearOp : ONNX_Node<"DynamicQuantizeLinear",
    (ins ONNX_Value:$x),
    (outs ONNX_Value:$y, ONNX_Value:$y_scale, ONNX_Value:$y_zero_point)> {
  let summary = "QuantizeLinear to u8 over the range of its input";
}

def ONNX_MatMulIntegerOp : ONNX_Node<"MatMulInteger",
    (ins ONNX_Value:$A, ONNX_Value:$B,
         Variadic<ONNX_OptionalValue>:$zero_points),
    (outs ONNX_Value:$Y)> {
  let summary = "the i32 product of 8-bit matrices less their zero points";
}

def ONNX_QLinearMatMulOp : ONNX_Node<"QLinearMatMul",
    (ins ONNX_Value:$a, ONNX_Value:$a_scale, ONNX_Value:$a_zero_point,
         ONNX_Value:$b, ONNX_Value:$b_scale, ONNX_Value:$b_zero_point,
         ONNX_Value:$y_scale, ONNX_Value:$y_zero_point),
    (outs ONNX_Value:$y)> {
  let summary = "the product of quantised matrices, quantised again";
}

//===----------------------------------------------------------------------===//
// Dense layers
//===----------------------------------------------------------------------===//

def ONNX_GemmOp : ONNX_Node<"Gemm",
    (ins ONNX_Value:$A, ONNX_Value:$B, Optional<ONNX_OptionalValue>:$C,
         OptionalAttr<F32Attr>:$alpha, OptionalAttr<F32Attr>:$beta,
         OptionalAttr<I64Attr>:$transA, OptionalAttr<I64Attr>:$transB,
         OptionalAttr<I64Attr>:$broadcast),
    (outs ONNX_Value:$Y)> {
  let summary = "alpha * A' * B' + beta * C";
}

def ONNX_MatMulOp : ONNX_Node<"MatMul",
    (ins ONNX_Value:$A, ONNX_Value:$B), (outs ONNX_Value:$Y)> {
  let summary = "the matrix product as numpy's matmul has it";
}

def ONNX_ConvOp : ONNX_Node<"Conv",
    (ins ONNX_Value:$X, ONNX_Value:$W, Optional<ONNX_OptionalValue>:$B,
         OptionalAttr<StrAttr>:$auto_pad,
         OptionalAttr<DenseI64ArrayAttr>:$dilations,
         OptionalAttr<I64Attr>:$group,
         OptionalAttr<DenseI64ArrayAttr>:$kernel_shape,
         OptionalAttr<DenseI64ArrayAttr>:$pads,
         OptionalAttr<DenseI64ArrayAttr>:$strides),
    (outs ONNX_Value:$Y)> {
  let summary = "cross-correlation with `W`: a dense layer when its kernel is "
                "as large as the map";
}

def ONNX_EinsumOp : ONNX_Node<"Einsum",
    (ins Variadic<ONNX_Value>:$inputs, StrAttr:$equation),
    (outs ONNX_Value:$output)> {
  let summary = "sums of products that `equation` spells";
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

def ONNX_BatchNormalizationOp : ONNX_Node<"BatchNormalization",
    (ins ONNX_Value:$X, ONNX_Value:$scale, ONNX_Value:$B, ONNX_Value:$mean,
         ONNX_Value:$var, OptionalAttr<F32Attr>:$epsilon,
         OptionalAttr<F32Attr>:$momentum, OptionalAttr<I64Attr>:$training_mode,
         OptionalAttr<I64Attr>:$is_test, OptionalAttr<I64Attr>:$spatial),
    (outs Variadic<ONNX_OptionalValue>:$outputs)> {
  let summary = "scale (x - mean) / sqrt(var + epsilon) + B for each channel";
}

def ONNX_InstanceNormalizationOp : ONNX_Node<"InstanceNormalization",
    (ins ONNX_Value:$input, ONNX_Value:$scale, ONNX_Value:$B,
         OptionalAttr<F32Attr>:$epsilon),
    (outs ONNX_Value:$output)> {
  let summary = "scale (x - mean) / sqrt(var + epsilon) + B, with mean and var "
                "of each channel of each sample";
}

def ONNX_LayerNormalizationOp : ONNX_Node<"LayerNormalization",
    (ins ONNX_Value:$X, ONNX_Value:$Scale, Optional<ONNX_OptionalValue>:$B,
         OptionalAttr<I64Attr>:$axis, OptionalAttr<F32Attr>:$epsilon,
         OptionalAttr<I64Attr>:$stash_type),
    (outs ONNX_Value:$Y, Variadic<ONNX_OptionalValue>:$statistics)> {
  let summary = "Scale (x - mean) / sqrt(var + epsilon) + B, with mean and var "
                "over the axes from `axis` on";
}

/// Over `axis` from opset 13 on, before that over all axes from `axis` on.
class ONNX_SoftmaxLike<string mnemonic, string function>
    : ONNX_Node<mnemonic, (ins ONNX_Value:$input, OptionalAttr<I64Attr>:$axis),
                (outs ONNX_Value:$output)> {
  let summary = function;
}

def ONNX_SoftmaxOp : ONNX_SoftmaxLike<"Softmax", "exp(x) / sum(exp(x))">;
def ONNX_LogSoftmaxOp
    : ONNX_SoftmaxLike<"LogSoftmax", "log(exp(x) / sum(exp(x)))">;

//===----------------------------------------------------------------------===//
// Pooling and reductions
//===----------------------------------------------------------------------===//

def ONNX_GlobalAveragePoolOp : ONNX_Node<"GlobalAveragePool",
    (ins ONNX_Value:$X), (outs ONNX_Value:$Y)> {
  let summary = "the mean over all axes from 2 on, which keep extent 1";
}

def ONNX_AveragePoolOp : ONNX_Node<"AveragePool",
    (ins ONNX_Value:$X, OptionalAttr<StrAttr>:$auto_pad,
         OptionalAttr<I64Attr>:$ceil_mode,
         OptionalAttr<I64Attr>:$count_include_pad,
         OptionalAttr<DenseI64ArrayAttr>:$dilations,
         OptionalAttr<DenseI64ArrayAttr>:$kernel_shape,
         OptionalAttr<DenseI64ArrayAttr>:$pads,
         OptionalAttr<DenseI64ArrayAttr>:$strides),
    (outs ONNX_Value:$Y)> {
  let summary = "the mean over sliding windows";
}

/// A reduction over `axes`, an attribute in old opsets and an input in new
/// ones. Without axes all are reduced, unless `noop_with_empty_axes` is set.
class ONNX_Reduction<string mnemonic, string function>
    : ONNX_Node<mnemonic, (ins ONNX_Value:$data,
                           Optional<ONNX_OptionalValue>:$axes_input,
                           OptionalAttr<DenseI64ArrayAttr>:$axes,
                           OptionalAttr<I64Attr>:$keepdims,
                           OptionalAttr<I64Attr>:$noop_with_empty_axes),
                (outs ONNX_Value:$reduced), [Pure, ONNX_ReductionOpInterface]> {
  let summary = function;
}

def ONNX_ReduceMeanOp : ONNX_Reduction<"ReduceMean", "the mean over `axes`">;
def ONNX_ReduceSumOp : ONNX_Reduction<"ReduceSum", "the sum over `axes`">;
def ONNX_ReduceProdOp
    : ONNX_Reduction<"ReduceProd", "the product over `axes`">;
def ONNX_ReduceMaxOp : ONNX_Reduction<"ReduceMax", "the maximum over `axes`">;
def ONNX_ReduceMinOp : ONNX_Reduction<"ReduceMin", "the minimum over `axes`">;

def ONNX_GlobalMaxPoolOp : ONNX_Node<"GlobalMaxPool",
    (ins ONNX_Value:$X), (outs ONNX_Value:$Y)> {
  let summary = "the maximum over all axes from 2 on, which keep extent 1";
}

def ONNX_MaxPoolOp : ONNX_Node<"MaxPool",
    (ins ONNX_Value:$X, OptionalAttr<StrAttr>:$auto_pad,
         OptionalAttr<I64Attr>:$ceil_mode,
         OptionalAttr<DenseI64ArrayAttr>:$dilations,
         OptionalAttr<DenseI64ArrayAttr>:$kernel_shape,
         OptionalAttr<DenseI64ArrayAttr>:$pads,
         OptionalAttr<I64Attr>:$storage_order,
         OptionalAttr<DenseI64ArrayAttr>:$strides),
    (outs ONNX_Value:$Y, Optional<ONNX_OptionalValue>:$Indices)> {
  let summary = "the maximum over sliding windows";
}

#endif // HEADOPT_DIALECT_ONNX_IR_ONNXOPS_TD
