//===- Multiversion.cpp - One function for several processors -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dispatcher asks the processor itself, by cpuid and xgetbv, so it needs no
// runtime library and no constructor that has to run first. Threads may ask at
// the same time; they all come to the same answer.
//
//===----------------------------------------------------------------------===//

#include "Stages.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"

using namespace llvm;
using namespace headopt;

namespace {

/// A register that cpuid gives.
enum Register { A, B, C, D };

/// A leaf of cpuid, and its sub-leaf.
using Leaf = std::pair<uint32_t, uint32_t>;

/// Bits of one register of one leaf of cpuid.
struct Bits {
  Leaf leaf;
  Register reg;
  uint32_t mask;
};

/// What a level adds to the one before it, and the state of registers that the
/// operating system has to save for it.
struct Level {
  StringLiteral cpu;
  StringLiteral suffix;
  std::array<Bits, 3> bits;
  uint32_t xcr0;
};

} // namespace

// Names and bits as in the x86-64 psABI, "Micro-Architecture Levels".
static constexpr Level levels[] = {
    {"x86-64-v2", "v2", {}, 0},
    {"x86-64-v3",
     "v3",
     {{// FMA, MOVBE, OSXSAVE, AVX, F16C
       {{1, 0}, C, 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29},
       // BMI1, AVX2, BMI2
       {{7, 0}, B, 1u << 3 | 1u << 5 | 1u << 8},
       // LZCNT
       {{0x80000001, 0}, C, 1u << 5}}},
     // xmm, ymm
     0x06},
    {"x86-64-v4",
     "v4",
     // AVX512F, AVX512DQ, AVX512CD, AVX512BW, AVX512VL
     {{{{7, 0}, B, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31}}},
     // xmm, ymm, mask registers, zmm
     0xe6},
    {"x86-64-v4+avx512bf16",
     "v4_bf16",
     // AVX512_BF16; a sub-leaf that is not there is all zeros.
     {{{{7, 1}, A, 1u << 5}}},
     0xe6},
};

static const Level *findLevel(StringRef cpu) {
  const Level *level =
      find_if(levels, [&](const Level &l) { return l.cpu == cpu; });
  return level == std::end(levels) ? nullptr : level;
}

bool headopt::isVersionCpu(StringRef cpu) { return findLevel(cpu); }

namespace {

/// Builds ENTRY.detect and the dispatcher.
class Dispatcher {
public:
  Dispatcher(Module &module, StringRef entry, const AttributeList &attributes,
             ArrayRef<Function *> bodies, ArrayRef<const Level *> levels)
      : module(module), entry(entry), attributes(attributes), bodies(bodies),
        levels(levels), builder(module.getContext()) {}

  void build();

private:
  Function *create(FunctionType *type, GlobalValue::LinkageTypes linkage,
                   const Twine &name);
  Function *buildDetect();
  std::array<Value *, 4> emitCpuid(Leaf leaf);
  Value *emitHasAll(Value *value, uint32_t mask);

  Module &module;
  StringRef entry;
  const AttributeList &attributes;
  ArrayRef<Function *> bodies;
  ArrayRef<const Level *> levels;
  IRBuilder<> builder;
};

} // namespace

Function *Dispatcher::create(FunctionType *type,
                             GlobalValue::LinkageTypes linkage,
                             const Twine &name) {
  Function *function = Function::Create(type, linkage, name, module);
  function->addFnAttr("target-cpu", levels.front()->cpu);
  function->setDoesNotThrow();
  return function;
}

std::array<Value *, 4> Dispatcher::emitCpuid(Leaf leaf) {
  Type *i32 = builder.getInt32Ty();
  auto *result = StructType::get(i32, i32, i32, i32);
  InlineAsm *cpuid = InlineAsm::get(
      FunctionType::get(result, {i32, i32}, false), "cpuid",
      "={ax},={bx},={cx},={dx},0,2,~{dirflag},~{fpsr},~{flags}", true);
  Value *registers = builder.CreateCall(
      cpuid, {builder.getInt32(leaf.first), builder.getInt32(leaf.second)});
  std::array<Value *, 4> values;
  for (unsigned reg : {A, B, C, D})
    values[reg] = builder.CreateExtractValue(registers, reg);
  return values;
}

Value *Dispatcher::emitHasAll(Value *value, uint32_t mask) {
  return builder.CreateICmpEQ(builder.CreateAnd(value, mask),
                              builder.getInt32(mask));
}

/// i32 ENTRY.detect(): the number, from 1 on, of the highest version that runs
/// here.
Function *Dispatcher::buildDetect() {
  LLVMContext &context = module.getContext();
  Type *i32 = builder.getInt32Ty();
  Function *detect = create(FunctionType::get(i32, false),
                            GlobalValue::InternalLinkage, entry + ".detect");
  detect->addFnAttr(Attribute::NoInline);
  detect->addFnAttr(Attribute::Cold);
  auto *start = BasicBlock::Create(context, "", detect);
  auto *extended = BasicBlock::Create(context, "has_leaves", detect);
  auto *state = BasicBlock::Create(context, "has_xgetbv", detect);
  auto *done = BasicBlock::Create(context, "done", detect);

  // Leaves above the highest answer with another leaf's bits.
  builder.SetInsertPoint(start);
  Value *hasLeaf7 =
      builder.CreateICmpUGE(emitCpuid({0, 0})[A], builder.getInt32(7));
  Value *hasLevels = builder.CreateICmpUGE(emitCpuid({0x80000000, 0})[A],
                                           builder.getInt32(0x80000001));
  builder.CreateCondBr(builder.CreateAnd(hasLeaf7, hasLevels), extended, done);

  // xgetbv is there when the operating system says so (OSXSAVE).
  builder.SetInsertPoint(extended);
  // Each level has all of those below it; what is above the versions is not
  // asked for.
  ArrayRef<Level> asked(std::begin(::levels), levels.back() + 1);
  DenseMap<Leaf, std::array<Value *, 4>> leaves;
  for (const Level &level : asked)
    for (const Bits &bits : level.bits)
      if (bits.mask && !leaves.contains(bits.leaf))
        leaves[bits.leaf] = emitCpuid(bits.leaf);
  builder.CreateCondBr(emitHasAll(leaves[{1, 0}][C], 1u << 27), state, done);

  builder.SetInsertPoint(state);
  InlineAsm *xgetbv = InlineAsm::get(
      FunctionType::get(StructType::get(i32, i32), {i32}, false), "xgetbv",
      "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}", true);
  Value *xcr0 = builder.CreateExtractValue(
      builder.CreateCall(xgetbv, {builder.getInt32(0)}), 0);
  Value *best = builder.getInt32(1);
  Value *all = builder.getTrue();
  for (const Level &level : asked) {
    for (const Bits &bits : level.bits)
      if (bits.mask)
        all = builder.CreateAnd(
            all, emitHasAll(leaves[bits.leaf][bits.reg], bits.mask));
    all = builder.CreateAnd(all, emitHasAll(xcr0, level.xcr0));
    const auto *version = find(levels, &level);
    if (version == levels.begin() || version == levels.end())
      continue;
    best = builder.CreateSelect(
        all, builder.getInt32(version - levels.begin() + 1), best);
  }
  builder.CreateBr(done);

  builder.SetInsertPoint(done);
  PHINode *result = builder.CreatePHI(i32, 3);
  result->addIncoming(builder.getInt32(1), start);
  result->addIncoming(builder.getInt32(1), extended);
  result->addIncoming(best, state);
  builder.CreateRet(result);
  return detect;
}

void Dispatcher::build() {
  LLVMContext &context = module.getContext();
  Type *i32 = builder.getInt32Ty();
  Function *detect = buildDetect();
  // 0 until it is known.
  auto *version =
      new GlobalVariable(module, i32, false, GlobalValue::InternalLinkage,
                         builder.getInt32(0), entry + ".version");
  FunctionType *type = bodies.front()->getFunctionType();
  Function *function = create(type, GlobalValue::ExternalLinkage, entry);
  function->setAttributes(function->getAttributes().addRetAttributes(
      context, AttrBuilder(context, attributes.getRetAttrs())));
  SmallVector<Value *> arguments;
  for (Argument &argument : function->args()) {
    unsigned index = argument.getArgNo();
    argument.setName(bodies.front()->getArg(index)->getName());
    function->addParamAttrs(
        index, AttrBuilder(context, attributes.getParamAttrs(index)));
    arguments.push_back(&argument);
  }
  auto *start = BasicBlock::Create(context, "", function);
  auto *unknown = BasicBlock::Create(context, "unknown", function);
  auto *known = BasicBlock::Create(context, "known", function);

  auto aligned = Align(4);
  builder.SetInsertPoint(start);
  LoadInst *cached = builder.CreateAlignedLoad(i32, version, aligned);
  cached->setAtomic(AtomicOrdering::Monotonic);
  builder.CreateCondBr(builder.CreateICmpEQ(cached, builder.getInt32(0)),
                       unknown, known);

  builder.SetInsertPoint(unknown);
  Value *detected = builder.CreateCall(detect);
  builder.CreateAlignedStore(detected, version, aligned)
      ->setAtomic(AtomicOrdering::Monotonic);
  builder.CreateBr(known);

  builder.SetInsertPoint(known);
  PHINode *number = builder.CreatePHI(i32, 2);
  number->addIncoming(cached, start);
  number->addIncoming(detected, unknown);
  auto *otherwise = BasicBlock::Create(context, "v", function);
  SwitchInst *choice = builder.CreateSwitch(number, otherwise);
  for (auto [index, body] : enumerate(bodies)) {
    // The lowest also takes what cannot be.
    BasicBlock *block = otherwise;
    if (index) {
      block = BasicBlock::Create(context, "v", function);
      choice->addCase(builder.getInt32(index + 1), block);
    }
    builder.SetInsertPoint(block);
    CallInst *call = builder.CreateCall(body, arguments);
    call->setTailCallKind(CallInst::TCK_Tail);
    if (type->getReturnType()->isVoidTy())
      builder.CreateRetVoid();
    else
      builder.CreateRet(call);
  }
}

namespace {

/// Scratch memory without a value at first. Of the versions only one ever runs
/// in a process, so the n-th of one is also the n-th of the others.
class SharedScratch {
public:
  explicit SharedScratch(StringRef entry)
      : prefix((entry + ".scratch.").str()) {}

  /// Makes declarations of the scratch memory in `module`.
  void declareIn(Module &module) {
    size_t index = 0;
    for (GlobalVariable &global : module.globals()) {
      if (!global.isThreadLocal() || !global.hasInitializer() ||
          !isa<UndefValue>(global.getInitializer()))
        continue;
      const DataLayout &layout = module.getDataLayout();
      if (index == areas.size())
        areas.emplace_back();
      Area &area = areas[index];
      area.size = std::max(
          area.size,
          layout.getTypeAllocSize(global.getValueType()).getFixedValue());
      area.alignment =
          std::max(area.alignment, layout.getPreferredAlign(&global));
      global.setName(prefix + Twine(index++));
      global.setInitializer(nullptr);
      global.setLinkage(GlobalValue::ExternalLinkage);
      global.setVisibility(GlobalValue::HiddenVisibility);
    }
  }

  /// Replaces the declarations by memory that is large enough for each.
  void defineIn(Module &module) {
    for (auto [index, area] : enumerate(areas)) {
      GlobalVariable *declared =
          module.getNamedGlobal(prefix + std::to_string(index));
      auto *type =
          ArrayType::get(Type::getInt8Ty(module.getContext()), area.size);
      auto *memory =
          new GlobalVariable(module, type, false, GlobalValue::InternalLinkage,
                             UndefValue::get(type), "", declared,
                             GlobalValue::GeneralDynamicTLSModel);
      memory->setAlignment(area.alignment);
      memory->takeName(declared);
      declared->replaceAllUsesWith(memory);
      declared->eraseFromParent();
    }
  }

private:
  struct Area {
    uint64_t size = 0;
    Align alignment;
  };
  std::string prefix;
  std::vector<Area> areas;
};

} // namespace

Expected<std::unique_ptr<Module>>
headopt::combineVersions(std::vector<Version> versions, StringRef entry) {
  auto error = [](const Twine &what) {
    return createStringError(std::errc::invalid_argument, "%s",
                             what.str().c_str());
  };
  llvm::sort(versions, [](const Version &a, const Version &b) {
    return findLevel(a.cpu) < findLevel(b.cpu);
  });
  std::unique_ptr<Module> combined;
  std::vector<std::string> names;
  SmallVector<const Level *> present;
  AttributeList attributes;
  SharedScratch scratch(entry);
  for (Version &version : versions) {
    scratch.declareIn(*version.module);
    const Level *level = findLevel(version.cpu);
    Function *body = version.module->getFunction(entry);
    names.push_back((entry + "." + level->suffix).str());
    present.push_back(level);
    body->setName(names.back());
    if (!combined) {
      attributes = body->getAttributes();
      combined = std::move(version.module);
      continue;
    }
    if (Linker::linkModules(*combined, std::move(version.module)))
      return error("the versions of '" + entry + "' do not fit together");
  }

  scratch.defineIn(*combined);

  SmallVector<Function *> bodies;
  for (StringRef name : names) {
    Function *body = combined->getFunction(name);
    if (!bodies.empty() &&
        body->getFunctionType() != bodies.front()->getFunctionType())
      return error("the versions of '" + entry + "' differ in type");
    body->setLinkage(GlobalValue::InternalLinkage);
    body->setVisibility(GlobalValue::DefaultVisibility);
    // Keeps its name, by which profilers and debuggers tell what ran.
    body->addFnAttr(Attribute::NoInline);
    bodies.push_back(body);
  }
  Dispatcher(*combined, entry, attributes, bodies, present).build();
  std::string reason;
  raw_string_ostream os(reason);
  if (verifyModule(*combined, &os))
    return error("the dispatcher of '" + entry + "' is malformed: " + reason);
  return combined;
}
