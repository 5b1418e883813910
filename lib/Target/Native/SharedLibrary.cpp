//===- SharedLibrary.cpp - Linking a compiled head ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/SharedLibrary.h"
#include "headopt/Support/Program.h"
#include "headopt/Target/Native/Target.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <vector>

using namespace llvm;
using namespace headopt;

static Error error(const Twine &what) {
  return createStringError(std::errc::no_such_file_or_directory, "%s",
                           what.str().c_str());
}

/// What works without a linker.
static constexpr StringLiteral kOrObject = "--emit=obj needs no linker";

/// `hint` is what else to do when it fails.
static Error run(ArrayRef<std::string> command, StringRef hint = "") {
  return runProgram(command, "link the head", hint);
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

/// The C compiler for `triple`, as it is called.
static std::string getCompiler(const Triple &triple) {
  return isHost(triple) ? "cc"
                        : (triple.getArchName() + "-linux-gnu-gcc").str();
}

/// Path of ld.lld, or nothing.
static std::optional<std::string> findLld() {
  for (const char *name : {"ld.lld", "ld.lld-22"})
    if (ErrorOr<std::string> lld = sys::findProgramByName(name))
      return *lld;
  return std::nullopt;
}

static Error noLinker(const Triple &triple, StringRef use, StringRef hint) {
  return error("there is neither " + getCompiler(triple) +
               " nor ld.lld on PATH to link " + use +
               "; install one (Debian: apt-get install " +
               (isHost(triple)
                    ? "gcc"
                    : "gcc-" + triple.getArchName().str() + "-linux-gnu") +
               ")" + hint);
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

  std::vector<std::string> command;
  if (ErrorOr<std::string> cc =
          sys::findProgramByName(getCompiler(options.triple))) {
    command = {*cc, "-shared", "-nostdlib"};
    for (const std::string &flag : flags) {
      command.emplace_back("-Xlinker");
      command.push_back(flag);
    }
    command.insert(command.end(), {"-o", output.str(), object.str()});
    command.insert(command.end(), options.objects.begin(),
                   options.objects.end());
    if (options.openMP)
      command.emplace_back("-l:libomp.so.5");
    if (options.libm)
      command.emplace_back("-lm");
    if (options.libc)
      command.emplace_back("-lc");
    return run(command, kOrObject);
  }

  if (std::optional<std::string> lld = findLld()) {
    command = {*lld, "-shared"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"-o", output.str(), object.str()});
    command.insert(command.end(), options.objects.begin(),
                   options.objects.end());
    if (Error missing = addLibraries(command, options))
      return missing;
    return run(command, kOrObject);
  }
  return noLinker(options.triple, "a shared library", ", or use --emit=obj");
}

/// Makes the hidden symbols of the object file `path` local. A linker does that
/// in what it finishes only.
static Error localizeHidden(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return error("cannot read '" + path + "': " + buffer.getError().message());
  Expected<std::unique_ptr<object::ObjectFile>> object =
      object::ObjectFile::createObjectFile(**buffer);
  if (!object)
    return object.takeError();
  objcopy::ConfigManager config;
  config.ELF.LocalizeHidden = true;
  // Beside the file that is still being read.
  std::string changed = path.str() + ".local";
  std::error_code ec;
  {
    raw_fd_ostream os(changed, ec);
    if (ec)
      return error("cannot write '" + changed + "': " + ec.message());
    if (Error failed = objcopy::executeObjcopyOnBinary(config, **object, os))
      return failed;
    os.close();
    ec = os.error();
    os.clear_error();
  }
  if (!ec)
    ec = sys::fs::rename(changed, path);
  if (ec)
    return error("cannot write '" + path + "': " + ec.message());
  return Error::success();
}

Error headopt::joinObjects(ArrayRef<std::string> objects, StringRef output,
                           const Triple &triple) {
  std::vector<std::string> command;
  if (ErrorOr<std::string> cc = sys::findProgramByName(getCompiler(triple)))
    command = {*cc, "-r", "-nostdlib"};
  else if (std::optional<std::string> lld = findLld())
    command = {*lld, "-r"};
  else
    return noLinker(triple, "the runtime to the head", "");
  command.insert(command.end(), {"-o", output.str()});
  command.insert(command.end(), objects.begin(), objects.end());
  if (Error failed = run(command))
    return failed;
  return localizeHidden(output);
}
