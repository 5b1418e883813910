//===- Assemble.cpp - Binaries for devices, by other programs -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Backends.h"
#include "headopt/Support/Program.h"
#include "headopt/Support/TemporaryFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace headopt;

static Error writeFile(StringRef path, StringRef bytes) {
  std::error_code ec;
  raw_fd_ostream os(path, ec);
  if (!ec) {
    os << bytes;
    os.close();
    ec = os.error();
    os.clear_error();
  }
  if (ec)
    return createStringError(ec, "cannot write '%s': %s", path.str().c_str(),
                             ec.message().c_str());
  return Error::success();
}

/// Gives `input` to the program that `makeCommand` names, by files, and returns
/// what it wrote.
static Expected<std::string>
transform(StringRef input, StringRef task, StringRef advice,
          function_ref<std::vector<std::string>(std::string, std::string)>
              makeCommand) {
  Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  std::string from = folder->getFile("kernels.in");
  std::string to = folder->getFile("kernels.out");
  if (Error failed = writeFile(from, input))
    return std::move(failed);
  if (Error failed = runProgram(makeCommand(from, to), task, advice))
    return std::move(failed);
  ErrorOr<std::unique_ptr<MemoryBuffer>> output = MemoryBuffer::getFile(
      to, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!output)
    return createStringError(output.getError(), "cannot read '%s': %s",
                             to.c_str(), output.getError().message().c_str());
  return (*output)->getBuffer().str();
}

/// CUDA's assembler, where its own tools look for it.
static ErrorOr<std::string> findPTXAS() {
  if (ErrorOr<std::string> path = sys::findProgramByName("ptxas"))
    return path;
  std::string home = sys::Process::GetEnv("CUDA_HOME").value_or("");
  if (!home.empty())
    if (ErrorOr<std::string> path =
            sys::findProgramByName("ptxas", {home + "/bin"}))
      return path;
  return sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
}

Expected<std::string> headopt::assemblePTX(StringRef ptx, StringRef chip) {
  ErrorOr<std::string> ptxas = findPTXAS();
  if (!ptxas)
    return createStringError(
        std::errc::no_such_file_or_directory,
        "there is no ptxas on PATH, in $CUDA_HOME/bin or in "
        "/usr/local/cuda/bin to make a cubin; use PTX, which the driver takes "
        "too, or install CUDA's tools");
  return transform(ptx, "assemble the kernels",
                   "PTX, which the driver takes too, needs no assembler",
                   [&](std::string from, std::string to) {
                     return std::vector<std::string>{
                         *ptxas, "-O3", "-arch=" + chip.str(), "-o", to, from};
                   });
}

Expected<std::string> headopt::linkCodeObject(StringRef object) {
  for (const char *name : {"ld.lld-22", "ld.lld"}) {
    ErrorOr<std::string> lld = sys::findProgramByName(name);
    if (!lld)
      continue;
    return transform(object, "link the kernels", "try another version of lld",
                     [&](std::string from, std::string to) {
                       return std::vector<std::string>{
                           *lld, "-shared", "--no-undefined", "-o", to, from};
                     });
  }
  return createStringError(std::errc::no_such_file_or_directory,
                           "there is no ld.lld on PATH to link the code object "
                           "that HIP loads; install it (Debian: apt-get "
                           "install lld)");
}
