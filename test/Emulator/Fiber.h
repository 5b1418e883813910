//===- Fiber.h - A stack that can be left and entered again -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every GPU thread is a fiber. Switching costs a few nanoseconds on x86-64; on
// other hosts it is ucontext's, which is slower by two system calls.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_TEST_EMULATOR_FIBER_H
#define HEADOPT_TEST_EMULATOR_FIBER_H

#include <cstddef>
#include <cstdint>
#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace headopt::emulator {

class Fiber {
public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber &) = delete;
  Fiber &operator=(const Fiber &) = delete;

  /// Has the next `enter` call `entry`, which must not return. False when there
  /// is no memory for a stack.
  bool prepare(void (*entry)());

  /// Runs the fiber until it leaves.
  void enter();
  /// Goes back to who entered.
  void leave();

  /// Whether `address` is on the fiber's stack.
  bool owns(uintptr_t address) const {
    return address - reinterpret_cast<uintptr_t>(stack) < stackBytes;
  }

  static constexpr size_t stackBytes = 128 * 1024;

private:
  char *stack = nullptr;
#ifdef __x86_64__
  void *inside = nullptr, *outside = nullptr;
#else
  ucontext_t inside, outside;
#endif
};

} // namespace headopt::emulator

#endif // HEADOPT_TEST_EMULATOR_FIBER_H
