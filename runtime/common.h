//===- common.h - What the runtimes of all drivers share ---------*- C -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_RUNTIME_COMMON_H
#define HEADOPT_RUNTIME_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// On every definition that another file of the runtime or the head refers to.
/// Hidden, for a runtime belongs to the head that it is linked into; weak, for
/// heads that are linked into one program may each bring theirs.
#define HEADOPT_RUNTIME __attribute__((weak, visibility("hidden")))

/// Sets the text of this thread's last error. Newlines become spaces.
void headopt_runtime_say(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/// One lock for all that the threads of a program share.
void headopt_runtime_lock(void);
void headopt_runtime_unlock(void);

/// Opens the first of `libraries` that is there; NULL ends the list. One that
/// the process already has is taken before any that would be a second driver.
/// Gives NULL when there is none; libraries are not closed again.
void *headopt_runtime_open(const char *const *libraries);

/// A function of a library, and where in a table a pointer to it belongs.
struct headopt_runtime_symbol {
  const char *name;
  size_t offset;
  /// May be missing; then the pointer is NULL.
  bool optional;
};

/// Fills in `table`. Gives the name of a function that is missing, or NULL.
const char *headopt_runtime_bind(void *library,
                                 const struct headopt_runtime_symbol *symbols,
                                 size_t num_symbols, void *table);

#endif // HEADOPT_RUNTIME_COMMON_H
