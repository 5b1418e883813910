//===- driver.c - A program that uses CUDA's driver -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// driver MODE IMAGE: loads libcuda.so.1 as any program does and pools 5 rows of
// 1000 floats. MODE "run" is a program without faults; the others have one.
//
//===----------------------------------------------------------------------===//

#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(CONDITION)                                                       \
  do {                                                                         \
    if (!(CONDITION)) {                                                        \
      printf("line %d: %s\n", __LINE__, #CONDITION);                           \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

#define FUNCTION(NAME, ...) static int (*NAME)(__VA_ARGS__)
FUNCTION(cuInit, unsigned);
FUNCTION(cuDeviceGet, int *, int);
FUNCTION(cuDevicePrimaryCtxRetain, void **, int);
FUNCTION(cuCtxSetCurrent, void *);
FUNCTION(cuModuleLoadData, void **, const void *);
FUNCTION(cuModuleUnload, void *);
FUNCTION(cuModuleGetFunction, void **, void *, const char *);
FUNCTION(cuMemAlloc_v2, uint64_t *, size_t);
FUNCTION(cuMemFree_v2, uint64_t);
FUNCTION(cuMemAllocAsync, uint64_t *, size_t, void *);
FUNCTION(cuMemFreeAsync, uint64_t, void *);
FUNCTION(cuMemcpyHtoDAsync_v2, uint64_t, const void *, size_t, void *);
FUNCTION(cuMemcpyDtoHAsync_v2, void *, uint64_t, size_t, void *);
FUNCTION(cuMemcpyDtoH_v2, void *, uint64_t, size_t);
FUNCTION(cuStreamCreate, void **, unsigned);
FUNCTION(cuStreamDestroy_v2, void *);
FUNCTION(cuStreamSynchronize, void *);
FUNCTION(cuLaunchKernel, void *, unsigned, unsigned, unsigned, unsigned,
         unsigned, unsigned, unsigned, void *, void **, void **);
FUNCTION(cuGetErrorName, int, const char **);

enum { rows = 5, columns = 1000 };

static char *read_file(const char *name) {
  FILE *file = fopen(name, "rb");
  CHECK(file);
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  char *text = calloc(1, size + 1);
  CHECK(fread(text, 1, size, file) == size);
  fclose(file);
  return text;
}

static void load_driver(void) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  CHECK(driver);
#define LOAD(NAME)                                                             \
  *(void **)&NAME = dlsym(driver, #NAME);                                      \
  CHECK(NAME)
  LOAD(cuInit);
  LOAD(cuDeviceGet);
  LOAD(cuDevicePrimaryCtxRetain);
  LOAD(cuCtxSetCurrent);
  LOAD(cuModuleLoadData);
  LOAD(cuModuleUnload);
  LOAD(cuModuleGetFunction);
  LOAD(cuMemAlloc_v2);
  LOAD(cuMemFree_v2);
  LOAD(cuMemAllocAsync);
  LOAD(cuMemFreeAsync);
  LOAD(cuMemcpyHtoDAsync_v2);
  LOAD(cuMemcpyDtoHAsync_v2);
  LOAD(cuMemcpyDtoH_v2);
  LOAD(cuStreamCreate);
  LOAD(cuStreamDestroy_v2);
  LOAD(cuStreamSynchronize);
  LOAD(cuLaunchKernel);
  LOAD(cuGetErrorName);
}

/* What a driver must not do, it refuses. */
static void check_errors(const char *image, void *module, void *function,
                         uint64_t address) {
  void *other, *params[2] = {&address, &address};
  const char *name;
  CHECK(cuGetErrorName(2, &name) == 0);
  CHECK(strcmp(name, "CUDA_ERROR_OUT_OF_MEMORY") == 0);
  CHECK(cuModuleLoadData(&other, "no image") == 200);
  char *changed = strdup(image);
  char *entry = strstr(changed, "pool_block(");
  CHECK(entry);
  *entry = 'q';
  CHECK(cuModuleLoadData(&other, changed) == 200);
  free(changed);
  CHECK(cuModuleGetFunction(&other, module, "nothing") == 500);
  CHECK(cuModuleGetFunction(&other, function, "pool_block") == 400);
  CHECK(cuMemAlloc_v2(&address, 0) == 1);
  CHECK(cuMemAlloc_v2(&address, (size_t)1 << 40) == 2);
  CHECK(cuMemFree_v2(address + 4) == 1);
  CHECK(cuMemcpyDtoH_v2(&other, address, rows * columns * 4 + 1) == 1);
  CHECK(cuLaunchKernel(function, 0, 1, 1, 256, 1, 1, 0, 0, params, 0) == 1);
  CHECK(cuLaunchKernel(function, 1, 1, 1, 255, 1, 1, 0, 0, params, 0) == 1);
  CHECK(cuLaunchKernel(function, 1, 65536, 1, 256, 1, 1, 0, 0, params, 0) == 1);
  CHECK(cuLaunchKernel(module, 1, 1, 1, 256, 1, 1, 0, 0, params, 0) == 400);
  CHECK(cuStreamSynchronize(&other) == 400);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  const char *mode = argv[1];
  char *image = read_file(argv[2]);
  load_driver();
  int device;
  void *context, *module, *function, *stream;
  CHECK(cuDeviceGet(&device, 0) == 3);
  CHECK(cuInit(0) == 0);
  CHECK(cuDeviceGet(&device, 0) == 0);
  CHECK(cuModuleLoadData(&module, image) == 201);
  CHECK(cuDevicePrimaryCtxRetain(&context, device) == 0);
  CHECK(cuCtxSetCurrent(context) == 0);
  CHECK(cuModuleLoadData(&module, image) == 0);
  CHECK(cuModuleGetFunction(&function, module, "pool_block") == 0);
  CHECK(cuStreamCreate(&stream, 1) == 0);

  static float input[rows][columns], output[rows];
  for (int i = 0; i < rows * columns; ++i)
    input[i / columns][i % columns] = (float)(i % 77) / 8;
  uint64_t x, y;
  CHECK(cuMemAllocAsync(&x, sizeof(input), stream) == 0);
  int status = cuMemAlloc_v2(&y, sizeof(output));
  if (strcmp(mode, "fail") == 0) {
    printf("%d\n", status);
    return 0;
  }
  CHECK(status == 0);
  CHECK(x % 256 == 0 && y % 256 == 0);

  /* New memory has NaNs. */
  CHECK(cuMemcpyDtoH_v2(output, y, sizeof(output)) == 0);
  for (int i = 0; i < rows; ++i)
    CHECK(isnan(output[i]));
  check_errors(image, module, function, x);

  /* What is copied may change as soon as the call is back. */
  float first = input[0][0];
  CHECK(cuMemcpyHtoDAsync_v2(x, input, sizeof(input), stream) == 0);
  input[0][0] = 1e9f;
  uint64_t args[2] = {x, y};
  void *params[2] = {&args[0], &args[1]};
  if (strcmp(mode, "free") == 0)
    CHECK(cuMemFreeAsync(x, stream) == 0);
  CHECK(cuLaunchKernel(function, rows, 1, 1, 256, 1, 1, 0, stream, params, 0) ==
        0);
  /* So may what the arguments were taken from. */
  args[0] = args[1] = 0;
  memset(output, 0, sizeof(output));
  CHECK(cuMemcpyDtoHAsync_v2(output, y, sizeof(output), stream) == 0);
  if (strcmp(mode, "impatient") == 0) {
    printf("%g\n", output[0]);
    return 0;
  }
  if (strcmp(mode, "touch") == 0)
    printf("%g\n", *(volatile float *)(uintptr_t)y);
  CHECK(cuStreamSynchronize(stream) == 0);
  input[0][0] = first;
  for (int i = 0; i < rows; ++i) {
    double sum = 0;
    for (int j = 0; j < columns; ++j)
      sum += input[i][j];
    CHECK(fabs(output[i] - sum / columns) < 1e-5);
  }
  CHECK(cuMemFreeAsync(x, stream) == 0);
  if (strcmp(mode, "leak") != 0) {
    CHECK(cuMemFree_v2(y) == 0);
    CHECK(cuMemFree_v2(y) == 1);
  }
  CHECK(cuStreamDestroy_v2(stream) == 0);
  CHECK(cuModuleUnload(module) == 0);
  free(image);
  puts("done");
  return 0;
}
