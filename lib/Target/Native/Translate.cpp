//===- Translate.cpp - From the LLVM dialect to LLVM IR -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Stages.h"
#include "headopt/Support/Attributes.h"
#include "headopt/Target/LLVM/Backend.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace headopt;

/// Below this, a constant is the optimiser's to look into and to fold.
static constexpr uint64_t kMinWeightBytes = 64;

/// A cache line, and the widest vector there is.
static constexpr uint64_t kWeightAlignment = 64;

template <typename... Args>
static llvm::Error error(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

const DeferredWeight &WeightTable::get(ArrayRef<char> pattern, uint64_t size,
                                       uint64_t alignment) {
  auto found = [&](size_t index) -> const DeferredWeight & {
    DeferredWeight &weight = weights[index];
    weight.alignment = std::max(weight.alignment, alignment);
    return weight;
  };
  auto [place, isNew] =
      byPlace.try_emplace({pattern.data(), size}, weights.size());
  if (!isNew)
    return found(place->second);
  uint64_t hash = llvm::xxh3_64bits(StringRef(pattern.data(), pattern.size()));
  hash ^= size;
  auto [begin, end] = byHash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const DeferredWeight &other = weights[it->second];
    if (other.size == size && other.pattern == pattern) {
      place->second = it->second;
      return found(it->second);
    }
  }
  byHash.emplace(hash, weights.size());
  weights.push_back(
      {prefix + std::to_string(weights.size()), pattern, size, alignment});
  return weights.back();
}

namespace {
/// Where the bytes of a constant are.
struct ConstantBytes {
  ArrayRef<char> pattern;
  uint64_t size;
};
} // namespace

/// The bytes of `global`, if its elements lie in memory as in the attribute.
static std::optional<ConstantBytes> getBytes(LLVM::GlobalOp global) {
  auto elements = dyn_cast_or_null<ElementsAttr>(global.getValueOrNull());
  if (!elements || !elements.getElementType().isIntOrFloat())
    return std::nullopt;
  unsigned bits = elements.getElementType().getIntOrFloatBitWidth();
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
    return std::nullopt;
  // Vectors of an odd length would be padded.
  uint64_t count = 1;
  Type type = global.getType();
  while (auto array = dyn_cast<LLVM::LLVMArrayType>(type)) {
    count *= array.getNumElements();
    type = array.getElementType();
  }
  if (auto vector = dyn_cast<VectorType>(type)) {
    if (!vector.hasStaticShape() || vector.isScalable() ||
        !llvm::isPowerOf2_64(vector.getNumElements()))
      return std::nullopt;
    count *= vector.getNumElements();
    type = vector.getElementType();
  }
  if (type != elements.getElementType() ||
      count != static_cast<uint64_t>(elements.getNumElements()))
    return std::nullopt;
  uint64_t size = count * (bits / 8);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || blob->getData().size() != size)
      return std::nullopt;
    return ConstantBytes{blob->getData(), size};
  }
  if (auto dense = dyn_cast<DenseIntOrFPElementsAttr>(elements))
    return ConstantBytes{dense.getRawData(), size};
  return std::nullopt;
}

static void declareWeights(ModuleOp module, WeightTable &weights) {
  DenseMap<StringAttr, StringAttr> renamed;
  llvm::StringSet<llvm::MallocAllocator> declared;
  for (LLVM::GlobalOp global :
       llvm::make_early_inc_range(module.getOps<LLVM::GlobalOp>())) {
    if (!global.getConstant())
      continue;
    std::optional<ConstantBytes> bytes = getBytes(global);
    if (!bytes || bytes->size < kMinWeightBytes)
      continue;
    uint64_t alignment =
        std::max(kWeightAlignment, global.getAlignment().value_or(1));
    const DeferredWeight &weight =
        weights.get(bytes->pattern, bytes->size, alignment);
    auto symbol = StringAttr::get(module.getContext(), weight.symbol);
    renamed[global.getSymNameAttr()] = symbol;
    if (declared.insert(weight.symbol).second) {
      OpBuilder builder(global);
      auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes->size);
      auto declaration = LLVM::GlobalOp::create(
          builder, global.getLoc(), type, /*isConstant=*/true,
          LLVM::Linkage::External, weight.symbol, Attribute(), alignment,
          /*addrSpace=*/0, /*dsoLocal=*/true);
      declaration.setVisibility_(LLVM::Visibility::Hidden);
    }
    global.erase();
  }
  if (renamed.empty())
    return;
  module.walk([&](LLVM::AddressOfOp use) {
    auto it = renamed.find(use.getGlobalNameAttr().getAttr());
    if (it != renamed.end())
      use.setGlobalName(it->second);
  });
}

//===----------------------------------------------------------------------===//
// Scratch memory
//===----------------------------------------------------------------------===//

/// Makes mutable globals thread-local, but for those that say that threads
/// share them. Their address is taken by an instruction where the program takes
/// it: as a mere constant, it would be another one in the part of a loop that
/// runs in another thread.
static void makeThreadLocal(ModuleOp module) {
  llvm::DenseSet<StringAttr> mutableGlobals;
  for (LLVM::GlobalOp global : module.getOps<LLVM::GlobalOp>()) {
    if (global.getConstant() || global->hasAttr(kSharedAttr))
      continue;
    global.setThreadLocal_(true);
    if (global.getValueOrNull() || global.getInitializerBlock())
      global.setLinkage(LLVM::Linkage::Internal);
    mutableGlobals.insert(global.getSymNameAttr());
  }
  module.walk([&](LLVM::AddressOfOp use) {
    if (!mutableGlobals.contains(use.getGlobalNameAttr().getAttr()) ||
        use->getParentOfType<LLVM::GlobalOp>())
      return;
    OpBuilder builder(use->getContext());
    builder.setInsertionPointAfter(use);
    auto address = LLVM::ThreadlocalAddressOp::create(
        builder, use.getLoc(), use.getType(), use.getResult());
    use.getResult().replaceAllUsesExcept(address.getResult(), address);
  });
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

llvm::Expected<LLVM::LLVMFuncOp> headopt::findEntry(ModuleOp module) {
  Operation *foreign = nullptr;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == module || isa_and_present<LLVM::LLVMDialect, omp::OpenMPDialect>(
                            op->getDialect()))
      return WalkResult::advance();
    foreign = op;
    return WalkResult::interrupt();
  });
  if (foreign)
    return error("'%s' is not of the LLVM dialect; lower it first",
                 foreign->getName().getStringRef().str().c_str());

  LLVM::LLVMFuncOp entry;
  for (auto func : module.getOps<LLVM::LLVMFuncOp>()) {
    if (func.isExternal() || func.getLinkage() != LLVM::Linkage::External ||
        SymbolTable::getSymbolVisibility(func) !=
            SymbolTable::Visibility::Public ||
        func->hasAttr(kExportedAttr))
      continue;
    if (entry)
      return error("both @%s and @%s are public; make all functions but the "
                   "head private",
                   entry.getSymName().str().c_str(),
                   func.getSymName().str().c_str());
    entry = func;
  }
  if (!entry)
    return error("there is no public llvm.func with a body to compile");
  return entry;
}

llvm::Expected<std::unique_ptr<llvm::Module>>
headopt::translate(ModuleOp module, LLVM::LLVMFuncOp entry,
                   const llvm::TargetMachine &machine, WeightTable &weights,
                   llvm::LLVMContext &context) {
  for (auto func : module.getOps<LLVM::LLVMFuncOp>()) {
    if (func.isExternal() || func == entry || func->hasAttr(kExportedAttr))
      continue;
    func.setLinkage(LLVM::Linkage::Internal);
    func.setVisibility_(LLVM::Visibility::Default);
  }
  for (LLVM::GlobalOp global : module.getOps<LLVM::GlobalOp>())
    if (global.getConstant() &&
        (global.getValueOrNull() || global.getInitializerBlock()))
      global.setLinkage(LLVM::Linkage::Internal);
  makeThreadLocal(module);
  declareWeights(module, weights);

  Builder builder(module.getContext());
  llvm::DataLayout layout = machine.createDataLayout();
  module->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(),
                  builder.getStringAttr(layout.getStringRepresentation()));
  module->setAttr(LLVM::LLVMDialect::getTargetTripleAttrName(),
                  builder.getStringAttr(machine.getTargetTriple().str()));

  llvm::Expected<std::unique_ptr<llvm::Module>> result =
      translateToLLVM(module, context, entry.getSymName());
  if (!result)
    return result.takeError();
  (*result)->setPICLevel(llvm::PICLevel::BigPIC);
  describeFunctions(**result, machine);
  return result;
}
