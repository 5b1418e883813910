//===- HeaderTest.cpp - Tests of C headers and signatures -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Header.h"
#include "mlir/IR/Builders.h"
#include "gtest/gtest.h"

using namespace headopt;

namespace {

NativeCode makeCode() {
  NativeCode code;
  code.name = "head";
  code.cpus = {"generic"};
  HeadSignature signature;
  signature.element = Element::F32;
  signature.features = {HeadSignature::kDynamic, 3};
  signature.output = {-1, 2};
  code.signature = signature;
  return code;
}

std::string headerOf(const NativeCode &code) {
  llvm::Expected<std::string> header = makeHeader(code);
  return header ? *header : "error: " + llvm::toString(header.takeError());
}

bool holds(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(HeaderTest, namesTheElementTypes) {
  NativeCode code = makeCode();
  auto prototype = [](const std::string &input, const std::string &output) {
    return "int head(const " + input + " *features, int64_t batch, " + output +
           " *output);";
  };
  auto setBoth = [&](Element element) {
    code.signature->element = code.signature->outputElement = element;
  };
  EXPECT_TRUE(holds(headerOf(code), prototype("float", "float")));
  setBoth(Element::F64);
  EXPECT_TRUE(holds(headerOf(code), prototype("double", "double")));
  setBoth(Element::F16);
  EXPECT_TRUE(holds(headerOf(code), prototype("uint16_t", "uint16_t")));
  EXPECT_TRUE(holds(headerOf(code), "bits of an IEEE 754 half"));
  code.signature->outputElement = Element::F32;
  EXPECT_TRUE(holds(headerOf(code), prototype("uint16_t", "float")));
  EXPECT_TRUE(holds(headerOf(code), "bits of an IEEE 754 half"));
  code.signature->element = Element::BF16;
  EXPECT_TRUE(holds(headerOf(code), "bits of a bfloat16"));
  EXPECT_FALSE(holds(headerOf(code), "bits of an IEEE 754 half"));
}

TEST(HeaderTest, saysWhatTheCodeNeeds) {
  NativeCode code = makeCode();
  EXPECT_TRUE(holds(headerOf(code), "Needs no library but libc."));
  EXPECT_TRUE(holds(headerOf(code), "; one thread."));
  code.usesLibm = true;
  EXPECT_TRUE(holds(headerOf(code), "Needs libm (-lm)."));
  code.usesOpenMP = true;
  EXPECT_TRUE(holds(headerOf(code), "Needs libomp and libm."));
  EXPECT_TRUE(holds(headerOf(code), "threads: OpenMP"));
  code.scratchBytes = 4096;
  code.weightBytes = 1 << 20;
  EXPECT_TRUE(holds(headerOf(code), "4096 bytes of scratch memory"));
  EXPECT_TRUE(holds(headerOf(code), "Weights: 1048576 bytes"));
}

TEST(HeaderTest, givesDynamicExtentsParameters) {
  NativeCode code = makeCode();
  code.signature->features = {-1, 3, -1, -1};
  code.signature->output = {-1, 3, -4, 1};
  std::string header = headerOf(code);
  EXPECT_TRUE(holds(header, "int64_t batch, int64_t extent2, int64_t extent3"));
  EXPECT_TRUE(holds(header, "f32[batch][3][extent2][extent3]"));
  EXPECT_TRUE(holds(header, "f32[batch][3][extent3][1]"));
}

TEST(HeaderTest, refusesWhatCHasNoNameFor) {
  NativeCode code = makeCode();
  for (const char *name : {"int", "a-b", "a.b", "", "1a", "_a", "class",
                           "tanhf", "memcpy", "omp_x", "main"}) {
    code.name = name;
    EXPECT_FALSE(isFunctionName(name)) << name;
    EXPECT_TRUE(holds(headerOf(code), "error: no header for")) << name;
  }
  code = makeCode();
  code.signature.reset();
  EXPECT_EQ(headerOf(code), "error: no header for 'head': its function has no "
                            "headopt.signature");
}

TEST(HeaderTest, makesNames) {
  EXPECT_EQ(makeFunctionName("vgg16"), "vgg16");
  EXPECT_EQ(makeFunctionName("vgg-16.opt"), "vgg_16_opt");
  EXPECT_EQ(makeFunctionName("16"), "head_16");
  EXPECT_EQ(makeFunctionName("int"), "head_int");
  EXPECT_EQ(makeFunctionName(""), "head_");
  EXPECT_EQ(makeFunctionName("exp"), "head_exp");
  EXPECT_EQ(makeFunctionName("\xc3\xa4"), "head___");
  for (const char *stem : {"", "1", "_x", "float", "h\xff", "a b"})
    EXPECT_TRUE(isFunctionName(makeFunctionName(stem))) << stem;
}

TEST(SignatureTest, goesThroughTheAttribute) {
  mlir::MLIRContext context;
  for (Element element :
       {Element::F16, Element::BF16, Element::F32, Element::F64}) {
    HeadSignature signature;
    signature.element = element;
    signature.features = {-1, 3, -1, 7};
    signature.output = {-1, 10, -3};
    llvm::Expected<HeadSignature> again =
        HeadSignature::fromAttribute(signature.toAttribute(&context));
    ASSERT_TRUE(static_cast<bool>(again)) << llvm::toString(again.takeError());
    EXPECT_EQ(again->element, element);
    EXPECT_EQ(again->features, signature.features);
    EXPECT_EQ(again->output, signature.output);
  }
}

TEST(SignatureTest, knowsItsExtents) {
  HeadSignature signature;
  signature.features = {-1, 3, -1, 7, -1};
  signature.output = {-1, 10, -3, -5};
  EXPECT_EQ(signature.getDynamicAxes(), (llvm::SmallVector<unsigned>{2, 4}));
  EXPECT_EQ(signature.getOutputExtents({8, 3, 5, 7, 6}),
            (llvm::SmallVector<int64_t>{8, 10, 5, 6}));
}

TEST(SignatureTest, refusesOtherAttributes) {
  mlir::MLIRContext context;
  mlir::Builder builder(&context);
  for (mlir::Attribute attr :
       {mlir::Attribute(), mlir::Attribute(builder.getUnitAttr()),
        mlir::Attribute(builder.getDictionaryAttr({}))}) {
    llvm::Expected<HeadSignature> signature =
        HeadSignature::fromAttribute(attr);
    ASSERT_FALSE(static_cast<bool>(signature));
    EXPECT_TRUE(
        holds(llvm::toString(signature.takeError()), "headopt.signature "));
  }
}

} // namespace
