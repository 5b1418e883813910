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
}

def ONNX_IdentityOp : ONNX_Node<"Identity",
    (ins ONNX_Value:$input), (outs ONNX_Value:$output)> {
  let summary = "its input";
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

def ONNX_CastOp : ONNX_Node<"Cast",
    (ins ONNX_Value:$input, I64Attr:$to, OptionalAttr<I64Attr>:$saturate,
         OptionalAttr<StrAttr>:$round_mode),
    (outs ONNX_Value:$output)> {
  let summary = "converts elements to the type number `to`";
}

def ONNX_ReluOp : ONNX_Node<"Relu",
    (ins ONNX_Value:$X), (outs ONNX_Value:$Y)> {
  let summary = "max(x, 0)";
}

def ONNX_AddOp : ONNX_Node<"Add",
    (ins ONNX_Value:$A, ONNX_Value:$B, OptionalAttr<I64Attr>:$axis,
         OptionalAttr<I64Attr>:$broadcast),
    (outs ONNX_Value:$C)> {
  let summary = "the sum, with broadcasting";
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

def ONNX_ReduceMeanOp : ONNX_Node<"ReduceMean",
    (ins ONNX_Value:$data, Optional<ONNX_OptionalValue>:$axes_input,
         OptionalAttr<DenseI64ArrayAttr>:$axes,
         OptionalAttr<I64Attr>:$keepdims,
         OptionalAttr<I64Attr>:$noop_with_empty_axes),
    (outs ONNX_Value:$reduced)> {
  let summary = "the mean over `axes`, an input from opset 18 on";
}

#endif // HEADOPT_DIALECT_ONNX_IR_ONNXOPS_TD
