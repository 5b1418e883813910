//===- NpyTest.cpp - Tests of tensors in numpy's files --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Npy.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

using namespace headopt;

namespace {

/// A file with this dictionary.
std::string makeFile(const std::string &dict, const std::string &data,
                     char version = 1) {
  std::string file = "\x93NUMPY";
  file += version;
  file += '\0';
  for (unsigned i = 0, e = version == 1 ? 2 : 4; i < e; ++i)
    file += static_cast<char>(dict.size() >> (8 * i) & 0xff);
  return file + dict + data;
}

std::string makeDict(const std::string &descr, const std::string &order,
                     const std::string &shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }\n";
}

/// What is wrong with a file; "" when nothing is.
std::string errorOf(const std::string &file, Element element = Element::F32) {
  llvm::Expected<NpyArray> tensor = readNpy(file, element);
  return tensor ? "" : llvm::toString(tensor.takeError());
}

const std::string kTwo("\0\0\x80\x3f\0\0\0\x40", 8); // 1, 2 in f32
const std::string kMore = "has more bytes than its header says; write it with "
                          "numpy.save, one array to a file";
const std::string kNone =
    "has a header that names no type, order and shape; write an array of "
    "numbers with numpy.save";

TEST(NpyTest, readsEveryVersion) {
  for (char version : {1, 2, 3}) {
    llvm::Expected<NpyArray> tensor =
        readNpy(makeFile(makeDict("<f4", "False", "(1, 2)"), kTwo, version),
                Element::F32);
    ASSERT_TRUE(static_cast<bool>(tensor))
        << llvm::toString(tensor.takeError());
    EXPECT_EQ(tensor->shape, (llvm::SmallVector<int64_t>{1, 2}));
    EXPECT_EQ(tensor->get(0), 1);
    EXPECT_EQ(tensor->get(1), 2);
  }
}

TEST(NpyTest, readsEverySpelling) {
  EXPECT_EQ(errorOf(makeFile("{\"shape\":(2,),\"fortran_order\":False,"
                             "\"descr\":\"=f4\"}",
                             kTwo)),
            "");
  EXPECT_EQ(errorOf(makeFile(makeDict("<f4", "True", "(2,)"), kTwo)), "");
  EXPECT_EQ(
      errorOf(makeFile(makeDict("<f4", "False", "()"), kTwo.substr(0, 4))), "");
  EXPECT_EQ(errorOf(makeFile(makeDict("<f4", "False", "(0, 7)"), "")), "");
  EXPECT_EQ(
      errorOf(makeFile(makeDict("<f8", "False", "(1,)"), kTwo), Element::F64),
      "");
  EXPECT_EQ(
      errorOf(makeFile(makeDict("<f2", "False", "(4,)"), kTwo), Element::F16),
      "");
  for (const char *descr : {"<u2", "<V2", "|V2"})
    EXPECT_EQ(errorOf(makeFile(makeDict(descr, "False", "(4,)"), kTwo),
                      Element::BF16),
              "");
}

TEST(NpyTest, refusesWhatIsCutShort) {
  std::string file = makeFile(makeDict("<f4", "False", "(1, 2)"), kTwo);
  EXPECT_EQ(errorOf(file), "");
  for (size_t length = 0; length < file.size(); ++length)
    EXPECT_NE(errorOf(file.substr(0, length)), "") << length;
  EXPECT_EQ(errorOf(file + "x"), kMore);
}

TEST(NpyTest, refusesLies) {
  auto ofShape = [](const std::string &shape) {
    return errorOf(makeFile(makeDict("<f4", "False", shape), kTwo));
  };
  const std::string kCut =
      "is cut short: its header promises more elements than it has; write it "
      "with numpy.save";
  EXPECT_EQ(ofShape("(3,)"), kCut);
  EXPECT_EQ(ofShape("(1099511627776, 1099511627776)"), kCut);
  EXPECT_EQ(ofShape("(4611686018427387904,)"), kCut);
  EXPECT_EQ(ofShape("(9223372036854775807, 9223372036854775807, 4)"), kCut);
  // A zero makes no room for elements that are there.
  EXPECT_EQ(ofShape("(0, 9223372036854775807)"), kMore);
  for (const char *shape :
       {"(-1,)", "(2", "2", "(a,)", "(18446744073709551616,)", "(2,,)", "[2]",
        "(2,) (2,)", "(2.0,)", ""})
    EXPECT_EQ(ofShape(shape), kNone) << shape;
}

TEST(NpyTest, refusesOtherHeaders) {
  for (const char *dict :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': <f4}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, "
        "'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 'y'}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x"})
    EXPECT_EQ(errorOf(makeFile(dict, kTwo)), kNone) << dict;
  EXPECT_EQ(errorOf("PK\3\4"), "is no .npy file; write it with numpy.save");
  EXPECT_EQ(errorOf(makeFile(makeDict("<f4", "False", "(2,)"), kTwo, 4)),
            "is of a version of .npy that is not known (1 to 3 are); write it "
            "with numpy.save");
  EXPECT_EQ(errorOf(makeFile(makeDict("<f4", "True", "(1, 2)"), kTwo)),
            "is in Fortran order; write it after numpy.ascontiguousarray");
}

TEST(NpyTest, refusesOtherTypes) {
  for (const char *descr : {">f4", "<f8", "<f2", "<i4", "|b1", "f4", "|f4", ""})
    EXPECT_EQ(errorOf(makeFile(makeDict(descr, "False", "(2,)"), kTwo)),
              "has elements '" + std::string(descr) +
                  "', the head takes f32 ('<f4'); convert it with numpy's "
                  "astype");
  EXPECT_NE(
      errorOf(makeFile(makeDict("<u2", "False", "(4,)"), kTwo), Element::F16),
      "");
  EXPECT_NE(
      errorOf(makeFile(makeDict("<f2", "False", "(4,)"), kTwo), Element::BF16),
      "");
}

TEST(NpyTest, writesWhatItReads) {
  for (Element element :
       {Element::F16, Element::BF16, Element::F32, Element::F64})
    for (const llvm::SmallVector<int64_t> &shape :
         {llvm::SmallVector<int64_t>{}, {3}, {2, 3}, {0, 3}, {1, 2, 3, 1}}) {
      llvm::Expected<NpyArray> tensor = NpyArray::create(element, shape);
      ASSERT_TRUE(static_cast<bool>(tensor));
      uint64_t count = tensor->getNumElements();
      for (uint64_t i = 0; i < count; ++i)
        tensor->set(i, 0.25 * static_cast<double>(i) - 1);
      std::string file = makeNpyHeader(*tensor);
      EXPECT_EQ(file.size() % 64, 0u);
      file.append(tensor->data->getBufferStart(), count * getSize(element));
      llvm::Expected<NpyArray> again = readNpy(file, element);
      ASSERT_TRUE(static_cast<bool>(again))
          << llvm::toString(again.takeError());
      EXPECT_EQ(again->shape, shape);
      for (uint64_t i = 0; i < count; ++i)
        EXPECT_EQ(again->get(i), 0.25 * static_cast<double>(i) - 1);
    }
}

TEST(NpyTest, roundsToTheElementType) {
  struct Case {
    Element element;
    double from, to;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const Case &c : {Case{Element::F16, 1 + 0x1p-11, 1},
                        {Element::F16, 1 + 3 * 0x1p-11, 1 + 0x1p-9},
                        {Element::F16, 65520, kInfinity},
                        {Element::F16, 0x1p-24, 0x1p-24},
                        {Element::F16, 0x1p-26, 0},
                        {Element::BF16, 1 + 0x1p-8, 1},
                        {Element::BF16, 1 + 3 * 0x1p-8, 1 + 0x1p-6},
                        {Element::BF16, -kInfinity, -kInfinity},
                        {Element::F32, 1 + 0x1p-24, 1},
                        {Element::F64, 1 + 0x1p-52, 1 + 0x1p-52}}) {
    llvm::Expected<NpyArray> tensor = NpyArray::create(c.element, {1});
    ASSERT_TRUE(static_cast<bool>(tensor));
    tensor->set(0, c.from);
    EXPECT_EQ(tensor->get(0), c.to) << c.from;
  }
  llvm::Expected<NpyArray> tensor = NpyArray::create(Element::F16, {1});
  ASSERT_TRUE(static_cast<bool>(tensor));
  tensor->set(0, std::nan(""));
  EXPECT_TRUE(std::isnan(tensor->get(0)));
}

TEST(NpyTest, refusesTensorsBeyondMemory) {
  llvm::Expected<NpyArray> tensor =
      NpyArray::create(Element::F32, {int64_t(1) << 40, int64_t(1) << 40});
  ASSERT_FALSE(static_cast<bool>(tensor));
  llvm::consumeError(tensor.takeError());
}

} // namespace
