//===- ShareLoops.cpp - Loops of a kernel shared out among threads --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel with loops of independent iterations becomes a function that does
// one thread's part of them, and waits for the others where one loop reads what
// another one wrote. What is no such loop, the first thread does alone. Which
// thread does an iteration changes nothing in what is computed.
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"
#include "headopt/Codegen/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace headopt {
#define GEN_PASS_DEF_SHARELOOPS
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// Of buffers that each thread has for itself: a cache line, the widest vector.
constexpr int64_t kAlignment = 64;

namespace {

/// Who executes an operation of the kernel.
enum class Role {
  /// All threads: it writes nothing.
  Each,
  /// The threads, a part of the iterations each.
  Shared,
  /// The first thread.
  Alone,
  /// Nobody: memory that the caller or the thread has, and what ends the body.
  None
};

/// Makes one kernel's parts.
class Sharer {
public:
  Sharer(func::FuncOp kernel, int64_t parallelBytes, int64_t stackBytes)
      : kernel(kernel), body(kernel.getBody().front()),
        parallelBytes(parallelBytes), stackBytes(stackBytes) {}

  /// Does nothing, and says so, where there is too little to share.
  bool share(SymbolTable &symbols);

private:
  bool assignRoles();
  bool findPrivateBuffers();
  Index getWork(VectorLoops &b);
  func::FuncOp createPart();
  void callPart(func::FuncOp part);
  void shareLoop(VectorLoops &b, scf::ForOp loop);

  func::FuncOp kernel;
  Block &body;
  int64_t parallelBytes, stackBytes;
  /// What the loops that are shared say.
  int64_t loopWork = 0;
  llvm::DenseMap<Operation *, Role> roles;
  /// Buffers between the kernel's operations, and those within a shared loop.
  SmallVector<memref::AllocOp> buffers, privateBuffers;
};

} // namespace

static bool isIndependentLoop(Operation &op) {
  auto loop = dyn_cast<scf::ForOp>(op);
  return loop && loop->hasAttr(kIndependentAttr) && loop->getNumResults() == 0;
}

static bool onlyReads(Operation &op) {
  auto effects = getEffectsRecursively(&op);
  return effects &&
         llvm::all_of(*effects, [](const MemoryEffects::EffectInstance &e) {
           return isa<MemoryEffects::Read>(e.getEffect());
         });
}

/// The operations of `block` in which `buffer` or a view of it is used, other
/// than to make a view or to free it. False where it goes to places unknown.
static bool findUsers(Value buffer, Block &block,
                      llvm::SmallPtrSetImpl<Operation *> &users) {
  for (Operation *user : buffer.getUsers()) {
    if (isa<memref::DeallocOp>(user))
      continue;
    if (auto view = dyn_cast<ViewLikeOpInterface>(user)) {
      if (!findUsers(view.getViewDest(), block, users))
        return false;
      continue;
    }
    if (llvm::any_of(user->getResultTypes(), llvm::IsaPred<BaseMemRefType>) ||
        isa<RegionBranchTerminatorOpInterface, CallOpInterface>(user))
      return false;
    users.insert(block.findAncestorOpInBlock(*user));
  }
  return true;
}

/// Bytes of a buffer on a stack, with those that align the next one; none where
/// it cannot lie there.
static std::optional<int64_t> getStackBytes(MemRefType type) {
  if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
      !type.getElementType().isIntOrFloat())
    return std::nullopt;
  return llvm::alignTo(type.getNumElements() *
                           llvm::divideCeil(type.getElementTypeBitWidth(), 8),
                       kAlignment);
}

/// Sorts the allocations. A buffer that one shared loop alone uses is each
/// thread's own, on its stack. False where it is not known who uses one.
bool Sharer::findPrivateBuffers() {
  int64_t total = 0;
  for (auto alloc : body.getOps<memref::AllocOp>()) {
    roles[alloc] = Role::None;
    llvm::SmallPtrSet<Operation *, 4> users;
    if (!findUsers(alloc, body, users))
      return false;
    if (users.size() != 1 || !isIndependentLoop(**users.begin())) {
      buffers.push_back(alloc);
      continue;
    }
    std::optional<int64_t> bytes = getStackBytes(alloc.getType());
    if (bytes && total + *bytes <= stackBytes) {
      total += *bytes;
      privateBuffers.push_back(alloc);
      continue;
    }
    // Its iterations would meet in the one buffer that there is.
    roles[*users.begin()] = Role::Alone;
    buffers.push_back(alloc);
  }
  return true;
}

/// False where no loop can be shared.
bool Sharer::assignRoles() {
  if (!findPrivateBuffers())
    return false;
  // The loops and what lies between two of them, in order.
  llvm::DenseMap<Operation *, unsigned> stretch;
  unsigned current = 0;
  for (Operation &op : body) {
    bool isShared = isIndependentLoop(op) && !roles.contains(&op);
    if (isShared) {
      roles[&op] = Role::Shared;
      loopWork += op.getAttrOfType<IntegerAttr>(kIndependentAttr).getInt();
    }
    current += isShared;
    stretch[&op] = current;
  }
  if (current == 0)
    return false;
  for (Operation &op : llvm::reverse(body)) {
    if (roles.contains(&op))
      continue;
    if (isa<memref::DeallocOp, func::ReturnOp>(op)) {
      roles[&op] = Role::None;
      continue;
    }
    bool usedByFirst =
        !op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) {
          Operation *at = body.findAncestorOpInBlock(*user);
          return roles[at] == Role::Alone && stretch[at] == stretch[&op];
        });
    roles[&op] = usedByFirst || (!isMemoryEffectFree(&op) && !onlyReads(op))
                     ? Role::Alone
                     : Role::Each;
  }
  // A read that all threads do separates what the first one does alone.
  current = 0;
  for (Operation &op : body) {
    current += roles[&op] == Role::Shared ||
               (roles[&op] == Role::Each && !isMemoryEffectFree(&op));
    stretch[&op] = current;
  }
  return llvm::all_of(body, [&](Operation &op) {
    return roles[&op] != Role::Alone ||
           llvm::all_of(op.getUsers(), [&](Operation *user) {
             Operation *at = body.findAncestorOpInBlock(*user);
             return roles[at] == Role::Alone && stretch[at] == stretch[&op];
           });
  });
}

/// What the kernel takes, as bytes that could be read meanwhile.
Index Sharer::getWork(VectorLoops &b) {
  Index work = b.getIndexAttr(loopWork);
  for (BlockArgument argument : body.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type || !type.getElementType().isIntOrFloat())
      continue;
    Index bytes =
        b.getIndexAttr(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
    for (auto [axis, extent] : llvm::enumerate(type.getShape()))
      bytes = b.mul(
          bytes,
          ShapedType::isDynamic(extent)
              ? Index(Value(memref::DimOp::create(b, argument, int64_t(axis))))
              : b.getIndexAttr(extent));
    work = b.add(work, bytes);
  }
  return work;
}

/// One thread's part of `loop`: neighbouring iterations.
void Sharer::shareLoop(VectorLoops &b, scf::ForOp loop) {
  Value thread = b.getInsertionBlock()->getArguments().drop_back().back();
  Value threads = b.getInsertionBlock()->getArguments().back();
  Index lower = getAsOpFoldResult(loop.getLowerBound());
  Index step = getAsOpFoldResult(loop.getStep());
  Index length = b.sub(getAsOpFoldResult(loop.getUpperBound()), lower);
  Index trips = b.ceilDiv(length, step);
  auto getStart = [&](Index part) {
    Index trip = b.floorDiv(b.mul(trips, part), threads);
    return b.materialize(b.add(lower, b.mul(trip, step)));
  };
  Value from = getStart(thread),
        to = getStart(b.add(thread, b.getIndexAttr(1)));
  loop.setLowerBound(from);
  loop.setUpperBound(to);
  loop->moveBefore(b.getInsertionBlock(), b.getInsertionPoint());
  loop->removeAttr(kIndependentAttr);
}

/// The function of the kernel's arguments, its buffers, the number of the
/// thread and that of all of them, which does what falls to that thread.
func::FuncOp Sharer::createPart() {
  VectorLoops b(kernel.getLoc(), kernel.getContext());
  b.setInsertionPoint(kernel);
  SmallVector<Type> types(kernel.getArgumentTypes());
  for (memref::AllocOp buffer : buffers)
    types.push_back(buffer.getType());
  types.append(2, b.getIndexType());
  auto part = func::FuncOp::create(b, (kernel.getName() + ".part").str(),
                                   b.getFunctionType(types, {}));
  part.setPrivate();
  // Others write while it runs, except to what nobody writes.
  for (unsigned i = 0, e = kernel.getNumArguments(); i != e; ++i)
    if (kernel.getArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName()))
      part.setArgAttrs(i, kernel.getArgAttrDict(i));
  // There are two calls of it.
  part->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));

  Block *entry = part.addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping map;
  map.map(body.getArguments(),
          entry->getArguments().take_front(kernel.getNumArguments()));
  for (auto [buffer, argument] :
       llvm::zip_equal(buffers, entry->getArguments()
                                    .drop_front(kernel.getNumArguments())
                                    .drop_back(2)))
    map.map(buffer.getResult(), argument);
  for (memref::AllocOp buffer : privateBuffers)
    map.map(buffer.getResult(),
            memref::AllocaOp::create(b, buffer.getType(), ValueRange(),
                                     b.getI64IntegerAttr(kAlignment))
                .getResult());

  Value thread = entry->getArguments().drop_back().back();
  Value threads = entry->getArguments().back();
  // What was read and written since all threads met.
  bool isRead = false, isWritten = false;
  scf::IfOp alone;
  auto meet = [&](bool writes) {
    alone = nullptr;
    if (isWritten || (isRead && writes)) {
      Value others = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, threads,
                                           b.constant(1));
      auto branch = scf::IfOp::create(b, others, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      omp::BarrierOp::create(b);
      isRead = isWritten = false;
    }
    (writes ? isWritten : isRead) = true;
  };
  for (Operation &op : body) {
    switch (roles[&op]) {
    case Role::None:
      break;
    case Role::Each: {
      OpBuilder::InsertionGuard guard(b);
      if (!isMemoryEffectFree(&op))
        meet(/*writes=*/false);
      else if (alone)
        b.setInsertionPoint(alone);
      b.clone(op, map);
      break;
    }
    case Role::Shared:
      meet(/*writes=*/true);
      shareLoop(b, cast<scf::ForOp>(b.clone(op, map)));
      break;
    case Role::Alone: {
      if (!alone) {
        meet(/*writes=*/true);
        Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              thread, b.constant(0));
        alone = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
      }
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(alone.thenYield());
      b.clone(op, map);
    }
    }
  }
  func::ReturnOp::create(b);
  return part;
}

/// Leaves in the kernel its buffers and calls of `part`: by several threads
/// where there is enough work for each, and this is not one of several already.
void Sharer::callPart(func::FuncOp part) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (!llvm::is_contained(buffers, &op))
      op.erase();
  VectorLoops b(kernel.getLoc(), kernel.getContext());
  b.setInsertionPointToEnd(&body);
  SmallVector<Value> arguments(body.getArguments());
  for (memref::AllocOp buffer : buffers)
    arguments.push_back(buffer);
  auto call = [&](Value thread, Value threads) {
    SmallVector<Value> all(arguments);
    all.append({thread, threads});
    func::CallOp::create(b, part, all);
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    return Value(arith::CmpIOp::create(b, predicate, x, y));
  };
  Value zero = b.constant(0), one = b.constant(1);
  // Work for two threads is what the option says.
  Value most = b.materialize(b.floorDiv(b.mul(getWork(b), b.getIndexAttr(2)),
                                        std::max<int64_t>(parallelBytes, 1)));
  Value available = b.askOpenMP("omp_get_max_threads");
  Value threads = arith::MinUIOp::create(b, available, most);
  Value isAlone =
      compare(arith::CmpIPredicate::eq, b.askOpenMP("omp_in_parallel"), zero);
  Value areSeveral = arith::AndIOp::create(
      b, isAlone, compare(arith::CmpIPredicate::ugt, threads, one));
  auto branch = scf::IfOp::create(b, areSeveral, /*withElseRegion=*/true);
  func::ReturnOp::create(b);
  b.setInsertionPointToStart(branch.elseBlock());
  call(zero, one);
  b.setInsertionPointToStart(branch.thenBlock());
  omp::ParallelOperands clauses;
  clauses.numThreads = arith::IndexCastOp::create(b, b.getI32Type(), threads);
  auto region = omp::ParallelOp::create(b, clauses);
  b.createBlock(&region.getRegion());
  // There may be fewer than asked for.
  Value thread = b.askOpenMP("omp_get_thread_num");
  call(thread, b.askOpenMP("omp_get_num_threads"));
  omp::TerminatorOp::create(b);
}

bool Sharer::share(SymbolTable &symbols) {
  if (!assignRoles())
    return false;
  VectorLoops b(kernel.getLoc(), kernel.getContext());
  b.setInsertionPointToStart(&body);
  std::optional<int64_t> work = getConstantIntValue(getWork(b));
  if (work && *work < parallelBytes)
    return false;
  func::FuncOp part = createPart();
  symbols.insert(part);
  callPart(part);
  return true;
}

namespace {

struct ShareLoops final : headopt::impl::ShareLoopsBase<ShareLoops> {
  using ShareLoopsBase::ShareLoopsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    bool any = false;
    for (auto kernel : llvm::to_vector(module.getOps<func::FuncOp>())) {
      if (kernel.isExternal() || !kernel.getBody().hasOneBlock() ||
          kernel.getNumResults() != 0)
        continue;
      any |= Sharer(kernel, parallelBytes, stackBytes).share(symbols);
    }
    if (!any)
      return;
    OpBuilder builder(module.getBodyRegion());
    for (StringRef name : {"omp_get_max_threads", "omp_in_parallel",
                           "omp_get_thread_num", "omp_get_num_threads"})
      if (!symbols.lookup(name)) {
        auto function = func::FuncOp::create(
            builder, module.getLoc(), name,
            builder.getFunctionType({}, {builder.getI32Type()}));
        function.setPrivate();
        symbols.insert(function);
      }
  }
};

} // namespace
