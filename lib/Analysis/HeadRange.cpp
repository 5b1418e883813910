//===- HeadRange.cpp - From the feature map to the last value -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadRange.h"
#include "HeadJudge.h"
#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantFolder.h"
#include "headopt/Analysis/GlobalAverage.h"
#include "headopt/Analysis/Lowerable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace headopt;

func::FuncOp headopt::getMainGraph(ModuleOp module) {
  func::FuncOp only;
  bool several = false;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal() || !function.getBody().hasOneBlock())
      continue;
    if (function->hasAttr(onnx::kGraphAttr))
      return function;
    if (function->hasAttr(onnx::kFunctionAttr))
      continue;
    several |= only != nullptr;
    only = function;
  }
  return several ? func::FuncOp() : only;
}

namespace {

/// A map and the values that make it one: means of it, and results of dense
/// layers that it is flattened into.
struct Candidate {
  Value map;
  /// In program order.
  SmallVector<Value> anchors;
};

class Finder {
public:
  Finder(func::FuncOp graph, const HeadAnalysis &heads)
      : block(graph.getBody().front()), heads(heads), facts(heads.getFacts()) {
    range.graph = graph;
  }

  std::optional<HeadRange> run(std::string &whyNot);

private:
  Value findMap(const Head &head);
  Value findMapByShapes(const Head &head, std::string &whyNot);
  Value findMeanOverAllButOne(Operation *op);
  void collectCandidates();
  void findLive();
  bool isGate(Value average);
  void follow(const Candidate &candidate);
  bool isFollowed(Operation *op, std::string &whyNot);
  bool keepsSamplesApart(Operation *op) const;
  bool chooseEnd(const Candidate &candidate, std::string &whyNot);
  SmallVector<Operation *> getChain(Value end) const;
  SmallVector<Value> getNeededOutside(Value end,
                                      ArrayRef<Operation *> chain) const;
  bool isResult(Value value) const;
  bool isAverage(Value value) const { return averages.contains(value); }
  std::string explainStop() const;
  std::string getFirstRefusal() const {
    return refused.empty() ? "" : refused.front().second;
  }

  Block &block;
  const HeadAnalysis &heads;
  const ModelFacts &facts;
  /// One for each map, in the order in which the last of their anchors come.
  SmallVector<Candidate> candidates;
  /// Operators that an output of the graph depends on.
  llvm::SetVector<Operation *> live;
  /// Whether maps are averaged to scale them.
  bool hasGates = false;
  /// What to say of a head whose map is not found.
  std::string withoutMap;
  /// Means over all positions, and of what.
  llvm::MapVector<Value, Value> averages;

  /// Of the candidate that is looked at: all that depends on its map, the part
  /// of it that depends on nothing else but constants and can be lowered, the
  /// part of that which depends on an anchor, and why operators that were not
  /// followed were not.
  llvm::DenseSet<Value> dependents;
  llvm::SetVector<Value> followed, behindAnchor;
  llvm::MapVector<Operation *, std::string> refused;
  HeadRange range;
};

} // namespace

/// True for what depends on nothing but the extents of its operands.
static bool readsExtentsOnly(Operation *op) {
  return isa<onnx::ShapeOp, onnx::SizeOp>(op);
}

/// Calls `visit` for each value that `op` or an operator inside it reads.
static void forEachRead(Operation *op, llvm::function_ref<void(Value)> visit) {
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      visit(operand);
  });
}

static bool reads(Operation *op, llvm::function_ref<bool(Value)> isOne) {
  bool found = false;
  forEachRead(op, [&](Value value) { found |= isOne(value); });
  return found;
}

/// The operator in `block` that `op` is, or is inside of.
static Operation *getAncestor(Operation *op, Block &block) {
  return block.findAncestorOpInBlock(*op);
}

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

/// The value that `head` flattens.
Value Finder::findMap(const Head &head) {
  if (!head.featureMap) {
    std::string whyNot;
    Value map = findMapByShapes(head, whyNot);
    if (!map)
      withoutMap = "the head " + describe(head.layer.op) +
                   " cannot be outlined: " + whyNot;
    return map;
  }
  // What acts on each element alone before the map is laid out anew is left to
  // the backbone, as far as its values stay floating point.
  Value map = head.featureMap;
  size_t begin = 0;
  for (auto [i, step] : llvm::enumerate(head.path))
    if (step->getOwner()->getResult(0) == map)
      begin = i + 1;
  Value best = map;
  for (OpOperand *step : ArrayRef(head.path).drop_front(begin)) {
    if (isViewOp(step->getOwner(), facts))
      break;
    map = step->getOwner()->getResult(0);
    if (Type element = facts.get(map).elementType;
        element && isDecodedFloat(element))
      best = map;
  }
  return best;
}

/// Where the analysis could not follow axes: the last value on the way to
/// `head` that is brought into rank 2. Null, and the reason in `whyNot`, when
/// there is none.
Value Finder::findMapByShapes(const Head &head, std::string &whyNot) {
  static constexpr unsigned kMaxSteps = 24;
  Value value = head.layer.data->get();
  if (!head.layer.isMatrixProduct())
    return value;
  for (unsigned i = 0; i != kMaxSteps; ++i) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumOperands() == 0 || matchDenseLayer(op, facts)) {
      whyNot = "no map is flattened before it";
      return nullptr;
    }
    if (!isLowerable(op, facts, whyNot))
      return nullptr;
    Value next = op->getOperand(0);
    for (Value operand : llvm::reverse(op->getOperands()))
      if (classifyOperand(operand, facts) == OperandKind::Computed)
        next = operand;
    const std::optional<ValueFacts::Shape> &before = facts.get(next).shape;
    const std::optional<ValueFacts::Shape> &after = facts.get(value).shape;
    if (isViewOp(op, facts) && before && after && before->size() > 2 &&
        after->size() <= 2)
      return next;
    value = next;
  }
  whyNot = "its map is too far away";
  return nullptr;
}

/// What `op` is the mean of, over all axes but the samples and at most one
/// other: a mean over all positions wherever the channels are, which
/// GlobalAverage would have to know. flatten-to-gap writes such means. Null
/// when `op` is none.
Value Finder::findMeanOverAllButOne(Operation *op) {
  auto mean = dyn_cast<onnx::ReduceMeanOp>(op);
  if (!mean)
    return nullptr;
  const std::optional<ValueFacts::Shape> &shape =
      facts.get(mean.getData()).shape;
  std::optional<SmallVector<int64_t>> axes = facts.getReducedAxes(mean);
  if (!shape || shape->size() < 3 || !axes || llvm::is_contained(*axes, 0))
    return nullptr;
  unsigned numKept = 0, numReduced = 0;
  for (size_t axis = 1; axis != shape->size(); ++axis)
    if (!(*shape)[axis].isNumber(1))
      (llvm::is_contained(*axes, axis) ? numReduced : numKept) += 1;
  return numReduced != 0 && numKept <= 1 ? mean.getData() : Value();
}

void Finder::collectCandidates() {
  for (Operation &op : block) {
    if (op.getNumResults() == 0)
      continue;
    Value value = op.getResult(0);
    if (std::optional<GlobalAverage> average = matchGlobalAverage(value, facts))
      averages.insert({value, average->map});
    else if (Value map = findMeanOverAllButOne(&op))
      averages.insert({value, map});
  }
  llvm::MapVector<Value, Candidate> byMap;
  auto add = [&](Value map, Value anchor) {
    if (!live.contains(anchor.getDefiningOp()))
      return;
    Candidate &candidate = byMap[map];
    candidate.map = map;
    candidate.anchors.push_back(anchor);
  };
  for (auto [value, map] : averages)
    if (isGate(value))
      hasGates = true;
    else
      add(map, value);
  for (const Head &head : heads.getHeads()) {
    if (head.layer.op->getBlock() != &block)
      continue;
    bool isPooled = isAverage(head.layer.data->get());
    for (OpOperand *step : head.path)
      isPooled |= isAverage(step->get());
    if (isPooled)
      continue;
    Value map = findMap(head);
    // A map that is averaged along some of its axes is pooled as well.
    if (auto mean = map ? map.getDefiningOp<onnx::ReduceMeanOp>() : nullptr) {
      std::optional<SmallVector<int64_t>> axes = facts.getReducedAxes(mean);
      if (axes && !llvm::is_contained(*axes, 0))
        map = mean.getData();
    }
    if (map)
      add(map, head.layer.op->getResult(0));
  }
  auto isBefore = [](Value a, Value b) {
    return a != b && a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
  };
  for (auto &[map, candidate] : byMap) {
    llvm::sort(candidate.anchors, isBefore);
    candidates.push_back(std::move(candidate));
  }
  llvm::stable_sort(candidates, [&](const Candidate &a, const Candidate &b) {
    return isBefore(a.anchors.back(), b.anchors.back());
  });
}

void Finder::findLive() {
  live.insert(block.getTerminator());
  for (size_t i = 0; i != live.size(); ++i)
    forEachRead(live[i], [&](Value value) {
      if (Operation *def = value.getDefiningOp())
        if (Operation *outer = block.findAncestorOpInBlock(*def))
          live.insert(outer);
    });
}

/// True when `average`, the mean of a map, is combined with something larger
/// that is computed as well: when it scales each channel of a map (squeeze and
/// excitation), or is taken off what it is the mean of (normalisation).
bool Finder::isGate(Value average) {
  llvm::DenseSet<Value> pooled{average};
  auto isPooled = [&](Value value) { return pooled.contains(value); };
  for (Operation &op : block) {
    if (op.getNumResults() == 0 || readsExtentsOnly(&op) ||
        !reads(&op, isPooled))
      continue;
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(op.getResult(0)).shape;
    bool grows = llvm::any_of(op.getOperands(), [&](Value operand) {
      const std::optional<ValueFacts::Shape> &before = facts.get(operand).shape;
      return isPooled(operand) && before && shape && before != shape;
    });
    if (op.hasTrait<onnx::PerElement>() && grows &&
        llvm::any_of(op.getOperands(), [&](Value operand) {
          return !isPooled(operand) &&
                 classifyOperand(operand, facts) == OperandKind::Computed;
        }))
      return true;
    pooled.insert(op.result_begin(), op.result_end());
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Following a map
//===----------------------------------------------------------------------===//

/// True when `op` combines what lies along axis 0 of its data, or moves it to
/// another axis.
static bool actsOnFirstAxis(Operation *op, const ModelFacts &facts) {
  // Axes that are no axes of the data are refused elsewhere.
  auto isFirst = [&](int64_t axis) {
    const ValueFacts::Shape &shape = *facts.get(op->getOperand(0)).shape;
    return axis == 0 || axis == -static_cast<int64_t>(shape.size());
  };
  std::optional<int64_t> opset = onnx::getOpsetVersion(op);
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](onnx::TransposeOp transpose) {
        SmallVector<int64_t> perm = transpose.getPermutation(
            facts.get(transpose.getData()).shape->size());
        return perm.empty() || perm.front() != 0;
      })
      .Case<onnx::SoftmaxOp, onnx::LogSoftmaxOp>([&](auto softmax) {
        bool old = opset && *opset < 13;
        return isFirst(softmax.getAxis().value_or(old ? 1 : -1));
      })
      .Case([&](onnx::LayerNormalizationOp norm) {
        return isFirst(norm.getAxis().value_or(-1));
      })
      .Case<onnx::ReduceMeanOp, onnx::ReduceSumOp>(
          [&](onnx::ReductionOpInterface reduction) {
            return llvm::is_contained(*facts.getReducedAxes(reduction), 0);
          })
      .Case<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>([&](auto linear) {
        return isFirst(linear.getAxis().value_or(1)) &&
               !facts.isScalar(op->getOperand(1));
      })
      .Default([](Operation *) { return false; });
}

/// True when each sample of the result of `op` is made from the same sample of
/// the map alone, so that any part of the batch can be computed by itself. What
/// is followed has one sample behind the other, one or more slices along axis 0
/// each. Shapes are known.
bool Finder::keepsSamplesApart(Operation *op) const {
  const Extent &batch = facts.get(followed.front()).shape->front();
  // All of a fixed batch is computed at once.
  if (batch.isNumber())
    return true;
  // Elements that keep their order are where they were.
  if (isViewOp(op, facts) && !isa<onnx::TransposeOp>(op))
    return true;
  if (actsOnFirstAxis(op, facts))
    return false;
  const ValueFacts::Shape &to = *facts.get(op->getResult(0)).shape;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (isa<NoneType>(operand.getType()))
      continue;
    const ValueFacts::Shape &from = *facts.get(operand).shape;
    if (followed.contains(operand)) {
      if (from.empty() || to.empty() || from.front() != to.front() ||
          (op->hasTrait<onnx::PerElement>() && from.size() != to.size()) ||
          !from.front().divideBy(batch))
        return false;
      continue;
    }
    // What is broadcast must be the same for all samples.
    bool isBroadcast = op->hasTrait<onnx::PerElement>() ||
                       (isa<onnx::LayerNormalizationOp>(op) && i >= 1) ||
                       (isa<onnx::GemmOp>(op) && i == 2);
    if (isBroadcast && from.size() >= to.size() && !from.empty() &&
        !from.front().isNumber(1))
      return false;
  }
  return true;
}

/// True when `op`, of which an operand was followed, can be as well.
bool Finder::isFollowed(Operation *op, std::string &whyNot) {
  if (!isLowerable(op, facts, whyNot))
    return false;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (followed.contains(operand))
      continue;
    // A target that is computed from the map's extents.
    if (isa<onnx::ReshapeOp>(op) && i == 1)
      continue;
    if (classifyOperand(operand, facts) == OperandKind::Computed) {
      foldConstant(operand, facts, whyNot);
      whyNot =
          describe(op) + " reads '" + onnx::getValueName(operand).str() +
          "', which is neither constant nor made from the map alone: " + whyNot;
      return false;
    }
  }
  if (keepsSamplesApart(op))
    return true;
  whyNot = describe(op) + " does not leave each sample to itself along axis 0, "
                          "which a batch of any size needs";
  return false;
}

void Finder::follow(const Candidate &candidate) {
  dependents.clear();
  followed.clear();
  behindAnchor.clear();
  refused.clear();
  dependents.insert(candidate.map);
  followed.insert(candidate.map);
  for (Operation &op : block) {
    if (op.getNumResults() == 0 || !live.contains(&op) ||
        readsExtentsOnly(&op) ||
        !reads(&op, [&](Value value) { return dependents.contains(value); }))
      continue;
    dependents.insert(op.result_begin(), op.result_end());
    Value result = op.getResult(0);
    std::string whyNot;
    if (llvm::none_of(op.getOperands(), [&](Value operand) {
          return followed.contains(operand);
        }))
      continue;
    if (!isFollowed(&op, whyNot)) {
      refused.insert({&op, whyNot});
      continue;
    }
    followed.insert(result);
    if (llvm::is_contained(candidate.anchors, result) ||
        llvm::any_of(op.getOperands(), [&](Value operand) {
          return behindAnchor.contains(operand);
        }))
      behindAnchor.insert(result);
  }
}

//===----------------------------------------------------------------------===//
// Where it ends
//===----------------------------------------------------------------------===//

/// What computes `end` from the map, in program order.
SmallVector<Operation *> Finder::getChain(Value end) const {
  Value map = followed.front();
  llvm::SetVector<Operation *> ops;
  ops.insert(end.getDefiningOp());
  for (size_t i = 0; i != ops.size(); ++i)
    for (Value operand : ops[i]->getOperands()) {
      if (operand == map)
        continue;
      if (followed.contains(operand))
        ops.insert(operand.getDefiningOp());
    }
  SmallVector<Operation *> sorted = ops.takeVector();
  llvm::sort(sorted, [](Operation *a, Operation *b) {
    return a != b && a->isBeforeInBlock(b);
  });
  return sorted;
}

/// Results of `chain` but `end` that something outside it reads.
SmallVector<Value> Finder::getNeededOutside(Value end,
                                            ArrayRef<Operation *> chain) const {
  llvm::SmallDenseSet<Operation *, 16> inside(chain.begin(), chain.end());
  SmallVector<Value> needed;
  for (Operation *op : chain)
    for (Value result : op->getResults())
      if (result != end &&
          llvm::any_of(result.getUsers(), [&](Operation *user) {
            Operation *outer = getAncestor(user, block);
            // What depends on extents alone is no part of the head and needs
            // no value; what no output depends on needs none either.
            return !inside.contains(outer) && live.contains(outer) &&
                   !readsExtentsOnly(user);
          }))
        needed.push_back(result);
  return needed;
}

/// True when the head may end with `value`: floating point, with the samples
/// along axis 0 as in the map.
bool Finder::isResult(Value value) const {
  RankedTensorType type = getKnownType(value, facts);
  const std::optional<ValueFacts::Shape> &map =
      facts.get(followed.front()).shape;
  if (!type || !isDecodedFloat(type.getElementType()) || !map)
    return false;
  const ValueFacts::Shape &shape = *facts.get(value).shape;
  return !map->empty() && !shape.empty() && shape.front() == map->front();
}

/// Chooses among the values that the map was followed to.
bool Finder::chooseEnd(const Candidate &candidate, std::string &whyNot) {
  // Only hostile files have more.
  static constexpr size_t kMaxEnds = 64;
  // Those that no other value that may end the head comes behind, last first.
  SmallVector<Value> ends;
  llvm::DenseSet<Value> before;
  for (Value value : llvm::reverse(behindAnchor)) {
    for (Operation *user : value.getUsers()) {
      if (user->getBlock() != &block || user->getNumResults() == 0)
        continue;
      Value next = user->getResult(0);
      if (behindAnchor.contains(next) &&
          (before.contains(next) || isResult(next)))
        before.insert(value);
    }
    if (!before.contains(value) && isResult(value) && ends.size() < kMaxEnds)
      ends.push_back(value);
  }
  std::optional<std::pair<bool, size_t>> best;
  for (Value end : ends) {
    SmallVector<Operation *> chain = getChain(end);
    SmallVector<Value> needed = getNeededOutside(end, chain);
    std::pair rank{needed.empty(), chain.size()};
    if (best && rank <= *best)
      continue;
    best = rank;
    range.map = candidate.map;
    range.result = end;
    range.ops = std::move(chain);
    range.neededOutside = std::move(needed);
  }
  if (!best)
    whyNot = "it gives no floating point numbers, or no row for each sample";
  return best.has_value();
}

/// Why what reads the result is no part of the head.
std::string Finder::explainStop() const {
  for (Operation *user : range.result.getUsers()) {
    Operation *outer = getAncestor(user, block);
    if (outer->hasTrait<OpTrait::IsTerminator>() || !live.contains(outer))
      continue;
    auto it = refused.find(outer);
    if (it != refused.end())
      return it->second;
    return describe(outer) +
           " gives no floating point numbers, or no row for each sample";
  }
  return "";
}

std::optional<HeadRange> Finder::run(std::string &whyNot) {
  findLive();
  collectCandidates();
  if (candidates.empty()) {
    ArrayRef<Head> all = heads.getHeads();
    const Head *inner = llvm::find_if(all, [&](const Head &head) {
      return head.layer.op->getBlock() != &block;
    });
    if (inner != all.end())
      whyNot = "the head " + describe(inner->layer.op) +
               " is inside a branch, a loop body or a model-local function; "
               "inline that first (functions: onnx.inliner)";
    else if (!withoutMap.empty())
      whyNot = withoutMap;
    else if (hasGates)
      whyNot = "the model has no head: maps are averaged only to scale them; "
               "give a model with a mean or a dense layer at its end";
    else
      whyNot = "the model has no head: no map is averaged over its positions "
               "or flattened into a dense layer; give a model in which one is";
    return std::nullopt;
  }

  const Candidate *last = &candidates.back();
  // What would be the map of one head may be inside an earlier one.
  for (const Candidate *other = candidates.begin(); other != last;) {
    follow(*other);
    bool contains = behindAnchor.contains(last->map);
    last = contains ? other : last;
    other = contains ? candidates.begin() : other + 1;
  }
  follow(*last);
  whyNot = getFirstRefusal();
  if (behindAnchor.empty() || !chooseEnd(*last, whyNot)) {
    whyNot = "the head " + describe(last->anchors.back().getDefiningOp()) +
             " cannot be outlined: " + whyNot;
    return std::nullopt;
  }
  range.stopped = explainStop();
  llvm::SmallDenseSet<Operation *, 16> inside(range.ops.begin(),
                                              range.ops.end());
  for (const Head &head : heads.getHeads())
    range.numOthers += !inside.contains(head.layer.op);
  return std::move(range);
}

std::optional<HeadRange> headopt::findLastHead(ModuleOp module,
                                               const HeadAnalysis &heads,
                                               std::string &whyNot) {
  whyNot.clear();
  func::FuncOp graph = getMainGraph(module);
  if (!graph) {
    whyNot = "the module has no main graph; give it one function with "
             "'onnx.graph'";
    return std::nullopt;
  }
  return Finder(graph, heads).run(whyNot);
}
