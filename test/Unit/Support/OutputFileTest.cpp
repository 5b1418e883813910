//===- OutputFileTest.cpp - Files that appear whole or not at all ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/OutputFile.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace headopt;

namespace {

class OutputFileTest : public testing::Test {
protected:
  OutputFileTest() {
    EXPECT_FALSE(sys::fs::createUniqueDirectory("headopt", folder));
    path = folder;
    sys::path::append(path, "out.bin");
  }
  ~OutputFileTest() override { sys::fs::remove_directories(folder); }

  std::string read() {
    auto buffer = MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "<missing>";
  }
  unsigned countFiles() {
    std::error_code ec;
    unsigned count = 0;
    for (sys::fs::directory_iterator it(folder, ec), end; it != end;
         it.increment(ec))
      ++count;
    return count;
  }

  SmallString<128> folder, path;
};

TEST_F(OutputFileTest, AppearsOnCommit) {
  Expected<OutputFile> file = OutputFile::create(path);
  ASSERT_TRUE(static_cast<bool>(file));
  EXPECT_FALSE(static_cast<bool>(file->write("abc")));
  EXPECT_FALSE(sys::fs::exists(path));
  EXPECT_FALSE(static_cast<bool>(file->commit()));
  EXPECT_EQ(read(), "abc");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(OutputFileTest, LeavesNothingUncommitted) {
  {
    Expected<OutputFile> file = OutputFile::create(path);
    ASSERT_TRUE(static_cast<bool>(file));
    EXPECT_FALSE(static_cast<bool>(file->write("abc")));
  }
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFileTest, MayReplaceItsSource) {
  for (StringRef content : {"0123456789", ""}) {
    Expected<OutputFile> file = OutputFile::create(path);
    ASSERT_TRUE(static_cast<bool>(file));
    if (!content.empty()) {
      EXPECT_FALSE(static_cast<bool>(file->write(content)));
    } else {
      Expected<sys::fs::file_t> source = sys::fs::openNativeFileForRead(path);
      ASSERT_TRUE(static_cast<bool>(source));
      EXPECT_FALSE(static_cast<bool>(file->copyFrom(*source, 7, 3, path)));
      EXPECT_FALSE(static_cast<bool>(file->copyFrom(*source, 0, 2, path)));
      sys::fs::closeFile(*source);
    }
    EXPECT_FALSE(static_cast<bool>(file->commit()));
  }
  EXPECT_EQ(read(), "78901");
}

TEST_F(OutputFileTest, ReportsAShortSource) {
  {
    Expected<OutputFile> file = OutputFile::create(path);
    ASSERT_TRUE(static_cast<bool>(file));
    EXPECT_FALSE(static_cast<bool>(file->write("abc")));
    EXPECT_FALSE(static_cast<bool>(file->commit()));
  }
  Expected<sys::fs::file_t> source = sys::fs::openNativeFileForRead(path);
  ASSERT_TRUE(static_cast<bool>(source));
  SmallString<128> other(folder);
  sys::path::append(other, "other");
  Expected<OutputFile> file = OutputFile::create(other);
  ASSERT_TRUE(static_cast<bool>(file));
  Error error = file->copyFrom(*source, 1, 5, path);
  EXPECT_TRUE(static_cast<bool>(error));
  EXPECT_NE(toString(std::move(error)).find("ends before byte 6"),
            std::string::npos);
  sys::fs::closeFile(*source);
}

TEST_F(OutputFileTest, NamesWhatCannotBeWritten) {
  SmallString<128> missing(folder);
  sys::path::append(missing, "no", "such");
  for (StringRef target : {StringRef(missing), StringRef(folder)}) {
    Expected<OutputFile> file = OutputFile::create(target);
    ASSERT_FALSE(static_cast<bool>(file));
    EXPECT_NE(toString(file.takeError()).find(target.str()), std::string::npos);
  }
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFileTest, ReportsAFullDevice) {
  Expected<OutputFile> file = OutputFile::create("/dev/full");
  ASSERT_TRUE(static_cast<bool>(file));
  Error error = file->write("abc");
  EXPECT_TRUE(static_cast<bool>(error));
  consumeError(std::move(error));
}

class OutputFilesTest : public OutputFileTest {
protected:
  /// A file in the folder with one byte, added to `files`.
  std::string add(StringRef name) {
    SmallString<128> target(folder);
    sys::path::append(target, name);
    Expected<OutputFile> file = OutputFile::create(target);
    EXPECT_TRUE(static_cast<bool>(file));
    EXPECT_FALSE(static_cast<bool>(file->write("x")));
    files.add(std::move(*file));
    return target.str().str();
  }

  OutputFiles files;
};

TEST_F(OutputFilesTest, AppearTogether) {
  std::string a = add("a"), b = add("b");
  EXPECT_FALSE(sys::fs::exists(a) || sys::fs::exists(b));
  EXPECT_EQ(files.getSize(a), 1u);
  EXPECT_EQ(files.getSize("c"), std::nullopt);
  EXPECT_FALSE(static_cast<bool>(files.commit()));
  EXPECT_TRUE(sys::fs::exists(a) && sys::fs::exists(b));
  EXPECT_EQ(countFiles(), 2u);
}

TEST_F(OutputFilesTest, LeaveNothingUncommitted) {
  add("a");
  files = OutputFiles();
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFilesTest, HaveNamesOfTheirOwn) {
  std::string a = add("a");
  SmallString<128> same(folder);
  sys::path::append(same, ".", "a");
  Expected<OutputFile> file = OutputFile::create(same);
  ASSERT_TRUE(static_cast<bool>(file));
  files.add(std::move(*file));
  EXPECT_NE(toString(files.commit()).find("another output has this name"),
            std::string::npos);
  files = OutputFiles();
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFilesTest, GoAgainWhenANameIsRefused) {
  std::string a = add("a"), b = add("b");
  add("c");
  // Where the second was to go there is a folder by now.
  EXPECT_FALSE(sys::fs::create_directory(b));
  Error error = files.commit();
  EXPECT_TRUE(static_cast<bool>(error));
  EXPECT_NE(toString(std::move(error)).find("cannot write '" + b + "'"),
            std::string::npos);
  files = OutputFiles();
  EXPECT_FALSE(sys::fs::exists(a));
  EXPECT_EQ(countFiles(), 1u);
}

} // namespace
