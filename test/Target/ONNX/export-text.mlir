// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX text cannot say everything, and ONNX's printer leaves out the rest without
// a word. What would change the model is refused, with its place; doc strings
// and metadata cost a warning. All of these models can be written as .onnx.
//
// RUN: split-file %s %t
// RUN: not head-opt %t/int4.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=INT4
// INT4: head-opt: error: {{.*}}: ONNX text has no form for the numbers of graph.initializer['w'], which are INT4; write .onnx instead
// RUN: not head-opt %t/complex.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=COMPLEX
// COMPLEX: head-opt: error: {{.*}}: ONNX text has no form for the numbers of graph.node['c'].attribute['value'].t, which are COMPLEX64; write .onnx instead
// RUN: not head-opt %t/default.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=DEFAULT
// DEFAULT: head-opt: error: {{.*}}: ONNX text cannot say functions['f'].attribute_proto; write .onnx instead
// RUN: not head-opt %t/sparse.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=SPARSE
// SPARSE: head-opt: error: {{.*}}: ONNX text cannot say graph.sparse_initializer; write .onnx instead
// RUN: not head-opt %t/quantized.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=QUANTIZED
// QUANTIZED: head-opt: error: {{.*}}: ONNX text cannot say graph.quantization_annotation; write .onnx instead
// RUN: not head-opt %t/denotation.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=DENOTATION
// DENOTATION: head-opt: error: {{.*}}: ONNX text cannot say graph.input['x'].type.denotation; write .onnx instead
// RUN: not head-opt %t/nan.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=NAN
// NAN: head-opt: error: {{.*}}: ONNX text cannot say graph.initializer['w'].float_data; write .onnx instead
// RUN: not head-opt %t/empty-list.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=EMPTY-LIST
// EMPTY-LIST: head-opt: error: {{.*}}: ONNX text cannot say all of this model; what is printed is not ONNX text: {{.*}}; write .onnx instead
// RUN: not head-opt %t/unknown-field.mlir -o %t/out.onnxtxt 2>&1 | FileCheck %s --check-prefix=UNKNOWN-FIELD
// UNKNOWN-FIELD: head-opt: error: {{.*}}: ONNX text cannot say graph.node['y'] (fields that ONNX does not know); write .onnx instead
// RUN: not ls %t/out.onnxtxt
//
// RUN: head-opt %t/doc.mlir -o %t/doc.onnxtxt 2>&1 | FileCheck %s --check-prefix=DOC
// DOC: head-opt: warning: {{.*}}: ONNX text has no doc strings and metadata of graphs, nodes, values, tensors and functions; those of this model are left out; write .onnx to keep them
// RUN: FileCheck %s --check-prefix=DOC-TEXT < %t/doc.onnxtxt
// DOC-TEXT: y = Relu (x)
//
// RUN: sh -c 'for f in %t/*.mlir; do head-opt $f -o $f.onnx || exit 1; done'
// RUN: head-opt %t/same.mlir --emit=onnxtxt 2>&1 | FileCheck %s --check-prefix=SAME
// Presence of what is empty, and where a tensor keeps its numbers, do not count.
// SAME-NOT: warning
// SAME:     <float[0] none =  {}, float inf =  {-inf}, int8[2] i8 =  {-1,2}>
// SAME:     [""] y = Cast <to: int = 0> (x)

//--- int4.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" dense<1> : tensor<2xi4> -> tensor<2xi4>
    return
  }
}
//--- complex.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Constant() {outs = ["c"], value = dense<(1.0, 2.0)> : tensor<2xcomplex<f32>>} : () -> tensor<2xcomplex<f32>>
    return
  }
}
//--- default.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    return
  }
  func.func private @f() attributes {onnx.function = {domain = "local", name = "f", rest = "attribute_proto { name: \22bias\22 f: 1 type: FLOAT }"}} {
    return
  }
}
//--- sparse.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.sparse_initializer "s" #onnx.proto<"dims: 3 values { dims: 0 data_type: 1 name: \22s\22 } indices { dims: 0 data_type: 7 }"> -> tensor<3xf32>
    return
  }
}
//--- quantized.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g", rest = "quantization_annotation { tensor_name: \22x\22 }"}} {
    return
  }
}
//--- denotation.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph(%x: tensor<f32> {onnx.info = "type { tensor_type { elem_type: 1 shape { } } denotation: \22IMAGE\22 }", onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- nan.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" dense<0x7FC00001> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- empty-list.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    onnx.node "Hold"() attributes {domain = "local", node_attrs = {names = []}} : () -> ()
    return
  }
}
//--- unknown-field.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph(%x: tensor<f32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %y = onnx.Relu(%x) {outs = ["y"], rest = "base64:mAZk"} : (tensor<f32>) -> tensor<f32>
    return
  }
}
//--- doc.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{domain = "", version = 21 : i64}]}} {
  func.func @main_graph(%x: tensor<f32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %y = onnx.Relu(%x) {outs = ["y"], rest = "metadata_props { key: \22scope\22 value: \22top\22 }"} : (tensor<f32>) -> tensor<f32>
    return
  }
}
//--- same.mlir
module attributes {onnx.model = {ir_version = 10 : i64, opset_imports = [{version = 21 : i64}], rest = "doc_string: \22kept\22"}} {
  func.func @main_graph(%x: tensor<f32> {onnx.name = "x"}) attributes {onnx.graph = {}} {
    %0 = onnx.initializer "none" dense<> : tensor<0xf32> -> tensor<0xf32>
    %1 = onnx.initializer "inf" #onnx.tensor<elements = dense<0xFF800000> : tensor<f32>, typed = true> -> tensor<f32>
    %2 = onnx.initializer "i8" dense<[-1, 2]> : tensor<2xi8> -> tensor<2xi8>
    %y = onnx.Cast(%x) {domain = "", node_name = "", outs = ["y"], to = 0 : i64} : (tensor<f32>) -> tensor<*xf32>
    return
  }
}
