//===- ONNXDialect.td - The onnx dialect, its types and attributes --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_DIALECT_ONNX_IR_ONNXDIALECT_TD
#define HEADOPT_DIALECT_ONNX_IR_ONNXDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"

def ONNX_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::headopt::onnx";
  let summary = "ONNX models, without loss";
  let description = [{
    Holds an ONNX model so that import followed by export gives the same
    message back. A graph is a `func.func`; a subgraph attribute is a region; a
    node is one operation, either a typed one (`onnx.Flatten`) or the generic
    `onnx.node "Conv"`. Names of values and nodes are inherent attributes.

    Whatever of a message has no counterpart in the IR (metadata, doc strings,
    training information, ...) travels as protobuf text in an attribute called
    `rest`, so no field is ever dropped.

    Attributes that the dialect puts on builtin and func operations:

    | attribute | on | holds |
    |---|---|---|
    | `onnx.model` | module | `ir_version`, `opset_imports`, `rest` |
    | `onnx.source_dir` | module | folder that external data is relative to |
    | `onnx.graph` | func | `name`, `value_info`, `rest` of the main graph |
    | `onnx.function` | func | `name`, `domain`, `opset_imports`, `rest` of a model-local function |
    | `onnx.name`, `onnx.dim_params`, `onnx.info` | arguments, results | what a ValueInfoProto says beyond the type |
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class ONNX_Type<string name, string typeMnemonic>
    : TypeDef<ONNX_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def ONNX_StringType : ONNX_Type<"String", "string"> {
  let summary = "element type of string tensors";
}

def ONNX_UnknownType : ONNX_Type<"Unknown", "unknown"> {
  let summary = "a value whose type neither the file nor shape inference gives";
}

def ONNX_SequenceType : ONNX_Type<"Sequence", "sequence"> {
  let summary = "an ONNX sequence";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def ONNX_OptionalType : ONNX_Type<"Optional", "optional"> {
  let summary = "an ONNX optional";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class ONNX_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<ONNX_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def ONNX_FileDataAttr
    : ONNX_Attr<"FileData", "file_data", [TypedAttrInterface]> {
  let summary = "tensor bytes that stay in a file";
  let description = [{
    The little-endian, row-major bytes of a tensor at `[offset, offset +
    length)` of `file`. A reader must not assume any alignment. Small in text
    and cheap to copy, whatever the size of the tensor.

    Example: `#onnx.file_data<"vgg16.onnx", 58860949, 411041792> : tensor<4096x25088xf32>`
  }];
  let parameters = (ins AttributeSelfTypeParameter<"", "::mlir::ShapedType">:$type,
                        "::mlir::StringAttr":$file, "int64_t":$offset,
                        "int64_t":$length);
  let builders = [AttrBuilderWithInferredContext<
      (ins "::mlir::ShapedType":$type, "::mlir::StringRef":$file,
           "int64_t":$offset, "int64_t":$length), [{
    return $_get(type.getContext(), type,
                 ::mlir::StringAttr::get(type.getContext(), file), offset,
                 length);
  }]>];
  let assemblyFormat = "`<` $file `,` $offset `,` $length `>`";
  let genVerifyDecl = 1;
}

def ONNX_TensorAttr : ONNX_Attr<"Tensor", "tensor", [TypedAttrInterface]> {
  let summary = "a tensor together with what else its TensorProto says";
  let description = [{
    `elements` is a `dense` or `#onnx.file_data` attribute. `typed` tells that
    the file keeps the numbers in the typed fields (`float_data`, ...) and not
    in `raw_data`. `rest` holds the remaining fields as protobuf text. A tensor
    in `raw_data` with nothing else to say is written as its elements alone.
  }];
  let parameters = (ins "::mlir::TypedAttr":$elements,
                        DefaultValuedParameter<"bool", "false">:$typed,
                        OptionalParameter<"::mlir::StringAttr">:$rest);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    ::mlir::Type getType() const { return getElements().getType(); }
  }];
}

def ONNX_ProtoAttr : ONNX_Attr<"Proto", "proto"> {
  let summary = "a protobuf message without a counterpart in the IR";
  let description = [{
    Which message it is follows from the place: an attribute of a node, or a
    tensor. Examples: attributes that refer to a function's attribute, lists of
    tensors, sparse tensors.
  }];
  let parameters = (ins "::mlir::StringAttr":$text);
  let assemblyFormat = "`<` $text `>`";
}

#endif // HEADOPT_DIALECT_ONNX_IR_ONNXDIALECT_TD
