//===- ModelFactsTest.cpp - What is known of values without a run ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each operator makes of the facts on its operands, and where it must say
// nothing. Facts are compared as text: the n-th unknown extent of the arguments
// is s<n>, an extent that nothing ties to them is ?, an unknown element _. That
// claims hold in runs is for ModelFactsPropertyTest.cpp.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ModelFacts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace headopt;

namespace {

class ModelFactsTest : public testing::Test {
protected:
  ModelFactsTest() {
    context.loadDialect<onnx::ONNXDialect, func::FuncDialect>();
  }

  /// Infers the facts of a function with these arguments and nodes; !u is the
  /// unknown type. The queries below are about the last node's first result.
  void infer(StringRef arguments, const Twine &nodes, int opset = 17) {
    std::string text = "!u = !onnx.unknown\n"
                       "module attributes {onnx.model = {ir_version = 8 : i64, "
                       "opset_imports = [{domain = \"\", version = " +
                       std::to_string(opset) + " : i64}]}} {\nfunc.func @f(" +
                       arguments.str() + ") {\n" + nodes.str() +
                       "\nreturn\n}\n}\n";
    facts.reset();
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module) << "the test's module does not parse:\n" << text;
    facts = std::make_unique<ModelFacts>(*module);
    func::FuncOp function = *module->getOps<func::FuncOp>().begin();
    numArgumentSymbols = 0;
    for (Value argument : function.getArguments())
      if (auto type = dyn_cast<RankedTensorType>(argument.getType()))
        numArgumentSymbols += type.getNumDynamicDims();
    last = std::prev(function.getBody().front().getTerminator()->getIterator())
               ->getResult(0);
  }

  const ValueFacts &get() const {
    static const ValueFacts nothing;
    return facts ? facts->get(last) : nothing;
  }

  std::string print(const Extent &extent) const {
    if (extent.isNumber())
      return std::to_string(extent.getNumber());
    if (extent.getSymbols().empty())
      return "overflow";
    std::string text;
    if (extent.getCoefficient() != 1)
      text = std::to_string(extent.getCoefficient());
    for (unsigned symbol : extent.getSymbols()) {
      text += text.empty() ? "" : "*";
      text += symbol < numArgumentSymbols ? "s" + std::to_string(symbol) : "?";
    }
    return text;
  }

  template <typename Range> std::string printList(const Range &range) const {
    std::string text;
    for (const auto &each : range)
      text += (text.empty() ? "" : " ") + each;
    return text;
  }

  std::string shape() const {
    if (!get().shape)
      return "unknown";
    return printList(llvm::map_range(
        *get().shape, [&](const Extent &extent) { return print(extent); }));
  }
  std::string elements() const {
    if (!get().elements)
      return "unknown";
    return printList(llvm::map_range(*get().elements,
                                     [&](const std::optional<Extent> &element) {
                                       return element ? print(*element) : "_";
                                     }));
  }
  std::string varying() const {
    return printList(llvm::map_range(
        get().varying, [&](const Extent &extent) { return print(extent); }));
  }
  /// The axes that are even although their extent may be other than 1.
  std::string even() const {
    SmallVector<std::string> axes;
    for (size_t axis = 0; axis != get().varying.size(); ++axis)
      if (get().isEven(axis) && !(*get().shape)[axis].isNumber(1))
        axes.push_back(std::to_string(axis));
    return printList(axes);
  }
  /// The axis that has parts, and each with the axes that are even in it.
  std::string parts() const {
    if (!get().partAxis)
      return get().parts.empty() ? "none" : "parts of no axis";
    std::string text = "axis " + std::to_string(*get().partAxis) + ":";
    for (const ValueFacts::Part &part : get().parts) {
      text += " [" + std::to_string(part.begin) + ", " +
              std::to_string(part.end) + ")";
      for (auto [axis, varying] : llvm::enumerate(part.varying))
        if (varying.isNumber(1) && !(*get().shape)[axis].isNumber(1))
          text += " " + std::to_string(axis);
    }
    return text;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<ModelFacts> facts;
  unsigned numArgumentSymbols = 0;
  Value last;
};

/// A constant list of integers.
std::string ints(StringRef name, StringRef list) {
  return (name + " = onnx.Constant() {value_ints = array<i64: " + list +
          ">} : () -> !u\n")
      .str();
}

/// %m, [N, 8, 4, 6], which is even along axes 2 and 3, and %v, of the same
/// shape, which is not.
const char *const kMaps =
    "%x: tensor<?x8x1x1xf32>, %v: tensor<?x8x4x6xf32>, %d: tensor<?x?x?x?xf32>";
std::string evenMap() {
  return ints("%target", "1, 8, 4, 6") +
         "%m = onnx.Expand(%x, %target) : (tensor<?x8x1x1xf32>, !u) -> !u\n";
}

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, TypesGiveExtents) {
  infer("%x: tensor<?x8x?xf32>, %y: tensor<?xf32>",
        "%0 = onnx.Identity(%x) : (tensor<?x8x?xf32>) -> !u");
  EXPECT_EQ(shape(), "s0 8 s1");
  EXPECT_EQ(varying(), "s0 8 s1");
  // A type says more than the operator.
  infer("%x: tensor<?x8x?xf32>",
        "%0 = onnx.Identity(%x) : (tensor<?x8x?xf32>) -> tensor<?x8x7xf32>");
  EXPECT_EQ(shape(), "s0 8 7");
  infer("%x: !u", "%0 = onnx.Identity(%x) : (!u) -> !u");
  EXPECT_EQ(shape(), "unknown");
  EXPECT_EQ(varying(), "");
  infer("%x: !u", "%0 = onnx.Identity(%x) : (!u) -> tensor<?x3xf32>");
  EXPECT_EQ(shape(), "? 3");
}

TEST_F(ModelFactsTest, WhatDoesNotFitTheRankIsDropped) {
  infer("%x: tensor<?x8xf32>",
        "%0 = onnx.Identity(%x) : (tensor<?x8xf32>) -> tensor<?x?x?xf32>");
  EXPECT_EQ(shape(), "? ? ?");
}

TEST_F(ModelFactsTest, ExtentsOfOneAreEven) {
  infer("%x: tensor<?x1x7xf32>",
        "%0 = onnx.Relu(%x) : (tensor<?x1x7xf32>) -> !u");
  EXPECT_EQ(varying(), "s0 1 7");
}

TEST_F(ModelFactsTest, Constants) {
  infer("", ints("%0", "3, -1, 0"));
  EXPECT_EQ(shape(), "3");
  EXPECT_EQ(elements(), "3 -1 0");
  EXPECT_EQ(varying(), "3");
  infer("", "%0 = onnx.Constant() {value_int = 5 : i64} : () -> !u");
  EXPECT_EQ(shape(), "");
  EXPECT_EQ(elements(), "5");
  infer("", "%0 = onnx.Constant() {value = dense<[[1, 2], [3, 4]]> : "
            "tensor<2x2xi32>} : () -> !u");
  EXPECT_EQ(shape(), "2 2");
  EXPECT_EQ(elements(), "1 2 3 4");
  // All equal.
  infer(
      "",
      "%0 = onnx.Constant() {value = dense<2.0> : tensor<8x4xf32>} : () -> !u");
  EXPECT_EQ(varying(), "1 1");
  EXPECT_EQ(elements(), "2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 "
                        "2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2");
  // Long ones are data.
  infer(
      "",
      "%0 = onnx.Constant() {value = dense<2.0> : tensor<65xf32>} : () -> !u");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, ElementsAreWholeNumbers) {
  infer("", "%0 = onnx.Constant() {value_floats = array<f32: 1.0, 0.5, -3.0, "
            "1.0e9>} : () -> !u");
  EXPECT_EQ(elements(), "1 _ -3 _");
  infer("", "%0 = onnx.Constant() {value = dense<[0x7FC00000, 0x7F800000]> : "
            "tensor<2xf32>} : () -> !u");
  EXPECT_EQ(elements(), "_ _");
}

TEST_F(ModelFactsTest, UnsignedConstants) {
  infer("", "%0 = onnx.Constant() {value = dense<[200, 7]> : tensor<2xui8>} : "
            "() -> !u");
  EXPECT_EQ(elements(), "200 7");
  infer("", "%0 = onnx.Constant() {value = dense<[18446744073709551615, 7]> : "
            "tensor<2xui64>} : () -> !u");
  EXPECT_EQ(elements(), "_ 7");
  infer("", "%0 = onnx.Constant() {value = dense<[200, 7]> : tensor<2xui8>} : "
            "() -> !u\n"
            "%1 = onnx.Cast(%0) {to = 7 : i64} : (!u) -> !u");
  EXPECT_EQ(elements(), "200 7");
}

TEST_F(ModelFactsTest, TheSmallestNumberIsUnknown) {
  infer("", "%0 = onnx.Constant() {value = dense<[-9223372036854775808, 7]> : "
            "tensor<2xi64>} : () -> !u");
  EXPECT_EQ(elements(), "overflow 7");
  EXPECT_FALSE(facts->getNumbers(last));
}

TEST_F(ModelFactsTest, OverridableInitializersAreNoConstants) {
  infer("%s: tensor<2xi64>",
        "%0 = onnx.initializer \"s\" dense<[1, 2]> : tensor<2xi64> default_of "
        "%s : tensor<2xi64> -> tensor<2xi64>");
  EXPECT_EQ(shape(), "2");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, ConstantOfShape) {
  infer("", ints("%s", "2, 3") +
                "%0 = onnx.ConstantOfShape(%s) {value = dense<5> : "
                "tensor<1xi64>} : (!u) -> !u");
  EXPECT_EQ(shape(), "2 3");
  EXPECT_EQ(elements(), "5 5 5 5 5 5");
  EXPECT_EQ(even(), "0 1");
  // Of extents that only a run knows.
  infer("%x: tensor<?x8xf32>", "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n"
                               "%0 = onnx.ConstantOfShape(%s) : (!u) -> !u");
  EXPECT_EQ(shape(), "s0 8");
  EXPECT_EQ(even(), "0 1");
  EXPECT_EQ(elements(), "unknown");
  // Of an unknown shape.
  infer("%s: tensor<2xi64>",
        "%0 = onnx.ConstantOfShape(%s) : (tensor<2xi64>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  infer("", ints("%s", "1000000, 1000000") +
                "%0 = onnx.ConstantOfShape(%s) {value = dense<5> : "
                "tensor<1xi64>} : (!u) -> !u");
  EXPECT_EQ(shape(), "1000000 1000000");
  EXPECT_EQ(elements(), "unknown");
}

//===----------------------------------------------------------------------===//
// Arithmetic on shapes, as exporters write it
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, Shape) {
  const char *arguments = "%x: tensor<?x8x?x7xf32>";
  auto inferShape = [&](StringRef attributes) {
    infer(arguments, "%0 = onnx.Shape(%x) {" + attributes +
                         "} : (tensor<?x8x?x7xf32>) -> !u");
  };
  inferShape("");
  EXPECT_EQ(shape(), "4");
  EXPECT_EQ(elements(), "s0 8 s1 7");
  inferShape("start = 1 : i64");
  EXPECT_EQ(elements(), "8 s1 7");
  inferShape("start = 1 : i64, end = -1 : i64");
  EXPECT_EQ(elements(), "8 s1");
  inferShape("start = -2 : i64, end = 100 : i64");
  EXPECT_EQ(elements(), "s1 7");
  inferShape("start = -100 : i64, end = 1 : i64");
  EXPECT_EQ(elements(), "s0");
  inferShape("start = 3 : i64, end = 1 : i64");
  EXPECT_EQ(elements(), "");
  EXPECT_EQ(shape(), "0");
  infer("%x: !u", "%0 = onnx.Shape(%x) : (!u) -> !u");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, Size) {
  infer("%x: tensor<?x8x?xf32>",
        "%0 = onnx.Size(%x) : (tensor<?x8x?xf32>) -> !u");
  EXPECT_EQ(shape(), "");
  EXPECT_EQ(elements(), "8*s0*s1");
  infer("%x: !u", "%0 = onnx.Size(%x) : (!u) -> !u");
  EXPECT_EQ(shape(), "");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, ArithmeticOnElements) {
  auto binary = [&](StringRef op, StringRef list) {
    infer("%x: tensor<?x?x6xf32>",
          "%s = onnx.Shape(%x) : (tensor<?x?x6xf32>) -> !u\n" +
              ints("%c", list) + "%0 = onnx." + op +
              "(%s, %c) : (!u, !u) -> !u");
    return elements();
  };
  EXPECT_EQ(binary("Mul", "2, 1, 3"), "2*s0 s1 18");
  EXPECT_EQ(binary("Mul", "2"), "2*s0 2*s1 12");
  EXPECT_EQ(binary("Div", "2, 1, 3"), "_ s1 2");
  EXPECT_EQ(binary("Div", "1, 0, 4"), "s0 _ _");
  EXPECT_EQ(binary("Add", "0, 1, 3"), "s0 _ 9");
  EXPECT_EQ(binary("Add", "0, 1, 9223372036854775807"), "s0 _ _");
  EXPECT_EQ(binary("Sub", "0, 1, 8"), "s0 _ -2");
  EXPECT_EQ(binary("Max", "0, 1, 7"), "s0 _ 7");
  EXPECT_EQ(binary("Max", "-1, -1, 2"), "s0 s1 6");
  EXPECT_EQ(binary("Min", "0, 1, 7"), "0 _ 6");
  EXPECT_EQ(binary("Min", "-1, 1, 2"), "-1 _ 2");
  EXPECT_EQ(binary("Equal", "-1, 1, 6"), "0 _ 1");
  EXPECT_EQ(binary("Equal", "-2, 0, 5"), "0 _ 0");
  EXPECT_EQ(binary("Pow", "1, 1, 1"), "_ _ _");
  EXPECT_EQ(binary("Greater", "-1, 1, 1"), "_ _ _");
  // Lists of other lengths do not broadcast.
  EXPECT_EQ(binary("Mul", "2, 1"), "unknown");
}

TEST_F(ModelFactsTest, ArithmeticOnProducts) {
  auto infer2 = [&](StringRef nodes) {
    infer("%x: tensor<?x?xf32>",
          "%s = onnx.Shape(%x) : (tensor<?x?xf32>) -> !u\n" + ints("%m", "-1") +
              ints("%four", "4") +
              "%p = onnx.Mul(%s, %s) : (!u, !u) -> !u\n"
              "%q = onnx.Mul(%p, %four) : (!u, !u) -> !u\n"
              "%n = onnx.Mul(%s, %m) : (!u, !u) -> !u\n" +
              nodes);
    return elements();
  };
  EXPECT_EQ(infer2("%0 = onnx.Div(%q, %s) : (!u, !u) -> !u"), "4*s0 4*s1");
  EXPECT_EQ(infer2("%0 = onnx.Div(%s, %q) : (!u, !u) -> !u"), "_ _");
  EXPECT_EQ(infer2("%0 = onnx.Equal(%p, %p) : (!u, !u) -> !u"), "1 1");
  // A product of symbols may be negative, or, of two, anything.
  EXPECT_EQ(infer2("%0 = onnx.Equal(%n, %m) : (!u, !u) -> !u"), "_ _");
  EXPECT_EQ(infer2("%0 = onnx.Max(%n, %m) : (!u, !u) -> !u"), "_ _");
  EXPECT_EQ(infer2("%0 = onnx.Max(%n, %n) : (!u, !u) -> !u"), "-1*s0 -1*s1");
}

TEST_F(ModelFactsTest, MaxAndMinOfOneOrMany) {
  infer("", ints("%c", "3, 4") + "%0 = onnx.Max(%c) : (!u) -> !u");
  EXPECT_EQ(elements(), "3 4");
  infer("", ints("%c", "3, 4") + "%0 = onnx.Min(%c) : (!u) -> !u");
  EXPECT_EQ(elements(), "3 4");
  infer("",
        ints("%c", "3, 4") + "%0 = onnx.Max(%c, %c, %c) : (!u, !u, !u) -> !u");
  EXPECT_EQ(shape(), "2");
  EXPECT_EQ(elements(), "_ _");
}

TEST_F(ModelFactsTest, Casts) {
  auto cast = [&](int to) {
    infer("%x: tensor<?x300x7x0xf32>",
          "%s = onnx.Shape(%x) : (tensor<?x300x7x0xf32>) -> !u\n"
          "%0 = onnx.Cast(%s) {to = " +
              Twine(to) + " : i64} : (!u) -> !u");
    return elements();
  };
  for (int to : {1, 6, 7, 11})
    EXPECT_EQ(cast(to), "s0 300 7 0") << to;
  EXPECT_EQ(cast(9), "_ 1 1 0");
  for (int to : {12, 13})
    EXPECT_EQ(cast(to), "s0 300 7 0") << to;
  for (int to : {4, 5})
    EXPECT_EQ(cast(to), "_ 300 7 0") << to;
  for (int to : {2, 3})
    EXPECT_EQ(cast(to), "_ _ 7 0") << to;
  // Floats of 16 bits, strings, complex numbers, numbers of 8 bits and fewer,
  // and what is to come.
  for (int to : {0, 8, 10, 14, 15, 16, 17, 20, 21, 23, 99})
    EXPECT_EQ(cast(to), "_ _ _ _") << to;
}

TEST_F(ModelFactsTest, ThroughBool) {
  infer("%x: tensor<?x2xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x2xf32>) -> !u\n"
        "%b = onnx.Cast(%s) {to = 9 : i64} : (!u) -> !u\n"
        "%0 = onnx.Cast(%b) {to = 7 : i64} : (!u) -> !u");
  EXPECT_EQ(elements(), "_ 1");
}

TEST_F(ModelFactsTest, Where) {
  auto where = [&](StringRef condition, StringRef a, StringRef b) {
    infer("%x: tensor<?x8xf32>, %c: tensor<2xi1>, %two: tensor<2xi64>",
          "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n" +
              ints("%one", "1, 1") + ints("%k", "-1, 3") +
              "%e = onnx.Equal(%k, %one) : (!u, !u) -> !u\n"
              "%m = onnx.Equal(%s, %k) : (!u, !u) -> !u\n"
              "%0 = onnx.Where(" +
              condition + ", " + a + ", " + b + ") : (" +
              (condition == "%c" ? "tensor<2xi1>" : "!u") + ", !u, !u) -> !u");
    return elements();
  };
  EXPECT_EQ(where("%e", "%s", "%k"), "-1 3");
  EXPECT_EQ(where("%m", "%k", "%s"), "s0 8");
  // The same whatever the condition; but that is seen only where its elements
  // are listed at all.
  EXPECT_EQ(where("%c", "%s", "%s"), "unknown");
}

TEST_F(ModelFactsTest, WhereOfAnUnknownElementOfTheCondition) {
  infer("%x: tensor<?x8xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n" + ints("%k", "5, 3") +
            ints("%l", "5, 4") +
            "%m = onnx.Equal(%s, %k) : (!u, !u) -> !u\n"
            "%0 = onnx.Where(%m, %k, %l) : (!u, !u, !u) -> !u");
  EXPECT_EQ(elements(), "5 4");
  infer("%x: tensor<?x8xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n" + ints("%k", "5, 3") +
            ints("%l", "6, 4") +
            "%m = onnx.Equal(%s, %k) : (!u, !u) -> !u\n"
            "%0 = onnx.Where(%m, %k, %l) : (!u, !u, !u) -> !u");
  EXPECT_EQ(elements(), "_ 4");
}

TEST_F(ModelFactsTest, LongListsAreData) {
  infer("",
        "%c = onnx.Constant() {value = dense<1> : tensor<64xi64>} : () -> !u\n"
        "%0 = onnx.Concat(%c, %c) {axis = 0 : i64} : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "128");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, TorchExpandsByMinusOne) {
  // x.expand(-1, -1, 7, 7): sizes of -1 become those of x, or 1.
  infer(
      "%x: tensor<?x512x1x1xf32>",
      ints("%asked", "-1, -1, 7, 7") + ints("%four", "4") +
          "%ones = onnx.ConstantOfShape(%four) {value = dense<1> : "
          "tensor<1xi64>} : (!u) -> !u\n" +
          ints("%m", "-1") +
          "%minus = onnx.Mul(%ones, %m) : (!u, !u) -> !u\n"
          "%mask = onnx.Equal(%asked, %minus) : (!u, !u) -> !u\n"
          "%target = onnx.Where(%mask, %ones, %asked) : (!u, !u, !u) -> !u\n"
          "%0 = onnx.Expand(%x, %target) : (tensor<?x512x1x1xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "s0 512 7 7");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, TorchExpandsByTheExtentsOfAnother) {
  // x.expand(n, c, 7, 7), with n and c read from x.
  infer("%x: tensor<?x?x1x1xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x?x1x1xf32>) -> !u\n"
        "%i0 = onnx.Constant() {value_int = 0 : i64} : () -> !u\n"
        "%i1 = onnx.Constant() {value_int = 1 : i64} : () -> !u\n"
        "%n = onnx.Gather(%s, %i0) {axis = 0 : i64} : (!u, !u) -> !u\n"
        "%c = onnx.Gather(%s, %i1) {axis = 0 : i64} : (!u, !u) -> !u\n" +
            ints("%axes", "0") + ints("%k", "7") +
            "%n1 = onnx.Unsqueeze(%n, %axes) : (!u, !u) -> !u\n"
            "%c1 = onnx.Unsqueeze(%c, %axes) : (!u, !u) -> !u\n"
            "%asked = onnx.Concat(%n1, %c1, %k, %k) {axis = 0 : i64} : "
            "(!u, !u, !u, !u) -> !u\n" +
            ints("%minus", "-1") +
            "%one = onnx.Constant() {value_int = 1 : i64} : () -> !u\n"
            "%mask = onnx.Equal(%asked, %minus) : (!u, !u) -> !u\n"
            "%target = onnx.Where(%mask, %one, %asked) : (!u, !u, !u) -> !u\n"
            "%0 = onnx.Expand(%x, %target) : (tensor<?x?x1x1xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "s0 s1 7 7");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, PaddleExpandsByTheMaximum) {
  infer(
      "%x: tensor<?x512x1x1xf32>",
      "%s = onnx.Shape(%x) : (tensor<?x512x1x1xf32>) -> !u\n" +
          ints("%asked", "-1, -1, 7, 7") +
          "%target = onnx.Max(%s, %asked) : (!u, !u) -> !u\n"
          "%0 = onnx.Expand(%x, %target) : (tensor<?x512x1x1xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "s0 512 7 7");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, Tf2onnxResizes) {
  // Resize of NHWC to sizes computed in i32 and through f32.
  infer(
      "%x: tensor<?x512x1x1xf32>",
      "%s = onnx.Shape(%x) : (tensor<?x512x1x1xf32>) -> !u\n"
      "%f = onnx.Cast(%s) {to = 1 : i64} : (!u) -> !u\n"
      "%i = onnx.Cast(%f) {to = 7 : i64} : (!u) -> !u\n" +
          ints("%from", "0") + ints("%to", "2") + ints("%axes", "0") +
          "%head = onnx.Slice(%i, %from, %to, %axes) : (!u, !u, !u, !u) -> !u\n"
          "%hw = onnx.Constant() {value = dense<[7, 7]> : tensor<2xi32>} : () "
          "-> !u\n"
          "%tail = onnx.Cast(%hw) {to = 7 : i64} : (!u) -> !u\n"
          "%sizes = onnx.Concat(%head, %tail) {axis = 0 : i64} : (!u, !u) -> "
          "!u\n"
          "%none = onnx.none\n"
          "%0 = onnx.Resize(%x, %none, %none, %sizes) {mode = \"nearest\"} : "
          "(tensor<?x512x1x1xf32>, none, none, !u) -> !u");
  EXPECT_EQ(shape(), "s0 512 7 7");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, KerasRepeats) {
  // RepeatVector: Unsqueeze, Tile, Reshape.
  infer("%x: tensor<?x8xf32>",
        ints("%axes", "1") + ints("%times", "1, 49, 1") +
            ints("%target", "-1, 7, 7, 8") +
            "%u = onnx.Unsqueeze(%x, %axes) : (tensor<?x8xf32>, !u) -> !u\n"
            "%t = onnx.Tile(%u, %times) : (!u, !u) -> !u\n"
            "%0 = onnx.Reshape(%t, %target) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 7 7 8");
  EXPECT_EQ(even(), "1 2");
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, ViewsTakeEvenAxesAlong) {
  infer(kMaps, evenMap() +
                   "%0 = onnx.Transpose(%m) {perm = array<i64: 0, 2, 3, 1>} : "
                   "(!u) -> !u");
  EXPECT_EQ(shape(), "s0 4 6 8");
  EXPECT_EQ(even(), "1 2");
  infer(kMaps,
        evenMap() + "%0 = onnx.Flatten(%m) {axis = 2 : i64} : (!u) -> !u");
  EXPECT_EQ(shape(), "8*s0 24");
  EXPECT_EQ(varying(), "8*s0 1");
  // What is even only in part: 8 different slices among 192.
  infer(kMaps, evenMap() + "%0 = onnx.Flatten(%m) : (!u) -> !u");
  EXPECT_EQ(shape(), "s0 192");
  EXPECT_EQ(varying(), "s0 8");
  // Both parts of an even axis are even; of another one, neither is.
  infer(kMaps, evenMap() + ints("%s", "0, 2, 4, 2, 2, 6") +
                   "%0 = onnx.Reshape(%m, %s) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 2 4 2 2 6");
  EXPECT_EQ(varying(), "s0 2 4 1 1 1");
  infer(kMaps, evenMap() + ints("%s", "0, 8, 4, 1, 6") +
                   "%r = onnx.Reshape(%m, %s) : (!u, !u) -> !u\n" +
                   ints("%a", "3") +
                   "%0 = onnx.Squeeze(%r, %a) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 8 4 6");
  EXPECT_EQ(even(), "2 3");
  infer(kMaps, evenMap() + "%0 = onnx.Unsqueeze(%m) {axes = array<i64: 2>} : "
                           "(!u) -> !u");
  EXPECT_EQ(shape(), "s0 8 1 4 6");
  EXPECT_EQ(even(), "3 4");
}

TEST_F(ModelFactsTest, ReshapeThatCannotBeFollowedHasTheExtentsOfItsTarget) {
  // Across axes.
  infer("%x: tensor<4x6xf32>",
        ints("%s", "3, 8") +
            "%0 = onnx.Reshape(%x, %s) : (tensor<4x6xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "3 8");
  EXPECT_EQ(varying(), "3 8");
  // What is even along all axes stays so.
  infer("", ints("%f", "4, 6") + ints("%s", "3, 8") +
                "%x = onnx.ConstantOfShape(%f) : (!u) -> !u\n"
                "%0 = onnx.Reshape(%x, %s) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "3 8");
  EXPECT_EQ(even(), "0 1");
  // Along some axes only: not followed, so nothing.
  infer("%x: tensor<4x1xf32>",
        ints("%f", "4, 6") + ints("%s", "3, 8") +
            "%e = onnx.Expand(%x, %f) : (tensor<4x1xf32>, !u) -> !u\n"
            "%0 = onnx.Reshape(%e, %s) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "3 8");
  EXPECT_EQ(even(), "");
  infer("%x: tensor<4x6xf32>, %s: tensor<2xi64>",
        "%0 = onnx.Reshape(%x, %s) : (tensor<4x6xf32>, tensor<2xi64>) -> !u");
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, ElementsGoThroughViews) {
  infer("%x: tensor<?x8xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n" + ints("%t", "2, 1") +
            "%0 = onnx.Reshape(%s, %t) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "2 1");
  EXPECT_EQ(elements(), "s0 8");
  // Not through a Transpose, which moves them.
  infer("", "%c = onnx.Constant() {value = dense<[[1, 2], [3, 4]]> : "
            "tensor<2x2xi64>} : () -> !u\n"
            "%0 = onnx.Transpose(%c) : (!u) -> !u");
  EXPECT_EQ(elements(), "unknown");
}

//===----------------------------------------------------------------------===//
// Per-element operators
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, PerElementKeepsWhatAllOperandsHave) {
  infer(kMaps, evenMap() + "%0 = onnx.Relu(%m) : (!u) -> !u");
  EXPECT_EQ(shape(), "s0 8 4 6");
  EXPECT_EQ(even(), "2 3");
  infer(kMaps,
        evenMap() + "%0 = onnx.Add(%m, %v) : (!u, tensor<?x8x4x6xf32>) -> !u");
  EXPECT_EQ(even(), "");
  // A constant for each column of the map.
  infer(kMaps, evenMap() +
                   "%b = onnx.Constant() {value = dense<[1.0, 2.0, 3.0, 4.0, "
                   "5.0, 6.0]> : tensor<6xf32>} : () -> !u\n"
                   "%0 = onnx.Mul(%m, %b) : (!u, !u) -> !u");
  EXPECT_EQ(even(), "2");
  infer(kMaps, evenMap() + "%b = onnx.Constant() {value = dense<2.0> : "
                           "tensor<6xf32>} : () -> !u\n"
                           "%0 = onnx.Mul(%m, %b) : (!u, !u) -> !u");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, TwoOperandsMayVaryInDifferentPlaces) {
  // 8 different slices each, of 192, but not in the same places.
  infer(kMaps, evenMap() +
                   "%t = onnx.Transpose(%m) {perm = array<i64: 0, 2, 3, 1>} : "
                   "(!u) -> !u\n"
                   "%a = onnx.Flatten(%m) : (!u) -> !u\n"
                   "%b = onnx.Flatten(%t) : (!u) -> !u\n"
                   "%0 = onnx.Add(%a, %b) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 192");
  EXPECT_EQ(varying(), "s0 192");
}

TEST_F(ModelFactsTest, PerElementBroadcasts) {
  auto add = [&](StringRef a, StringRef b) {
    std::string arguments =
        ("%a: tensor<" + a + "xf32>, %b: tensor<" + b + "xf32>").str();
    infer(arguments, "%0 = onnx.Add(%a, %b) : (tensor<" + a + "xf32>, tensor<" +
                         b + "xf32>) -> !u");
    return shape();
  };
  EXPECT_EQ(add("4x1", "6"), "4 6");
  EXPECT_EQ(add("1x1", "1"), "1 1");
  // A number other than 1 is the result's extent, whatever the symbol is.
  EXPECT_EQ(add("?x7", "4x1"), "4 7");
  EXPECT_EQ(add("4x1", "?x7"), "4 7");
  EXPECT_EQ(add("?x1", "1x7"), "s0 7");
  // Either may be 1.
  EXPECT_EQ(add("?x7", "?x7"), "? 7");
}

TEST_F(ModelFactsTest, PerElementBroadcastsAKnownExtentOverTwoUnknownOnes) {
  infer("%a: tensor<?xf32>, %b: tensor<?xf32>, %c: tensor<5xf32>",
        "%0 = onnx.Sum(%a, %b, %c) : (tensor<?xf32>, tensor<?xf32>, "
        "tensor<5xf32>) -> !u");
  EXPECT_EQ(shape(), "5");
  infer("%a: tensor<?xf32>, %b: tensor<?xf32>",
        "%0 = onnx.Sum(%a, %b, %a) : (tensor<?xf32>, tensor<?xf32>, "
        "tensor<?xf32>) -> !u");
  EXPECT_EQ(shape(), "?");
  infer("%a: tensor<?xf32>",
        "%0 = onnx.Sum(%a, %a) : (tensor<?xf32>, tensor<?xf32>) -> !u");
  EXPECT_EQ(shape(), "s0");
}

TEST_F(ModelFactsTest, PerElementOfAnUnknownRank) {
  infer("%a: !u, %b: tensor<4xf32>",
        "%0 = onnx.Add(%a, %b) : (!u, tensor<4xf32>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  // Left-out operands do not count.
  infer(kMaps, evenMap() +
                   "%none = onnx.none\n"
                   "%six = onnx.Constant() {value_float = 6.0 : f32} : "
                   "() -> !u\n"
                   "%0 = onnx.Clip(%m, %none, %six) : (!u, none, !u) -> !u");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, BroadcastsOfOldOpsetsAreNotRead) {
  infer(kMaps,
        evenMap() + "%b = onnx.Constant() {value = dense<1.0> : tensor<8xf32>} "
                    ": () -> !u\n"
                    "%0 = onnx.Add(%m, %b) {broadcast = 1 : i64, axis = 1 : "
                    "i64} : (!u, !u) -> !u",
        6);
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, SlopesOfOldOpsetsAreOfChannels) {
  auto prelu = [&](StringRef slope, int opset) {
    infer("%x: tensor<?x1x1x1xf32>",
          ints("%s", "1, 4, 4, 4") +
              "%m = onnx.Expand(%x, %s) : (tensor<?x1x1x1xf32>, !u) -> !u\n"
              "%b = onnx.Constant() {value = " +
              slope +
              "} : () -> !u\n"
              "%0 = onnx.PRelu(%m, %b) : (!u, !u) -> !u",
          opset);
    return even();
  };
  const char *four = "dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>";
  EXPECT_EQ(prelu(four, 7), "1 2");
  EXPECT_EQ(prelu(four, 6), "");
  EXPECT_EQ(prelu("dense<0.5> : tensor<1xf32>", 6), "1 2 3");
}

TEST_F(ModelFactsTest, GenericNodesAreUnknown) {
  infer(kMaps,
        evenMap() + "%0 = onnx.node \"Pad\"(%m) : (!u) -> tensor<?x8x5x7xf32>");
  EXPECT_EQ(shape(), "? 8 5 7");
  EXPECT_EQ(even(), "");
}

TEST_F(ModelFactsTest, Dropout) {
  const char *half =
      "%half = onnx.Constant() {value_float = 0.5 : f32} : () -> !u\n";
  infer(kMaps, evenMap() + "%0 = onnx.Dropout(%m) : (!u) -> !u");
  EXPECT_EQ(even(), "2 3");
  infer(kMaps, evenMap() + half +
                   "%t = onnx.Constant() {value = dense<false> : tensor<i1>} : "
                   "() -> !u\n"
                   "%0 = onnx.Dropout(%m, %half, %t) : (!u, !u, !u) -> !u");
  EXPECT_EQ(even(), "2 3");
  infer(
      kMaps,
      evenMap() + half +
          "%t = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> !u\n"
          "%0 = onnx.Dropout(%m, %half, %t) : (!u, !u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 8 4 6");
  EXPECT_EQ(even(), "");
  infer("%x: tensor<4x1xf32>, %t: tensor<i1>",
        ints("%s", "4, 6") + half +
            "%m = onnx.Expand(%x, %s) : (tensor<4x1xf32>, !u) -> !u\n"
            "%0 = onnx.Dropout(%m, %half, %t) : (!u, !u, tensor<i1>) -> !u");
  EXPECT_EQ(shape(), "4 6");
  EXPECT_EQ(even(), "");
  // Before opset 7 the attribute says it, and training is the default.
  infer(kMaps,
        evenMap() + "%0 = onnx.Dropout(%m) {is_test = 1 : i64} : (!u) -> !u",
        6);
  EXPECT_EQ(even(), "2 3");
  infer(kMaps, evenMap() + "%0 = onnx.Dropout(%m) : (!u) -> !u", 6);
  EXPECT_EQ(even(), "");
}

TEST_F(ModelFactsTest, TrainingDropoutHasNeitherElementsNorParts) {
  const char *train =
      "%none = onnx.none\n"
      "%t = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> !u\n";
  infer("", std::string(train) +
                "%c = onnx.Constant() {value_floats = array<f32: 1.0, 2.0>} : "
                "() -> !u\n"
                "%0 = onnx.Dropout(%c, %none, %t) : (!u, none, !u) -> !u");
  EXPECT_EQ(elements(), "unknown");
  infer(kMaps, evenMap() + train +
                   "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                   "tensor<?x8x4x6xf32>) -> !u\n"
                   "%0 = onnx.Dropout(%c, %none, %t) : (!u, none, !u) -> !u");
  EXPECT_EQ(shape(), "s1 16 4 6");
  EXPECT_EQ(parts(), "none");
}

//===----------------------------------------------------------------------===//
// Normalisation and quantisation
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, BatchNormalization) {
  auto normalise = [&](StringRef attributes, int opset) {
    infer(kMaps,
          evenMap() +
              "%p = onnx.Constant() {value = dense<1.0> : tensor<8xf32>} : () "
              "-> !u\n"
              "%0 = onnx.BatchNormalization(%m, %p, %p, %p, %p) {" +
              attributes + "} : (!u, !u, !u, !u, !u) -> !u",
          opset);
    EXPECT_EQ(shape(), "s0 8 4 6");
    return even();
  };
  EXPECT_EQ(normalise("", 15), "2 3");
  EXPECT_EQ(normalise("", 9), "2 3");
  EXPECT_EQ(normalise("training_mode = 0 : i64", 15), "2 3");
  EXPECT_EQ(normalise("training_mode = 1 : i64", 15), "");
  EXPECT_EQ(normalise("spatial = 0 : i64", 7), "");
  EXPECT_EQ(normalise("spatial = 1 : i64", 7), "2 3");
  EXPECT_EQ(normalise("", 6), "");
  EXPECT_EQ(normalise("is_test = 1 : i64", 6), "2 3");
}

TEST_F(ModelFactsTest, BatchNormalizationMakesChannelsVary) {
  infer("%x: tensor<?x1x1x1xf32>",
        ints("%s", "1, 8, 4, 4") +
            "%e = onnx.Expand(%x, %s) : (tensor<?x1x1x1xf32>, !u) -> !u\n"
            "%p = onnx.Constant() {value = dense<1.0> : tensor<8xf32>} : () -> "
            "!u\n"
            "%0 = onnx.BatchNormalization(%e, %p, %p, %p, %p) : (!u, !u, !u, "
            "!u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 8 4 4");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, Quantisation) {
  auto quantise = [&](StringRef op, StringRef scale) {
    infer(kMaps,
          evenMap() + "%s = onnx.Constant() {value = dense<0.5> : " + scale +
              "} : () -> !u\n%0 = onnx." + op + "(%m, %s) : (!u, !u) -> !u");
    EXPECT_EQ(shape(), "s0 8 4 6");
    return even();
  };
  for (StringRef op : {"QuantizeLinear", "DequantizeLinear"}) {
    EXPECT_EQ(quantise(op, "tensor<f32>"), "2 3");
    EXPECT_EQ(quantise(op, "tensor<1xf32>"), "2 3");
    // Along an axis, which is no even one then, or in blocks: what the scales
    // are is not asked.
    EXPECT_EQ(quantise(op, "tensor<8xf32>"), "2 3");
    EXPECT_EQ(quantise(op, "tensor<1x8x2x3xf32>"), "");
  }
  infer(kMaps, evenMap() + "%0:3 = onnx.DynamicQuantizeLinear(%m) : (!u) -> "
                           "(!u, tensor<f32>, tensor<ui8>)");
  EXPECT_EQ(shape(), "s0 8 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_TRUE(facts->isScalar(last.getDefiningOp()->getResult(1)));
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, Gather) {
  auto gather = [&](StringRef indices, int axis) {
    infer(kMaps, evenMap() + "%i = onnx.Constant() {value = " + indices +
                     "} : () -> !u\n%0 = onnx.Gather(%m, %i) {axis = " +
                     Twine(axis) + " : i64} : (!u, !u) -> !u");
    return shape();
  };
  EXPECT_EQ(gather("dense<0> : tensor<i64>", 1), "s0 4 6");
  EXPECT_EQ(even(), "1 2");
  EXPECT_EQ(gather("dense<[0, 1, 5]> : tensor<3xi64>", 1), "s0 3 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(varying(), "s0 3 1 1");
  EXPECT_EQ(gather("dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>", -1),
            "s0 8 4 2 2");
  EXPECT_EQ(even(), "2 3 4");
  // Always the same slice.
  EXPECT_EQ(gather("dense<2> : tensor<5xi64>", 1), "s0 5 4 6");
  EXPECT_EQ(even(), "1 2 3");
  EXPECT_EQ(gather("dense<0> : tensor<i64>", 4), "unknown");
  EXPECT_EQ(gather("dense<0> : tensor<i64>", -5), "unknown");
}

TEST_F(ModelFactsTest, GatherOfElements) {
  auto gather = [&](StringRef indices) {
    infer("%x: tensor<?x8x7xf32>",
          "%s = onnx.Shape(%x) : (tensor<?x8x7xf32>) -> !u\n" +
              ints("%i", indices) +
              "%0 = onnx.Gather(%s, %i) : (!u, !u) -> !u");
    return elements();
  };
  EXPECT_EQ(gather("0, 2"), "s0 7");
  EXPECT_EQ(gather("-1, 0, -3"), "7 s0 s0");
  EXPECT_EQ(gather("1, 3, -4"), "8 _ _");
}

TEST_F(ModelFactsTest, GatherOfUnknownIndices) {
  infer("%x: tensor<4x1xf32>, %i: tensor<?x3xi64>, %j: !u",
        ints("%s", "4, 6") +
            "%m = onnx.Expand(%x, %s) : (tensor<4x1xf32>, !u) -> !u\n"
            "%0 = onnx.Gather(%m, %i) {axis = 1 : i64} : (!u, tensor<?x3xi64>) "
            "-> !u");
  EXPECT_EQ(shape(), "4 s0 3");
  EXPECT_EQ(even(), "1 2");
  infer("%x: tensor<4x6xf32>, %i: !u",
        "%0 = onnx.Gather(%x, %i) : (tensor<4x6xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, GatherND) {
  auto gather = [&](StringRef indices, StringRef attributes = "") {
    infer(kMaps, evenMap() +
                     "%t = onnx.Transpose(%m) {perm = array<i64: 2, 3, 0, 1>} "
                     ": (!u) -> !u\n%i = onnx.Constant() {value = " +
                     indices + "} : () -> !u\n%0 = onnx.GatherND(%t, %i) {" +
                     attributes + "} : (!u, !u) -> !u");
    return shape();
  };
  // Of [4, 6, N, 8], even along the axes that are indexed.
  EXPECT_EQ(gather("dense<[[0, 1], [2, 3], [3, 5]]> : tensor<3x2xi64>"),
            "3 s0 8");
  EXPECT_EQ(even(), "0");
  EXPECT_EQ(gather("dense<[[0], [2]]> : tensor<2x1xi64>"), "2 6 s0 8");
  EXPECT_EQ(even(), "0 1");
  // Along one that is not.
  EXPECT_EQ(gather("dense<[[0, 1, 0], [2, 3, 1]]> : tensor<2x3xi64>"), "2 8");
  EXPECT_EQ(even(), "");
  EXPECT_EQ(gather("dense<0> : tensor<4xi64>"), "");
  EXPECT_EQ(gather("dense<0> : tensor<2x5xi64>"), "unknown");
  EXPECT_EQ(gather("dense<0> : tensor<i64>"), "unknown");
  EXPECT_EQ(gather("dense<0> : tensor<4x1xi64>", "batch_dims = 1 : i64"),
            "unknown");
}

TEST_F(ModelFactsTest, Slice) {
  auto slice = [&](StringRef starts, StringRef ends, StringRef axes,
                   StringRef steps = "") {
    infer(kMaps, evenMap() + ints("%b", starts) + ints("%e", ends) +
                     ints("%a", axes) +
                     (steps.empty() ? "" : ints("%s", steps)) +
                     "%0 = onnx.Slice(%m, %b, %e, %a" +
                     (steps.empty() ? ") : (!u, !u, !u, !u) -> !u"
                                    : ", %s) : (!u, !u, !u, !u, !u) -> !u"));
    return shape();
  };
  EXPECT_EQ(slice("1", "5", "1"), "s0 4 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(varying(), "s0 ? 1 1");
  EXPECT_EQ(slice("1, -3", "2147483647, -1", "2, -1"), "s0 8 3 2");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(slice("5", "2", "1"), "s0 0 4 6");
  // All of an axis, whatever its extent.
  EXPECT_EQ(slice("0", "9223372036854775807", "0"), "s0 8 4 6");
  EXPECT_EQ(slice("0", "2147483647", "0"), "s0 8 4 6");
  EXPECT_EQ(slice("0", "100", "0"), "? 8 4 6");
  EXPECT_EQ(slice("1", "9223372036854775807", "0"), "? 8 4 6");
  // Steps: no extent is worked out, but even stays even.
  EXPECT_EQ(slice("-1", "-100", "3", "-1"), "s0 8 4 ?");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(slice("0", "2147483647", "1", "2"), "s0 ? 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(slice("2147483647", "-2147483648", "0", "-1"), "? 8 4 6");
  EXPECT_EQ(slice("1", "3", "2", "1"), "s0 8 2 6");
  // What does not fit: every axis may be cut.
  EXPECT_EQ(slice("1", "3", "4"), "? ? ? ?");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(slice("1, 1", "3, 3", "2, -2"), "? ? ? ?");
  EXPECT_EQ(slice("1, 1", "3", "2"), "s0 8 ? 6");
  EXPECT_EQ(slice("1", "3", "2", "1, 1"), "s0 8 ? 6");
}

TEST_F(ModelFactsTest, SliceByAttributesOrWithoutAxes) {
  infer(kMaps,
        evenMap() + "%0 = onnx.Slice(%m) {starts = array<i64: 1>, ends = "
                    "array<i64: 3>, axes = array<i64: 2>} : (!u) -> !u",
        9);
  EXPECT_EQ(shape(), "s0 8 2 6");
  infer(kMaps, evenMap() + ints("%b", "0, 2") + ints("%e", "2147483647, 3") +
                   "%0 = onnx.Slice(%m, %b, %e) : (!u, !u, !u) -> !u");
  EXPECT_EQ(shape(), "s0 1 4 6");
  // Computed starts: where is not known, which axis is.
  infer(
      "%x: tensor<4x6xf32>, %b: tensor<1xi64>",
      ints("%e", "3") + ints("%a", "1") +
          "%0 = onnx.Slice(%x, %b, %e, %a) : (tensor<4x6xf32>, tensor<1xi64>, "
          "!u, !u) -> !u");
  EXPECT_EQ(shape(), "4 ?");
  infer("%x: tensor<4x6xf32>, %a: tensor<1xi64>",
        ints("%b", "1") + ints("%e", "3") +
            "%0 = onnx.Slice(%x, %b, %e, %a) : (tensor<4x6xf32>, !u, !u, "
            "tensor<1xi64>) -> !u");
  EXPECT_EQ(shape(), "? ?");
}

TEST_F(ModelFactsTest, SliceOfElements) {
  auto slice = [&](StringRef start, StringRef end, StringRef step) {
    infer(
        "%x: tensor<?x8x?x7xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8x?x7xf32>) -> !u\n" +
            ints("%b", start) + ints("%e", end) + ints("%a", "0") +
            ints("%t", step) +
            "%0 = onnx.Slice(%s, %b, %e, %a, %t) : (!u, !u, !u, !u, !u) -> !u");
    return elements();
  };
  EXPECT_EQ(slice("0", "2", "1"), "s0 8");
  EXPECT_EQ(slice("-2", "2147483647", "1"), "s1 7");
  EXPECT_EQ(slice("-100", "-3", "1"), "s0");
  EXPECT_EQ(slice("2", "2", "1"), "");
  // Not worked out, and so not the whole list.
  EXPECT_EQ(slice("3", "-5", "-1"), "unknown");
  EXPECT_EQ(slice("0", "4", "2"), "unknown");
  EXPECT_EQ(slice("3", "1", "1"), "unknown");
}

//===----------------------------------------------------------------------===//
// Concat
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, ConcatOfElements) {
  infer("%x: tensor<?x8xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8xf32>) -> !u\n" + ints("%c", "7, 7") +
            "%0 = onnx.Concat(%s, %c) {axis = -1 : i64} : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "4");
  EXPECT_EQ(elements(), "s0 8 7 7");
  // An input that is there twice.
  infer("", ints("%c", "7") + ints("%d", "8") +
                "%0 = onnx.Concat(%c, %d, %c, %c) {axis = 0 : i64} : (!u, !u, "
                "!u, !u) -> !u");
  EXPECT_EQ(shape(), "4");
  EXPECT_EQ(elements(), "7 8 7 7");
  infer("%n: tensor<1xi64>", ints("%c", "7, 7") +
                                 "%0 = onnx.Concat(%n, %c) {axis = 0 : i64} : "
                                 "(tensor<1xi64>, !u) -> !u");
  EXPECT_EQ(shape(), "3");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, ConcatHasParts) {
  // The batches s0 and s1 must be the same, so that either is the result's.
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                           "tensor<?x8x4x6xf32>) -> !u");
  EXPECT_EQ(shape(), "s1 16 4 6");
  EXPECT_EQ(even(), "");
  EXPECT_EQ(parts(), "axis 1: [0, 8) 2 3 [8, 16)");
  infer(kMaps, evenMap() +
                   "%0 = onnx.Concat(%v, %m, %v) {axis = -3 : i64} : "
                   "(tensor<?x8x4x6xf32>, !u, tensor<?x8x4x6xf32>) -> !u");
  EXPECT_EQ(parts(), "axis 1: [0, 8) [8, 16) 2 3 [16, 24)");
  // All even: nothing that the whole does not show.
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%m, %m) {axis = 1 : i64} : (!u, "
                           "!u) -> !u");
  EXPECT_EQ(shape(), "s0 16 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(parts(), "none");
  // One even map behind another: two slices at most, but not one.
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%m, %m) {axis = 2 : i64} : (!u, "
                           "!u) -> !u");
  EXPECT_EQ(shape(), "s0 8 8 6");
  EXPECT_EQ(varying(), "s0 8 8 1");
  // Along an even axis the whole varies, each part does not.
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%m, %v) {axis = 2 : i64} : (!u, "
                           "tensor<?x8x4x6xf32>) -> !u");
  EXPECT_EQ(shape(), "s1 8 8 6");
  EXPECT_EQ(parts(), "axis 2: [0, 4) 2 3 [4, 8)");
}

TEST_F(ModelFactsTest, ConcatOfParts) {
  infer(kMaps, evenMap() + "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                           "tensor<?x8x4x6xf32>) -> !u\n"
                           "%0 = onnx.Concat(%c, %m) {axis = 1 : i64} : (!u, "
                           "!u) -> !u");
  EXPECT_EQ(shape(), "s0 24 4 6");
  EXPECT_EQ(parts(), "axis 1: [0, 8) 2 3 [8, 16) [16, 24) 2 3");
  infer(kMaps, evenMap() + "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                           "tensor<?x8x4x6xf32>) -> !u\n"
                           "%0 = onnx.Concat(%m, %c) {axis = 1 : i64} : (!u, "
                           "!u) -> !u");
  EXPECT_EQ(parts(), "axis 1: [0, 8) 2 3 [8, 16) 2 3 [16, 24)");
  // Along another axis they are none.
  infer(kMaps, evenMap() + "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                           "tensor<?x8x4x6xf32>) -> !u\n"
                           "%0 = onnx.Concat(%c, %c) {axis = 2 : i64} : (!u, "
                           "!u) -> !u");
  EXPECT_EQ(parts(), "none");
}

TEST_F(ModelFactsTest, ConcatOfUnknownExtents) {
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%m, %d) {axis = 1 : i64} : (!u, "
                           "tensor<?x?x?x?xf32>) -> !u");
  EXPECT_EQ(shape(), "s2 ? 4 6");
  EXPECT_EQ(parts(), "none");
  // Other extents are those of any input that shows a number.
  infer(kMaps, evenMap() + "%0 = onnx.Concat(%d, %m) {axis = 0 : i64} : "
                           "(tensor<?x?x?x?xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "? 8 4 6");
  infer(
      "%x: tensor<4xf32>, %y: !u",
      "%0 = onnx.Concat(%x, %y) {axis = 0 : i64} : (tensor<4xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "unknown");
  infer("%x: tensor<4xf32>, %y: tensor<4x1xf32>",
        "%0 = onnx.Concat(%x, %y) {axis = 0 : i64} : (tensor<4xf32>, "
        "tensor<4x1xf32>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  infer("%x: tensor<4xf32>",
        "%0 = onnx.Concat(%x, %x) {axis = 1 : i64} : (tensor<4xf32>, "
        "tensor<4xf32>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  // Before opset 4 the axis is 1 unless it is said.
  infer("%x: tensor<4x5xf32>",
        "%0 = onnx.Concat(%x, %x) : (tensor<4x5xf32>, tensor<4x5xf32>) -> !u",
        3);
  EXPECT_EQ(shape(), "4 10");
  infer(kMaps,
        evenMap() + "%0 = onnx.Concat(%m) {axis = 1 : i64} : (!u) -> !u");
  EXPECT_EQ(shape(), "s0 8 4 6");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, PartsThroughOperators) {
  std::string joined = evenMap() +
                       "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                       "tensor<?x8x4x6xf32>) -> !u\n";
  auto through = [&](StringRef nodes) {
    infer(kMaps, joined + nodes);
    return parts();
  };
  EXPECT_EQ(through("%0 = onnx.Relu(%c) : (!u) -> !u"),
            "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(through("%0 = onnx.Identity(%c) : (!u) -> !u"),
            "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(through("%0 = onnx.Transpose(%c) {perm = array<i64: 0, 2, 3, 1>} : "
                    "(!u) -> !u"),
            "axis 3: [0, 8) 1 2 [8, 16)");
  EXPECT_EQ(through("%0 = onnx.Transpose(%c) : (!u) -> !u"),
            "axis 2: [0, 8) 0 1 [8, 16)");
  EXPECT_EQ(through("%0 = onnx.Flatten(%c) : (!u) -> !u"), "none");
  EXPECT_EQ(
      through(
          "%s = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> !u\n"
          "%0 = onnx.QuantizeLinear(%c, %s) : (!u, !u) -> !u"),
      "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(through("%s = onnx.Constant() {value = dense<0.5> : "
                    "tensor<16xf32>} : () -> !u\n"
                    "%0 = onnx.QuantizeLinear(%c, %s) : (!u, !u) -> !u"),
            "none");
  EXPECT_EQ(
      through("%p = onnx.Constant() {value = dense<1.0> : tensor<16xf32>} : () "
              "-> !u\n%0 = onnx.BatchNormalization(%c, %p, %p, %p, %p) : (!u, "
              "!u, !u, !u, !u) -> !u"),
      "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(through("%0 = onnx.GlobalAveragePool(%c) : (!u) -> !u"), "none");
  EXPECT_EQ(
      through(ints("%i", "0, 8") +
              "%0 = onnx.Gather(%c, %i) {axis = 1 : i64} : (!u, !u) -> !u"),
      "none");
  EXPECT_EQ(
      through("%0 = onnx.ReduceMean(%c) {axes = array<i64: 2>} : (!u) -> !u"),
      "none");
}

TEST_F(ModelFactsTest, PartsOfBinaryOperators) {
  std::string joined = evenMap() +
                       "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                       "tensor<?x8x4x6xf32>) -> !u\n";
  auto with = [&](StringRef constant) {
    infer(kMaps, joined + "%b = onnx.Constant() {value = " + constant +
                     "} : () -> !u\n%0 = onnx.Mul(%c, %b) : (!u, !u) -> !u");
    return parts();
  };
  EXPECT_EQ(with("dense<2.0> : tensor<f32>"), "axis 1: [0, 8) 2 3 [8, 16)");
  // A number for each column: parts stay even along the rows.
  EXPECT_EQ(with("dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>"),
            "axis 1: [0, 8) 2 [8, 16)");
  EXPECT_EQ(
      with("dense<[[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]], [[6.0]], "
           "[[7.0]], [[8.0]], [[9.0]], [[10.0]], [[11.0]], [[12.0]], "
           "[[13.0]], [[14.0]], [[15.0]], [[16.0]]]> : tensor<16x1x1xf32>"),
      "axis 1: [0, 8) 2 3 [8, 16)");
  // More axes than the parts have.
  EXPECT_EQ(with("dense<2.0> : tensor<1x1x1x1x1xf32>"), "none");
  infer(kMaps,
        joined + "%0 = onnx.Add(%c, %d) : (!u, tensor<?x?x?x?xf32>) -> !u");
  EXPECT_EQ(parts(), "axis 1: [0, 8) [8, 16)");
}

//===----------------------------------------------------------------------===//
// Copies along axes
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, Expand) {
  auto expand = [&](StringRef from, StringRef target) {
    std::string arguments = ("%x: tensor<" + from + "xf32>").str();
    infer(arguments, ints("%s", target) +
                         "%0 = onnx.Expand(%x, %s) : (tensor<" + from +
                         "xf32>, !u) -> !u");
    return shape();
  };
  EXPECT_EQ(expand("?x8x1x1", "1, 1, 7, 7"), "s0 8 7 7");
  EXPECT_EQ(even(), "2 3");
  // Fewer and more axes.
  EXPECT_EQ(expand("?x8x1x1", "7, 7"), "s0 8 7 7");
  EXPECT_EQ(expand("8x1", "5, 1, 7"), "5 8 7");
  EXPECT_EQ(even(), "0 2");
  // An extent that may be 1 becomes the number asked for.
  EXPECT_EQ(expand("8x?", "1, 7"), "8 7");
  EXPECT_EQ(varying(), "8 s0");
  EXPECT_EQ(expand("8x?", "1, 1"), "8 s0");
}

TEST_F(ModelFactsTest, ExpandToUnknownExtents) {
  infer("%x: tensor<?x1xf32>, %y: tensor<?x?xf32>",
        "%s = onnx.Shape(%y) : (tensor<?x?xf32>) -> !u\n"
        "%0 = onnx.Expand(%x, %s) : (tensor<?x1xf32>, !u) -> !u");
  // s0 may be 1 where s1 is not, and the other way round.
  EXPECT_EQ(shape(), "? s2");
  EXPECT_EQ(varying(), "s0 1");
  infer("%x: tensor<?x1xf32>, %s: tensor<3xi64>",
        "%0 = onnx.Expand(%x, %s) : (tensor<?x1xf32>, tensor<3xi64>) -> !u");
  EXPECT_EQ(shape(), "? ? ?");
  EXPECT_EQ(varying(), "1 s0 1");
  infer("%x: tensor<?x1xf32>, %s: tensor<?xi64>",
        "%0 = onnx.Expand(%x, %s) : (tensor<?x1xf32>, tensor<?xi64>) -> !u");
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, ExpandOfAnElement) {
  infer("", ints("%s", "3") +
                "%c = onnx.Constant() {value_int = 5 : i64} : () -> !u\n"
                "%0 = onnx.Expand(%c, %s) : (!u, !u) -> !u");
  EXPECT_EQ(elements(), "5 5 5");
  infer("", ints("%s", "3") + ints("%c", "5") +
                "%0 = onnx.Expand(%c, %s) : (!u, !u) -> !u");
  EXPECT_EQ(shape(), "3");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, Tile) {
  infer("%x: tensor<?x8xf32>",
        ints("%r", "2, 3") +
            "%0 = onnx.Tile(%x, %r) : (tensor<?x8xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "2*s0 24");
  EXPECT_EQ(varying(), "s0 8");
  infer("%x: tensor<?x1xf32>, %r: tensor<2xi64>",
        "%0 = onnx.Tile(%x, %r) : (tensor<?x1xf32>, tensor<2xi64>) -> !u");
  EXPECT_EQ(shape(), "? ?");
  EXPECT_EQ(varying(), "s0 1");
  // Opset 1: the number of tiles, and the axis.
  infer("%x: tensor<?x8xf32>",
        ints("%r", "2") + ints("%a", "1") +
            "%0 = onnx.Tile(%x, %r, %a) : (tensor<?x8xf32>, !u, !u) -> !u",
        1);
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, ResizeByScales) {
  auto resize = [&](StringRef scales, StringRef type = "tensor<4xf32>") {
    infer("%x: tensor<?x8x1x10xf32>",
          "%s = onnx.Constant() {value = dense<" + scales + "> : " + type +
              "} : () -> !u\n%none = onnx.none\n"
              "%0 = onnx.Resize(%x, %none, %s) {mode = \"linear\"} : "
              "(tensor<?x8x1x10xf32>, none, !u) -> !u");
    return shape();
  };
  EXPECT_EQ(resize("[1.0, 1.0, 7.0, 2.0]"), "s0 8 7 20");
  EXPECT_EQ(even(), "2");
  EXPECT_EQ(resize("[1.0, 1.0, 1.0, 0.55]"), "s0 8 1 5");
  EXPECT_EQ(resize("[2.0, 1.0, 1.0, 1.0]"), "? 8 1 10");
  // In f32 ten times the f32 below 0.7 is 7.
  EXPECT_EQ(resize("[1.0, 1.0, 1.0, 0.7]"), "s0 8 1 7");
  // No numbers that extents could have.
  EXPECT_EQ(resize("[1.0, 1.0, 1.0e30, -1.0]"), "s0 8 ? ?");
  EXPECT_EQ(resize("[0x3F800000, 0x7FC00000, 0x7F800000, 0x3F800000]"),
            "s0 ? ? 10");
  EXPECT_EQ(resize("[1.0, 2.0]", "tensor<2xf32>"), "? ? ? ?");
  EXPECT_EQ(resize("[1.0, 1.0, 2.0, 2.0]", "tensor<4xf64>"), "? ? ? ?");
}

TEST_F(ModelFactsTest, ResizeOfOpset10HasScalesAlone) {
  infer("%x: tensor<?x8x1x1xf32>",
        "%s = onnx.Constant() {value = dense<[1.0, 1.0, 7.0, 7.0]> : "
        "tensor<4xf32>} : () -> !u\n"
        "%0 = onnx.Resize(%x, %s) : (tensor<?x8x1x1xf32>, !u) -> !u",
        10);
  EXPECT_EQ(shape(), "s0 8 7 7");
  EXPECT_EQ(even(), "2 3");
}

TEST_F(ModelFactsTest, ResizeBySizes) {
  auto resize = [&](StringRef attributes) {
    infer("%x: tensor<?x8x1x?xf32>",
          ints("%s", "2, 8, 7, 7") +
              "%none = onnx.none\n"
              "%0 = onnx.Resize(%x, %none, %none, %s) {" +
              attributes + "} : (tensor<?x8x1x?xf32>, none, none, !u) -> !u");
    return shape();
  };
  EXPECT_EQ(resize(""), "2 8 7 7");
  EXPECT_EQ(even(), "2");
  EXPECT_EQ(resize("mode = \"cubic\""), "2 8 7 7");
  EXPECT_EQ(even(), "2");
  // Outside of a crop another number may stand.
  EXPECT_EQ(resize("coordinate_transformation_mode = \"tf_crop_and_resize\""),
            "2 8 7 7");
  EXPECT_EQ(even(), "");
  // Where the aspect ratio is kept, sizes are bounds.
  EXPECT_EQ(resize("keep_aspect_ratio_policy = \"stretch\""), "2 8 7 7");
  EXPECT_EQ(resize("keep_aspect_ratio_policy = \"not_larger\""), "? ? ? ?");
  EXPECT_EQ(even(), "2");
  // Sizes of some axes.
  EXPECT_EQ(resize("axes = array<i64: 2, 3>"), "s0 8 2 8");
}

TEST_F(ModelFactsTest, Upsample) {
  infer("%x: tensor<?x8x1x4xf32>",
        "%0 = onnx.Upsample(%x) {scales = array<f32: 1.0, 1.0, 7.0, 2.0>} : "
        "(tensor<?x8x1x4xf32>) -> !u",
        7);
  EXPECT_EQ(shape(), "s0 8 7 8");
  EXPECT_EQ(even(), "2");
  infer("%x: tensor<?x8x1x4xf32>",
        "%s = onnx.Constant() {value = dense<[1.0, 1.0, 7.0, 2.0]> : "
        "tensor<4xf32>} : () -> !u\n"
        "%0 = onnx.Upsample(%x, %s) : (tensor<?x8x1x4xf32>, !u) -> !u",
        9);
  EXPECT_EQ(shape(), "s0 8 7 8");
  EXPECT_EQ(even(), "2");
  infer(
      "%x: tensor<?x8x1x4xf32>, %s: tensor<4xf32>",
      "%0 = onnx.Upsample(%x, %s) : (tensor<?x8x1x4xf32>, tensor<4xf32>) -> !u",
      9);
  EXPECT_EQ(shape(), "? ? ? ?");
  EXPECT_EQ(even(), "2");
  // Opset 1 scales height and width alone.
  infer("%x: tensor<?x8x1x4xf32>",
        "%0 = onnx.Upsample(%x) {height_scale = 7.0 : f32, width_scale = 2.0 : "
        "f32} : (tensor<?x8x1x4xf32>) -> !u",
        1);
  EXPECT_EQ(shape(), "? ? ? ?");
  EXPECT_EQ(even(), "2");
}

//===----------------------------------------------------------------------===//
// Reductions and windows
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, Reductions) {
  auto reduce = [&](StringRef attributes) {
    infer(kMaps, evenMap() + "%0 = onnx.ReduceMean(%m) {" + attributes +
                     "} : (!u) -> !u");
    return shape();
  };
  EXPECT_EQ(reduce("axes = array<i64: 1>"), "s0 1 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(reduce("axes = array<i64: 1, -1>, keepdims = 0 : i64"), "s0 4");
  EXPECT_EQ(even(), "1");
  EXPECT_EQ(reduce("axes = array<i64: 2>, keepdims = 1 : i64"), "s0 8 1 6");
  EXPECT_EQ(even(), "3");
  EXPECT_EQ(reduce(""), "1 1 1 1");
  EXPECT_EQ(reduce("keepdims = 0 : i64"), "");
  EXPECT_EQ(reduce("noop_with_empty_axes = 1 : i64"), "s0 8 4 6");
  EXPECT_EQ(even(), "2 3");
  EXPECT_EQ(reduce("axes = array<i64: 4>"), "unknown");
  EXPECT_EQ(reduce("axes = array<i64: 1, 1>"), "unknown");
}

TEST_F(ModelFactsTest, ReductionsOverAnInput) {
  infer(kMaps,
        evenMap() + ints("%a", "1, 2") +
            "%0 = onnx.ReduceSum(%m, %a) {keepdims = 0 : i64} : (!u, !u) "
            "-> !u");
  EXPECT_EQ(shape(), "s0 6");
  EXPECT_EQ(even(), "1");
  infer(kMaps, evenMap() + "%none = onnx.none\n"
                           "%0 = onnx.ReduceSum(%m, %none) : (!u, none) -> !u");
  EXPECT_EQ(shape(), "1 1 1 1");
  infer("%x: tensor<4x6xf32>, %a: tensor<1xi64>",
        "%0 = onnx.ReduceMax(%x, %a) : (tensor<4x6xf32>, tensor<1xi64>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  infer("%x: !u", "%0 = onnx.ReduceMax(%x) : (!u) -> !u");
  EXPECT_EQ(shape(), "unknown");
}

TEST_F(ModelFactsTest, ReduceProdOfElements) {
  infer("%x: tensor<?x8x7xf32>",
        "%s = onnx.Shape(%x) : (tensor<?x8x7xf32>) -> !u\n"
        "%0 = onnx.ReduceProd(%s) {keepdims = 0 : i64} : (!u) -> !u");
  EXPECT_EQ(shape(), "");
  EXPECT_EQ(elements(), "56*s0");
  infer("", ints("%s", "2, 3") + "%0 = onnx.ReduceProd(%s) : (!u) -> !u");
  EXPECT_EQ(shape(), "1");
  EXPECT_EQ(elements(), "6");
  infer("", ints("%s", "2, 3") +
                "%0 = onnx.ReduceProd(%s) "
                "{noop_with_empty_axes = 1 : i64} : (!u) -> !u");
  EXPECT_EQ(shape(), "2");
  EXPECT_EQ(elements(), "unknown");
  infer("", ints("%s", "2, 3") + "%0 = onnx.ReduceSum(%s) : (!u) -> !u");
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, GlobalPools) {
  for (StringRef op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    infer(kMaps, "%0 = onnx." + op + "(%v) : (tensor<?x8x4x6xf32>) -> !u");
    EXPECT_EQ(shape(), "s1 8 1 1");
    EXPECT_EQ(varying(), "s1 8 1 1");
  }
  infer("%x: !u", "%0 = onnx.GlobalMaxPool(%x) : (!u) -> !u");
  EXPECT_EQ(shape(), "unknown");
}

class WindowTest : public ModelFactsTest {
protected:
  /// The even axes of what `op` makes of a map that is even along axis 2 alone.
  std::string window(StringRef op, StringRef attributes) {
    infer("%x: tensor<?x8x1x6xf32>",
          ints("%s", "1, 8, 4, 6") +
              "%w = onnx.Constant() {value = dense<1.0> : tensor<5x8x3x3xf32>} "
              ": () -> !u\n"
              "%m = onnx.Expand(%x, %s) : (tensor<?x8x1x6xf32>, !u) -> !u\n"
              "%0 = onnx." +
              op +
              (op == "Conv" ? "(%m, %w) {"
                            : "(%m) {kernel_shape = array<i64: 3, 3>, ") +
              attributes +
              (op == "Conv" ? "} : (!u, !u) -> !u" : "} : (!u) -> !u"));
    EXPECT_EQ(StringRef(shape()).take_front(4), op == "Conv" ? "s0 5" : "s0 8");
    return even();
  }
};

TEST_F(WindowTest, WithoutPaddingAllSeeTheSame) {
  for (StringRef op : {"Conv", "MaxPool", "AveragePool"}) {
    EXPECT_EQ(window(op, "strides = array<i64: 1, 2>"), "2");
    EXPECT_EQ(window(op, "strides = array<i64: 1, 1>, dilations = array<i64: "
                         "2, 2>"),
              "2");
    EXPECT_EQ(window(op, "auto_pad = \"VALID\""), "2");
    EXPECT_EQ(
        window(op, "auto_pad = \"NOTSET\", pads = array<i64: 0, 0, 0, 0>"),
        "2");
  }
}

TEST_F(WindowTest, PaddingCountsInAConvolution) {
  EXPECT_EQ(window("Conv", "pads = array<i64: 1, 1, 1, 1>"), "");
  EXPECT_EQ(window("Conv", "pads = array<i64: 1, 0, 0, 0>"), "");
  EXPECT_EQ(window("Conv", "pads = array<i64: 0, 0, 1, 0>"), "");
  // Along the other axis.
  EXPECT_EQ(window("Conv", "pads = array<i64: 0, 1, 0, 1>"), "2");
  EXPECT_EQ(window("Conv", "auto_pad = \"SAME_UPPER\""), "");
  EXPECT_EQ(window("Conv", "auto_pad = \"SAME_LOWER\""), "");
  // Pads of another length say nothing.
  EXPECT_EQ(window("Conv", "pads = array<i64: 0, 0>"), "");
}

TEST_F(WindowTest, PoolsIgnoreTheEdge) {
  for (StringRef attributes :
       {"pads = array<i64: 1, 1, 1, 1>", "auto_pad = \"SAME_UPPER\"",
        "auto_pad = \"SAME_LOWER\"", "ceil_mode = 1 : i64"}) {
    EXPECT_EQ(window("MaxPool", attributes), "2") << attributes.str();
    EXPECT_EQ(window("AveragePool", attributes), "2") << attributes.str();
    // Unless they are told to count it.
    EXPECT_EQ(window("AveragePool",
                     ("count_include_pad = 1 : i64, " + attributes).str()),
              "")
        << attributes.str();
    // A dilated window may lie outside as a whole.
    for (StringRef op : {"MaxPool", "AveragePool"})
      EXPECT_EQ(
          window(op, ("dilations = array<i64: 2, 2>, " + attributes).str()), "")
          << attributes.str();
  }
  EXPECT_EQ(window("AveragePool", "count_include_pad = 1 : i64"), "2");
  EXPECT_EQ(
      window("AveragePool",
             "count_include_pad = 1 : i64, pads = array<i64: 0, 1, 0, 1>"),
      "2");
}

TEST_F(WindowTest, PartsOfPools) {
  auto pool = [&](StringRef op, StringRef attributes) {
    infer(kMaps,
          evenMap() +
              "%c = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
              "tensor<?x8x4x6xf32>) -> !u\n"
              "%w = onnx.Constant() {value = dense<1.0> : "
              "tensor<16x16x2x2xf32>} : () -> !u\n%0 = onnx." +
              op +
              (op == "Conv" ? "(%c, %w) {"
                            : "(%c) {kernel_shape = array<i64: 2, 2>, ") +
              attributes +
              (op == "Conv" ? "} : (!u, !u) -> !u" : "} : (!u) -> !u"));
    return parts();
  };
  EXPECT_EQ(pool("MaxPool", "strides = array<i64: 2, 2>"),
            "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(pool("MaxPool", "pads = array<i64: 1, 1, 1, 1>"),
            "axis 1: [0, 8) 2 3 [8, 16)");
  EXPECT_EQ(pool("AveragePool", "count_include_pad = 1 : i64, pads = "
                                "array<i64: 0, 1, 0, 1>"),
            "axis 1: [0, 8) 2 [8, 16)");
  // A convolution mixes channels.
  EXPECT_EQ(pool("Conv", "strides = array<i64: 2, 2>"), "none");
}

TEST_F(ModelFactsTest, WindowsOfUnknownMaps) {
  infer("%x: tensor<?x?xf32>",
        "%0 = onnx.MaxPool(%x) : (tensor<?x?xf32>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  infer("%x: tensor<?x8x4xf32>, %w: !u",
        "%0 = onnx.Conv(%x, %w) : (tensor<?x8x4xf32>, !u) -> !u");
  EXPECT_EQ(shape(), "s0 ? ?");
}

//===----------------------------------------------------------------------===//
// Hostile models
//===----------------------------------------------------------------------===//

/// A chain of 64 nodes, each of the one before it twice.
std::string doubling(StringRef node, StringRef attributes) {
  std::string text;
  for (int i = 0; i != 64; ++i) {
    std::string from = "%x" + std::to_string(i);
    text += "%x" + std::to_string(i + 1) + " = onnx." + node.str() + "(" +
            from + ", " + from + ") {" + attributes.str() +
            "} : (!u, !u) -> !u\n";
  }
  return text;
}

TEST_F(ModelFactsTest, ProductsOfSymbolsDoNotGrowWithoutBound) {
  infer("%a: tensor<?xf32>",
        "%x0 = onnx.Shape(%a) : (tensor<?xf32>) -> !u\n" + doubling("Mul", ""));
  EXPECT_EQ(elements(), "overflow");
}

TEST_F(ModelFactsTest, ListsDoNotGrowWithoutBound) {
  infer("", ints("%x0", "1, 2") + doubling("Concat", "axis = 0 : i64"));
  EXPECT_EQ(elements(), "unknown");
}

TEST_F(ModelFactsTest, PartsDoNotGrowWithoutBound) {
  infer(kMaps, evenMap() +
                   "%x0 = onnx.Concat(%m, %v) {axis = 1 : i64} : (!u, "
                   "tensor<?x8x4x6xf32>) -> !u\n" +
                   doubling("Concat", "axis = 1 : i64"));
  EXPECT_EQ(parts(), "none");
}

TEST_F(ModelFactsTest, ExpandToManyAxes) {
  infer("%x: tensor<4xf32>, %s: tensor<1000000000000xi64>",
        "%0 = onnx.Expand(%x, %s) : (tensor<4xf32>, tensor<1000000000000xi64>) "
        "-> !u");
  EXPECT_EQ(shape(), "unknown");
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

TEST_F(ModelFactsTest, Axes) {
  infer("%x: tensor<2xi64>", ints("%0", "1, -1"));
  auto axes = [&](std::optional<ArrayRef<int64_t>> attr, Value input,
                  int64_t rank) -> std::string {
    auto found = facts->getAxes(attr, input, rank);
    if (!found)
      return "unknown";
    return printList(llvm::map_range(
        *found, [](int64_t axis) { return std::to_string(axis); }));
  };
  EXPECT_EQ(axes(std::nullopt, last, 4), "1 3");
  EXPECT_EQ(axes(std::nullopt, last, 2), "unknown") << "twice the same";
  EXPECT_EQ(axes(std::nullopt, last, 1), "unknown") << "out of range";
  EXPECT_EQ(axes(std::nullopt, Value(), 4), "unknown");
  EXPECT_EQ(axes(ArrayRef<int64_t>{-4, 0 + 3}, last, 4), "0 3");
  EXPECT_EQ(axes(ArrayRef<int64_t>{-5}, Value(), 4), "unknown");
  EXPECT_EQ(axes(ArrayRef<int64_t>{}, Value(), 4), "");
  Value argument = last.getParentBlock()->getArgument(0);
  EXPECT_EQ(axes(std::nullopt, argument, 4), "unknown");
}

TEST_F(ModelFactsTest, RegionsSeeValuesAround) {
  infer("%x: tensor<?x8x1x1xf32>, %c: tensor<i1>",
        ints("%s", "1, 8, 7, 7") +
            "%m = onnx.Expand(%x, %s) : (tensor<?x8x1x1xf32>, !u) -> !u\n"
            "%0 = onnx.node \"If\"(%c) {\n"
            "  %a = onnx.Relu(%m) : (!u) -> !u\n"
            "  onnx.yield %a : !u\n"
            "}, {\n"
            "  %b = onnx.Identity(%m) : (!u) -> !u\n"
            "  onnx.yield %b : !u\n"
            "} attributes {graphs = [{attr = \"else_branch\", name = \"e\"}, "
            "{attr = \"then_branch\", name = \"t\"}]} : (tensor<i1>) -> !u");
  EXPECT_EQ(shape(), "unknown");
  Operation *node = last.getDefiningOp();
  last = node->getRegion(0).front().front().getResult(0);
  EXPECT_EQ(shape(), "s0 8 7 7");
  EXPECT_EQ(even(), "2 3");
}

} // namespace
