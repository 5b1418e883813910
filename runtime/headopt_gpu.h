/*===- headopt_gpu.h - What compiled heads call to use a GPU ------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|* One interface for CUDA, HIP and Vulkan; each runtime is one object that is
|* linked into the head. Calls between begin and end (stage and unstage) may
|* follow an error: they then do nothing, and end (unstage) returns its code.
|* Codes: 0 success, 1 bad arguments, 2 no driver or no device, 3 the driver
|* reports an error, 4 out of device memory.
|*
\*===----------------------------------------------------------------------===*/

#ifndef HEADOPT_GPU_H
#define HEADOPT_GPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two heads in one program share one runtime. */
#define HEADOPT_GPU_FUNCTION __attribute__((visibility("hidden"), weak))

struct headopt_gpu_kernel {
  const char *name;
  const char *args; /* a letter each: 'p' buffer, 'i' index, 'w' i32, 'f' f32 */
  uint32_t threads;
  uint32_t reserved;
};

struct headopt_gpu_constant {
  const void *data;
  uint64_t bytes;
};

struct headopt_gpu_program {
  uint32_t version; /* 1 */
  uint32_t subgroup_size;
  uint32_t num_kernels;
  uint32_t num_constants;
  const char *name;
  const char *chip;
  const void *binary;
  uint64_t binary_bytes;
  const struct headopt_gpu_kernel *kernels;
  const struct headopt_gpu_constant *constants;
  void **state; /* writable, NULL at first; the runtime's own */
};

struct headopt_gpu_call {
  uint64_t opaque[32];
};

/* Loads the module and uploads the constants once per context. The scratch
   memory is ordered with the stream. */
HEADOPT_GPU_FUNCTION void
headopt_gpu_begin(struct headopt_gpu_call *call,
                  const struct headopt_gpu_program *program, void *stream,
                  uint64_t scratch_bytes);
/* Device addresses, 256-byte aligned. */
HEADOPT_GPU_FUNCTION uint64_t
headopt_gpu_scratch(struct headopt_gpu_call *call);
HEADOPT_GPU_FUNCTION uint64_t
headopt_gpu_constant(struct headopt_gpu_call *call, uint32_t index);
HEADOPT_GPU_FUNCTION void headopt_gpu_launch(struct headopt_gpu_call *call,
                                             uint32_t kernel, uint64_t blocks,
                                             const uint64_t *args);
/* Frees the scratch memory; 0 or the code of the call's first error. */
HEADOPT_GPU_FUNCTION int32_t headopt_gpu_end(struct headopt_gpu_call *call);

/* For callers with host memory: device buffers for input and output, copies and
   a stream of their own. */
HEADOPT_GPU_FUNCTION void
headopt_gpu_stage(struct headopt_gpu_call *call,
                  const struct headopt_gpu_program *program, const void *input,
                  uint64_t input_bytes, uint64_t output_bytes);
HEADOPT_GPU_FUNCTION uint64_t
headopt_gpu_staged_input(struct headopt_gpu_call *call);
HEADOPT_GPU_FUNCTION uint64_t
headopt_gpu_staged_output(struct headopt_gpu_call *call);
HEADOPT_GPU_FUNCTION void *
headopt_gpu_staged_stream(struct headopt_gpu_call *call);
/* Copies the output back when `code` is 0, and frees all; `code`, or the code
   of an error of its own. */
HEADOPT_GPU_FUNCTION int32_t headopt_gpu_unstage(struct headopt_gpu_call *call,
                                                 void *output,
                                                 uint64_t output_bytes,
                                                 int32_t code);

/* This thread's last error, with the driver's text; "" when there was none. */
HEADOPT_GPU_FUNCTION const char *headopt_gpu_error(void);

#ifdef __cplusplus
}
#endif

#endif
