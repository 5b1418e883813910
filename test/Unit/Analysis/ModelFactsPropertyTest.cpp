//===- ModelFactsPropertyTest.cpp - What facts claim holds in runs --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random graphs over small tensors of whole numbers are run by an interpreter
// that knows nothing of the analysis, with several values for each extent that
// only a run knows. Whatever ModelFacts claims of a value must hold in every
// run in which no node fails: its extents and elements, where a symbol has one
// value for each run, how many different slices there are along an axis, and
// the same within a part. A claim that is missing is no failure here.
//
// The generator interprets while it draws, so that it draws nodes that can run.
// A node may also fail in some of the runs; these no longer count, which is how
// an operator's own demands ("this extent must be 1") are tested.
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/ModelFacts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "gtest/gtest.h"
#include <cmath>
#include <map>
#include <random>

using namespace mlir;
using namespace headopt;

namespace {

//===----------------------------------------------------------------------===//
// The interpreter
//===----------------------------------------------------------------------===//

using Ints = std::vector<int64_t>;

struct Tensor {
  Ints shape;
  std::vector<double> data;
};
/// Nothing where the operator fails.
using Result = std::optional<Tensor>;

int64_t count(ArrayRef<int64_t> shape) {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}

int64_t rankOf(const Tensor &tensor) {
  return static_cast<int64_t>(tensor.shape.size());
}

double at(const Tensor &tensor, ArrayRef<int64_t> index) {
  int64_t flat = 0;
  for (auto [extent, i] : llvm::zip_equal(tensor.shape, index))
    flat = flat * extent + i;
  return tensor.data[flat];
}

/// Calls `visit` for each index into a tensor of `shape`, in order.
void forEachIndex(ArrayRef<int64_t> shape,
                  llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  Ints index(shape.size(), 0);
  for (int64_t i = 0, e = count(shape); i != e; ++i) {
    visit(index);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] != shape[axis])
        break;
      index[axis] = 0;
    }
  }
}

/// The tensor whose element at each index is `get` of it. Large ones count as
/// failures, so that the graphs stay small.
Result build(const Ints &shape,
             llvm::function_ref<double(ArrayRef<int64_t>)> get) {
  if (shape.size() > 5)
    return std::nullopt;
  int64_t total = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || extent > 300)
      return std::nullopt;
    total *= std::max<int64_t>(extent, 1);
    if (total > 400)
      return std::nullopt;
  }
  Tensor result{shape, {}};
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    double value = get(index);
    // Neither -0.0 nor numbers that are no longer exact.
    result.data.push_back(value == 0 ? 0.0 : value);
  });
  for (double value : result.data)
    if (!(std::abs(value) < 1e12))
      return std::nullopt;
  return result;
}

Ints toInts(const Tensor &tensor) {
  return Ints(tensor.data.begin(), tensor.data.end());
}

std::optional<Ints> broadcast(ArrayRef<const Tensor *> operands) {
  size_t rank = 0;
  for (const Tensor *operand : operands)
    rank = std::max(rank, operand->shape.size());
  Ints shape(rank, 1);
  for (const Tensor *operand : operands)
    for (size_t i = 0; i != operand->shape.size(); ++i) {
      int64_t &extent = shape[rank - operand->shape.size() + i];
      int64_t own = operand->shape[i];
      if (own == 1)
        continue;
      if (extent != 1 && extent != own)
        return std::nullopt;
      extent = own;
    }
  return shape;
}

/// The element of `operand` that meets `index` of the broadcast result.
double atBroadcast(const Tensor &operand, ArrayRef<int64_t> index) {
  Ints own(index.end() - operand.shape.size(), index.end());
  for (auto [i, extent] : llvm::zip_equal(own, operand.shape))
    if (extent == 1)
      i = 0;
  return at(operand, own);
}

Result elementwise(ArrayRef<const Tensor *> operands,
                   llvm::function_ref<double(ArrayRef<double>)> function) {
  std::optional<Ints> shape = broadcast(operands);
  if (!shape)
    return std::nullopt;
  return build(*shape, [&](ArrayRef<int64_t> index) {
    SmallVector<double> each;
    for (const Tensor *operand : operands)
      each.push_back(atBroadcast(*operand, index));
    return function(each);
  });
}

Result withShape(const Tensor &input, const Ints &shape) {
  if (llvm::any_of(shape, [](int64_t extent) { return extent < 0; }) ||
      count(shape) != count(input.shape) || shape.size() > 5)
    return std::nullopt;
  return Tensor{shape, input.data};
}

Result reshape(const Tensor &input, Ints target, bool allowZero) {
  int64_t *rest = nullptr;
  int64_t known = 1;
  for (auto [i, extent] : llvm::enumerate(target)) {
    if (extent == 0 && !allowZero) {
      if (i >= input.shape.size())
        return std::nullopt;
      extent = input.shape[i];
    }
    if (extent < -1 || (extent == -1 && rest))
      return std::nullopt;
    if (extent == -1)
      rest = &extent;
    else
      known *= extent;
  }
  if (rest) {
    if (known == 0 || count(input.shape) % known != 0)
      return std::nullopt;
    *rest = count(input.shape) / known;
  }
  return withShape(input, target);
}

/// Axes made non-negative; nothing when they are out of range or not distinct.
std::optional<Ints> normalise(Ints axes, int64_t rank) {
  std::vector<bool> seen(rank, false);
  for (int64_t &axis : axes) {
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank || seen[axis])
      return std::nullopt;
    seen[axis] = true;
  }
  return axes;
}

Result transpose(const Tensor &input, const Ints &perm) {
  std::optional<Ints> axes = normalise(perm, rankOf(input));
  if (!axes || axes->size() != input.shape.size() || *axes != perm)
    return std::nullopt;
  Ints shape;
  for (int64_t axis : perm)
    shape.push_back(input.shape[axis]);
  return build(shape, [&](ArrayRef<int64_t> index) {
    Ints from(index.size());
    for (auto [i, axis] : llvm::enumerate(perm))
      from[axis] = index[i];
    return at(input, from);
  });
}

Result gather(const Tensor &data, const Tensor &indices, int64_t axis) {
  axis += axis < 0 ? rankOf(data) : 0;
  if (axis < 0 || axis >= rankOf(data))
    return std::nullopt;
  for (double i : indices.data)
    if (i < -data.shape[axis] || i >= data.shape[axis])
      return std::nullopt;
  Ints shape(data.shape.begin(), data.shape.begin() + axis);
  llvm::append_range(shape, indices.shape);
  shape.insert(shape.end(), data.shape.begin() + axis + 1, data.shape.end());
  return build(shape, [&](ArrayRef<int64_t> index) {
    auto named = static_cast<int64_t>(
        at(indices, index.slice(axis, indices.shape.size())));
    Ints from(index.begin(), index.begin() + axis);
    from.push_back(named < 0 ? named + data.shape[axis] : named);
    llvm::append_range(from, index.drop_front(axis + indices.shape.size()));
    return at(data, from);
  });
}

Result gatherND(const Tensor &data, const Tensor &indices) {
  if (indices.shape.empty())
    return std::nullopt;
  int64_t length = indices.shape.back();
  if (length < 1 || length > rankOf(data))
    return std::nullopt;
  for (auto [i, value] : llvm::enumerate(indices.data)) {
    int64_t extent = data.shape[i % length];
    if (value < -extent || value >= extent)
      return std::nullopt;
  }
  Ints shape(indices.shape.begin(), indices.shape.end() - 1);
  int64_t outer = shape.size();
  shape.insert(shape.end(), data.shape.begin() + length, data.shape.end());
  return build(shape, [&](ArrayRef<int64_t> index) {
    Ints tuple(index.begin(), index.begin() + outer), from;
    for (int64_t i = 0; i != length; ++i) {
      tuple.push_back(i);
      auto named = static_cast<int64_t>(at(indices, tuple));
      tuple.pop_back();
      from.push_back(named < 0 ? named + data.shape[i] : named);
    }
    llvm::append_range(from, index.drop_front(outer));
    return at(data, from);
  });
}

Result slice(const Tensor &data, const Ints &starts, const Ints &ends,
             std::optional<Ints> axes, std::optional<Ints> steps) {
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i != starts.size(); ++i)
      axes->push_back(i);
  }
  axes = normalise(*axes, rankOf(data));
  if (!axes || starts.size() != axes->size() || ends.size() != axes->size() ||
      (steps && steps->size() != axes->size()))
    return std::nullopt;
  Ints shape = data.shape, first(shape.size(), 0), step(shape.size(), 1);
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    int64_t extent = data.shape[axis], by = steps ? (*steps)[i] : 1;
    if (by == 0)
      return std::nullopt;
    int64_t begin = starts[i] + (starts[i] < 0 ? extent : 0);
    int64_t end = ends[i] + (ends[i] < 0 ? extent : 0);
    int64_t low = by < 0 ? -1 : 0, high = by < 0 ? extent - 1 : extent;
    begin = std::max<int64_t>(0, std::min(begin, high));
    end = std::max(low, std::min(end, high));
    int64_t length =
        by > 0 ? (end - begin + by - 1) / by : (begin - end - by - 1) / -by;
    shape[axis] = extent == 0 ? 0 : std::max<int64_t>(0, length);
    first[axis] = begin;
    step[axis] = by;
  }
  return build(shape, [&](ArrayRef<int64_t> index) {
    Ints from;
    for (size_t i = 0; i != index.size(); ++i)
      from.push_back(first[i] + index[i] * step[i]);
    return at(data, from);
  });
}

Result concat(ArrayRef<const Tensor *> inputs, int64_t axis) {
  int64_t rank = rankOf(*inputs.front());
  axis += axis < 0 ? rank : 0;
  if (axis < 0 || axis >= rank)
    return std::nullopt;
  Ints shape = inputs.front()->shape;
  shape[axis] = 0;
  for (const Tensor *input : inputs) {
    if (rankOf(*input) != rank)
      return std::nullopt;
    for (int64_t i = 0; i != rank; ++i)
      if (i != axis && input->shape[i] != shape[i])
        return std::nullopt;
    shape[axis] += input->shape[axis];
  }
  return build(shape, [&](ArrayRef<int64_t> index) {
    Ints from(index);
    size_t which = 0;
    while (from[axis] >= inputs[which]->shape[axis])
      from[axis] -= inputs[which++]->shape[axis];
    return at(*inputs[which], from);
  });
}

Result expand(const Tensor &input, const Tensor &target) {
  if (rankOf(target) != 1 ||
      llvm::any_of(target.data, [](double extent) { return extent < 0; }))
    return std::nullopt;
  Tensor shape{toInts(target), {}};
  std::optional<Ints> result = broadcast({&input, &shape});
  if (!result)
    return std::nullopt;
  return build(*result, [&](ArrayRef<int64_t> index) {
    return atBroadcast(input, index);
  });
}

Result tile(const Tensor &input, const Tensor &repeats) {
  if (rankOf(repeats) != 1 || repeats.shape[0] != rankOf(input))
    return std::nullopt;
  Ints shape = input.shape;
  for (auto [extent, times] : llvm::zip_equal(shape, repeats.data))
    if (llvm::MulOverflow(extent, static_cast<int64_t>(times), extent))
      return std::nullopt;
  return build(shape, [&](ArrayRef<int64_t> index) {
    Ints from(index);
    for (auto [i, extent] : llvm::zip_equal(from, input.shape))
      i %= extent;
    return at(input, from);
  });
}

/// Where along one axis of `extent` numbers element i of `size` comes from.
struct Sampling {
  double begin = 0, step = 0;
};

Result resize(const Tensor &input, const Ints &shape, bool linear,
              ArrayRef<Sampling> sampling, bool crops) {
  // Axis by axis; in a crop, what lies outside is -5.
  constexpr double kOutside = -5;
  Result current = input;
  if (llvm::is_contained(input.shape, 0) ||
      llvm::any_of(shape, [](int64_t extent) { return extent > 300; }))
    return std::nullopt;
  std::vector<std::vector<bool>> outside(shape.size());
  for (size_t axis = 0; axis != shape.size(); ++axis) {
    Ints next = current->shape;
    next[axis] = shape[axis];
    int64_t last = input.shape[axis] - 1;
    for (int64_t i = 0; i < shape[axis]; ++i) {
      double x = sampling[axis].begin + i * sampling[axis].step;
      outside[axis].push_back(crops && (x < 0 || x > last));
    }
    current = build(next, [&](ArrayRef<int64_t> index) {
      double x = sampling[axis].begin + index[axis] * sampling[axis].step;
      x = std::min(std::max(x, 0.0), static_cast<double>(last));
      auto low = static_cast<int64_t>(std::floor(x + 1e-9));
      Ints from(index);
      from[axis] = low;
      double value = at(*current, from);
      if (linear && low < last) {
        from[axis] = low + 1;
        value += (x - low) * (at(*current, from) - value);
      }
      return value;
    });
    if (!current)
      return std::nullopt;
  }
  size_t flat = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    for (size_t axis = 0; axis != shape.size(); ++axis)
      if (outside[axis][index[axis]])
        current->data[flat] = kOutside;
    ++flat;
  });
  return current;
}

enum class Reduction { Sum, Mean, Prod, Max, Min };

double reduce(Reduction kind, ArrayRef<double> values) {
  double result = kind == Reduction::Prod ? 1 : 0;
  if (kind == Reduction::Max || kind == Reduction::Min)
    result = values.front();
  for (double value : values)
    result = kind == Reduction::Prod  ? result * value
             : kind == Reduction::Max ? std::max(result, value)
             : kind == Reduction::Min ? std::min(result, value)
                                      : result + value;
  return kind == Reduction::Mean ? result / values.size() : result;
}

Result reduce(const Tensor &input, Reduction kind, std::optional<Ints> axes,
              bool keep, bool noop) {
  int64_t rank = rankOf(input);
  if (!axes || axes->empty()) {
    if (noop)
      return input;
    axes.emplace();
    for (int64_t i = 0; i != rank; ++i)
      axes->push_back(i);
  }
  axes = normalise(*axes, rank);
  if (!axes || llvm::is_contained(input.shape, 0))
    return std::nullopt;
  Ints shape, kept = input.shape, ranges(rank, 1);
  for (int64_t axis : *axes) {
    kept[axis] = 1;
    ranges[axis] = input.shape[axis];
  }
  for (int64_t i = 0; i != rank; ++i)
    if (keep || !llvm::is_contained(*axes, i))
      shape.push_back(kept[i]);
  Result result = build(kept, [&](ArrayRef<int64_t> index) {
    SmallVector<double> values;
    forEachIndex(ranges, [&](ArrayRef<int64_t> inner) {
      Ints from(index);
      for (auto [i, j] : llvm::zip_equal(from, inner))
        i += j;
      values.push_back(at(input, from));
    });
    return reduce(kind, values);
  });
  if (result)
    result->shape = shape;
  return result;
}

/// How windows lie along the axes from 2 on.
struct Windows {
  Ints kernel, strides, dilations, padsBegin, padsEnd;
  bool ceil = false;
  StringRef autoPad;
};

/// Calls `reduce` for each window with the elements inside of the input, null
/// where the window covers padding. What lies beyond the padding is left out.
Result
slide(const Tensor &input, Windows w, int64_t channels,
      llvm::function_ref<double(ArrayRef<int64_t>,
                                ArrayRef<std::pair<Ints, const double *>>)>
          reduce) {
  int64_t spatial = rankOf(input) - 2;
  if (spatial < 1 || static_cast<int64_t>(w.kernel.size()) != spatial ||
      llvm::is_contained(input.shape, 0))
    return std::nullopt;
  Ints shape = {input.shape[0], channels};
  for (int64_t i = 0; i != spatial; ++i) {
    int64_t extent = input.shape[i + 2], stride = w.strides[i];
    int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    if (w.autoPad.starts_with("SAME")) {
      int64_t windows = (extent + stride - 1) / stride;
      int64_t pad =
          std::max<int64_t>(0, (windows - 1) * stride + reach - extent);
      w.padsBegin[i] = w.autoPad == "SAME_UPPER" ? pad / 2 : pad - pad / 2;
      w.padsEnd[i] = pad - w.padsBegin[i];
    }
    // As runtimes demand of pools.
    if (w.padsBegin[i] >= w.kernel[i] || w.padsEnd[i] >= w.kernel[i])
      return std::nullopt;
    int64_t room = extent + w.padsBegin[i] + w.padsEnd[i] - reach;
    if (room < 0)
      return std::nullopt;
    int64_t windows = (room + (w.ceil ? stride - 1 : 0)) / stride + 1;
    if ((windows - 1) * stride >= extent + w.padsBegin[i])
      --windows;
    shape.push_back(windows);
  }
  return build(shape, [&](ArrayRef<int64_t> index) {
    std::vector<std::pair<Ints, const double *>> covered;
    forEachIndex(w.kernel, [&](ArrayRef<int64_t> inner) {
      int64_t flat = 0;
      bool inside = true;
      for (int64_t i = 0; i != spatial; ++i) {
        int64_t extent = input.shape[i + 2];
        int64_t x = index[i + 2] * w.strides[i] + inner[i] * w.dilations[i] -
                    w.padsBegin[i];
        if (x >= extent + w.padsEnd[i])
          return;
        inside &= x >= 0 && x < extent;
        flat = flat * extent + x;
      }
      covered.emplace_back(Ints(inner),
                           inside ? input.data.data() + flat : nullptr);
    });
    return reduce(index, covered);
  });
}

//===----------------------------------------------------------------------===//
// Random graphs
//===----------------------------------------------------------------------===//

enum class Kind { Float, Int, Bool, Quantised };

StringRef getElementType(Kind kind) {
  switch (kind) {
  case Kind::Float:
    return "f32";
  case Kind::Int:
    return "i64";
  case Kind::Bool:
    return "i1";
  case Kind::Quantised:
    return "i8";
  }
  llvm_unreachable("unknown kind");
}

std::string printInts(ArrayRef<int64_t> ints) {
  return "array<i64" + std::string(ints.empty() ? "" : ": ") +
         llvm::join(
             llvm::map_range(ints, [](int64_t i) { return std::to_string(i); }),
             ", ") +
         ">";
}

std::string printNumber(Kind kind, double number) {
  if (kind == Kind::Bool)
    return number != 0 ? "true" : "false";
  if (kind == Kind::Float)
    return llvm::formatv("{0:f6}", number).str();
  return std::to_string(static_cast<int64_t>(number));
}

std::string printNested(Kind kind, ArrayRef<int64_t> shape,
                        ArrayRef<double> data) {
  if (shape.empty())
    return printNumber(kind, data.front());
  std::string text = "[";
  size_t inner = count(shape.drop_front());
  for (int64_t i = 0; i != shape.front(); ++i)
    text += (i ? ", " : "") +
            printNested(kind, shape.drop_front(), data.slice(i * inner, inner));
  return text + "]";
}

std::string printDense(Kind kind, const Tensor &tensor) {
  std::string type = "tensor<";
  for (int64_t extent : tensor.shape)
    type += std::to_string(extent) + "x";
  type += getElementType(kind).str() + ">";
  if (tensor.data.empty())
    return "dense<> : " + type;
  return "dense<" + printNested(kind, tensor.shape, tensor.data) +
         "> : " + type;
}

class Generator {
public:
  static constexpr size_t kRuns = 5;
  static constexpr unsigned kNone = ~0u;

  struct Value {
    Kind kind;
    std::string type;
    /// What the value is in each run; nothing in runs that have failed.
    std::array<Result, kRuns> runs;
    bool isConstant = false;
    /// A Concat along the channels, as pools see it.
    bool isJoined = false;
  };

  /// With `zeros`, extents that only a run knows may be 0.
  Generator(unsigned seed, bool zeros) : random(seed), zeros(zeros) {
    alive.fill(true);
    addArguments();
    unsigned wanted = 6 + below(16);
    for (unsigned i = 0, nodes = 0; i != 300 && nodes < wanted; ++i)
      nodes += addNode();
  }

  std::string getText() const {
    return "func.func @f(" + arguments + ") {\n" + body + "  return\n}\n";
  }
  ArrayRef<Value> getValues() const { return values; }
  bool isAlive(size_t run) const { return alive[run]; }

private:
  using Function = llvm::function_ref<Result(ArrayRef<const Tensor *>)>;

  unsigned below(unsigned n) { return random() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T> T any(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }

  size_t getFirstRun() const { return llvm::find(alive, true) - alive.begin(); }
  /// The value in the first run that has not failed.
  const Tensor &ref(unsigned value) const {
    return *values[value].runs[getFirstRun()];
  }

  /// A value for which `fits` holds in the first run, late ones more often.
  std::optional<unsigned>
  pick(llvm::function_ref<bool(const Value &, const Tensor &)> fits) {
    SmallVector<unsigned> fitting;
    for (unsigned i = 0; i != values.size(); ++i)
      if (fits(values[i], ref(i)))
        fitting.push_back(i);
    if (fitting.empty())
      return std::nullopt;
    unsigned last = fitting.size();
    if (chance(50))
      return fitting[last - 1 - below(std::min(last, 4u))];
    return fitting[below(last)];
  }
  std::optional<unsigned> pickKind(Kind kind) {
    return pick([&](const Value &v, const Tensor &) { return v.kind == kind; });
  }
  std::optional<unsigned> pickData(int64_t minRank = 0) {
    return pick([&](const Value &v, const Tensor &t) {
      return v.kind == Kind::Float && rankOf(t) >= minRank && !v.isConstant;
    });
  }
  std::optional<unsigned> pickNumbers() {
    return pickKind(chance(60) ? Kind::Float : Kind::Int);
  }
  std::optional<unsigned> pickList() {
    return pick([&](const Value &v, const Tensor &t) {
      return v.kind == Kind::Int && rankOf(t) == 1;
    });
  }

  std::string chooseType(const Value &value, bool mayBeUnknown = true) {
    const Tensor &first = *value.runs[getFirstRun()];
    Ints shape = first.shape;
    for (size_t run = 0; run != kRuns; ++run) {
      if (!alive[run])
        continue;
      const Ints &own = value.runs[run]->shape;
      if (own.size() != shape.size())
        return "!onnx.unknown";
      for (auto [extent, other] : llvm::zip_equal(shape, own))
        if (extent != other)
          extent = -1;
    }
    if (mayBeUnknown && chance(40))
      return "!onnx.unknown";
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += extent < 0 || (mayBeUnknown && chance(50))
                  ? "?x"
                  : std::to_string(extent) + "x";
    return text + getElementType(value.kind).str() + ">";
  }

  void addArgument(Value value, std::string type) {
    if (!arguments.empty())
      arguments += ", ";
    value.type = type;
    arguments += "%v" + std::to_string(values.size()) + ": " + type;
    values.push_back(std::move(value));
  }

  void addArguments() {
    // Extents that only a run knows; arguments may share them by chance.
    std::array<std::array<int64_t, kRuns>, 3> unknown;
    for (auto &extent : unknown)
      for (int64_t &each : extent)
        each = zeros ? any<int64_t>({0, 0, 1, 2, 3})
                     : any<int64_t>({1, 1, 2, 3, 4});
    for (unsigned i = 0, e = 1 + below(3); i != e; ++i) {
      Value value{Kind::Float, "", {}};
      std::string type = "tensor<";
      std::vector<std::array<int64_t, kRuns>> shape;
      for (unsigned axis = 0, rank = 1 + below(4); axis != rank; ++axis) {
        if (chance(50)) {
          shape.push_back(unknown[below(3)]);
          type += "?x";
        } else {
          shape.emplace_back();
          shape.back().fill(any<int64_t>({1, 1, 2, 3, 4}));
          type += std::to_string(shape.back()[0]) + "x";
        }
      }
      for (size_t run = 0; run != kRuns; ++run) {
        Ints own;
        for (const auto &extents : shape)
          own.push_back(extents[run]);
        value.runs[run] = build(own, [&](ArrayRef<int64_t>) {
          return static_cast<double>(below(6)) - 2;
        });
      }
      addArgument(std::move(value), type + "f32>");
    }
    // A list that callers give, and whether to train.
    Value list{Kind::Int, "", {}};
    int64_t length = 1 + below(3);
    for (Result &run : list.runs)
      run = build({length}, [&](ArrayRef<int64_t>) { return 1 + below(3); });
    addArgument(std::move(list), "tensor<" + std::to_string(length) + "xi64>");
    Value training{Kind::Bool, "", {}};
    for (Result &run : training.runs)
      run = build({}, [&](ArrayRef<int64_t>) { return below(2); });
    addArgument(std::move(training), "tensor<i1>");
  }

  /// A node, if it runs in all runs, or, sometimes, in some. The value's number
  /// is values.size() - 1 then.
  bool emit(Kind kind, const std::string &op, ArrayRef<unsigned> operands,
            const std::string &attributes, Function function) {
    std::array<bool, kRuns> stays = alive;
    Value value{kind, "", {}};
    for (size_t run = 0; run != kRuns; ++run) {
      if (!alive[run])
        continue;
      SmallVector<const Tensor *> tensors;
      for (unsigned operand : operands)
        tensors.push_back(operand == kNone ? nullptr
                                           : &*values[operand].runs[run]);
      value.runs[run] = function(tensors);
      stays[run] = value.runs[run].has_value();
    }
    if (stays != alive) {
      if (llvm::none_of(stays, [](bool stay) { return stay; }) || !chance(15))
        return false;
      alive = stays;
    }
    value.type = chooseType(value);
    std::string names, types;
    for (unsigned operand : operands) {
      if (!names.empty()) {
        names += ", ";
        types += ", ";
      }
      if (operand == kNone && !hasNone) {
        body += "  %none = onnx.none\n";
        hasNone = true;
      }
      names += operand == kNone ? "%none" : "%v" + std::to_string(operand);
      types += operand == kNone ? "none" : values[operand].type;
    }
    bool generic = StringRef(op).starts_with("node ");
    body += "  %v" + std::to_string(values.size()) + " = onnx." + op + "(" +
            names + ")" +
            (attributes.empty()
                 ? ""
                 : (generic ? " attributes {" : " {") + attributes + "}") +
            " : (" + types + ") -> " + value.type + "\n";
    values.push_back(std::move(value));
    return true;
  }

  unsigned constant(Kind kind, const Tensor &tensor) {
    Value value{kind, "", {}};
    value.runs.fill(tensor);
    value.type = chooseType(value, /*mayBeUnknown=*/false);
    value.isConstant = true;
    std::string name = "  %v" + std::to_string(values.size());
    std::string dense = printDense(kind, tensor);
    if (chance(50))
      body += name + " = onnx.initializer \"c" + std::to_string(values.size()) +
              "\" " + dense + " -> " + value.type + "\n";
    else
      body += name + " = onnx.Constant() {value = " + dense + "} : () -> " +
              value.type + "\n";
    values.push_back(std::move(value));
    return values.size() - 1;
  }
  unsigned list(const Ints &ints) {
    return constant(Kind::Int, {{static_cast<int64_t>(ints.size())},
                                std::vector<double>(ints.begin(), ints.end())});
  }
  unsigned scalar(Kind kind, double number) {
    return constant(kind, {{}, {number}});
  }
  unsigned last() const { return values.size() - 1; }

  //===--------------------------------------------------------------------===//
  // Per element
  //===--------------------------------------------------------------------===//

  bool addUnary() {
    std::optional<unsigned> x = pickNumbers();
    if (!x)
      return false;
    unsigned which = below(5);
    const char *names[] = {"Relu", "Neg", "Abs", "Sign", "Identity"};
    return emit(values[*x].kind, names[which], *x, "",
                [&](ArrayRef<const Tensor *> in) {
                  return elementwise(in, [&](ArrayRef<double> v) {
                    switch (which) {
                    case 0:
                      return std::max(v[0], 0.0);
                    case 1:
                      return -v[0];
                    case 2:
                      return std::abs(v[0]);
                    case 3:
                      return double((v[0] > 0) - (v[0] < 0));
                    default:
                      return v[0];
                    }
                  });
                });
  }

  /// A second operand for `x`: a value that broadcasts, or a new constant.
  unsigned pickPartner(unsigned x) {
    if (chance(60))
      if (std::optional<unsigned> y =
              pick([&](const Value &v, const Tensor &t) {
                return v.kind == values[x].kind && broadcast({&t, &ref(x)});
              }))
        return *y;
    Ints shape = ref(x).shape;
    for (int64_t &extent : shape)
      if (chance(50))
        extent = 1;
    shape.erase(shape.begin(), shape.begin() + below(shape.size() + 1));
    Tensor tensor{shape, {}};
    for (int64_t i = 0; i != count(shape); ++i)
      tensor.data.push_back(any<int64_t>({-1, 0, 1, 2, 2, 3}));
    return constant(values[x].kind, tensor);
  }

  bool addBinary() {
    std::optional<unsigned> a = pickNumbers();
    if (!a)
      return false;
    Kind kind = values[*a].kind;
    unsigned b = pickPartner(*a);
    if (chance(30))
      std::swap(*a, b);
    unsigned which = below(9);
    const char *names[] = {"Add", "Sub", "Mul",   "Div",    "Max",
                           "Min", "Sum", "Equal", "Greater"};
    bool compares = which >= 7;
    return emit(compares ? Kind::Bool : kind, names[which], {*a, b}, "",
                [&](ArrayRef<const Tensor *> in) -> Result {
                  if (which == 3 && llvm::is_contained(in[1]->data, 0.0))
                    return std::nullopt;
                  return elementwise(in, [&](ArrayRef<double> v) -> double {
                    switch (which) {
                    case 0:
                    case 6:
                      return v[0] + v[1];
                    case 1:
                      return v[0] - v[1];
                    case 2:
                      return v[0] * v[1];
                    case 3:
                      return kind == Kind::Int ? std::trunc(v[0] / v[1])
                                               : v[0] / v[1];
                    case 4:
                      return std::max(v[0], v[1]);
                    case 5:
                      return std::min(v[0], v[1]);
                    case 7:
                      return v[0] == v[1];
                    default:
                      return v[0] > v[1];
                    }
                  });
                });
  }

  bool addVariadic() {
    std::optional<unsigned> a = pickNumbers();
    if (!a)
      return false;
    SmallVector<unsigned> operands = {*a};
    for (unsigned i = 0, e = any<unsigned>({0, 2}); i != e; ++i)
      operands.push_back(pickPartner(*a));
    bool max = chance(50);
    return emit(values[*a].kind, max ? "Max" : "Min", operands, "",
                [&](ArrayRef<const Tensor *> in) {
                  return elementwise(in, [&](ArrayRef<double> v) {
                    return max ? *std::max_element(v.begin(), v.end())
                               : *std::min_element(v.begin(), v.end());
                  });
                });
  }

  bool addWhere() {
    std::optional<unsigned> c = pickKind(Kind::Bool), a = pickNumbers();
    if (!c || !a)
      return false;
    return emit(values[*a].kind, "Where", {*c, *a, pickPartner(*a)}, "",
                [&](ArrayRef<const Tensor *> in) {
                  return elementwise(in, [](ArrayRef<double> v) {
                    return v[0] != 0 ? v[1] : v[2];
                  });
                });
  }

  bool addCast() {
    std::optional<unsigned> x = pick([](const Value &v, const Tensor &) {
      return v.kind != Kind::Quantised;
    });
    Kind to = any({Kind::Int, Kind::Float, Kind::Float, Kind::Bool});
    return emit(to, "Cast", *x,
                "to = " + std::to_string(to == Kind::Float ? 1
                                         : to == Kind::Int ? 7
                                                           : 9),
                [&](ArrayRef<const Tensor *> in) {
                  return elementwise(in, [&](ArrayRef<double> v) {
                    return to == Kind::Bool  ? double(v[0] != 0)
                           : to == Kind::Int ? std::trunc(v[0])
                                             : v[0];
                  });
                });
  }

  bool addDropout() {
    std::optional<unsigned> x = pickKind(Kind::Float);
    if (!x)
      return false;
    SmallVector<unsigned> operands = {*x};
    if (chance(70)) {
      operands.push_back(chance(50) ? kNone : scalar(Kind::Float, 0.5));
      std::optional<unsigned> mode = pick([](const Value &v, const Tensor &t) {
        return v.kind == Kind::Bool && t.shape.empty();
      });
      operands.push_back(chance(50) && mode ? *mode
                                            : scalar(Kind::Bool, below(2)));
    }
    return emit(Kind::Float, "Dropout", operands, "",
                [&](ArrayRef<const Tensor *> in) {
                  if (in.size() == 3 && in[2]->data.size() != 1)
                    return Result();
                  Result out = *in[0];
                  if (in.size() == 3 && in[2]->data[0] != 0)
                    for (size_t i = 0; i != out->data.size(); ++i)
                      out->data[i] *= i * i % 3 == 1 ? 0 : 2;
                  return out;
                });
  }

  /// A constant for each channel of `x`.
  unsigned makeChannels(Kind kind, unsigned x, int64_t axis) {
    Tensor tensor{{ref(x).shape[axis]}, {}};
    for (int64_t i = 0; i != tensor.shape[0]; ++i)
      tensor.data.push_back(kind == Kind::Float ? 1 + below(3) : below(4));
    return constant(kind, tensor);
  }

  bool addBatchNormalization() {
    std::optional<unsigned> x = pickData(2);
    if (!x)
      return false;
    SmallVector<unsigned> operands = {*x};
    for (int i = 0; i != 4; ++i)
      operands.push_back(makeChannels(Kind::Float, *x, 1));
    bool training = chance(15);
    return emit(
        Kind::Float, "BatchNormalization", operands,
        training ? "epsilon = 0.0 : f32, training_mode = 1 : i64"
                 : "epsilon = 0.0 : f32",
        [&](ArrayRef<const Tensor *> in) -> Result {
          if (rankOf(*in[0]) < 2 || in[0]->shape[1] != in[1]->shape[0])
            return std::nullopt;
          return build(in[0]->shape, [&](ArrayRef<int64_t> index) -> double {
            int64_t c = index[1];
            return (at(*in[0], index) - in[3]->data[c]) /
                       std::sqrt(in[4]->data[c]) * in[1]->data[c] +
                   in[2]->data[c] +
                   // Not what training does, but uneven, as that may be.
                   (training ? index.back() : 0);
          });
        });
  }

  bool addQuantisation() {
    std::optional<unsigned> q = pickKind(Kind::Quantised);
    bool back = q && chance(60);
    std::optional<unsigned> x = back ? q : pickData();
    if (!x)
      return false;
    int64_t rank = rankOf(ref(*x));
    bool perAxis = rank != 0 && chance(40);
    int64_t axis = perAxis ? static_cast<int64_t>(below(rank)) : 0;
    unsigned scale =
        perAxis ? makeChannels(Kind::Float, *x, axis) : scalar(Kind::Float, 2);
    SmallVector<unsigned> operands = {*x, scale};
    if (chance(50))
      operands.push_back(perAxis ? makeChannels(Kind::Quantised, *x, axis)
                                 : scalar(Kind::Quantised, 1));
    int64_t written = chance(50) ? axis : axis - rank;
    return emit(back ? Kind::Float : Kind::Quantised,
                back ? "DequantizeLinear" : "QuantizeLinear", operands,
                perAxis ? "axis = " + std::to_string(written) + " : i64" : "",
                [&](ArrayRef<const Tensor *> in) -> Result {
                  if (rankOf(*in[0]) != rank ||
                      (perAxis && in[0]->shape[axis] != in[1]->shape[0]))
                    return std::nullopt;
                  return build(in[0]->shape, [&](ArrayRef<int64_t> index) {
                    int64_t c = perAxis ? index[axis] : 0;
                    double zero = in.size() == 3 ? in[2]->data[c] : 0;
                    double value = at(*in[0], index), scale = in[1]->data[c];
                    return back ? (value - zero) * scale
                                : std::clamp(std::rint(value / scale) + zero,
                                             -128.0, 127.0);
                  });
                });
  }

  //===--------------------------------------------------------------------===//
  // Views
  //===--------------------------------------------------------------------===//

  std::optional<unsigned> pickAnything() {
    return chance(75) ? pickData() : pickKind(Kind::Int);
  }

  bool addTranspose() {
    std::optional<unsigned> x = pickData(chance(80) ? 2 : 0);
    if (!x)
      return false;
    Ints perm;
    for (int64_t i = 0; i != rankOf(ref(*x)); ++i)
      perm.push_back(i);
    bool reversed = chance(20);
    std::shuffle(perm.begin(), perm.end(), random);
    if (reversed)
      llvm::sort(perm, std::greater<int64_t>());
    return emit(
        Kind::Float, "Transpose", *x,
        reversed ? "" : "perm = " + printInts(perm),
        [&](ArrayRef<const Tensor *> in) { return transpose(*in[0], perm); });
  }

  bool addFlatten() {
    std::optional<unsigned> x = pickAnything();
    if (!x)
      return false;
    int64_t rank = rankOf(ref(*x));
    int64_t axis = static_cast<int64_t>(below(2 * rank + 1)) - rank;
    return emit(values[*x].kind, "Flatten", *x,
                "axis = " + std::to_string(axis) + " : i64",
                [&](ArrayRef<const Tensor *> in) -> Result {
                  int64_t cut = axis + (axis < 0 ? rankOf(*in[0]) : 0);
                  if (cut < 0 || cut > rankOf(*in[0]))
                    return std::nullopt;
                  ArrayRef<int64_t> shape = in[0]->shape;
                  return withShape(*in[0], {count(shape.take_front(cut)),
                                            count(shape.drop_front(cut))});
                });
  }

  bool addReshape() {
    std::optional<unsigned> x = pickAnything();
    if (!x)
      return false;
    std::optional<unsigned> target;
    if (chance(40)) {
      target = pick([&](const Value &v, const Tensor &t) {
        return v.kind == Kind::Int && rankOf(t) == 1 &&
               reshape(ref(*x), toInts(t), false);
      });
    } else if (chance(25)) {
      // Some of the extents as they are, the rest in one.
      unsigned kept = below(rankOf(ref(*x)) + 1);
      if (!addShapeOf(*x, 0, kept))
        return false;
      unsigned head = last();
      unsigned rest = list({-1});
      bool front = chance(30);
      SmallVector<unsigned> parts = {head, rest};
      if (front)
        std::swap(parts[0], parts[1]);
      if (!emit(Kind::Int, "Concat", parts, "axis = 0 : i64",
                [](ArrayRef<const Tensor *> in) { return concat(in, 0); }))
        return false;
      target = last();
    }
    if (!target) {
      // Merge and split the extents of one run; write some of them as -1 or 0.
      Ints shape = ref(*x).shape;
      for (unsigned i = 0; i != 2; ++i) {
        if (shape.size() > 1 && chance(50)) {
          size_t axis = below(shape.size() - 1);
          shape[axis] *= shape[axis + 1];
          shape.erase(shape.begin() + axis + 1);
        }
        if (!shape.empty() && shape.size() < 4 && chance(50)) {
          size_t axis = below(shape.size());
          int64_t by = any<int64_t>({1, 2, 3, 4});
          if (shape[axis] % by == 0) {
            shape[axis] /= by;
            shape.insert(shape.begin() + axis + below(2), by);
          }
        }
      }
      if (!shape.empty() && chance(60))
        shape[below(shape.size())] = -1;
      for (size_t i = 0; i != shape.size(); ++i)
        if (i < ref(*x).shape.size() && shape[i] == ref(*x).shape[i] &&
            chance(50))
          shape[i] = 0;
      target = list(shape);
    }
    bool allowZero = chance(10);
    // Known gaps, so such runs do not count: of no elements, any extents can
    // be made, and facts say those that others have; and where an extent in a
    // computed target is 0, the input's is meant, and facts say 0.
    bool mayCopy = values[*target].isConstant;
    return emit(values[*x].kind, "Reshape", {*x, *target},
                allowZero ? "allowzero = 1 : i64" : "",
                [&](ArrayRef<const Tensor *> in) -> Result {
                  if (rankOf(*in[1]) != 1 || in[0]->data.empty() ||
                      (!mayCopy && llvm::is_contained(in[1]->data, 0.0)))
                    return std::nullopt;
                  return reshape(*in[0], toInts(*in[1]), allowZero);
                });
  }

  bool addSqueeze() {
    std::optional<unsigned> x = pick([&](const Value &v, const Tensor &t) {
      return (v.kind == Kind::Float || v.kind == Kind::Int) &&
             llvm::is_contained(t.shape, 1);
    });
    if (!x)
      return false;
    std::optional<Ints> axes;
    if (chance(80)) {
      axes.emplace();
      int64_t rank = rankOf(ref(*x));
      for (int64_t i = 0; i != rank; ++i)
        if (ref(*x).shape[i] == 1 && chance(70))
          axes->push_back(chance(50) ? i : i - rank);
    }
    bool input = axes && chance(50);
    SmallVector<unsigned> operands = {*x};
    if (input)
      operands.push_back(list(*axes));
    return emit(values[*x].kind, "Squeeze", operands,
                axes && !input ? "axes = " + printInts(*axes) : "",
                [&](ArrayRef<const Tensor *> in) -> Result {
                  std::optional<Ints> drop = Ints();
                  for (int64_t i = 0; i != rankOf(*in[0]); ++i)
                    if (in[0]->shape[i] == 1)
                      drop->push_back(i);
                  if (axes)
                    drop = normalise(*axes, rankOf(*in[0]));
                  if (!drop)
                    return std::nullopt;
                  Ints shape;
                  for (int64_t i = 0; i != rankOf(*in[0]); ++i)
                    if (!llvm::is_contained(*drop, i))
                      shape.push_back(in[0]->shape[i]);
                    else if (in[0]->shape[i] != 1)
                      return std::nullopt;
                  return withShape(*in[0], shape);
                });
  }

  bool addUnsqueeze() {
    std::optional<unsigned> x = pickAnything();
    if (!x)
      return false;
    int64_t added = 1 + below(2), rank = rankOf(ref(*x)) + added;
    Ints axes;
    for (int64_t i = 0; i != added; ++i)
      axes.push_back(static_cast<int64_t>(below(2 * rank)) - rank);
    bool input = chance(50);
    SmallVector<unsigned> operands = {*x};
    if (input)
      operands.push_back(list(axes));
    return emit(values[*x].kind, "Unsqueeze", operands,
                input ? "" : "axes = " + printInts(axes),
                [&](ArrayRef<const Tensor *> in) -> Result {
                  std::optional<Ints> where =
                      normalise(axes, rankOf(*in[0]) + added);
                  if (!where)
                    return std::nullopt;
                  Ints shape = in[0]->shape;
                  llvm::sort(*where);
                  for (int64_t axis : *where)
                    shape.insert(shape.begin() + axis, 1);
                  return withShape(*in[0], shape);
                });
  }

  //===--------------------------------------------------------------------===//
  // Shapes and indices
  //===--------------------------------------------------------------------===//

  bool addShapeOf(unsigned x, int64_t begin, int64_t end) {
    return emit(
        Kind::Int, "Shape", x,
        "start = " + std::to_string(begin) +
            " : i64, end = " + std::to_string(end) + " : i64",
        [&](ArrayRef<const Tensor *> in) -> Result {
          int64_t rank = rankOf(*in[0]);
          int64_t first =
              std::clamp<int64_t>(begin + (begin < 0 ? rank : 0), 0, rank);
          int64_t after =
              std::clamp<int64_t>(end + (end < 0 ? rank : 0), 0, rank);
          after = std::max(first, after);
          Ints part(in[0]->shape.begin() + first, in[0]->shape.begin() + after);
          return build({after - first}, [&](ArrayRef<int64_t> index) {
            return static_cast<double>(part[index[0]]);
          });
        });
  }

  bool addShape() {
    std::optional<unsigned> x = chance(70) ? pickData() : pickAnything();
    if (!x)
      return false;
    if (chance(10))
      return emit(
          Kind::Int, "Size", *x, "", [](ArrayRef<const Tensor *> in) -> Result {
            return Tensor{{}, {static_cast<double>(in[0]->data.size())}};
          });
    if (chance(50))
      return addShapeOf(*x, 0, 5);
    return addShapeOf(*x, static_cast<int64_t>(below(5)) - 2,
                      static_cast<int64_t>(below(6)) - 2);
  }

  bool addGather() {
    std::optional<unsigned> x =
        chance(50) ? pickData(1) : pick([](const Value &v, const Tensor &t) {
          return v.kind == Kind::Int && rankOf(t) > 0;
        });
    if (!x)
      return false;
    int64_t rank = rankOf(ref(*x));
    int64_t axis = static_cast<int64_t>(below(2 * rank)) - rank;
    int64_t extent = ref(*x).shape[axis + (axis < 0 ? rank : 0)];
    std::optional<unsigned> indices;
    if (chance(20))
      indices = pickKind(Kind::Int);
    if (!indices) {
      if (extent == 0)
        return false;
      Tensor made{any<Ints>({{}, {}, {1}, {2}, {3}, {2, 2}}), {}};
      for (int64_t i = 0; i != count(made.shape); ++i)
        made.data.push_back(static_cast<double>(below(2 * extent)) - extent);
      indices = constant(Kind::Int, made);
    }
    return emit(values[*x].kind, "Gather", {*x, *indices},
                "axis = " + std::to_string(axis) + " : i64",
                [&](ArrayRef<const Tensor *> in) {
                  return gather(*in[0], *in[1], axis);
                });
  }

  bool addGatherND() {
    std::optional<unsigned> x = pickData(1);
    if (!x || llvm::is_contained(ref(*x).shape, 0))
      return false;
    int64_t length = 1 + below(rankOf(ref(*x)));
    Tensor made{any<Ints>({{}, {2}, {3}, {2, 1}}), {}};
    int64_t tuples = count(made.shape);
    made.shape.push_back(length);
    for (int64_t i = 0; i != tuples; ++i)
      for (int64_t axis = 0; axis != length; ++axis)
        made.data.push_back(below(ref(*x).shape[axis]));
    unsigned indices = constant(Kind::Int, made);
    return emit(
        Kind::Float, "GatherND", {*x, indices}, "",
        [&](ArrayRef<const Tensor *> in) { return gatherND(*in[0], *in[1]); });
  }

  bool addSlice() {
    std::optional<unsigned> x =
        chance(50) ? pickData(1) : pick([](const Value &v, const Tensor &t) {
          return v.kind == Kind::Int && rankOf(t) == 1;
        });
    if (!x)
      return false;
    int64_t rank = rankOf(ref(*x));
    Ints axes, starts, ends, steps;
    bool named = chance(70), stepped = chance(40), attributes = chance(20);
    for (int64_t axis = 0; axis != rank; ++axis) {
      if (named && chance(40))
        continue;
      axes.push_back(chance(50) ? axis : axis - rank);
      int64_t step = stepped ? any<int64_t>({1, 1, 2, -1, -1, -2}) : 1;
      steps.push_back(step);
      int64_t whole = any<int64_t>({INT32_MAX, int64_t(1) << 62});
      starts.push_back(chance(40) ? (step < 0 ? whole : 0)
                                  : static_cast<int64_t>(below(8)) - 4);
      ends.push_back(chance(40) ? (step < 0 ? -whole : whole)
                                : static_cast<int64_t>(below(8)) - 4);
    }
    std::string text;
    SmallVector<unsigned> operands = {*x};
    if (attributes) {
      stepped = false;
      text = "starts = " + printInts(starts) + ", ends = " + printInts(ends);
      if (named)
        text += ", axes = " + printInts(axes);
    } else {
      operands.push_back(list(starts));
      operands.push_back(list(ends));
      if (named || stepped)
        operands.push_back(named ? list(axes) : kNone);
      if (stepped)
        operands.push_back(list(steps));
    }
    return emit(values[*x].kind, "Slice", operands, text,
                [&](ArrayRef<const Tensor *> in) {
                  return slice(*in[0], starts, ends,
                               named ? std::optional(axes) : std::nullopt,
                               stepped ? std::optional(steps) : std::nullopt);
                });
  }

  /// `x` with some axes other than `kept` evened out.
  std::optional<unsigned> addEvened(unsigned x, int64_t kept) {
    Ints axes;
    for (int64_t i = 0; i != rankOf(ref(x)); ++i)
      if (i != kept && chance(60))
        axes.push_back(i);
    if (axes.empty() ||
        !emit(Kind::Float, "ReduceMax", x, "axes = " + printInts(axes),
              [&](ArrayRef<const Tensor *> in) {
                return reduce(*in[0], Reduction::Max, axes, /*keep=*/true,
                              /*noop=*/false);
              }))
      return std::nullopt;
    unsigned reduced = last();
    if (!addShapeOf(x, 0, 5) || !emit(Kind::Float, "Expand", {reduced, last()},
                                      "", [](ArrayRef<const Tensor *> in) {
                                        return expand(*in[0], *in[1]);
                                      }))
      return std::nullopt;
    return last();
  }

  bool addConcat() {
    std::optional<unsigned> first =
        chance(60) ? pickData(chance(60) ? 3 : 1)
                   : pick([](const Value &v, const Tensor &t) {
                       return v.kind == Kind::Int && rankOf(t) == 1;
                     });
    if (!first)
      return false;
    const Tensor like = ref(*first);
    int64_t rank = rankOf(like), axis = below(rank);
    if (rank > 2 && chance(50))
      axis = 1;
    SmallVector<unsigned> operands = {*first};
    for (unsigned i = 0, e = below(3); i != e; ++i) {
      std::optional<unsigned> other;
      if (values[*first].kind == Kind::Float && chance(40))
        other = addEvened(*first, axis);
      if (!other && chance(70))
        other = pick([&](const Value &v, const Tensor &t) {
          return v.kind == values[*first].kind && concat({&like, &t}, axis);
        });
      if (!other) {
        Tensor made{like.shape, {}};
        made.shape[axis] = below(3);
        bool even = chance(50);
        for (int64_t j = 0; j != count(made.shape); ++j)
          made.data.push_back(even ? 1 : any<int64_t>({-1, 1, 2, 3}));
        other = constant(values[*first].kind, made);
      }
      operands.push_back(*other);
    }
    int64_t written = chance(50) ? axis : axis - rank;
    return emit(
        values[*first].kind, "Concat", operands,
        "axis = " + std::to_string(written) + " : i64",
        [&](ArrayRef<const Tensor *> in) { return concat(in, written); });
  }

  bool addConstantOfShape() {
    std::optional<unsigned> target = pickList();
    if (!target)
      return false;
    Kind kind = any({Kind::Float, Kind::Int});
    double fill = kind == Kind::Int ? below(4) : 0;
    return emit(
        kind, "ConstantOfShape", *target,
        kind == Kind::Int ? "value = " + printDense(kind, {{1}, {fill}}) : "",
        [&](ArrayRef<const Tensor *> in) {
          return build(toInts(*in[0]), [&](ArrayRef<int64_t>) { return fill; });
        });
  }

  /// Shape arithmetic as exporters write it, with a target for x.
  bool addTarget() {
    std::optional<unsigned> x = pickData(1);
    if (!x)
      return false;
    int64_t rank = rankOf(ref(*x));
    if (!addShapeOf(*x, 0, 5))
      return false;
    unsigned shape = last();
    auto larger = [&] { return any<int64_t>({1, 2, 3, 4}); };
    auto max = [](ArrayRef<const Tensor *> in) {
      return elementwise(
          in, [](ArrayRef<double> v) { return std::max(v[0], v[1]); });
    };
    auto equal = [](ArrayRef<const Tensor *> in) {
      return elementwise(
          in, [](ArrayRef<double> v) -> double { return v[0] == v[1]; });
    };
    auto where = [](ArrayRef<const Tensor *> in) {
      return elementwise(
          in, [](ArrayRef<double> v) { return v[0] != 0 ? v[1] : v[2]; });
    };
    switch (below(3)) {
    case 0: {
      // The first extents and then others.
      int64_t kept = below(rank);
      if (!addShapeOf(*x, 0, kept))
        return false;
      unsigned head = last();
      Ints tail;
      for (int64_t i = kept; i != rank; ++i)
        tail.push_back(larger());
      unsigned rest = list(tail);
      return emit(Kind::Int, "Concat", {head, rest}, "axis = 0 : i64",
                  [](ArrayRef<const Tensor *> in) { return concat(in, 0); });
    }
    case 1: {
      // Paddle: Max(Shape, [-1, -1, 7, 7]).
      Ints asked;
      for (int64_t i = 0; i != rank; ++i)
        asked.push_back(chance(50) ? any<int64_t>({-1, 0, 1}) : larger());
      return emit(Kind::Int, "Max", {shape, list(asked)}, "", max);
    }
    default: {
      // Torch: Where(asked == -1, 1, asked), asked with extents of x.
      Ints asked;
      for (int64_t i = 0; i != rank; ++i)
        asked.push_back(chance(50) ? -1 : larger());
      unsigned c = list(asked);
      if (!emit(Kind::Bool, "Equal", {c, list({-1})}, "", equal))
        return false;
      unsigned mask = last();
      if (!emit(Kind::Int, "Where", {mask, shape, c}, "", where))
        return false;
      unsigned filled = last();
      if (!emit(Kind::Bool, "Equal", {filled, list({-1})}, "", equal))
        return false;
      mask = last();
      return emit(Kind::Int, "Where", {mask, list({1}), filled}, "", where);
    }
    }
  }

  //===--------------------------------------------------------------------===//
  // Copies along axes
  //===--------------------------------------------------------------------===//

  bool addExpand() {
    std::optional<unsigned> x = pickAnything();
    if (!x)
      return false;
    std::optional<unsigned> target;
    if (chance(60))
      target = pick([&](const Value &v, const Tensor &t) {
        return v.kind == Kind::Int && expand(ref(*x), t);
      });
    if (!target) {
      Ints shape = ref(*x).shape;
      for (int64_t &extent : shape)
        if (chance(50))
          extent = extent == 1 ? any<int64_t>({2, 3, 4}) : 1;
      if (chance(20))
        shape.insert(shape.begin(), any<int64_t>({1, 2}));
      else if (!shape.empty() && chance(20))
        shape.erase(shape.begin());
      target = list(shape);
    }
    return emit(
        values[*x].kind, "Expand", {*x, *target}, "",
        [](ArrayRef<const Tensor *> in) { return expand(*in[0], *in[1]); });
  }

  bool addTile() {
    std::optional<unsigned> x = pickAnything();
    if (!x)
      return false;
    std::optional<unsigned> repeats;
    if (chance(30))
      repeats = pick([&](const Value &v, const Tensor &t) {
        return v.kind == Kind::Int && tile(ref(*x), t);
      });
    if (!repeats) {
      Ints times;
      for (int64_t i = 0; i != rankOf(ref(*x)); ++i)
        times.push_back(any<int64_t>({1, 1, 2, 3}));
      repeats = list(times);
    }
    return emit(
        values[*x].kind, "Tile", {*x, *repeats}, "",
        [](ArrayRef<const Tensor *> in) { return tile(*in[0], *in[1]); });
  }

  bool addResize() {
    std::optional<unsigned> x = pickData(1);
    if (!x)
      return false;
    bool linear = chance(30);
    std::string mode =
        linear ? "mode = \"linear\", coordinate_transformation_mode = "
                 "\"asymmetric\""
               : "mode = \"nearest\", nearest_mode = \"floor\", "
                 "coordinate_transformation_mode = \"asymmetric\"";
    unsigned form = below(6);
    if (form < 3) {
      // Scales: an input, before opset 11 the only one, or an attribute.
      Tensor scales{{rankOf(ref(*x))}, {}};
      for (int64_t i = 0; i != scales.shape[0]; ++i)
        scales.data.push_back(any<int64_t>({1, 1, 2, 3}));
      auto sample = [&](ArrayRef<const Tensor *> in) -> Result {
        if (rankOf(*in[0]) != scales.shape[0])
          return std::nullopt;
        Ints shape = in[0]->shape;
        SmallVector<Sampling> sampling;
        for (auto [extent, scale] : llvm::zip_equal(shape, scales.data)) {
          extent = static_cast<int64_t>(std::floor(extent * scale));
          sampling.push_back({0, 1 / scale});
        }
        return resize(*in[0], shape, linear, sampling, /*crops=*/false);
      };
      if (form == 0) {
        std::string text;
        for (double scale : scales.data)
          text += (text.empty() ? "" : ", ") + printNumber(Kind::Float, scale);
        return emit(Kind::Float, "Upsample", *x,
                    "mode = \"nearest\", scales = array<f32: " + text + ">",
                    [&](ArrayRef<const Tensor *> in) {
                      linear = false;
                      return sample(in);
                    });
      }
      unsigned given = constant(Kind::Float, scales);
      if (form == 1)
        return emit(Kind::Float, "Resize", {*x, given}, mode, sample);
      return emit(Kind::Float, "Resize", {*x, kNone, given}, mode, sample);
    }
    std::optional<unsigned> sizes;
    if (chance(60))
      sizes = pick([&](const Value &v, const Tensor &t) {
        return v.kind == Kind::Int && rankOf(t) == 1 &&
               t.shape[0] == rankOf(ref(*x)) &&
               llvm::all_of(t.data, [](double size) { return size > 0; });
      });
    if (!sizes) {
      Ints made = ref(*x).shape;
      for (int64_t &size : made)
        if (chance(50))
          size = any<int64_t>({1, 2, 3, 4, 5});
      sizes = list(made);
    }
    bool keeps = form == 3 && chance(50), crops = form == 4;
    SmallVector<unsigned> operands = {*x, kNone, kNone, *sizes};
    Tensor roi{{2 * rankOf(ref(*x))}, {}};
    if (keeps)
      mode += ", keep_aspect_ratio_policy = \"not_larger\"";
    if (crops) {
      mode = "mode = \"nearest\", nearest_mode = \"floor\", "
             "coordinate_transformation_mode = \"tf_crop_and_resize\", "
             "extrapolation_value = -5.0 : f32";
      linear = false;
      for (int64_t i = 0; i != roi.shape[0]; ++i)
        roi.data.push_back(i < roi.shape[0] / 2 ? any<double>({0, -1})
                                                : any<double>({1, 1.5}));
      operands[1] = constant(Kind::Float, roi);
    }
    return emit(
        Kind::Float, "Resize", operands, mode,
        [&](ArrayRef<const Tensor *> in) -> Result {
          Ints shape = toInts(*in[3]);
          int64_t rank = rankOf(*in[0]);
          if (static_cast<int64_t>(shape.size()) != rank ||
              (crops && roi.shape[0] != 2 * rank) ||
              llvm::any_of(shape, [](int64_t size) { return size < 1; }) ||
              llvm::is_contained(in[0]->shape, 0))
            return std::nullopt;
          if (keeps) {
            double scale = 1e9;
            for (int64_t i = 0; i != rank; ++i)
              scale = std::min(scale, double(shape[i]) / in[0]->shape[i]);
            for (int64_t i = 0; i != rank; ++i)
              shape[i] = std::lround(scale * in[0]->shape[i]);
            if (llvm::is_contained(shape, 0))
              return std::nullopt;
          }
          SmallVector<Sampling> sampling;
          for (int64_t i = 0; i != rank; ++i) {
            int64_t extent = in[0]->shape[i];
            if (!crops) {
              sampling.push_back({0, double(extent) / shape[i]});
              continue;
            }
            double from = roi.data[i], to = roi.data[rank + i];
            if (shape[i] == 1)
              sampling.push_back({(from + to) / 2 * (extent - 1), 0});
            else
              sampling.push_back({from * (extent - 1),
                                  (to - from) * (extent - 1) / (shape[i] - 1)});
          }
          return resize(*in[0], shape, linear, sampling, crops);
        });
  }

  //===--------------------------------------------------------------------===//
  // Reductions and windows
  //===--------------------------------------------------------------------===//

  bool addReduction() {
    std::optional<unsigned> x = pickNumbers();
    if (!x)
      return false;
    Reduction kind = any({Reduction::Sum, Reduction::Mean, Reduction::Prod,
                          Reduction::Max, Reduction::Min});
    if (values[*x].kind == Kind::Int && kind == Reduction::Mean)
      kind = Reduction::Prod;
    const char *names[] = {"ReduceSum", "ReduceMean", "ReduceProd", "ReduceMax",
                           "ReduceMin"};
    int64_t rank = rankOf(ref(*x));
    std::optional<Ints> axes;
    if (chance(80)) {
      axes.emplace();
      for (int64_t i = 0; i != rank; ++i)
        if (chance(40))
          axes->push_back(chance(50) ? i : i - rank);
    }
    bool keep = chance(50), noop = chance(20), input = axes && chance(50);
    SmallVector<unsigned> operands = {*x};
    if (input)
      operands.push_back(list(*axes));
    std::string text = "keepdims = " + std::to_string(keep) + " : i64";
    if (axes && !input)
      text += ", axes = " + printInts(*axes);
    if (noop)
      text += ", noop_with_empty_axes = 1 : i64";
    return emit(values[*x].kind, names[static_cast<int>(kind)], operands, text,
                [&](ArrayRef<const Tensor *> in) {
                  return reduce(*in[0], kind, axes, keep, noop);
                });
  }

  bool addGlobalPool() {
    std::optional<unsigned> x = pickData(3);
    if (!x)
      return false;
    bool max = chance(50);
    return emit(Kind::Float, max ? "GlobalMaxPool" : "GlobalAveragePool", *x,
                "", [&](ArrayRef<const Tensor *> in) {
                  Ints axes;
                  for (int64_t i = 2; i < rankOf(*in[0]); ++i)
                    axes.push_back(i);
                  return reduce(*in[0], max ? Reduction::Max : Reduction::Mean,
                                axes, /*keep=*/true, /*noop=*/false);
                });
  }

  bool addWindow() {
    std::optional<unsigned> x;
    if (chance(30))
      x = pick([](const Value &v, const Tensor &t) {
        return v.isJoined && v.kind == Kind::Float && rankOf(t) > 2;
      });
    if (!x)
      x = pickData(3);
    if (x && chance(40))
      x = addEvened(*x, 1);
    if (!x || rankOf(ref(*x)) < 3)
      return false;
    int64_t spatial = rankOf(ref(*x)) - 2;
    enum { Conv, Max, Average } op = any({Conv, Max, Max, Average, Average});
    Windows w;
    bool padded = chance(50), dilated = chance(35);
    for (int64_t i = 0; i != spatial; ++i) {
      w.kernel.push_back(any<int64_t>({1, 2, 2, 3}));
      w.strides.push_back(any<int64_t>({1, 1, 2, 3}));
      w.dilations.push_back(dilated ? any<int64_t>({1, 2, 3}) : 1);
      w.padsBegin.push_back(padded ? below(w.kernel.back()) : 0);
      w.padsEnd.push_back(padded ? below(w.kernel.back()) : 0);
    }
    w.ceil = op != Conv && chance(20);
    std::string text = "strides = " + printInts(w.strides) +
                       ", kernel_shape = " + printInts(w.kernel);
    if (dilated)
      text += ", dilations = " + printInts(w.dilations);
    if (w.ceil)
      text += ", ceil_mode = 1 : i64";
    if (chance(25)) {
      w.autoPad = any<StringRef>({"SAME_UPPER", "SAME_LOWER", "VALID"});
      llvm::fill(w.padsBegin, 0);
      llvm::fill(w.padsEnd, 0);
      text += ", auto_pad = \"" + w.autoPad.str() + "\"";
    } else if (padded || chance(30)) {
      Ints pads = w.padsBegin;
      llvm::append_range(pads, w.padsEnd);
      text += ", pads = " + printInts(pads);
    }
    bool includes = op == Average && chance(40);
    if (includes)
      text += ", count_include_pad = 1 : i64";
    auto reduce = [&](const Tensor &data, const double *channel,
                      ArrayRef<std::pair<Ints, const double *>> covered) {
      int64_t size = 0;
      double sum = 0, max = -1e9;
      for (const auto &[inner, element] : covered) {
        size += includes || element;
        if (!element)
          continue;
        double value = channel[element - data.data.data()];
        sum += value;
        max = std::max(max, value);
      }
      return op == Max ? max : sum / std::max<int64_t>(size, 1);
    };
    if (op != Conv)
      return emit(Kind::Float, op == Max ? "MaxPool" : "AveragePool", *x, text,
                  [&](ArrayRef<const Tensor *> in) -> Result {
                    const Tensor &data = *in[0];
                    if (rankOf(data) < 3)
                      return std::nullopt;
                    int64_t plane = count(ArrayRef(data.shape).drop_front(2));
                    return slide(
                        data, w, data.shape[1],
                        [&](ArrayRef<int64_t> index,
                            ArrayRef<std::pair<Ints, const double *>> covered) {
                          int64_t which = index[0] * data.shape[1] + index[1];
                          return reduce(data, data.data.data() + which * plane,
                                        covered);
                        });
                  });
    Tensor weight{{1 + below(2), ref(*x).shape[1]}, {}};
    llvm::append_range(weight.shape, w.kernel);
    for (int64_t i = 0; i != count(weight.shape); ++i)
      weight.data.push_back(any<int64_t>({-1, 1, 2}));
    unsigned kernel = constant(Kind::Float, weight);
    return emit(Kind::Float, "Conv", {*x, kernel}, text,
                [&](ArrayRef<const Tensor *> in) -> Result {
                  const Tensor &data = *in[0];
                  if (rankOf(data) < 3 || data.shape[1] != weight.shape[1])
                    return std::nullopt;
                  int64_t plane = count(ArrayRef(data.shape).drop_front(2));
                  return slide(
                      data, w, weight.shape[0],
                      [&](ArrayRef<int64_t> index,
                          ArrayRef<std::pair<Ints, const double *>> covered) {
                        double sum = 0;
                        for (int64_t c = 0; c != data.shape[1]; ++c) {
                          const double *channel =
                              data.data.data() +
                              (index[0] * data.shape[1] + c) * plane;
                          for (const auto &[inner, element] : covered) {
                            if (!element)
                              continue;
                            Ints at_ = {index[1], c};
                            llvm::append_range(at_, inner);
                            sum += channel[element - data.data.data()] *
                                   at(weight, at_);
                          }
                        }
                        return sum;
                      });
                });
  }

  /// An operator of which the analysis knows nothing.
  bool addPad() {
    std::optional<unsigned> x = pickData(1);
    if (!x)
      return false;
    return emit(Kind::Float, "node \"Pad\"", *x,
                "node_attrs = {mode = \"edge_then_seven\"}",
                [](ArrayRef<const Tensor *> in) -> Result {
                  if (in[0]->shape.empty())
                    return std::nullopt;
                  Ints shape = in[0]->shape;
                  ++shape.back();
                  return build(shape, [&](ArrayRef<int64_t> index) {
                    return index.back() == shape.back() - 1 ? 7.0
                                                            : at(*in[0], index);
                  });
                });
  }

  bool addNode() {
    struct Choice {
      bool (Generator::*add)();
      unsigned weight;
    };
    static constexpr Choice kChoices[] = {
        {&Generator::addUnary, 2},
        {&Generator::addBinary, 8},
        {&Generator::addVariadic, 1},
        {&Generator::addWhere, 2},
        {&Generator::addCast, 3},
        {&Generator::addDropout, 2},
        {&Generator::addQuantisation, 3},
        {&Generator::addTranspose, 4},
        {&Generator::addFlatten, 2},
        {&Generator::addReshape, 7},
        {&Generator::addSqueeze, 2},
        {&Generator::addUnsqueeze, 4},
        {&Generator::addShape, 5},
        {&Generator::addGather, 5},
        {&Generator::addGatherND, 2},
        {&Generator::addSlice, 5},
        {&Generator::addConcat, 7},
        {&Generator::addConstantOfShape, 2},
        {&Generator::addTarget, 5},
        {&Generator::addExpand, 8},
        {&Generator::addTile, 4},
        {&Generator::addResize, 6},
        {&Generator::addReduction, 5},
        {&Generator::addGlobalPool, 1},
        {&Generator::addWindow, 7},
        {&Generator::addPad, 1},
        {&Generator::addBatchNormalization, 2}};
    unsigned sum = 0;
    for (const Choice &choice : kChoices)
      sum += choice.weight;
    unsigned drawn = below(sum);
    for (const Choice &choice : kChoices) {
      if (drawn < choice.weight)
        return (this->*choice.add)();
      drawn -= choice.weight;
    }
    llvm_unreachable("the weights have a sum");
  }

  std::mt19937 random;
  bool zeros;
  std::array<bool, kRuns> alive;
  std::vector<Value> values;
  std::string arguments, body;
  bool hasNone = false;
};

//===----------------------------------------------------------------------===//
// The check
//===----------------------------------------------------------------------===//

/// How many claims were checked, so that the test notices when there are none.
struct Claims {
  unsigned extents = 0, symbols = 0, elements = 0, even = 0, parts = 0;
};

/// How many slices along `axis` of a stretch of `partAxis` differ.
int64_t countSlices(const Tensor &tensor, int64_t axis, int64_t partAxis = 0,
                    int64_t begin = 0, int64_t end = INT64_MAX) {
  std::vector<std::vector<double>> slices(tensor.shape[axis]);
  size_t flat = 0;
  forEachIndex(tensor.shape, [&](ArrayRef<int64_t> index) {
    double value = tensor.data[flat++];
    if (index[partAxis] >= begin && index[partAxis] < end)
      slices[index[axis]].push_back(value);
  });
  // Sums of different length round differently.
  auto equal = [](ArrayRef<double> a, ArrayRef<double> b) {
    return a.size() == b.size() &&
           llvm::all_of(llvm::zip_equal(a, b), [](auto pair) {
             auto [x, y] = pair;
             return std::abs(x - y) <= 1e-9 * (1 + std::abs(x));
           });
  };
  std::vector<std::vector<double>> different;
  for (const std::vector<double> &slice : slices)
    if (!slice.empty() &&
        llvm::none_of(different, [&](const std::vector<double> &other) {
          return equal(slice, other);
        }))
      different.push_back(slice);
  return different.size();
}

class Checker {
public:
  Checker(const Generator &graph, Claims &claims)
      : graph(graph), claims(claims) {}

  /// What is wrong, or nothing.
  std::string check(MLIRContext &context) {
    OwningOpRef<ModuleOp> module =
        parseSourceString<ModuleOp>(graph.getText(), &context);
    if (!module)
      return "the graph does not parse";
    ModelFacts facts(*module);
    auto function = *module->getOps<func::FuncOp>().begin();
    SmallVector<mlir::Value> values(function.getArguments());
    for (Operation &op : function.getBody().front())
      if (op.getNumResults() && !isa<onnx::NoneOp>(op))
        values.push_back(op.getResult(0));
    for (size_t run = 0; run != Generator::kRuns; ++run) {
      if (!graph.isAlive(run))
        continue;
      symbols.clear();
      // Symbols first, wherever one stands alone.
      for (auto [i, value] : llvm::enumerate(values)) {
        std::string wrong =
            bind(facts.get(value), *graph.getValues()[i].runs[run]);
        if (!wrong.empty())
          return describe(i, run, wrong);
      }
      for (auto [i, value] : llvm::enumerate(values)) {
        std::string wrong =
            check(facts.get(value), *graph.getValues()[i].runs[run]);
        if (!wrong.empty())
          return describe(i, run, wrong);
      }
    }
    return "";
  }

private:
  static std::string print(const Extent &extent) {
    std::string text = std::to_string(extent.getCoefficient());
    for (unsigned symbol : extent.getSymbols())
      text += "*s" + std::to_string(symbol);
    return text;
  }

  std::string describe(size_t value, size_t run, const std::string &wrong) {
    std::string text =
        "%v" + std::to_string(value) + ": " + wrong + "\nin a run with shapes";
    for (auto [i, each] : llvm::enumerate(graph.getValues()))
      text += " %v" + std::to_string(i) + "[" +
              llvm::join(
                  llvm::map_range(each.runs[run]->shape,
                                  [](int64_t n) { return std::to_string(n); }),
                  ",") +
              "]";
    return text + "\n" + graph.getText();
  }

  std::optional<int64_t> evaluate(const Extent &extent) const {
    int64_t product = extent.getCoefficient();
    if (!extent.isNumber() && extent.getSymbols().empty())
      return std::nullopt;
    for (unsigned symbol : extent.getSymbols()) {
      auto it = symbols.find(symbol);
      if (it == symbols.end())
        return std::nullopt;
      product *= it->second;
    }
    return product;
  }

  std::string bind(const ValueFacts &facts, const Tensor &actual) {
    if (!facts.shape)
      return "";
    if (facts.shape->size() != actual.shape.size())
      return "rank " + std::to_string(facts.shape->size()) + " is claimed";
    for (auto [extent, own] : llvm::zip_equal(*facts.shape, actual.shape))
      if (std::optional<unsigned> symbol = extent.getSymbol())
        if (auto [it, isNew] = symbols.try_emplace(*symbol, own);
            !isNew && it->second != own)
          return "s" + std::to_string(*symbol) + " is " + std::to_string(own) +
                 ", but was " + std::to_string(it->second);
    return "";
  }

  std::string check(const ValueFacts &facts, const Tensor &actual) {
    if (!facts.shape)
      return "";
    size_t rank = actual.shape.size();
    if (facts.varying.size() != rank)
      return "`varying` does not have the rank";
    for (size_t axis = 0; axis != rank; ++axis) {
      const Extent &extent = (*facts.shape)[axis];
      std::optional<int64_t> claimed = evaluate(extent);
      if (!claimed)
        continue;
      ++(extent.isNumber() ? claims.extents : claims.symbols);
      if (*claimed != actual.shape[axis])
        return "extent " + print(extent) + " is claimed of axis " +
               std::to_string(axis);
    }
    if (facts.elements) {
      if (facts.elements->size() != actual.data.size())
        return std::to_string(facts.elements->size()) + " elements are claimed";
      for (auto [i, element] : llvm::enumerate(*facts.elements)) {
        std::optional<int64_t> claimed =
            element ? evaluate(*element) : std::nullopt;
        if (!claimed)
          continue;
        ++claims.elements;
        if (*claimed != actual.data[i])
          return "element " + std::to_string(i) + " is " +
                 std::to_string(actual.data[i]) + ", but " + print(*element) +
                 " is claimed";
      }
    }
    for (size_t axis = 0; axis != rank; ++axis) {
      std::optional<int64_t> claimed = evaluate(facts.varying[axis]);
      if (!claimed || *claimed >= actual.shape[axis])
        continue;
      ++claims.even;
      if (countSlices(actual, axis) > *claimed)
        return "more than " + print(facts.varying[axis]) +
               " slices differ along axis " + std::to_string(axis);
    }
    if (!facts.partAxis)
      return facts.parts.empty() ? "" : "parts of no axis are claimed";
    int64_t begin = 0;
    for (const ValueFacts::Part &part : facts.parts) {
      if (part.begin != begin || part.end < begin)
        return "parts are not one behind the other";
      begin = part.end;
      if (part.varying.size() != rank)
        return "`varying` of a part does not have the rank";
      for (size_t axis = 0; axis != rank; ++axis) {
        std::optional<int64_t> claimed = evaluate(part.varying[axis]);
        if (!claimed || *claimed >= actual.shape[axis])
          continue;
        claims.parts += axis != *facts.partAxis;
        if (countSlices(actual, axis, *facts.partAxis, part.begin, part.end) >
            *claimed)
          return "more than " + print(part.varying[axis]) +
                 " slices differ along axis " + std::to_string(axis) +
                 " in part [" + std::to_string(part.begin) + ", " +
                 std::to_string(part.end) + ")";
      }
    }
    if (begin != actual.shape[*facts.partAxis])
      return "parts do not fill their axis";
    return "";
  }

  const Generator &graph;
  Claims &claims;
  std::map<unsigned, int64_t> symbols;
};

class ModelFactsPropertyTest : public testing::Test {
protected:
  ModelFactsPropertyTest() {
    context.loadDialect<onnx::ONNXDialect, func::FuncDialect>();
  }

  /// Checks graphs for all `seeds`; fails at the first claims that do not hold.
  Claims check(unsigned first, unsigned seeds, bool zeros) {
    Claims claims;
    unsigned failures = 0;
    for (unsigned seed = first; seed != first + seeds && failures != 3;
         ++seed) {
      Generator graph(seed, zeros);
      std::string wrong = Checker(graph, claims).check(context);
      if (wrong.empty())
        continue;
      ++failures;
      ADD_FAILURE() << "seed " << seed << ": " << wrong;
    }
    return claims;
  }

  MLIRContext context;
};

/// For a longer search: HEADOPT_PROPERTY_SEEDS and HEADOPT_PROPERTY_FIRST say
/// how many seeds to try, and from which on.
unsigned getNumber(const char *variable, unsigned otherwise) {
  const char *text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

TEST_F(ModelFactsPropertyTest, ClaimsHold) {
  Claims claims = check(getNumber("HEADOPT_PROPERTY_FIRST", 1),
                        getNumber("HEADOPT_PROPERTY_SEEDS", 4000),
                        /*zeros=*/false);
  RecordProperty("extents", claims.extents);
  RecordProperty("symbols", claims.symbols);
  RecordProperty("elements", claims.elements);
  RecordProperty("even", claims.even);
  RecordProperty("parts", claims.parts);
  // Enough of each kind that a claim which does not hold would be seen.
  EXPECT_GT(claims.extents, 1000u);
  EXPECT_GT(claims.symbols, 1000u);
  EXPECT_GT(claims.elements, 1000u);
  EXPECT_GT(claims.even, 1000u);
  EXPECT_GT(claims.parts, 1000u);
}

TEST_F(ModelFactsPropertyTest, ClaimsHoldForEmptyTensors) {
  check(getNumber("HEADOPT_PROPERTY_FIRST", 1),
        getNumber("HEADOPT_PROPERTY_SEEDS", 4000) / 3, /*zeros=*/true);
}

} // namespace
