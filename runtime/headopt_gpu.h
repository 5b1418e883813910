//===- headopt_gpu.h - What a head for a GPU asks of its runtime -*- C -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that the generated code of a head calls, and the data that it
// hands over. cuda.c, hip.c and vulkan.c each implement all of them; one is
// linked into the head. Private to the project: users see NAME_cuda() and its
// like, docs/GPU.md.
//
// A call of a head on device memory is
//
//   headopt_gpu_begin(&call, &program, stream, scratch_bytes);
//   headopt_gpu_launch(&call, kernel, blocks, args);    // as often as needed
//   return headopt_gpu_end(&call);
//
// and one on host memory is
//
//   headopt_gpu_stage(&call, &program, input, input_bytes, output_bytes);
//   int32_t code = 0;
//   if (headopt_gpu_staged_input(&call))
//     code = NAME_cuda(headopt_gpu_staged_input(&call), ...,
//                      headopt_gpu_staged_output(&call),
//                      headopt_gpu_staged_stream(&call));
//   return headopt_gpu_unstage(&call, output, output_bytes, code);
//
// No function needs its caller to look for errors: the first error of a call is
// kept, whatever follows does nothing but clean up, and the last function gives
// the error's code. The last function must be called whatever happened.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_RUNTIME_HEADOPT_GPU_H
#define HEADOPT_RUNTIME_HEADOPT_GPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of what follows, for headopt_gpu_program::version.
enum { HEADOPT_GPU_VERSION = 1 };

/// What a head returns.
enum headopt_gpu_code {
  HEADOPT_GPU_SUCCESS = 0,
  /// An argument is not what the head takes.
  HEADOPT_GPU_BAD_ARGUMENT = 1,
  /// There is no driver, or it finds no device.
  HEADOPT_GPU_NO_DEVICE = 2,
  /// The driver reports an error.
  HEADOPT_GPU_DRIVER_ERROR = 3,
  HEADOPT_GPU_OUT_OF_MEMORY = 4,
};

struct headopt_gpu_kernel {
  const char *name;
  /// One letter for each argument: 'p' a buffer, 'i' an index (64 bits), 'w' an
  /// integer of 32 bits, 'f' a float of 32 bits.
  const char *args;
  /// Threads in a block.
  uint32_t threads;
  uint32_t reserved;
};

struct headopt_gpu_constant {
  const void *data;
  uint64_t bytes;
};

/// A head's device code, its constants, and what the runtime knows of it.
struct headopt_gpu_program {
  uint32_t version;
  uint32_t subgroup_size;
  uint32_t num_kernels;
  uint32_t num_constants;
  /// Of the head, for error messages.
  const char *name;
  /// Of the device, as in sm_80, for error messages; "" where any will do.
  const char *chip;
  /// PTX, cubin, hsaco or SPIR-V.
  const void *binary;
  uint64_t binary_bytes;
  const struct headopt_gpu_kernel *kernels;
  const struct headopt_gpu_constant *constants;
  /// A variable of the program's own, NULL at first and then the runtime's. It
  /// is one for all threads.
  void **state;
};

/// A call in progress, on its caller's stack; not set before.
struct headopt_gpu_call {
  uint64_t opaque[32];
};

/// Starts a call that runs on `stream`, with `scratch_bytes` of device memory
/// for as long as it takes. When it is the first one in the current context,
/// loads the device code and copies the constants.
void headopt_gpu_begin(struct headopt_gpu_call *call,
                       const struct headopt_gpu_program *program, void *stream,
                       uint64_t scratch_bytes);

/// The scratch memory's device address, a multiple of 256; 0 after an error,
/// and where no byte was asked for.
uint64_t headopt_gpu_scratch(struct headopt_gpu_call *call);

/// A constant's device address, a multiple of 256; 0 after an error.
uint64_t headopt_gpu_constant(struct headopt_gpu_call *call, uint32_t index);

/// Launches `blocks` blocks of a kernel; none for 0. Each argument is in 64
/// bits of its own, one of 32 bits in the low half.
void headopt_gpu_launch(struct headopt_gpu_call *call, uint32_t kernel,
                        uint64_t blocks, const uint64_t *args);

/// Ends what headopt_gpu_begin started, without waiting for the kernels where
/// the driver can free memory later. Gives a headopt_gpu_code.
int32_t headopt_gpu_end(struct headopt_gpu_call *call);

/// Starts a call on host memory: makes a stream, and device memory with a copy
/// of `input` and room for the output.
void headopt_gpu_stage(struct headopt_gpu_call *call,
                       const struct headopt_gpu_program *program,
                       const void *input, uint64_t input_bytes,
                       uint64_t output_bytes);

/// Device address of the input's copy; 0 after an error and only then.
uint64_t headopt_gpu_staged_input(struct headopt_gpu_call *call);

/// Device address of the room for the output; 0 after an error and only then.
uint64_t headopt_gpu_staged_output(struct headopt_gpu_call *call);

/// The stream to run on.
void *headopt_gpu_staged_stream(struct headopt_gpu_call *call);

/// Ends what headopt_gpu_stage started. `code` is what the head itself gave; if
/// it is 0, copies the output back. Waits for the device in any case. Gives the
/// first error's code.
int32_t headopt_gpu_unstage(struct headopt_gpu_call *call, void *output,
                            uint64_t output_bytes, int32_t code);

/// For a call whose arguments are not what the head takes: keeps a text that
/// says so. Gives HEADOPT_GPU_BAD_ARGUMENT.
int32_t headopt_gpu_reject(const struct headopt_gpu_program *program);

/// What the last error of this thread was, in one line, with the driver's
/// words; "" when there was none. Valid until the thread's next error.
const char *headopt_gpu_error(void);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // HEADOPT_RUNTIME_HEADOPT_GPU_H
