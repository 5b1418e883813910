//===- Program.cpp - Running other programs -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/Program.h"
#include "headopt/Support/TemporaryFolder.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace llvm;
using namespace headopt;

/// What a program complained of: the first line with an error, for there may be
/// warnings before it, or else the first line.
static std::string readComplaint(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return "";
  SmallVector<StringRef> lines;
  (*buffer)->getBuffer().trim().split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("error") || line.contains("fatal"))
      return line.trim().str();
  return lines.front().trim().str();
}

Error headopt::runProgram(ArrayRef<std::string> command, StringRef task,
                          StringRef advice) {
  Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::string said = folder->getFile("stderr");
  SmallVector<StringRef> arguments(command.begin(), command.end());
  std::string reason;
  int status = sys::ExecuteAndWait(command.front(), arguments, std::nullopt,
                                   {StringRef(), StringRef(), StringRef(said)},
                                   0, 0, &reason);
  if (status == 0)
    return Error::success();
  std::string line = readComplaint(said);
  if (line.empty())
    line = reason.empty() ? "exit status " + std::to_string(status) : reason;
  return createStringError(std::errc::no_such_file_or_directory,
                           "%s could not %s: %s%s%s", command.front().c_str(),
                           task.str().c_str(), line.c_str(),
                           advice.empty() ? "" : "; ", advice.str().c_str());
}
