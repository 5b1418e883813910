//===- Fiber.cpp - A stack that can be left and entered again -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fiber.h"
#include <sys/mman.h>

using namespace headopt::emulator;

/// Below each stack, so that a kernel that needs more is seen.
static constexpr size_t guardBytes = 64 * 1024;

Fiber::~Fiber() {
  if (stack)
    munmap(stack - guardBytes, guardBytes + stackBytes);
}

static char *allocateStack() {
  void *memory =
      mmap(nullptr, guardBytes + Fiber::stackBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  mprotect(memory, guardBytes, PROT_NONE);
  return static_cast<char *>(memory) + guardBytes;
}

#ifdef __x86_64__

/// Puts the callee-saved registers on this stack, goes to the other one and
/// takes them from there.
extern "C" void headoptEmulatorSwitch(void **from, void *to);

asm(R"(
    .text
    .p2align 4
    .hidden headoptEmulatorSwitch
    .globl headoptEmulatorSwitch
    .type headoptEmulatorSwitch, @function
headoptEmulatorSwitch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size headoptEmulatorSwitch, .-headoptEmulatorSwitch
)");

bool Fiber::prepare(void (*entry)()) {
  if (!stack)
    stack = allocateStack();
  if (!stack)
    return false;
  // What headoptEmulatorSwitch takes: six registers and where to go. The word
  // above stands for a return address, so that the stack is aligned as after a
  // call.
  void **top = reinterpret_cast<void **>(stack + stackBytes);
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; ++i)
    *--top = nullptr;
  inside = static_cast<void *>(top);
  return true;
}

void Fiber::enter() { headoptEmulatorSwitch(&outside, inside); }
void Fiber::leave() { headoptEmulatorSwitch(&inside, outside); }

#else

bool Fiber::prepare(void (*entry)()) {
  if (!stack)
    stack = allocateStack();
  if (!stack)
    return false;
  getcontext(&inside);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = stackBytes;
  inside.uc_link = nullptr;
  makecontext(&inside, entry, 0);
  return true;
}

void Fiber::enter() { swapcontext(&outside, &inside); }
void Fiber::leave() { swapcontext(&inside, &outside); }

#endif
