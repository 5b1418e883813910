//===- ConstantFolderTest.cpp - Values computed from constants ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each operator that weights stand behind, against numbers worked out by hand
// or by APFloat, and what must be refused: types that are not read, shapes that
// do not fit, and models that ask for more than can be computed.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ConstantFolder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace headopt;

namespace {

using Numbers = std::vector<double>;

class ConstantFolderTest : public testing::Test {
protected:
  ConstantFolderTest() {
    context.loadDialect<onnx::ONNXDialect, func::FuncDialect>();
  }

  /// Folds the first result of the last of `nodes`; !u is the unknown type, and
  /// %x an argument.
  bool fold(const Twine &nodes) {
    std::string text =
        "!u = !onnx.unknown\nfunc.func @f(%x: tensor<3xf32>) {\n" +
        nodes.str() + "\nreturn\n}\n";
    module = parseSourceString<ModuleOp>(text, &context);
    constant.reset();
    whyNot.clear();
    if (!module) {
      ADD_FAILURE() << "the test's module does not parse:\n" << text;
      return false;
    }
    ModelFacts facts(*module);
    func::FuncOp function = *module->getOps<func::FuncOp>().begin();
    Operation *last = function.getBody().front().getTerminator()->getPrevNode();
    constant = foldConstant(last->getResult(0), facts, whyNot);
    EXPECT_EQ(constant.has_value(), whyNot.empty());
    return constant.has_value();
  }

  Numbers numbers() {
    if (!constant)
      return {};
    llvm::Expected<ConstantReader> reader = ConstantReader::open(*constant);
    if (!reader) {
      ADD_FAILURE() << llvm::toString(reader.takeError());
      return {};
    }
    std::vector<char> bytes(reader->getNumElements() *
                            reader->getElementBytes());
    llvm::cantFail(reader->read(0, reader->getNumElements(), bytes.data()));
    Numbers result;
    for (size_t i = 0; i != bytes.size(); i += reader->getElementBytes())
      result.push_back(
          decodeNumber(constant->type.getElementType(), bytes.data() + i));
    return result;
  }

  std::vector<int64_t> shape() {
    return constant ? std::vector<int64_t>(constant->type.getShape())
                    : std::vector<int64_t>{-1};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::optional<Constant> constant;
  std::string whyNot;
};

using Shape = std::vector<int64_t>;

/// A Constant node that the name is given to.
std::string make(StringRef name, StringRef dense) {
  return (name + " = onnx.Constant() {value = dense<" + dense +
          "} : () -> !u\n")
      .str();
}

/// [[1, 2, 3], [4, 5, 6]].
std::string makeMatrix() {
  return make("%w", "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>");
}

//===----------------------------------------------------------------------===//
// Views and copies
//===----------------------------------------------------------------------===//

TEST_F(ConstantFolderTest, ConstantsAreThemselves) {
  ASSERT_TRUE(fold(makeMatrix())) << whyNot;
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(constant->folded);
  EXPECT_TRUE(isa<onnx::ConstantOp>(constant->op));
  ASSERT_TRUE(fold("%w = onnx.initializer \"w\" dense<2.0> : tensor<2xf32> -> "
                   "tensor<2xf32>"))
      << whyNot;
  EXPECT_EQ(numbers(), (Numbers{2, 2}));
}

TEST_F(ConstantFolderTest, Views) {
  ASSERT_TRUE(fold(makeMatrix() + "%0 = onnx.Identity(%w) : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{2, 3}));
  ASSERT_TRUE(fold(makeMatrix() +
                   "%0 = onnx.Flatten(%w) {axis = 0 : i64} : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{1, 6}));
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(fold(makeMatrix() + make("%s", "[3, 2]> : tensor<2xi64>") +
                   "%0 = onnx.Reshape(%w, %s) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{3, 2}));
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(fold(makeMatrix() + make("%s", "[0, 1, -1]> : tensor<3xi64>") +
                   "%0 = onnx.Reshape(%w, %s) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{2, 1, 3}));
  ASSERT_TRUE(fold(makeMatrix() + "%0 = onnx.Unsqueeze(%w) {axes = array<i64: "
                                  "0, -1>} : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{1, 2, 3, 1}));
  ASSERT_TRUE(fold(make("%w", "[[[1.0], [2.0]]]> : tensor<1x2x1xf32>") +
                   "%0 = onnx.Squeeze(%w) : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{2}));
  EXPECT_EQ(numbers(), (Numbers{1, 2}));
  // The constant that it comes from, through two views.
  ASSERT_TRUE(fold(makeMatrix() +
                   "%0 = onnx.Flatten(%w) {axis = 0 : i64} : (!u) -> !u\n"
                   "%1 = onnx.Flatten(%0) {axis = 2 : i64} : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{6, 1}));
  EXPECT_TRUE(isa<onnx::ConstantOp>(constant->op));
}

TEST_F(ConstantFolderTest, ViewsOfSplats) {
  ASSERT_TRUE(fold(make("%w", "2.0> : tensor<2x3xf32>") +
                   "%0 = onnx.Flatten(%w) {axis = 0 : i64} : (!u) -> !u"));
  EXPECT_EQ(numbers(), Numbers(6, 2));
}

TEST_F(ConstantFolderTest, Transposes) {
  ASSERT_TRUE(fold(makeMatrix() + "%0 = onnx.Transpose(%w) : (!u) -> !u"));
  EXPECT_EQ(shape(), (Shape{3, 2}));
  EXPECT_EQ(numbers(), (Numbers{1, 4, 2, 5, 3, 6}));
  std::string cube = make("%w", "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]> : "
                                "tensor<2x2x2xi8>");
  ASSERT_TRUE(fold(cube + "%0 = onnx.Transpose(%w) {perm = array<i64: 1, 2, 0>}"
                          " : (!u) -> !u"));
  EXPECT_EQ(numbers(), (Numbers{1, 5, 2, 6, 3, 7, 4, 8}));
  for (StringRef perm : {"0, 1", "0, 1, 1", "0, 1, 3", "-1, 0, 1"})
    EXPECT_FALSE(fold(cube + "%0 = onnx.Transpose(%w) {perm = array<i64: " +
                      perm + ">} : (!u) -> !u"))
        << perm.str();
}

TEST_F(ConstantFolderTest, Expands) {
  std::string column = make("%w", "[[1.0], [2.0]]> : tensor<2x1xf32>");
  ASSERT_TRUE(fold(column + make("%s", "[2, 3]> : tensor<2xi64>") +
                   "%0 = onnx.Expand(%w, %s) : (!u, !u) -> !u"));
  EXPECT_EQ(numbers(), (Numbers{1, 1, 1, 2, 2, 2}));
  ASSERT_TRUE(fold(column + make("%s", "[2, 1, 2]> : tensor<3xi64>") +
                   "%0 = onnx.Expand(%w, %s) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(numbers(), (Numbers{1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_FALSE(fold("%s = onnx.Shape(%x) : (tensor<3xf32>) -> tensor<?xi64>\n" +
                    column +
                    "%0 = onnx.Expand(%w, %x) : (!u, tensor<3xf32>) -> !u"));
}

TEST_F(ConstantFolderTest, Tiles) {
  ASSERT_TRUE(fold(makeMatrix() + make("%r", "[2, 2]> : tensor<2xi64>") +
                   "%0 = onnx.Tile(%w, %r) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{4, 6}));
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6,
                                1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  ASSERT_TRUE(fold(makeMatrix() + make("%r", "[0, 2]> : tensor<2xi64>") +
                   "%0 = onnx.Tile(%w, %r) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{0, 6}));
  EXPECT_EQ(numbers(), Numbers());
}

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

TEST_F(ConstantFolderTest, CastsRoundOnce) {
  auto cast = [&](StringRef from, StringRef to) {
    EXPECT_TRUE(fold(make("%w", from) +
                     "%0 = onnx.Cast(%w) {to = 1 : i64} : "
                     "(!u) -> tensor<?x" +
                     to + ">"))
        << whyNot;
    return numbers();
  };
  EXPECT_EQ(cast("[-128, 127]> : tensor<2xi8>", "f32"), (Numbers{-128, 127}));
  EXPECT_EQ(cast("[128, 255]> : tensor<2xui8>", "f32"), (Numbers{128, 255}));
  EXPECT_EQ(cast("[16777217, 16777219]> : tensor<2xi32>", "f32"),
            (Numbers{16777216, 16777220}));
  EXPECT_EQ(cast("[2049, 2051]> : tensor<2xi64>", "f16"),
            (Numbers{2048, 2052}));
  // Halfway between two numbers: the even one.
  EXPECT_EQ(cast("[1.00048828125, 1.00146484375]> : tensor<2xf32>", "f16"),
            (Numbers{1, 1.001953125}));
  EXPECT_EQ(cast("[1.00390625, 1.01171875]> : tensor<2xf32>", "bf16"),
            (Numbers{1, 1.015625}));
  // Just above halfway, which a stop at f32 would lose.
  EXPECT_EQ(cast("[0x3FF0020000000001]> : tensor<1xf64>", "f16"),
            (Numbers{1.0009765625}));
  EXPECT_EQ(cast("[1.0e10, 1.0e-10]> : tensor<2xf32>", "f16"),
            (Numbers{INFINITY, 0}));
  EXPECT_EQ(cast("[5.9604645e-08]> : tensor<1xf32>", "f16"),
            (Numbers{std::ldexp(1, -24)}));
  EXPECT_EQ(cast("[1.5, -2.5]> : tensor<2xf16>", "f64"), (Numbers{1.5, -2.5}));
}

TEST_F(ConstantFolderTest, CastsToTheSameTypeAreTheConstant) {
  ASSERT_TRUE(
      fold(makeMatrix() +
           "%0 = onnx.Cast(%w) {to = 1 : i64} : (!u) -> tensor<2x3xf32>"));
  EXPECT_FALSE(constant->folded);
}

TEST_F(ConstantFolderTest, CastsToOtherTypesAreRefused) {
  for (StringRef to : {"i8", "i64", "i1", "f8E4M3FN"})
    EXPECT_FALSE(fold(
        makeMatrix() +
        "%0 = onnx.Cast(%w) {to = 1 : i64} : (!u) -> tensor<2x3x" + to + ">"))
        << to.str();
  EXPECT_EQ(whyNot, "it is cast to a type that is not read");
  // A type that is not known, and one of less than a byte.
  EXPECT_FALSE(
      fold(makeMatrix() + "%0 = onnx.Cast(%w) {to = 1 : i64} : (!u) -> !u"));
  EXPECT_FALSE(
      fold(make("%w", "[true, false]> : tensor<2xi1>") +
           "%0 = onnx.Cast(%w) {to = 1 : i64} : (!u) -> tensor<2xf32>"));
  EXPECT_EQ(whyNot, "its elements are not whole bytes");
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

TEST_F(ConstantFolderTest, BinaryOperatorsBroadcast) {
  auto binary = [&](StringRef op, StringRef b) {
    EXPECT_TRUE(fold(makeMatrix() + make("%b", b) + "%0 = onnx." + op +
                     "(%w, %b) : (!u, !u) -> !u"))
        << whyNot;
    return numbers();
  };
  EXPECT_EQ(binary("Add", "10.0> : tensor<f32>"),
            (Numbers{11, 12, 13, 14, 15, 16}));
  EXPECT_EQ(binary("Sub", "[1.0, 2.0, 3.0]> : tensor<3xf32>"),
            (Numbers{0, 0, 0, 3, 3, 3}));
  EXPECT_EQ(binary("Mul", "[[1.0], [-1.0]]> : tensor<2x1xf32>"),
            (Numbers{1, 2, 3, -4, -5, -6}));
  EXPECT_EQ(binary("Div", "[[2.0, 4.0, 0.0]]> : tensor<1x3xf32>"),
            (Numbers{0.5, 0.5, INFINITY, 2, 1.25, INFINITY}));
  EXPECT_EQ(shape(), (Shape{2, 3}));
  // The first operand is the one that is copied.
  ASSERT_TRUE(fold(makeMatrix() +
                   make("%b", "[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>") +
                   "%0 = onnx.Sub(%b, %w) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(numbers(), (Numbers{0, -1, -2, -3, -4, -5, 1, 0, -1, -2, -3, -4}));
}

TEST_F(ConstantFolderTest, BinaryOperatorsOfEmptyTensors) {
  ASSERT_TRUE(fold(make("%a", "> : tensor<0x3xf32>") +
                   make("%b", "[1.0, 2.0, 3.0]> : tensor<3xf32>") +
                   "%0 = onnx.Add(%a, %b) : (!u, !u) -> !u"));
  EXPECT_EQ(shape(), (Shape{0, 3}));
}

TEST_F(ConstantFolderTest, BinaryOperatorsThatAreRefused) {
  EXPECT_FALSE(fold(makeMatrix() + make("%b", "[1.0, 2.0]> : tensor<2xf32>") +
                    "%0 = onnx.Add(%w, %b) : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "its operands do not broadcast");
  EXPECT_FALSE(fold(makeMatrix() + make("%b", "1.0> : tensor<f16>") +
                    "%0 = onnx.Add(%w, %b) : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed in a type that is not read");
  EXPECT_FALSE(fold(make("%a", "1> : tensor<2xi64>") +
                    "%0 = onnx.Add(%a, %a) : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed in a type that is not read");
  EXPECT_FALSE(fold(makeMatrix() + make("%b", "1.0> : tensor<2xf32>") +
                    "%0 = onnx.Add(%w, %b) {broadcast = 1 : i64, axis = 0 : "
                    "i64} : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed with the broadcasting of old opsets");
  EXPECT_FALSE(
      fold(makeMatrix() + "%0 = onnx.Add(%w, %x) : (!u, tensor<3xf32>) -> !u"));
  EXPECT_FALSE(
      fold(makeMatrix() + "%0 = onnx.Add(%x, %w) : (tensor<3xf32>, !u) -> !u"));
  EXPECT_FALSE(fold(makeMatrix() + "%0 = onnx.Relu(%w) : (!u) -> !u"));
}

/// Random numbers of the type, special ones and neighbours of ties included.
llvm::APFloat draw(std::mt19937_64 &random, const llvm::fltSemantics &type) {
  unsigned bits = llvm::APFloat::getSizeInBits(type);
  for (;;) {
    llvm::APInt pattern(64, random());
    // Exponents near each other half the time, so that sums round.
    if (random() % 2) {
      llvm::APFloat number(type, random() % 4096 + 1);
      if (random() % 2)
        number.next(/*nextDown=*/true);
      return number;
    }
    llvm::APFloat number(type, pattern.trunc(bits));
    if (!number.isNaN())
      return number;
  }
}

TEST_F(ConstantFolderTest, ArithmeticRoundsOnceToTheType) {
  std::mt19937_64 random(1);
  Builder b(&context);
  constexpr int kCount = 4000;
  for (Type element : SmallVector<Type>{b.getF16Type(), b.getBF16Type(),
                                        b.getF32Type(), b.getF64Type()}) {
    const llvm::fltSemantics &semantics =
        llvm::cast<FloatType>(element).getFloatSemantics();
    auto type = RankedTensorType::get({kCount}, element);
    SmallVector<APFloat> left, right;
    for (int i = 0; i != kCount; ++i) {
      left.push_back(draw(random, semantics));
      right.push_back(draw(random, semantics));
    }
    for (StringRef op : {"Add", "Sub", "Mul", "Div"}) {
      module = parseSourceString<ModuleOp>(
          ("!u = !onnx.unknown\nfunc.func @f() {\n" +
           make("%a", "1.0> : tensor<1xf32>") +
           make("%b", "1.0> : tensor<1xf32>") + "%0 = onnx." + op +
           "(%a, %b) : (!u, !u) -> !u\nreturn\n}\n")
              .str(),
          &context);
      ASSERT_TRUE(module);
      Value result;
      module->walk([&](Operation *node) {
        if (auto given = dyn_cast<onnx::ConstantOp>(node))
          given.setValueAttr(
              DenseElementsAttr::get(type, result ? right : left));
        if (isa<onnx::NodeOpInterface>(node))
          result = node->getResult(0);
      });
      constant = foldConstant(result, ModelFacts(*module), whyNot);
      ASSERT_TRUE(constant) << whyNot;
      EXPECT_EQ(constant->type, type);
      Numbers computed = numbers();
      for (int i = 0; i != kCount; ++i) {
        APFloat expected = left[i];
        auto mode = APFloat::rmNearestTiesToEven;
        op == "Add"   ? expected.add(right[i], mode)
        : op == "Sub" ? expected.subtract(right[i], mode)
        : op == "Mul" ? expected.multiply(right[i], mode)
                      : expected.divide(right[i], mode);
        double number = expected.convertToDouble();
        ASSERT_TRUE(computed[i] == number ||
                    (std::isnan(computed[i]) && std::isnan(number)))
            << op.str() << " of " << left[i].convertToDouble() << " and "
            << right[i].convertToDouble() << " is " << number << ", not "
            << computed[i];
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Quantised weights
//===----------------------------------------------------------------------===//

class DequantizeTest : public ConstantFolderTest {
protected:
  /// The numbers of a 2 x 3 matrix of i8, 1 to 6.
  Numbers dequantize(StringRef scale, StringRef zero, StringRef attributes,
                     StringRef result = "!u") {
    fold(make("%w", "[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>") +
         make("%s", scale) + (zero.empty() ? "" : make("%z", zero)) +
         "%0 = onnx.DequantizeLinear(%w, %s" +
         (zero.empty() ? StringRef() : StringRef(", %z")) + ") {" + attributes +
         "} : (!u, !u" + (zero.empty() ? StringRef() : StringRef(", !u")) +
         ") -> " + result);
    return numbers();
  }
};

TEST_F(DequantizeTest, ForTheWholeTensor) {
  EXPECT_EQ(dequantize("0.5> : tensor<f32>", "", ""),
            (Numbers{0.5, 1, 1.5, 2, 2.5, 3}));
  EXPECT_EQ(dequantize("[0.5]> : tensor<1xf32>", "[4]> : tensor<1xi8>", ""),
            (Numbers{-1.5, -1, -0.5, 0, 0.5, 1}));
  EXPECT_EQ(shape(), (Shape{2, 3}));
  EXPECT_TRUE(constant->type.getElementType().isF32());
  // A left-out zero point.
  ASSERT_TRUE(fold(make("%w", "[200, 7]> : tensor<2xui8>") +
                   make("%s", "2.0> : tensor<f32>") +
                   "%none = onnx.none\n%0 = onnx.DequantizeLinear(%w, %s, "
                   "%none) : (!u, !u, none) -> !u"));
  EXPECT_EQ(numbers(), (Numbers{400, 14}));
}

TEST_F(DequantizeTest, AlongAnAxis) {
  const char *three = "[1.0, 2.0, 4.0]> : tensor<3xf32>";
  const char *two = "[1.0, 2.0]> : tensor<2xf32>";
  // By default, and however it is written, the last of two axes.
  for (StringRef axis : {"", "axis = 1 : i64", "axis = -1 : i64"})
    EXPECT_EQ(dequantize(three, "", axis), (Numbers{1, 4, 12, 4, 10, 24}));
  for (StringRef axis : {"axis = 0 : i64", "axis = -2 : i64"}) {
    EXPECT_EQ(dequantize(two, "", axis), (Numbers{1, 2, 3, 8, 10, 12}));
    EXPECT_EQ(dequantize(two, "[1, 4]> : tensor<2xi8>", axis),
              (Numbers{0, 1, 2, 0, 2, 4}));
  }
  EXPECT_EQ(dequantize(three, "[1, 2, 3]> : tensor<3xi8>", ""),
            (Numbers{0, 0, 0, 3, 6, 12}));
}

TEST_F(DequantizeTest, WhatDoesNotFitIsRefused) {
  const char *two = "[1.0, 2.0]> : tensor<2xf32>";
  for (StringRef axis :
       {"", "axis = 1 : i64", "axis = 2 : i64", "axis = -3 : i64"}) {
    dequantize(two, "", axis);
    EXPECT_FALSE(constant) << axis.str();
    EXPECT_EQ(whyNot, "its scales do not fit its axis");
  }
  dequantize(two, "4> : tensor<i8>", "axis = 0 : i64");
  EXPECT_EQ(whyNot, "it has not as many zero points as scales");
  dequantize("1.0> : tensor<f32>", "[4, 4]> : tensor<2xi8>", "");
  EXPECT_EQ(whyNot, "it has not as many zero points as scales");
  dequantize("1.0> : tensor<2x1xf32>", "",
             "axis = 1 : i64, block_size = 3 : i64");
  EXPECT_EQ(whyNot, "it is dequantised in blocks");
  dequantize("1> : tensor<i32>", "", "");
  EXPECT_EQ(whyNot, "it is dequantised to a type that is not read");
  EXPECT_FALSE(fold(make("%w", "1> : tensor<2x3xi8>") +
                    "%0 = onnx.DequantizeLinear(%w, %x) : (!u, tensor<3xf32>) "
                    "-> !u"));
}

TEST_F(DequantizeTest, RoundsOnceToTheResult) {
  // 3 * 0.1 in f16: the product of 3 and the f16 next to 0.1, rounded to f16.
  APFloat tenth(APFloat::IEEEhalf(), "0.1"), product(APFloat::IEEEhalf(), "3");
  product.multiply(tenth, APFloat::rmNearestTiesToEven);
  Numbers found = dequantize("0.1> : tensor<f16>", "", "");
  ASSERT_TRUE(constant) << whyNot;
  EXPECT_TRUE(constant->type.getElementType().isF16());
  EXPECT_EQ(found[2], product.convertToDouble());
  // From an f32 scale to an f16 result.
  found = dequantize("0.1> : tensor<f32>", "", "output_dtype = 10 : i64",
                     "tensor<2x3xf16>");
  ASSERT_TRUE(constant) << whyNot;
  APFloat exact(3 * static_cast<double>(0.1f));
  bool losesInfo;
  exact.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &losesInfo);
  EXPECT_EQ(found[2], exact.convertToDouble());
}

TEST_F(DequantizeTest, EightBitFloats) {
  ASSERT_TRUE(fold(make("%w", "[1.5, -2.0]> : tensor<2xf8E4M3FN>") +
                   make("%s", "2.0> : tensor<f32>") +
                   "%0 = onnx.DequantizeLinear(%w, %s) : (!u, !u) -> !u"))
      << whyNot;
  EXPECT_EQ(numbers(), (Numbers{3, -4}));
}

TEST_F(DequantizeTest, ScalesMayBeComputed) {
  ASSERT_TRUE(fold(make("%w", "[1, 2]> : tensor<2xi8>") +
                   make("%s", "2.0> : tensor<f32>") +
                   "%t = onnx.Mul(%s, %s) : (!u, !u) -> !u\n"
                   "%0 = onnx.DequantizeLinear(%w, %t) : (!u, !u) -> !u"))
      << whyNot;
  EXPECT_EQ(numbers(), (Numbers{4, 8}));
}

//===----------------------------------------------------------------------===//
// Hostile models
//===----------------------------------------------------------------------===//

TEST_F(ConstantFolderTest, InputsAreRefused) {
  EXPECT_FALSE(fold("%0 = onnx.Flatten(%x) : (tensor<3xf32>) -> !u"));
  EXPECT_NE(whyNot.find("which callers give"), std::string::npos) << whyNot;
  EXPECT_FALSE(fold("%0 = onnx.initializer \"w\" dense<1.0> : tensor<3xf32> "
                    "default_of %x : tensor<3xf32> -> tensor<3xf32>\n"
                    "%1 = onnx.Identity(%0) : (tensor<3xf32>) -> !u"));
}

TEST_F(ConstantFolderTest, LargeResultsAreRefused) {
  std::string one = make("%w", "1.0> : tensor<1xf32>");
  for (StringRef target :
       {"536870913", "1099511627776", "4294967296, 4294967296",
        "4611686018427387904, 4, 4"}) {
    std::string list =
        ("%s = onnx.Constant() {value_ints = array<i64: " + target +
         ">} : () -> !u\n")
            .str();
    EXPECT_FALSE(fold(one + list + "%0 = onnx.Expand(%w, %s) : (!u, !u) -> !u"))
        << target.str();
    EXPECT_EQ(whyNot, "it is computed and has more than 2 GiB");
  }
  EXPECT_FALSE(fold(one + make("%r", "[1099511627776]> : tensor<1xi64>") +
                    "%0 = onnx.Tile(%w, %r) : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed and has more than 2 GiB");
  EXPECT_FALSE(fold(make("%a", "1.0> : tensor<65536x1xf32>") +
                    make("%b", "1.0> : tensor<1x65536xf32>") +
                    "%0 = onnx.Add(%a, %b) : (!u, !u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed and has more than 2 GiB");
  // Few bytes in the file, many when they are read.
  EXPECT_FALSE(fold(make("%a", "1.0> : tensor<65536x65536xf32>") +
                    "%0 = onnx.Transpose(%a) : (!u) -> !u"));
  EXPECT_EQ(whyNot, "it is computed from more than 2 GiB");
}

TEST_F(ConstantFolderTest, ShapesThatDoNotFitAreRefused) {
  // Not what the operator makes of it.
  EXPECT_FALSE(fold(makeMatrix() + make("%s", "[4, 2]> : tensor<2xi64>") +
                    "%0 = onnx.Reshape(%w, %s) : (!u, !u) -> !u"));
  EXPECT_FALSE(fold(makeMatrix() + make("%s", "[-3, -2]> : tensor<2xi64>") +
                    "%0 = onnx.Reshape(%w, %s) : (!u, !u) -> !u"));
  EXPECT_FALSE(fold(makeMatrix() +
                    "%0 = onnx.Flatten(%w) {axis = 5 : i64} : (!u) -> !u"));
  EXPECT_FALSE(fold(make("%w", "1.0> : tensor<1xf32>") +
                    make("%s", "[-4]> : tensor<1xi64>") +
                    "%0 = onnx.Expand(%w, %s) : (!u, !u) -> !u"));
  EXPECT_FALSE(fold(makeMatrix() + make("%r", "[-1, 2]> : tensor<2xi64>") +
                    "%0 = onnx.Tile(%w, %r) : (!u, !u) -> !u"));
  // A type that says otherwise than its operator.
  EXPECT_FALSE(fold(makeMatrix() +
                    "%0 = onnx.Identity(%w) : (!u) -> !u\n"
                    "%1 = onnx.Flatten(%0) {axis = 7 : i64} : (!u) -> "
                    "tensor<7x7xf32>"));
  // From nothing comes nothing.
  EXPECT_FALSE(fold(make("%w", "> : tensor<0xf32>") +
                    make("%s", "[3]> : tensor<1xi64>") +
                    "%0 = onnx.Expand(%w, %s) : (!u, !u) -> !u"));
}

TEST_F(ConstantFolderTest, DepthIsLimited) {
  auto chain = [](int length) {
    std::string text = make("%x0", "[1.0, 2.0]> : tensor<2xf32>");
    for (int i = 0; i != length; ++i)
      text += "%x" + std::to_string(i + 1) + " = onnx.Identity(%x" +
              std::to_string(i) + ") : (!u) -> !u\n";
    return text;
  };
  EXPECT_TRUE(fold(chain(8))) << whyNot;
  EXPECT_FALSE(fold(chain(9)));
  EXPECT_NE(whyNot.find("it is computed by"), std::string::npos) << whyNot;
  EXPECT_FALSE(fold(chain(10000)));
  // The second operand counts as the first does.
  std::string text = make("%x0", "[1.0, 2.0]> : tensor<2xf32>");
  for (int i = 0; i != 9; ++i)
    text += "%x" + std::to_string(i + 1) + " = onnx.Add(%x0, %x" +
            std::to_string(i) + ") : (!u, !u) -> !u\n";
  EXPECT_FALSE(fold(text));
}

} // namespace
