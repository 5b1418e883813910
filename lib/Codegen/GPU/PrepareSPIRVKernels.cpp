//===- PrepareSPIRVKernels.cpp - What Vulkan asks of a kernel -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's convert-gpu-to-spirv wants attributes that the gpu dialect says in
// another way, and buffers shared by a block as allocations.
//
//===----------------------------------------------------------------------===//

#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace headopt {
#define GEN_PASS_DEF_PREPARESPIRVKERNELS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;

/// What every Vulkan device has for the buffers that a block shares.
static constexpr int64_t kSharedBytes = 16384;

/// All that kernels may need; spirv-update-vce keeps what they do need.
static spirv::TargetEnvAttr getTargetEnv(MLIRContext *context,
                                         unsigned subgroupSize) {
  using spirv::Capability;
  using spirv::Extension;
  auto triple = spirv::VerCapExtAttr::get(
      spirv::Version::V_1_3,
      {Capability::Shader, Capability::Int8, Capability::Int16,
       Capability::Int64, Capability::Float16, Capability::Float64,
       Capability::StorageBuffer8BitAccess,
       Capability::StorageBuffer16BitAccess, Capability::GroupNonUniform,
       Capability::GroupNonUniformShuffle},
      {Extension::SPV_KHR_storage_buffer_storage_class,
       Extension::SPV_KHR_8bit_storage, Extension::SPV_KHR_16bit_storage},
      context);
  auto limits = spirv::getDefaultResourceLimits(context);
  limits = spirv::ResourceLimitsAttr::get(
      context, limits.getMaxComputeSharedMemorySize(),
      limits.getMaxComputeWorkgroupInvocations(),
      limits.getMaxComputeWorkgroupSize(), static_cast<int>(subgroupSize),
      limits.getMinSubgroupSize(), limits.getMaxSubgroupSize(),
      limits.getCooperativeMatrixPropertiesKhr(),
      limits.getCooperativeMatrixPropertiesNv());
  return spirv::TargetEnvAttr::get(triple, limits, spirv::ClientAPI::Vulkan);
}

/// Whether a buffer of SPIR-V can hold it without padding.
static bool isElement(Type type) {
  if (auto vector = dyn_cast<VectorType>(type)) {
    // Three elements would be laid out as four.
    if (vector.getRank() != 1 || vector.isScalable() ||
        !llvm::is_contained({2, 4}, vector.getNumElements()))
      return false;
    type = vector.getElementType();
  }
  return type.isF16() || type.isF32() || type.isF64() ||
         (type.isSignlessInteger() &&
          llvm::is_contained({8, 16, 32, 64}, type.getIntOrFloatBitWidth()));
}

static int64_t getBytes(Type element) {
  if (auto vector = dyn_cast<VectorType>(element))
    return vector.getNumElements() * getBytes(vector.getElementType());
  return element.getIntOrFloatBitWidth() / 8;
}

static LogicalResult checkArguments(gpu::GPUFuncOp func) {
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
    if (type.isIndex() || type.isInteger(32) || type.isF32())
      continue;
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || memref.getRank() != 1 || !memref.getLayout().isIdentity() ||
        memref.getMemorySpace() || !isElement(memref.getElementType()))
      return func.emitOpError("argument ")
             << index << " is of type " << type
             << "; buffers must be one-dimensional memrefs of numbers, or of "
                "vectors of 2 or 4, in the default space, and scalars index, "
                "i32 or f32";
  }
  return success();
}

/// The conversion takes i4 and its like for i32, and forgets their sign.
static LogicalResult checkNumbers(gpu::GPUFuncOp func) {
  WalkResult walked = func.walk([](Operation *op) {
    for (Type type : op->getResultTypes()) {
      Type number = getElementTypeOrSelf(type);
      if (!isa<IntegerType>(number) ||
          llvm::is_contained({1, 8, 16, 32, 64},
                             number.getIntOrFloatBitWidth()))
        continue;
      op->emitOpError("cannot run with Vulkan: SPIR-V has no numbers of type ")
          << number;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

/// Makes of a buffer that a block shares what convert-gpu-to-spirv takes.
static LogicalResult allocateShared(gpu::GPUFuncOp func) {
  OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
  auto space = spirv::StorageClassAttr::get(func.getContext(),
                                            spirv::StorageClass::Workgroup);
  int64_t bytes = 0;
  for (BlockArgument shared : func.getWorkgroupAttributions()) {
    auto type = cast<MemRefType>(shared.getType());
    if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
        !isElement(type.getElementType()))
      return func.emitOpError("shares a buffer of type ")
             << type
             << "; it must be of static shape and of numbers, or of vectors of "
                "2 or 4";
    for (Operation *user : shared.getUsers())
      if (!isa<memref::LoadOp, memref::StoreOp>(user))
        return user->emitOpError(
            "uses a shared buffer; only memref.load and memref.store can");
    // No alignment in it is more than 16.
    bytes = llvm::alignTo(bytes, 16) +
            type.getNumElements() * getBytes(type.getElementType());
    auto alloc = memref::AllocOp::create(
        builder, func.getLoc(),
        MemRefType::get(type.getShape(), type.getElementType(),
                        MemRefLayoutAttrInterface(), space));
    shared.replaceAllUsesWith(alloc);
  }
  if (bytes > kSharedBytes)
    return func.emitOpError("shares ")
           << bytes << " bytes in a block; Vulkan promises " << kSharedBytes;
  func.getBody().front().eraseArguments(
      func.getFirstWorkgroupAttributionIndex(),
      func.getNumWorkgroupAttributions());
  func->setAttr(gpu::GPUFuncOp::getNumWorkgroupAttributionsAttrName(),
                builder.getI64IntegerAttr(0));
  func.removeWorkgroupAttribAttrsAttr();
  return success();
}

namespace {

struct PrepareSPIRVKernels final
    : headopt::impl::PrepareSPIRVKernelsBase<PrepareSPIRVKernels> {
  using PrepareSPIRVKernelsBase::PrepareSPIRVKernelsBase;

  LogicalResult prepare(gpu::GPUFuncOp func) {
    if (!func.isKernel())
      return func.emitOpError(
          "is no kernel; inline it into those that call it");
    std::optional<ArrayRef<int32_t>> block = func.getKnownBlockSize();
    if (!block || (*block)[0] < 1 || (*block)[1] != 1 || (*block)[2] != 1)
      return func.emitOpError(
          "must know that its blocks have one dimension, by an attribute "
          "known_block_size = array<i32: N, 1, 1>");
    if (func.getNumPrivateAttributions() != 0)
      return func.emitOpError("has private buffers; keep them in registers");
    if (failed(checkArguments(func)) || failed(checkNumbers(func)) ||
        failed(allocateShared(func)))
      return failure();
    func->setAttr(spirv::getEntryPointABIAttrName(),
                  spirv::getEntryPointABIAttr(&getContext(), *block));
    return success();
  }

  void runOnOperation() override {
    gpu::GPUModuleOp module = getOperation();
    if (!llvm::isPowerOf2_32(subgroupSize) || subgroupSize < 4 ||
        subgroupSize > 128) {
      module.emitOpError("cannot be prepared for sub-groups of ")
          << subgroupSize.getValue()
          << "; their size is a power of 2 from 4 to 128";
      return signalPassFailure();
    }
    module->setAttr(spirv::getTargetEnvAttrName(),
                    getTargetEnv(&getContext(), subgroupSize));
    for (Operation &op : *module.getBody()) {
      auto func = dyn_cast<gpu::GPUFuncOp>(op);
      if (!func) {
        op.emitOpError("is in a module of kernels; only gpu.func can be");
        return signalPassFailure();
      }
      if (failed(prepare(func)))
        return signalPassFailure();
    }
  }
};

} // namespace
