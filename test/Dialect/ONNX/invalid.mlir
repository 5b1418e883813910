// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every diagnostic of the onnx dialect's verifiers, the schema check included,
// in head-opt and in stock mlir-opt with the plugin.
//
// RUN: head-opt %s --split-input-file --verify-diagnostics
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --split-input-file --verify-diagnostics

//===----------------------------------------------------------------------===//
// Attributes on builtin and func operations
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'builtin.module' op attribute 'onnx.model' must be a dictionary}}
module attributes {onnx.model = 8 : i64} {
}

// -----

// expected-error @+1 {{'func.func' op attribute 'onnx.graph' must be a dictionary}}
func.func private @f() attributes {onnx.graph = "g"}

// -----

// expected-error @+1 {{'func.func' op attribute 'onnx.function' must be a dictionary}}
func.func private @f() attributes {onnx.function = [{name = "f"}]}

// -----

// expected-error @+1 {{'func.func' op attribute 'onnx.model' belongs on a module}}
func.func private @f() attributes {onnx.model = {ir_version = 8 : i64}}

// -----

// expected-error @+1 {{'builtin.module' op attribute 'onnx.graph' belongs on a function}}
module attributes {onnx.graph = {name = "g"}} {
}

// -----

// expected-error @+1 {{'builtin.module' op attribute 'onnx.function' belongs on a function}}
module attributes {onnx.function = {name = "f"}} {
}

// -----

// expected-error @+1 {{'builtin.module' op 'opset_imports' of 'onnx.model' must be an array of dictionaries}}
module attributes {onnx.model = {opset_imports = {domain = "", version = 17 : i64}}} {
}

// -----

// expected-error @+1 {{'builtin.module' op 'opset_imports' of 'onnx.model' must be an array of dictionaries}}
module attributes {onnx.model = {opset_imports = [{domain = "", version = 17 : i64}, 17 : i64]}} {
}

// -----

// expected-error @+1 {{'func.func' op 'opset_imports' of 'onnx.function' must be an array of dictionaries}}
func.func private @f() attributes {onnx.function = {name = "f", opset_imports = 17 : i64}}

// -----

// expected-error @+1 {{'builtin.module' op attribute 'onnx.source_dir' must be a string}}
module attributes {onnx.source_dir = ["/models"]} {
}

// -----

// expected-error @+1 {{'func.func' op unknown attribute 'onnx.grahp'}}
func.func private @f() attributes {onnx.grahp = {name = "g"}}

// -----

// expected-error @+1 {{'builtin.module' op 'ir_version' of 'onnx.model' must be an integer of type i64}}
module attributes {onnx.model = {ir_version = 8 : i32}} {
}

// -----

// expected-error @+1 {{'builtin.module' op 'rest' of 'onnx.model' must be a string}}
module attributes {onnx.model = {rest = 1 : i64}} {
}

// -----

// The exporter would drop it without a word.
// expected-error @+1 {{'builtin.module' op 'onnx.model' has the unknown entry 'opsets'}}
module attributes {onnx.model = {opsets = []}} {
}

// -----

// expected-error @+1 {{'builtin.module' op 'version' of an entry of 'opset_imports' must be an integer of type i64}}
module attributes {onnx.model = {opset_imports = [{domain = "", version = "17"}]}} {
}

// -----

// expected-error @+1 {{'builtin.module' op 'domain' of an entry of 'opset_imports' must be a string}}
module attributes {onnx.model = {opset_imports = [{domain = 1 : i64}]}} {
}

// -----

// expected-error @+1 {{'func.func' op attribute 'onnx.source_dir' belongs on a module}}
func.func private @f() attributes {onnx.source_dir = "/models"}

// -----

// expected-error @+1 {{'onnx.none' op attribute 'onnx.graph' belongs on a function}}
%0 = onnx.none {onnx.graph = {name = "g"}}

// -----

// expected-error @+1 {{'func.func' op 'value_info' of 'onnx.graph' must be an array of dictionaries}}
func.func @f() attributes {onnx.graph = {value_info = ["v"]}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op an entry of 'value_info' does not say its 'name'}}
func.func @f() attributes {onnx.graph = {value_info = [{type = tensor<1xf32>}]}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op 'type' of an entry of 'value_info' must be a type}}
func.func @f() attributes {onnx.graph = {value_info = [{name = "v", type = "f32"}]}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op 'dim_params' of an entry of 'value_info' must be an array of strings}}
func.func @f() attributes {onnx.graph = {value_info = [{dim_params = [1], name = "v", type = tensor<1xf32>}]}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op 'onnx.function' has the unknown entry 'overload'}}
func.func private @f() attributes {onnx.function = {name = "f", overload = "o"}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op has both 'onnx.graph' and 'onnx.function'}}
func.func @f() attributes {onnx.function = {name = "f"}, onnx.graph = {name = "g"}} {
  return
}

// -----

// expected-error @+1 {{'func.func' op with 'onnx.graph' must have a body of one block}}
func.func private @f() attributes {onnx.graph = {name = "g"}}

// -----

// expected-error @+1 {{'func.func' op with 'onnx.function' must have a body of one block}}
func.func private @f() attributes {onnx.function = {name = "f"}}

// -----

// expected-error @+1 {{'func.func' op 'onnx.dim_params' of argument 1 must be an array of strings}}
func.func private @f(%x: tensor<?xf32> {onnx.dim_params = ["N"]}, %y: tensor<?xf32> {onnx.dim_params = [1]})

// -----

// expected-error @+1 {{'func.func' op 'onnx.name' of argument 0 must be a string}}
func.func private @f(%x: tensor<?xf32> {onnx.name = 1 : i64})

// -----

// expected-error @+1 {{'func.func' op 'onnx.info' of result 0 must be a string}}
func.func private @f() -> (tensor<?xf32> {onnx.info = ["N"]})

// -----

// expected-error @+1 {{'func.func' op argument 0 has the unknown attribute 'onnx.nmae'}}
func.func private @f(%x: tensor<?xf32> {onnx.nmae = "x"})

// -----

// A FunctionProto could not say it.
// expected-error @+1 {{'func.func' op 'onnx.dim_params' of argument 0 has no place in a model-local function}}
func.func private @f(%x: tensor<?xf32> {onnx.dim_params = ["N"]}) attributes {onnx.function = {name = "f"}} {
  return
}

// -----

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Relu' op has 1 results but 2 names in 'outs'}}
  %0 = onnx.Relu(%x) {outs = ["y", "z"]} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.node' op has 2 results but 1 names in 'outs'}}
  %0:2 = onnx.node "Split"(%x) attributes {outs = ["y"]} : (tensor<2xf32>) -> (tensor<1xf32>, tensor<1xf32>)
  return
}

// -----

// expected-error @+1 {{'onnx.node' op has 1 regions but 0 entries in 'graphs'}}
onnx.node "Hold"() {
  onnx.yield
} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op has 1 regions but 2 entries in 'graphs'}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [{attr = "a"}, {attr = "b"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op has 0 regions but 1 entries in 'graphs'}}
onnx.node "Hold"() attributes {graphs = [{attr = "a"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op a subgraph must end in onnx.yield}}
onnx.node "Hold"() {
  %0 = onnx.Constant() {value_int = 1 : i64} : () -> tensor<i64>
} attributes {graphs = [{attr = "a"}]} : () -> ()

// -----

// The second of two subgraphs.
// expected-error @+1 {{'onnx.node' op a subgraph must end in onnx.yield}}
onnx.node "Hold"() {
  onnx.yield
}, {
  %0 = onnx.none
} attributes {graphs = [{attr = "a"}, {attr = "b"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op region #0 ('bodies') failed to verify constraint: region with 1 blocks}}
onnx.node "Hold"() {
} attributes {graphs = [{attr = "a"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op 'graphs' must be an array of dictionaries}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [1]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op an entry of 'graphs' does not say its 'attr'}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [{name = "then"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op 'list' of an entry of 'graphs' must be a unit attribute}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [{attr = "a", list = false}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op has 'a' both in 'graphs' and in 'node_attrs'}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [{attr = "a"}], node_attrs = {a = 1 : i64}} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op entries of 'graphs' for the same attribute 'a' must be side by side and all have 'list'}}
onnx.node "Hold"() {
  onnx.yield
}, {
  onnx.yield
} attributes {graphs = [{attr = "a"}, {attr = "a"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op entries of 'graphs' for the same attribute 'a' must be side by side and all have 'list'}}
onnx.node "Hold"() {
  onnx.yield
}, {
  onnx.yield
} attributes {graphs = [{attr = "a", list}, {attr = "a"}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op entries of 'graphs' for the same attribute 'a' must be side by side and all have 'list'}}
onnx.node "Hold"() {
  onnx.yield
}, {
  onnx.yield
}, {
  onnx.yield
} attributes {graphs = [{attr = "a", list}, {attr = "b"}, {attr = "a", list}]} : () -> ()

// -----

// expected-error @+1 {{'onnx.node' op has 1 entries in 'inputs' for 0 values}}
onnx.node "Hold"() {
  onnx.yield
} attributes {graphs = [{attr = "a", inputs = [{name = "i"}]}]} : () -> ()

// -----

// A block without anything.
// expected-error @+1 {{'onnx.node' op a subgraph must end in onnx.yield}}
"onnx.node"() <{graphs = [{attr = "a"}], op_type = "Hold"}> ({
^bb0:
}) : () -> ()

// -----

onnx.node "Hold"() {
  %0 = onnx.none
  // expected-error @+1 {{'onnx.yield' op has 0 entries in 'outputs' for 1 values}}
  onnx.yield %0 : none {outputs = []}
} attributes {graphs = [{attr = "a"}]} : () -> ()

// -----

onnx.node "Hold"() {
  // expected-error @+1 {{'onnx.yield' op 'outputs' must be an array of dictionaries}}
  onnx.yield {outputs = ["o"]}
} attributes {graphs = [{attr = "a"}]} : () -> ()

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'onnx.Flatten' op 'attr_order' does not list the attribute 'axis'}}
  %0 = onnx.Flatten(%x) {attr_order = [], axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'onnx.Flatten' op 'attr_order' lists 'axes', which is not one more of its attributes}}
  %0 = onnx.Flatten(%x) {attr_order = ["axis", "axes"], axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'onnx.Flatten' op 'attr_order' lists 'axis', which is not one more of its attributes}}
  %0 = onnx.Flatten(%x) {attr_order = ["axis", "axis"], axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<1x6xf32>
  return
}

// -----

// Subgraphs are in the order too.
// expected-error @+1 {{'onnx.node' op 'attr_order' does not list the attribute 'b'}}
onnx.node "Hold"() {
  onnx.yield
}, {
  onnx.yield
} attributes {attr_order = ["a"], graphs = [{attr = "a"}, {attr = "b"}]} : () -> ()

// -----

//===----------------------------------------------------------------------===//
// Constraints of operands, results and attributes
//===----------------------------------------------------------------------===//

func.func @f(%x: none) {
  // expected-error @+1 {{'onnx.Relu' op operand #0 must be tensor or value of unknown type, but got 'none'}}
  %0 = onnx.Relu(%x) : (none) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Relu' op result #0 must be tensor or value of unknown type, but got '!onnx.sequence<tensor<2xf32>>'}}
  %0 = onnx.Relu(%x) : (tensor<2xf32>) -> !onnx.sequence<tensor<2xf32>>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %w: tensor<3x1xf32>, %c: i64) {
  // expected-error @+1 {{'onnx.Gemm' op operand #2 must be tensor, value of unknown type, or none, but got 'i64'}}
  %0 = onnx.Gemm(%x, %w, %c) : (tensor<2x3xf32>, tensor<3x1xf32>, i64) -> tensor<2x1xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'onnx.Constant' op attribute 'value' failed to satisfy constraint: tensor attribute}}
  %0 = onnx.Constant() {value = 1 : i64} : () -> tensor<i64>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'onnx.initializer' op attribute 'value' failed to satisfy constraint: tensor attribute}}
  %0 = onnx.initializer "w" 1 : i64 -> tensor<i64>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Cast' op requires attribute 'to'}}
  %0 = onnx.Cast(%x) : (tensor<2xf32>) -> tensor<2xf16>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Flatten' op attribute 'axis' failed to satisfy constraint: 64-bit signless integer attribute}}
  %0 = onnx.Flatten(%x) {axis = 1 : i32} : (tensor<2xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Relu' op attribute 'outs' failed to satisfy constraint: string array attribute}}
  %0 = onnx.Relu(%x) {outs = [1]} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{expected a trailing type}}
  %0 = onnx.initializer "w" #onnx.file_data<"f", 0, 4> -> tensor<f32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{data in a file has the offset -1, which must not be negative}}
  %0 = onnx.initializer "w" #onnx.file_data<"f", -1, 4> : tensor<f32> -> tensor<f32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{data in a file has the length -4, which must not be negative}}
  %0 = onnx.initializer "w" #onnx.file_data<"f", 0, -4> : tensor<f32> -> tensor<f32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{data in a file must have a tensor type of static shape, but has 'tensor<?xf32>'}}
  %0 = onnx.initializer "w" #onnx.file_data<"f", 0, 4> : tensor<?xf32> -> tensor<?xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'elements' must be a dense, dense_resource or #onnx.file_data attribute of tensor type}}
  %0 = onnx.initializer "w" #onnx.tensor<elements = 1 : i64> -> tensor<i64>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'elements' must be a dense, dense_resource or #onnx.file_data attribute of tensor type}}
  %0 = onnx.initializer "w" #onnx.tensor<elements = #onnx.tensor<elements = dense<1> : tensor<i64>>> -> tensor<i64>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'onnx.initializer' op attribute 'value' failed to satisfy constraint: tensor attribute}}
  %0 = onnx.initializer "w" dense<1> : vector<2xi64> -> tensor<2xi64>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'onnx.initializer' op has a value of type 'tensor<2xi64>' but a result of type 'tensor<2xi32>'}}
  %0 = onnx.initializer "w" dense<1> : tensor<2xi64> -> tensor<2xi32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{struct is missing required parameter: elements}}
  %0 = onnx.initializer "w" #onnx.tensor<typed = true> -> tensor<f32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Nodes against the schemas of the ONNX library
//===----------------------------------------------------------------------===//

// Number of inputs. A node is called by its name,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'r' (Relu): Node with schema(::Relu:14) has input size 2 not in range [min=1, max=1].}}
    %0 = onnx.node "Relu"(%x, %x) attributes {node_name = "r", outs = ["y"]} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// else by its first named result,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Relu): Node with schema(::Relu:14) has output size 2 not in range [min=1, max=1].}}
    %0:2 = onnx.node "Relu"(%x) attributes {outs = ["", "y"]} : (tensor<2xf32>) -> (none, tensor<2xf32>)
    return
  }
}

// -----

// else by its operator. This one takes `axes` as an input from opset 13 on.
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'Squeeze' (Squeeze): Unrecognized attribute: axes for operator Squeeze}}
    %0 = onnx.Squeeze(%x) {axes = array<i64: 0>} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %n = onnx.none
    // expected-error @+1 {{node 'y' (Relu): Node ()'s input 0 is marked single but has an empty string in the graph}}
    %0 = onnx.node "Relu"(%n) attributes {outs = ["y"]} : (none) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Cast): Required attribute 'to' is missing.}}
    %0 = onnx.node "Cast"(%x) attributes {outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Softmax): Mismatched attribute type in ' : axis'. Expected: 'INT', actual: 'STRING'}}
    %0 = onnx.node "Softmax"(%x) attributes {node_attrs = {axis = "a"}, outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// Subgraphs are attributes too.
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Relu): Unrecognized attribute: body for operator Relu}}
    %0 = onnx.node "Relu"(%x) {
      onnx.yield
    } attributes {graphs = [{attr = "body"}], outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Relu): the attribute 'alpha' has no ONNX counterpart}}
    %0 = onnx.node "Relu"(%x) attributes {node_attrs = {alpha = unit}, outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Constant): an attribute does not hold the text of a onnx.AttributeProto}}
    %0 = onnx.Constant() {outs = ["y"], value = #onnx.proto<"no such field">} : () -> tensor<f32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Constant): the tensor 'value': an attribute does not hold the text of a onnx.TensorProto}}
    %0 = onnx.Constant() {outs = ["y"], value = #onnx.tensor<elements = dense<1> : tensor<i64>, rest = "no such field">} : () -> tensor<i64>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Constant): an attribute holds bad base64}}
    %0 = onnx.Constant() {outs = ["y"], value = #onnx.proto<"base64:?">} : () -> tensor<f32>
    return
  }
}

// -----

// No such operator at all,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Nope): opset 17 of domain '' has no such operator; raise the opset or name the domain that defines it}}
    %0 = onnx.node "Nope"(%x) attributes {outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// no longer,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Upsample): opset 17 of domain '' has no such operator; raise the opset or name the domain that defines it}}
    %0 = onnx.node "Upsample"(%x, %x) attributes {outs = ["y"]} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// and not yet. `ai.onnx` is the domain that is also written as "".
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Gelu): opset 17 of domain '' has no such operator; raise the opset or name the domain that defines it}}
    %0 = onnx.node "Gelu"(%x) attributes {domain = "ai.onnx", outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 10 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    // expected-error @+1 {{node 'y' (Flatten): the axis -1 is negative, which opset 10 does not allow; count from the front}}
    %0 = onnx.Flatten(%x) {axis = -1 : i64, outs = ["y"]} : (tensor<2xf32>) -> tensor<2x1xf32>
    return
  }
}

// -----

// Opset 11 does allow it.
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 11 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %0 = onnx.Flatten(%x) {axis = -1 : i64, outs = ["y"]} : (tensor<2xf32>) -> tensor<2x1xf32>
    return
  }
}

// -----

// Not checked: attributes had no type before IR version 2,
module attributes {onnx.model = {ir_version = 1 : i64, opset_imports = [{domain = "", version = 1 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %0 = onnx.node "Relu"(%x) attributes {node_attrs = {alpha = 1.0 : f32}, outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// the opset is newer than the ONNX library,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 1000 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %0 = onnx.node "Nope"(%x) attributes {outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// the domain is not ONNX's,
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %0 = onnx.node "Nope"(%x) attributes {domain = "com.example", outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
}

// -----

// or the operator is a function of the model.
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func @f(%x: tensor<2xf32>) {
    %0 = onnx.node "Nope"(%x) attributes {outs = ["y"]} : (tensor<2xf32>) -> tensor<2xf32>
    return
  }
  func.func private @Nope(%a: !onnx.unknown {onnx.name = "a"}) attributes {onnx.function = {domain = "", name = "Nope"}} {
    return
  }
}

// -----

// Inside a function its own opset counts, which knows Gelu.
module attributes {onnx.model = {ir_version = 8 : i64, opset_imports = [{domain = "", version = 17 : i64}]}} {
  func.func private @g(%x: !onnx.unknown) attributes {onnx.function = {domain = "local", name = "g", opset_imports = [{domain = "", version = 20 : i64}]}} {
    %0 = onnx.node "Gelu"(%x) attributes {outs = ["y"]} : (!onnx.unknown) -> !onnx.unknown
    // expected-error @+1 {{node 'z' (Swish): opset 20 of domain '' has no such operator}}
    %1 = onnx.node "Swish"(%x) attributes {outs = ["z"]} : (!onnx.unknown) -> !onnx.unknown
    return
  }
}
