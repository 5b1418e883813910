// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR that is no ONNX model: one line of error and no file.
//
// RUN: split-file %s %t
// RUN: not head-opt %t/model.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: head-opt: error: {{.*}}model.mlir: 1:1: the module has no 'onnx.model' attribute, which gives the IR version and the opsets
// RUN: not head-opt %t/no-graph.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=NO-GRAPH
// NO-GRAPH: head-opt: error: {{.*}}: the module has no main graph (a function with 'onnx.graph')
// RUN: not head-opt %t/two-graphs.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=TWO-GRAPHS
// TWO-GRAPHS: head-opt: error: {{.*}}: the module has more than one main graph ('onnx.graph')
// RUN: not head-opt %t/plain-function.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=PLAIN-FUNCTION
// PLAIN-FUNCTION: head-opt: error: {{.*}}: the function 'plain' is no ONNX graph; it has neither 'onnx.graph' nor 'onnx.function'
// RUN: not head-opt %t/foreign-op.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=FOREIGN-OP
// FOREIGN-OP: head-opt: error: {{.*}}: 'func.call' is no ONNX operation; only modules of the onnx dialect can be written as ONNX
// RUN: not head-opt %t/initializer.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INITIALIZER
// INITIALIZER: head-opt: error: {{.*}}: a model-local function holds the initializer 'w'; write it as a Constant node
// RUN: not head-opt %t/sparse.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=SPARSE
// SPARSE: head-opt: error: {{.*}}: a model-local function holds a sparse initializer
// RUN: not head-opt %t/elided.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=ELIDED
// ELIDED: head-opt: error: {{.*}}: the resource 'gone' has no data; it was elided when the file was printed
// RUN: not head-opt %t/resource-size.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=RESOURCE-SIZE
// RESOURCE-SIZE: head-opt: error: {{.*}}: has 4 bytes of data, but its extents need 8
// RUN: not head-opt %t/file.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=DATA-FILE
// DATA-FILE: head-opt: error: {{.*}}: cannot read tensor data from '/no/such/file': No such file or directory
// RUN: not head-opt %t/rest.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=REST
// REST: head-opt: error: {{.*}}: an attribute does not hold the text of a onnx.GraphProto
// RUN: not head-opt %t/base64.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=BASE64
// BASE64: head-opt: error: {{.*}}: an attribute holds a broken onnx.ModelProto
// RUN: not head-opt %t/two-nodes.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=TWO-NODES
// TWO-NODES: head-opt: error: {{.*}}: node 'b' (Relu) defines 'y', which is defined already; names must be unique, rename one
// RUN: not head-opt %t/two-results.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=TWO-RESULTS
// TWO-RESULTS: head-opt: error: {{.*}}: node 'n' (Hold) defines 'y', which is defined already; names must be unique, rename one
// RUN: not head-opt %t/input-again.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INPUT-AGAIN
// INPUT-AGAIN: head-opt: error: {{.*}}: node 'n' (Relu) defines 'x', which is defined already; names must be unique, rename one
// RUN: not head-opt %t/subgraph-again.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=SUBGRAPH-AGAIN
// SUBGRAPH-AGAIN: head-opt: error: {{.*}}: node 'n' (Relu) defines 'x', which is defined already; names must be unique, rename one
// RUN: not head-opt %t/init-again.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INIT-AGAIN
// INIT-AGAIN: head-opt: error: {{.*}}: initializer 'x' defines 'x', which is defined already; names must be unique, rename one
// RUN: not head-opt %t/default-name.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=DEFAULT-NAME
// DEFAULT-NAME: head-opt: error: {{.*}}: initializer 'w' is the default of the input 'x'; the two must have the same name
// RUN: not head-opt %t/default-twice.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=DEFAULT-TWICE
// DEFAULT-TWICE: head-opt: error: {{.*}}: initializer 'x' is a second default of that input
// RUN: not head-opt %t/default-node.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=DEFAULT-NODE
// DEFAULT-NODE: head-opt: error: {{.*}}: initializer 'w' is the default of a value that is no input of its graph
// RUN: not head-opt %t/output-name.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=OUTPUT-NAME
// OUTPUT-NAME: head-opt: error: {{.*}}: a graph output is declared as 'y', but its value is called 'x'; an output has the name of its value
// RUN: not head-opt %t/misspelt.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=MISSPELT
// MISSPELT: head-opt: error: {{.*}}: 'onnx.Flatten' has the attribute 'axsi', which is none of its own and which ONNX has no place for
// RUN: not head-opt %t/beside.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=BESIDE
// BESIDE: head-opt: error: {{.*}}: 'builtin.module' beside the functions is no part of an ONNX model
// RUN: not head-opt %t/no-return.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=NO-RETURN
// NO-RETURN: head-opt: error: {{.*}}: the function 'f' does not end in func.return
// RUN: not head-opt %t/strings.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=STRINGS
// STRINGS: head-opt: error: {{.*}}: node 'y' (Hold): the attribute 'names' has no ONNX counterpart
// RUN: not head-opt %t/width.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=WIDTH
// WIDTH: head-opt: error: {{.*}}: node 'n' (Hold): the attribute 'flag' has no ONNX counterpart
// RUN: not head-opt %t/vector.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=VECTOR
// VECTOR: head-opt: error: {{.*}}: node 'y' (Hold): the attribute 'value' has no ONNX counterpart
// RUN: not head-opt %t/element.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=ELEMENT
// ELEMENT: head-opt: error: {{.*}}: node 'y' (Hold): the tensor 'value': has elements of type 'index', which ONNX does not have
// RUN: not head-opt %t/init-element.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INIT-ELEMENT
// INIT-ELEMENT: head-opt: error: {{.*}}: initializer 'w': has elements of type 'index', which ONNX does not have
// RUN: not head-opt %t/string-file.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=STRING-FILE
// STRING-FILE: head-opt: error: {{.*}}: initializer 'w': has elements of type '!onnx.string', but strings, and nothing else, are written as text in 'dense'
// RUN: not head-opt %t/file-size.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=FILE-SIZE
// FILE-SIZE: head-opt: error: {{.*}}: initializer 'w': has 4 bytes of data, but its extents need 8
// RUN: not head-opt %t/input-element.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INPUT-ELEMENT
// INPUT-ELEMENT: head-opt: error: {{.*}}: the value 'x' has the type 'tensor<2xindex>', which ONNX does not have
// RUN: not head-opt %t/input-type.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INPUT-TYPE
// INPUT-TYPE: head-opt: error: {{.*}}: the value 'x' has the type 'i64', which ONNX does not have
// RUN: not head-opt %t/input-nested.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=INPUT-NESTED
// INPUT-NESTED: head-opt: error: {{.*}}: the value 'x' has the type '!onnx.sequence<tensor<2xi7>>', which ONNX does not have
// RUN: not head-opt %t/symbols.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=SYMBOLS
// SYMBOLS: head-opt: error: {{.*}}: the value 'x' has symbols for 2 axes, but its type has 1
// RUN: not head-opt %t/symbols-sequence.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=SYMBOLS-SEQUENCE
// SYMBOLS-SEQUENCE: head-opt: error: {{.*}}: the value 'x' has symbols for 1 axes, but its type has 0
// RUN: not head-opt %t/rest-graph.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=REST-GRAPH
// REST-GRAPH: head-opt: error: {{.*}}: 'rest' of a onnx.GraphProto sets 'node', which the IR has a place of its own for
// RUN: not head-opt %t/rest-node.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=REST-NODE
// REST-NODE: head-opt: error: {{.*}}: 'rest' of a onnx.NodeProto sets 'input', which the IR has a place of its own for
// RUN: not head-opt %t/rest-tensor.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=REST-TENSOR
// REST-TENSOR: head-opt: error: {{.*}}: initializer 'w': 'rest' of a onnx.TensorProto sets 'dims', which the IR has a place of its own for
// RUN: not head-opt %t/uncountable.mlir -o %t/out.onnx 2>&1 | FileCheck %s --check-prefix=UNCOUNTABLE
// UNCOUNTABLE: head-opt: error: {{.*}}: initializer 'w': has more elements than can be counted
// RUN: not ls %t/out.onnx

//--- model.mlir
module {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- no-graph.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func private @f() attributes {onnx.function = {domain = "local", name = "f"}} {
    return
  }
}
//--- two-graphs.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @a() attributes {onnx.graph = {name = "a"}} {
    return
  }
  func.func @b() attributes {onnx.graph = {name = "b"}} {
    return
  }
}
//--- plain-function.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    return
  }
  func.func private @plain() {
    return
  }
}
//--- foreign-op.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    call @f() : () -> ()
    return
  }
  func.func private @f() attributes {onnx.function = {domain = "local", name = "f"}} {
    return
  }
}
//--- initializer.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func private @f() attributes {onnx.function = {domain = "local", name = "f"}} {
    %w = onnx.initializer "w" dense<1.0> : tensor<1xf32> -> tensor<1xf32>
    return
  }
}
//--- sparse.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func private @f() attributes {onnx.function = {domain = "local", name = "f"}} {
    %w = onnx.sparse_initializer "w" #onnx.proto<"dims: 1"> -> tensor<1xf32>
    return
  }
}
//--- elided.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "w" dense_resource<gone> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- resource-size.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "w" dense_resource<blob> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
{-#
  dialect_resources: {
    builtin: {
      blob: "0x0400000001000000"
    }
  }
#-}
//--- file.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    %w = onnx.initializer "w" #onnx.file_data<"/no/such/file", 0, 8> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- rest.mlir
module attributes {onnx.model = {ir_version = 8 : i64}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g", rest = "no such field"}} {
    return
  }
}
//--- base64.mlir
module attributes {onnx.model = {ir_version = 8 : i64, rest = "base64:CA=="}} {
  func.func @main_graph() attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- two-nodes.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Relu(%x) {node_name = "a", outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    %1 = onnx.Relu(%0) {node_name = "b", outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}
//--- two-results.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0:2 = onnx.node "Hold"() attributes {domain = "d", node_name = "n", outs = ["y", "y"]} : () -> (!onnx.unknown, !onnx.unknown)
    return
  }
}
//--- input-again.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Relu(%x) {node_name = "n", outs = ["x"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}
//--- subgraph-again.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    onnx.node "Hold"() {
      %0 = onnx.Relu(%x) {node_name = "n", outs = ["x"]} : (tensor<2xf32>) -> tensor<2xf32>
      onnx.yield
    } attributes {domain = "d", graphs = [{attr = "body"}]} : () -> ()
    return
  }
}
//--- init-again.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "x" dense<1.0> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- default-name.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" dense<1.0> : tensor<2xf32> default_of %x : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- default-twice.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "x" dense<1.0> : tensor<2xf32> default_of %x : tensor<2xf32> -> tensor<2xf32>
    %1 = onnx.initializer "x" dense<2.0> : tensor<2xf32> default_of %x : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- default-node.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Relu(%x) {outs = ["w"]} : (tensor<2xf32>) -> tensor<2xf32>
    %1 = onnx.initializer "w" dense<1.0> : tensor<2xf32> default_of %0 : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- output-name.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32> {onnx.name = "x"}) -> (tensor<2xf32> {onnx.name = "y"}) attributes {onnx.graph = {name = "g"}} {
    return %x : tensor<2xf32>
  }
}
//--- misspelt.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Flatten(%x) {axsi = 0 : i64, outs = ["y"]} : (tensor<2xf32>) -> tensor<2x1xf32>
    return
  }
}
//--- beside.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  module {
  }
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {

    return
  }
}
//--- no-return.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f() attributes {onnx.graph = {name = "g"}} {
    onnx.yield
  }
}
//--- strings.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.node "Hold"() attributes {domain = "d", node_attrs = {names = ["a", 1]}, outs = ["y"]} : () -> !onnx.unknown
    return
  }
}
//--- width.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.node "Hold"() attributes {domain = "d", node_attrs = {flag = true}, node_name = "n", outs = ["y"]} : () -> !onnx.unknown
    return
  }
}
//--- vector.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.node "Hold"() attributes {domain = "d", node_attrs = {value = dense<1> : vector<2xindex>}, outs = ["y"]} : () -> !onnx.unknown
    return
  }
}
//--- element.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.node "Hold"() attributes {domain = "d", node_attrs = {value = dense<1> : tensor<2xindex>}, outs = ["y"]} : () -> !onnx.unknown
    return
  }
}
//--- init-element.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" dense<1> : tensor<2xindex> -> tensor<2xindex>
    return
  }
}
//--- string-file.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" #onnx.file_data<"f", 0, 4> : tensor<1x!onnx.string> -> tensor<1x!onnx.string>
    return
  }
}
//--- file-size.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" #onnx.file_data<"f", 0, 4> : tensor<2xf32> -> tensor<2xf32>
    return
  }
}
//--- input-element.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xindex> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- input-type.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: i64 {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- input-nested.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: !onnx.sequence<tensor<2xi7>> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- symbols.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<?xf32> {onnx.dim_params = ["N", "M"], onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- symbols-sequence.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: !onnx.sequence<tensor<?xf32>> {onnx.dim_params = ["N"], onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    return
  }
}
//--- rest-graph.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f() attributes {onnx.graph = {name = "g", rest = "node { op_type: \22A\22 }"}} {
    return
  }
}
//--- rest-node.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.Relu(%x) {outs = ["y"], rest = "input: \22z\22"} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}
//--- rest-tensor.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" #onnx.tensor<elements = dense<1> : tensor<2xi64>, rest = "dims: 7"> -> tensor<2xi64>
    return
  }
}
//--- uncountable.mlir
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @main_graph(%x: tensor<2xf32> {onnx.name = "x"}) attributes {onnx.graph = {name = "g"}} {
    %0 = onnx.initializer "w" #onnx.file_data<"f", 0, 4> : tensor<9223372036854775807x9223372036854775807xf32> -> tensor<9223372036854775807x9223372036854775807xf32>
    return
  }
}
