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
