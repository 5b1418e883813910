//===- OutputFile.h - Files that appear whole or not at all -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_SUPPORT_OUTPUTFILE_H
#define HEADOPT_SUPPORT_OUTPUTFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include <optional>
#include <string>
#include <vector>

namespace headopt {

/// Writes next to the target and renames on commit(). Until then the target is
/// untouched, so a file may be replaced by one made from it; an object that is
/// destroyed uncommitted leaves nothing behind. "-" is standard output, and a
/// target that exists and is no regular file (a device, a pipe) is written
/// directly. Every error names the path as it was given ("-": standard output)
/// and carries the system's reason.
class OutputFile {
public:
  static llvm::Expected<OutputFile> create(llvm::StringRef path);

  OutputFile(OutputFile &&other) noexcept;
  OutputFile &operator=(OutputFile &&) = delete;
  ~OutputFile();

  /// Appends `bytes`.
  llvm::Error write(llvm::StringRef bytes);

  /// Appends `length` bytes of the open file `source` from `offset` on, without
  /// bringing them into this process where the system can.
  llvm::Error copyFrom(int source, uint64_t offset, uint64_t length,
                       llvm::StringRef sourceName);

  /// Makes the file durable and gives it its name.
  llvm::Error commit();

private:
  friend class OutputFiles;
  OutputFile(std::string name, std::string path,
             std::optional<llvm::sys::fs::TempFile> temp, int fd)
      : name(std::move(name)), path(std::move(path)), temp(std::move(temp)),
        fd(fd) {}
  llvm::Error error(std::error_code ec) const;
  /// Has the system begin to write out what it still holds in memory, so that
  /// commit() waits less.
  void startWriteback();
  /// The two halves of commit(). After the first all bytes are on the disk, or,
  /// where the target is written directly, have arrived.
  llvm::Error finish();
  llvm::Error publish();

  /// The path that was given, and where it leads.
  std::string name, path;
  /// Empty when the target is written directly.
  std::optional<llvm::sys::fs::TempFile> temp;
  int fd;
  /// Bytes written so far, and those of them already on their way out.
  uint64_t size = 0, writebackFrom = 0;
};

/// Files that appear together or not at all.
class OutputFiles {
public:
  /// Takes a file that all has been written to.
  void add(OutputFile file) { files.push_back(std::move(file)); }

  /// Makes all files durable, and only then gives them their names, in the
  /// order of add(). Two that are to have one name are an error. Should a name
  /// be refused after that, those given before go again; a file that was
  /// replaced by then stays so.
  llvm::Error commit();

  /// Size of the file that create() was called with `path` for; nullopt when
  /// there is none, or it is written directly.
  std::optional<uint64_t> getSize(llvm::StringRef path) const;

private:
  std::vector<OutputFile> files;
};

} // namespace headopt

#endif // HEADOPT_SUPPORT_OUTPUTFILE_H
