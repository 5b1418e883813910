//===- TemporaryFolder.h - A folder that is gone afterwards -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_SUPPORT_TEMPORARYFOLDER_H
#define HEADOPT_SUPPORT_TEMPORARYFOLDER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace headopt {

/// A folder of our own below the system's folder for temporary files ($TMPDIR).
/// It goes with the object, with all that is in it.
class TemporaryFolder {
public:
  static llvm::Expected<TemporaryFolder> create();

  TemporaryFolder(TemporaryFolder &&other) noexcept
      : path(std::move(other.path)) {
    other.path.clear();
  }
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  /// Path of a file in it, which need not exist.
  std::string getFile(llvm::StringRef name) const;

private:
  explicit TemporaryFolder(std::string path) : path(std::move(path)) {}

  /// Empty once moved from.
  std::string path;
};

} // namespace headopt

#endif // HEADOPT_SUPPORT_TEMPORARYFOLDER_H
