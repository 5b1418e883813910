//===- OutputFile.cpp - Files that appear whole or not at all -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/OutputFile.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/Path.h"
#include <fcntl.h>
#include <unistd.h>
#include <vector>

using namespace llvm;
using namespace headopt;

static std::error_code lastError() {
  return std::error_code(errno, std::generic_category());
}

Error OutputFile::error(std::error_code ec) const {
  std::string target = name == "-" ? "to standard output" : "'" + name + "'";
  return createStringError(ec, "cannot write %s: %s", target.c_str(),
                           ec.message().c_str());
}

Expected<OutputFile> OutputFile::create(StringRef path) {
  std::string name = path.str(), target = name;
  if (path == "-")
    return OutputFile(name, target, std::nullopt, STDOUT_FILENO);

  auto fail = [&](std::error_code ec) {
    return OutputFile(name, target, std::nullopt, -1).error(ec);
  };
  sys::fs::file_status status;
  if (!sys::fs::status(path, status)) {
    if (status.type() == sys::fs::file_type::directory_file)
      return fail(std::make_error_code(std::errc::is_a_directory));
    if (status.type() != sys::fs::file_type::regular_file) {
      int fd = sys::RetryAfterSignal(-1, ::open, target.c_str(),
                                     O_WRONLY | O_CLOEXEC);
      if (fd < 0)
        return fail(lastError());
      return OutputFile(name, target, std::nullopt, fd);
    }
    // Replace what a link points at, not the link.
    SmallString<256> real;
    if (!sys::fs::real_path(path, real))
      target = real.str().str();
  }

  // The same for the folder, so that each file has one path.
  StringRef folder = sys::path::parent_path(target);
  SmallString<256> real;
  if (!sys::fs::real_path(folder.empty() ? "." : folder, real)) {
    sys::path::append(real, sys::path::filename(target));
    target = real.str().str();
  }

  // A name of its own, since the target's may be as long as names can be.
  SmallString<256> pattern(sys::path::parent_path(target));
  sys::path::append(pattern, ".head-opt-%%%%%%%%.tmp");
  Expected<sys::fs::TempFile> temp = sys::fs::TempFile::create(pattern);
  if (!temp)
    return fail(errorToErrorCode(temp.takeError()));
  int fd = temp->FD;
  return OutputFile(name, target, std::move(*temp), fd);
}

OutputFile::OutputFile(OutputFile &&other) noexcept
    : name(std::move(other.name)), path(std::move(other.path)),
      temp(std::move(other.temp)), fd(other.fd), size(other.size),
      writebackFrom(other.writebackFrom) {
  other.temp.reset();
  other.fd = -1;
}

OutputFile::~OutputFile() {
  if (temp)
    consumeError(temp->discard());
  else if (fd > STDERR_FILENO)
    ::close(fd);
}

void OutputFile::startWriteback() {
  static constexpr uint64_t kStretch = 16 << 20;
  if (!temp || size - writebackFrom < kStretch)
    return;
  // Only advice: what goes wrong here, commit() sees.
  (void)::sync_file_range(fd, writebackFrom, size - writebackFrom,
                          SYNC_FILE_RANGE_WRITE);
  writebackFrom = size;
}

Error OutputFile::write(StringRef bytes) {
  while (!bytes.empty()) {
    ssize_t written =
        sys::RetryAfterSignal(-1, ::write, fd, bytes.data(), bytes.size());
    if (written < 0)
      return error(lastError());
    bytes = bytes.drop_front(written);
    size += written;
    startWriteback();
  }
  return Error::success();
}

Error OutputFile::copyFrom(int source, uint64_t offset, uint64_t length,
                           StringRef sourceName) {
  auto ended = [&] {
    return createStringError(
        std::errc::io_error, "'%s' ends before byte %llu: it was cut short",
        sourceName.str().c_str(), (unsigned long long)(offset + length));
  };
  // So that writing to the device starts while there is more to copy.
  static constexpr uint64_t kMaxCopy = 16 << 20;
  static constexpr uint64_t kBuffer = 1 << 20;
  // The kernel moves (or shares) whole pages; when the bytes lie otherwise in
  // theirs than they will here, it is slower than a copy through a buffer.
  static constexpr uint64_t kPage = 4096;
  bool inKernel = offset % kPage == size % kPage;
  std::vector<char> buffer(inKernel ? 0 : std::min(length, kBuffer));
  while (length) {
    if (inKernel) {
      loff_t from = offset;
      ssize_t copied = ::copy_file_range(source, &from, fd, nullptr,
                                         std::min(length, kMaxCopy), 0);
      if (copied > 0) {
        offset += copied;
        length -= copied;
        size += copied;
        startWriteback();
        continue;
      }
      if (copied == 0)
        return ended();
      if (errno == EINTR)
        continue;
      if (errno == ENOSPC || errno == EFBIG || errno == EIO || errno == EDQUOT)
        return error(lastError());
      // Two file systems, a pipe, an old kernel: read and write instead.
      inKernel = false;
      buffer.resize(kBuffer);
    }
    ssize_t got = sys::RetryAfterSignal(
        -1, ::pread, source, buffer.data(),
        std::min<uint64_t>(length, buffer.size()), static_cast<off_t>(offset));
    if (got < 0) {
      std::error_code ec = lastError();
      return createStringError(ec, "cannot read '%s': %s",
                               sourceName.str().c_str(), ec.message().c_str());
    }
    if (got == 0)
      return ended();
    if (Error err = write(StringRef(buffer.data(), got)))
      return err;
    offset += got;
    length -= got;
  }
  return Error::success();
}

Error OutputFile::commit() {
  if (Error err = finish())
    return err;
  return publish();
}

Error OutputFile::finish() {
  if (!temp) {
    // A full device may report only here.
    int last = fd;
    fd = -1;
    if (last > STDERR_FILENO && ::close(last) != 0)
      return error(lastError());
    return Error::success();
  }
  // Without this a crash of the machine could leave the name on an empty file.
  if (sys::RetryAfterSignal(-1, ::fsync, fd) != 0)
    return error(lastError());
  return Error::success();
}

Error OutputFile::publish() {
  if (!temp)
    return Error::success();
  sys::fs::TempFile file = std::move(*temp);
  temp.reset();
  if (Error err = file.keep(path)) {
    std::error_code ec = errorToErrorCode(std::move(err));
    return error(ec);
  }
  return Error::success();
}

Error OutputFiles::commit() {
  StringSet<> paths;
  for (OutputFile &file : files)
    if (file.temp && !paths.insert(file.path).second)
      return createStringError("cannot write '" + file.name +
                               "': another output has this name; give them "
                               "different ones");
  for (OutputFile &file : files)
    if (Error err = file.finish())
      return err;
  std::vector<std::string> created;
  for (OutputFile &file : files) {
    bool isNew = file.temp && !sys::fs::exists(file.path);
    if (Error err = file.publish()) {
      for (const std::string &path : created)
        (void)sys::fs::remove(path);
      return err;
    }
    if (isNew)
      created.push_back(file.path);
  }
  return Error::success();
}

std::optional<uint64_t> OutputFiles::getSize(StringRef path) const {
  for (const OutputFile &file : files)
    if (file.name == path && file.temp)
      return file.size;
  return std::nullopt;
}
