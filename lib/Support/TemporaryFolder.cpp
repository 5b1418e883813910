//===- TemporaryFolder.cpp - A folder that is gone afterwards -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/TemporaryFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

using namespace llvm;
using namespace headopt;

Expected<TemporaryFolder> TemporaryFolder::create() {
  SmallString<128> parent, path;
  sys::path::system_temp_directory(/*ErasedOnReboot=*/true, parent);
  SmallString<128> prefix(parent);
  sys::path::append(prefix, "head-opt");
  if (std::error_code ec = sys::fs::createUniqueDirectory(prefix, path))
    return createStringError(
        ec, "cannot make a temporary folder in '%s': %s; set TMPDIR",
        parent.c_str(), ec.message().c_str());
  return TemporaryFolder(path.str().str());
}

TemporaryFolder::~TemporaryFolder() {
  if (!path.empty())
    (void)sys::fs::remove_directories(path);
}

std::string TemporaryFolder::getFile(StringRef name) const {
  SmallString<128> file(path);
  sys::path::append(file, name);
  // Files go also when a signal ends the process; the empty folder stays.
  sys::RemoveFileOnSignal(file);
  return file.str().str();
}
