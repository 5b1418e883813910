//===- OutputFile.h - A file that appears whole or not at all ---*- C++ -*-===//
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

namespace headopt {

/// Writes next to the target and renames on commit(). Until then the target is
/// untouched, so a file may be replaced by one made from it; an object that is
/// destroyed uncommitted leaves nothing behind. "-" is standard output, and a
/// target that exists and is no regular file (a device, a pipe) is written
/// directly. Every error names the path and carries the system's reason.
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
  OutputFile(std::string path, std::optional<llvm::sys::fs::TempFile> temp,
             int fd)
      : path(std::move(path)), temp(std::move(temp)), fd(fd) {}
  llvm::Error error(std::error_code ec) const;
  /// Has the system begin to write out what it still holds in memory, so that
  /// commit() waits less.
  void startWriteback();

  std::string path;
  /// Empty when the target is written directly.
  std::optional<llvm::sys::fs::TempFile> temp;
  int fd;
  /// Bytes written so far, and those of them already on their way out.
  uint64_t size = 0, writebackFrom = 0;
};

} // namespace headopt

#endif // HEADOPT_SUPPORT_OUTPUTFILE_H
