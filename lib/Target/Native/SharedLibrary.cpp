//===- SharedLibrary.cpp - Linking a compiled head ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/SharedLibrary.h"
#include "headopt/Support/Program.h"
#include "headopt/Target/Native/Target.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include <vector>

using namespace llvm;
using namespace headopt;

static Error error(const Twine &what) {
  return createStringError(std::errc::no_such_file_or_directory, "%s",
                           what.str().c_str());
}

static Error run(ArrayRef<std::string> command) {
  return runProgram(command, "link the head", "--emit=obj needs no linker");
}

static std::string findFile(ArrayRef<std::string> folders, StringRef name) {
  for (const std::string &folder : folders)
    if (std::string path = folder + "/" + name.str(); sys::fs::exists(path))
      return path;
  return "";
}

/// ld.lld knows no folders by itself.
static Error addLibraries(std::vector<std::string> &command,
                          const LinkOptions &options) {
  std::string gnu = (options.triple.getArchName() + "-linux-gnu").str();
  std::vector<std::string> folders{"/usr/lib/" + gnu, "/lib/" + gnu,
                                   "/usr/" + gnu + "/lib"};
  if (isHost(options.triple))
    for (const char *folder : {"/usr/lib64", "/lib64", "/usr/lib", "/lib"})
      folders.emplace_back(folder);
  auto add = [&](bool needed, StringRef name) -> Error {
    if (!needed)
      return Error::success();
    std::string path = findFile(folders, name);
    if (path.empty())
      return error("the head needs " + name + " of " + options.triple.str() +
                   ", which is in none of the usual folders; install a C "
                   "compiler for that target, or use --emit=obj");
    command.push_back(path);
    return Error::success();
  };
  if (Error missing = add(options.openMP, "libomp.so.5"))
    return missing;
  if (Error missing = add(options.libm, "libm.so.6"))
    return missing;
  if (Error missing = add(options.libc, "libc.so.6"))
    return missing;
  // Where __tls_get_addr is.
  if (options.libc && options.triple.getArch() == Triple::x86_64)
    return add(true, "ld-linux-x86-64.so.2");
  return Error::success();
}

Error headopt::linkSharedLibrary(StringRef object, StringRef output,
                                 const LinkOptions &options) {
  // Resolved when loaded, nothing undefined, nothing both writable and
  // executable.
  std::vector<std::string> flags{"-z",
                                 "defs",
                                 "-z",
                                 "now",
                                 "-z",
                                 "relro",
                                 "-z",
                                 "noexecstack",
                                 "--as-needed",
                                 "--hash-style=gnu",
                                 "--build-id=none"};
  if (!options.soname.empty())
    flags.push_back("-soname=" + options.soname);

  std::string compiler =
      isHost(options.triple)
          ? "cc"
          : (options.triple.getArchName() + "-linux-gnu-gcc").str();
  std::vector<std::string> command;
  if (ErrorOr<std::string> cc = sys::findProgramByName(compiler)) {
    command = {*cc, "-shared", "-nostdlib"};
    for (const std::string &flag : flags) {
      command.emplace_back("-Xlinker");
      command.push_back(flag);
    }
    command.insert(command.end(), {"-o", output.str(), object.str()});
    if (options.openMP)
      command.emplace_back("-l:libomp.so.5");
    if (options.libm)
      command.emplace_back("-lm");
    if (options.libc)
      command.emplace_back("-lc");
    return run(command);
  }

  for (const char *name : {"ld.lld", "ld.lld-22"}) {
    ErrorOr<std::string> lld = sys::findProgramByName(name);
    if (!lld)
      continue;
    command = {*lld, "-shared"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"-o", output.str(), object.str()});
    if (Error missing = addLibraries(command, options))
      return missing;
    return run(command);
  }
  return error(
      "there is neither " + Twine(compiler) +
      " nor ld.lld on PATH to link a shared library; install one "
      "(Debian: apt-get install " +
      (isHost(options.triple)
           ? "gcc"
           : "gcc-" + options.triple.getArchName().str() + "-linux-gnu") +
      "), or use --emit=obj");
}
