//===- common.c - What the runtimes of all drivers share ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "common.h"
#include "headopt_gpu.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[2048];

HEADOPT_RUNTIME void headopt_runtime_say(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(last_error, sizeof(last_error), format, args);
  va_end(args);
  // Compilers say more than one line.
  for (char *c = last_error; *c; ++c)
    if (*c == '\n' || *c == '\r')
      *c = ' ';
  for (size_t length = strlen(last_error);
       length && last_error[length - 1] == ' '; --length)
    last_error[length - 1] = '\0';
}

HEADOPT_RUNTIME int32_t
headopt_gpu_reject(const struct headopt_gpu_program *program) {
  headopt_runtime_say("bad arguments for '%s': the batch or an extent is not "
                      "one that it takes, or a pointer is null",
                      program->name);
  return HEADOPT_GPU_BAD_ARGUMENT;
}

HEADOPT_RUNTIME const char *headopt_gpu_error(void) { return last_error; }

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

HEADOPT_RUNTIME void headopt_runtime_lock(void) { pthread_mutex_lock(&mutex); }

HEADOPT_RUNTIME void headopt_runtime_unlock(void) {
  pthread_mutex_unlock(&mutex);
}

HEADOPT_RUNTIME void *headopt_runtime_open(const char *const *libraries) {
  const int flags[] = {RTLD_NOW | RTLD_NOLOAD, RTLD_NOW};
  for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); ++i)
    for (const char *const *name = libraries; *name; ++name) {
      void *library = dlopen(*name, flags[i]);
      if (library)
        return library;
    }
  return NULL;
}

HEADOPT_RUNTIME const char *
headopt_runtime_bind(void *library,
                     const struct headopt_runtime_symbol *symbols,
                     size_t num_symbols, void *table) {
  for (size_t i = 0; i < num_symbols; ++i) {
    void *address = dlsym(library, symbols[i].name);
    if (!address && !symbols[i].optional)
      return symbols[i].name;
    // C has no conversion from object to function pointers.
    memcpy((char *)table + symbols[i].offset, &address, sizeof(address));
  }
  return NULL;
}
