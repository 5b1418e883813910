//===- KernelBuilder.h - Launches and what is in them -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mappings to GPUs share the form of what they make: a `gpu.launch` of a
// one-dimensional grid, whose kernel sees each tensor as a buffer without
// shape. Only numbers that every back end has are loaded and stored: bf16 is
// read as 16-bit integers.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_LIB_CODEGEN_GPU_KERNELBUILDER_H
#define HEADOPT_LIB_CODEGEN_GPU_KERNELBUILDER_H

#include "../ExtentBuilder.h"
#include "../PoolingReduction.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include <string>

namespace headopt {

/// Whether kernels have buffers of numbers of this type.
bool isKernelElement(mlir::Type type);

/// How kernels are cut.
struct KernelShape {
  /// Lanes that exchange numbers without shared memory.
  int64_t subgroupSize;
  /// Threads of the largest block: a multiple of the sub-group, and of 32.
  int64_t blockThreads;
  /// A block does several tasks when there are more than this, unless it is
  /// kAnyBlocks.
  int64_t maxBlocks;
};

/// What the launches of one function have in common.
struct KernelFamily {
  KernelShape shape;
  /// Symbol of the gpu.module for the kernels.
  std::string module;
  /// How the kernels' names begin.
  std::string prefix;
  unsigned numKernels = 0;
};

/// A tensor in memory, as kernels see it: one axis, row-major.
struct DeviceBuffer {
  mlir::Value memref;
  /// Of the tensor: f16, bf16, f32 or an integer.
  mlir::Type element;
  /// Elements that one access reads: 16 bytes of them, or 1.
  int64_t lanes = 1;
  /// They are read one by one: not all accesses start at a multiple of 16
  /// bytes.
  bool isSplit = false;
};

class KernelBuilder : public ExtentBuilder {
public:
  KernelBuilder(mlir::Operation *at, KernelFamily &family)
      : ExtentBuilder(at->getLoc(), at->getContext()), family(family) {
    setInsertionPoint(at);
  }

  int64_t getSubgroupSize() const { return family.shape.subgroupSize; }
  int64_t getBlockThreads() const { return family.shape.blockThreads; }

  //===--------------------------------------------------------------------===//
  // On the host
  //===--------------------------------------------------------------------===//

  /// The extents of `tensor`.
  llvm::SmallVector<Index> getExtents(mlir::Value tensor);
  /// The number of elements with these extents.
  Index getCount(llvm::ArrayRef<Index> extents);
  /// The memory of `tensor`, for reading.
  DeviceBuffer getBuffer(mlir::Value tensor);
  /// The same memory, read 16 bytes at a time.
  DeviceBuffer asVectors(const DeviceBuffer &buffer);
  /// The same elements with each access, wherever the memory starts.
  DeviceBuffer asSplitVectors(const DeviceBuffer &buffer);
  /// Whether `buffer` starts at a multiple of 16 bytes. Known where the memory
  /// is our own.
  Index isAligned(const DeviceBuffer &buffer);
  /// New memory for `count` elements.
  DeviceBuffer allocate(mlir::Type element, Index count);
  /// What is in `buffer` after the launches so far, as a tensor.
  mlir::Value getTensor(const DeviceBuffer &buffer, mlir::RankedTensorType type,
                        llvm::ArrayRef<Index> extents);
  /// Builds one of both, or a branch when `condition` (an i1) is not known.
  void branch(Index condition, llvm::function_ref<void()> whenTrue,
              llvm::function_ref<void()> whenFalse);

  /// A kernel of blocks of `threads` threads that share `tasks` tasks out. In
  /// it, `body` does the one whose number it is given; all threads of a block
  /// do the same task. Shared memory is asked for by getShared, in `body`.
  void
  launch(llvm::StringRef kind, Index tasks, int64_t threads,
         llvm::function_ref<void(mlir::Value task, mlir::Value thread)> body);

  //===--------------------------------------------------------------------===//
  // In a kernel
  //===--------------------------------------------------------------------===//

  using Values = llvm::SmallVector<mlir::Value>;

  /// `count` numbers of a block's own.
  mlir::Value getShared(mlir::Type element, int64_t count);
  /// Memory of a block's own for `count` accesses of `vectors`, to be read
  /// element by element. It has words of 32 bits, two halves in each.
  DeviceBuffer getSharedTile(const DeviceBuffer &vectors, int64_t count);
  /// Access `index` of `vectors`, as it is in memory.
  mlir::Value readWords(const DeviceBuffer &vectors, mlir::Value index);
  /// Writes such an access into a tile.
  void writeWords(const DeviceBuffer &tile, mlir::Value index,
                  mlir::Value words);
  /// Element `first` + `step` of a tile. `step` is even.
  mlir::Value readFromTile(const DeviceBuffer &tile, Index first, Index step);
  void barrier();
  /// The elements from `index` * lanes on.
  Values read(const DeviceBuffer &buffer, mlir::Value index);
  void write(const DeviceBuffer &buffer, mlir::Value index, mlir::Value number);
  /// for i = from, from + step ... below to: `body` gives the next `carried`.
  Values loop(Index from, Index to, Index step, Values carried,
              llvm::function_ref<Values(mlir::Value i, Values carried)> body);
  /// What one of both gives, of these types.
  Values choose(mlir::TypeRange types, mlir::Value condition,
                llvm::function_ref<Values()> whenTrue,
                llvm::function_ref<Values()> whenFalse);
  /// `body` where `condition` holds, else `otherwise`.
  Values when(mlir::Value condition, Values otherwise,
              llvm::function_ref<Values()> body);
  void when(mlir::Value condition, llvm::function_ref<void()> body);
  /// One of both, which are computed.
  Values select(mlir::Value condition, Values whenTrue, Values whenFalse);
  mlir::Value isBelow(Index a, Index b);
  mlir::Value isZero(Index a);

  /// What `body`'s terminator gives for these arguments.
  mlir::Value inlineBody(mlir::Block &body, mlir::ValueRange arguments);
  mlir::Value getNeutral(Combiner combiner, mlir::Type type);
  mlir::Value join(Combiner combiner, mlir::Value a, mlir::Value b);
  /// Pairs of neighbours, then pairs of these.
  mlir::Value joinAll(Combiner combiner, Values numbers);
  /// Joins over `lanes` lanes that follow each other: a power of 2, no more
  /// than a sub-group. All lanes of the sub-group must be there.
  mlir::Value joinLanes(Combiner combiner, mlir::Value number, int64_t lanes);

private:
  KernelFamily &family;
  /// While a kernel is being built.
  mlir::gpu::LaunchOp current;
  bool usesShared = false;
};

} // namespace headopt

#endif // HEADOPT_LIB_CODEGEN_GPU_KERNELBUILDER_H
