//===- AxisMap.cpp - Where the axes of a tensor go ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/AxisMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <deque>

using namespace mlir;
using namespace headopt;

bool headopt::isViewOp(Operation *op, const ModelFacts &facts) {
  if (auto gather = dyn_cast<onnx::GatherOp>(op)) {
    // x[:, :, 0, 0] of a map of one position: nothing but a Squeeze.
    const std::optional<ValueFacts::Shape> &shape =
        facts.get(gather.getData()).shape;
    std::optional<SmallVector<int64_t>> index =
        facts.getNumbers(gather.getIndices());
    if (!shape || !index || index->size() != 1)
      return false;
    int64_t axis = normalizeAxis(gather.getAxis().value_or(0), shape->size());
    return axis >= 0 && axis < static_cast<int64_t>(shape->size()) &&
           (*shape)[axis].isNumber(1) && facts.isScalar(gather.getIndices());
  }
  return isa<onnx::FlattenOp, onnx::ReshapeOp, onnx::SqueezeOp,
             onnx::UnsqueezeOp, onnx::TransposeOp>(op);
}

AxisMap::AxisMap(ArrayRef<Extent> shape) {
  View view;
  for (auto [axis, extent] : llvm::enumerate(shape)) {
    view.emplace_back();
    if (extent.isNumber(1))
      continue;
    view.back().push_back(digits.size());
    digits.push_back({static_cast<unsigned>(axis), extent});
  }
  views.push_back(view);
}

Extent AxisMap::getExtent(ArrayRef<unsigned> axis) const {
  Extent extent;
  for (unsigned digit : axis)
    extent *= digits[digit].extent;
  return extent;
}

int64_t AxisMap::getStride(unsigned digit) const {
  const Axis &axis = views.front()[digits[digit].axis];
  const unsigned *it = llvm::find(axis, digit);
  return getNumber(ArrayRef(it + 1, axis.end()));
}

void AxisMap::split(unsigned digit, int64_t inner) {
  unsigned faster = digits.size();
  digits.push_back({digits[digit].axis, inner});
  digits[digit].extent = *digits[digit].extent.divideBy(inner);
  for (View &view : views)
    for (Axis &axis : view)
      if (auto *it = llvm::find(axis, digit); it != axis.end())
        axis.insert(it + 1, faster);
}

void AxisMap::drop(unsigned digit) {
  for (View &view : views)
    for (Axis &axis : view)
      llvm::erase(axis, digit);
}

void AxisMap::pin(unsigned symbol, int64_t value) {
  for (auto [i, digit] : llvm::enumerate(digits)) {
    if (!digit.extent.contains(symbol))
      continue;
    digit.extent = digit.extent.substitute(symbol, value);
    if (digit.extent.isNumber(1))
      drop(i);
  }
}

void AxisMap::reduce(ArrayRef<int64_t> axes, bool keep) {
  View to;
  for (auto [axis, digits] : llvm::enumerate(views.back()))
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      to.push_back(digits);
    else if (keep)
      to.emplace_back();
  views.push_back(std::move(to));
}

void AxisMap::describeLast(const ValueFacts &first, ValueFacts &last) const {
  last.shape.emplace();
  last.varying.clear();
  for (const Axis &axis : views.back()) {
    last.shape->push_back(getExtent(axis));
    // What depends on a part of each digit depends on these parts together.
    Extent varying;
    for (unsigned digit : axis) {
      unsigned from = digits[digit].axis;
      bool whole = views.front()[from].size() == 1;
      varying *= first.isEven(from) ? Extent(1)
                 : whole            ? first.varying[from]
                                    : digits[digit].extent;
    }
    last.varying.push_back(varying);
  }
}

void AxisMap::transpose(ArrayRef<int64_t> perm) {
  View to;
  for (int64_t axis : perm)
    to.push_back(views.back()[axis]);
  views.push_back(std::move(to));
}

void AxisMap::collapse(ArrayRef<ReassociationIndices> groups) {
  View to;
  for (const ReassociationIndices &group : groups) {
    to.emplace_back();
    for (int64_t axis : group)
      llvm::append_range(to.back(), views.back()[axis]);
  }
  views.push_back(std::move(to));
}

bool AxisMap::expand(ArrayRef<ReassociationIndices> groups,
                     ArrayRef<int64_t> shape, std::string &whyNot) {
  View from = views.back();
  View to(shape.size());
  // A symbol that one group shows to be 1 may be a digit of another.
  auto dropOnes = [&](Axis &axis) {
    llvm::erase_if(
        axis, [&](unsigned digit) { return digits[digit].extent.isNumber(1); });
  };
  for (auto [axis, group] : llvm::zip_equal(from, groups)) {
    dropOnes(axis);
    SmallVector<std::optional<Extent>> target;
    for (int64_t i : group)
      target.push_back(ShapedType::isDynamic(shape[i])
                           ? std::nullopt
                           : std::optional<Extent>(shape[i]));
    if (llvm::count(target, std::nullopt) > 1) {
      whyNot = "more than one extent of its result is unknown";
      return false;
    }
    View part;
    if (!reshape({axis}, target, part, whyNot))
      return false;
    for (auto [i, digits] : llvm::zip_equal(group, part))
      to[i] = digits;
  }
  llvm::for_each(to, dropOnes);
  views.push_back(std::move(to));
  return true;
}

/// The target of a reshape: nullopt for an extent that is whatever remains (a
/// -1, or one that nobody knows). `from` has the extents of the input.
static std::optional<SmallVector<std::optional<Extent>>>
getReshapeTarget(onnx::ReshapeOp op, const ModelFacts &facts,
                 ArrayRef<Extent> from, int64_t lastExtent,
                 std::string &whyNot) {
  SmallVector<std::optional<Extent>> target;
  auto type = dyn_cast<RankedTensorType>(op.getReshaped().getType());
  const ValueFacts &shape = facts.get(op.getShape());
  if (shape.elements)
    target.assign(shape.elements->begin(), shape.elements->end());
  else if (type)
    target.resize(type.getRank());
  else if (shape.shape && shape.shape->size() == 1 &&
           shape.shape->front().isNumber() &&
           shape.shape->front().getNumber() >= 0 &&
           shape.shape->front().getNumber() <= 64)
    // The length of the target is the rank of the result.
    target.resize(shape.shape->front().getNumber());
  if (!shape.elements && !type && target.empty()) {
    whyNot = "its target is computed and its result has no known shape";
    return std::nullopt;
  }
  bool allowZero = op.getAllowzero().value_or(0) != 0;
  for (auto [i, extent] : llvm::enumerate(target)) {
    if (extent && extent->isNumber(0) && !allowZero) {
      if (i >= from.size()) {
        whyNot = "its target copies an axis that the input does not have";
        return std::nullopt;
      }
      extent = from[i];
    }
    if (extent && extent->isNumber(-1))
      extent.reset();
    if (!extent && type &&
        static_cast<size_t>(type.getRank()) == target.size() &&
        !type.isDynamicDim(i))
      extent = Extent(type.getDimSize(i));
  }
  if (!target.empty() && !target.back() && !ShapedType::isDynamic(lastExtent))
    target.back() = Extent(lastExtent);
  // All but one unknown extent follow from the number of elements.
  if (llvm::count(target, std::nullopt) > 1) {
    whyNot = "its target is computed and more than one extent is unknown";
    return std::nullopt;
  }
  for (const std::optional<Extent> &extent : target) {
    if (extent && extent->isNumber() && extent->getNumber() <= 0) {
      whyNot = "its result has no elements";
      return std::nullopt;
    }
  }
  return target;
}

bool AxisMap::reshape(const View &from, ArrayRef<std::optional<Extent>> target,
                      View &to, std::string &whyNot) {
  static constexpr StringLiteral kOtherCount =
      "its target does not have the number of elements of its input";
  std::deque<unsigned> rest;
  SmallVector<unsigned> unknown;
  Extent known;
  for (const Axis &axis : from)
    for (unsigned digit : axis) {
      rest.push_back(digit);
      if (digits[digit].extent.isNumber())
        known *= digits[digit].extent;
      else
        unknown.push_back(digit);
    }

  // One unknown extent on the left and none on the right: it is the quotient.
  if (unknown.size() == 1 && llvm::all_of(target, [](const auto &extent) {
        return extent && extent->isNumber();
      })) {
    Extent total;
    for (const std::optional<Extent> &extent : target)
      total *= *extent;
    std::optional<Extent> quotient = total.divideBy(known);
    if (!quotient) {
      whyNot = kOtherCount;
      return false;
    }
    unsigned digit = unknown.front();
    if (std::optional<unsigned> symbol = digits[digit].extent.getSymbol()) {
      if (quotient->isNumber(1))
        rest.erase(llvm::find(rest, digit));
      pin(*symbol, quotient->getNumber());
    }
  }

  // Takes digits for one target axis off one end; false when that needs an
  // extent that is unknown or cuts across digits.
  auto take = [&](size_t i, bool left, Axis &axis) {
    if (!target[i])
      return false;
    // Look first, so that a failure leaves the digits alone.
    Extent need = *target[i];
    size_t whole = 0;
    int64_t part = 1;
    while (!need.isNumber(1)) {
      if (whole == rest.size())
        return false;
      unsigned digit = rest[left ? whole : rest.size() - 1 - whole];
      const Extent &extent = digits[digit].extent;
      if (extent.isNumber(0))
        return false;
      if (std::optional<Extent> quotient = need.divideBy(extent)) {
        need = *quotient;
        ++whole;
      } else if (need.isNumber() && (!left || extent.isNumber()) &&
                 extent.divideBy(need)) {
        // The faster part of a split has to be a number.
        part = need.getNumber();
        need = 1;
      } else {
        return false;
      }
    }
    for (size_t j = 0; j != whole; ++j) {
      unsigned digit = left ? rest.front() : rest.back();
      left ? rest.pop_front() : rest.pop_back();
      left ? (void)axis.push_back(digit)
           : (void)axis.insert(axis.begin(), digit);
    }
    if (part != 1) {
      unsigned outer = left ? rest.front() : rest.back();
      split(outer, left ? digits[outer].extent.getNumber() / part : part);
      unsigned inner = digits.size() - 1;
      if (left) {
        axis.push_back(outer);
        rest.front() = inner;
      } else {
        axis.insert(axis.begin(), inner);
      }
    }
    return true;
  };

  to.assign(target.size(), Axis());
  size_t begin = 0, end = target.size();
  while (end - begin > 1) {
    if (take(begin, /*left=*/true, to[begin])) {
      ++begin;
    } else if (take(end - 1, /*left=*/false, to[end - 1])) {
      --end;
    } else {
      whyNot = "its axes cannot be followed: an extent is unknown, or the "
               "target cuts across axes";
      return false;
    }
  }
  if (begin == end) {
    if (rest.empty())
      return true;
    // A scalar target: everything left must have extent 1.
    whyNot = kOtherCount;
    return false;
  }
  // What is left has one place to go; that it has the extent asked for is the
  // operator's own demand.
  to[begin].assign(rest.begin(), rest.end());
  Extent extent = getExtent(to[begin]);
  if (target[begin] && target[begin]->isNumber() && extent.isNumber() &&
      extent != *target[begin]) {
    whyNot = kOtherCount;
    return false;
  }
  return true;
}

bool AxisMap::apply(Operation *op, const ModelFacts &facts, int64_t lastExtent,
                    std::string &whyNot) {
  // A copy: split() adds to `views` and to the digits of its elements.
  View from = views.back();
  int64_t rank = from.size();
  View to;
  bool followed =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case([&](onnx::FlattenOp flatten) {
            int64_t axis = normalizeAxis(flatten.getAxis().value_or(1), rank);
            if (axis < 0 || axis > rank) {
              whyNot = "its axis is out of range";
              return false;
            }
            to.resize(2);
            for (int64_t i = 0; i != rank; ++i)
              llvm::append_range(to[i >= axis], from[i]);
            return true;
          })
          .Case([&](onnx::TransposeOp transpose) {
            SmallVector<int64_t> perm = transpose.getPermutation(rank);
            if (static_cast<int64_t>(perm.size()) != rank) {
              whyNot = "its perm does not have the rank of its input";
              return false;
            }
            SmallVector<bool> seen(rank, false);
            for (int64_t axis : perm) {
              if (axis < 0 || axis >= rank || seen[axis]) {
                whyNot = "its perm is no permutation";
                return false;
              }
              seen[axis] = true;
              to.push_back(from[axis]);
            }
            return true;
          })
          .Case([&](onnx::SqueezeOp squeeze) {
            Value input = onnx::presentOrNull(squeeze.getAxesInput());
            SmallVector<bool> drop(rank, false);
            if (squeeze.getAxes() || input) {
              std::optional<SmallVector<int64_t>> axes =
                  facts.getAxes(squeeze.getAxes(), input, rank);
              if (!axes) {
                whyNot = "its axes are not constant or out of range";
                return false;
              }
              for (int64_t axis : *axes)
                drop[axis] = true;
            } else {
              for (int64_t i = 0; i != rank; ++i) {
                if (!getExtent(from[i]).isNumber()) {
                  whyNot = "it names no axes and an extent is unknown";
                  return false;
                }
                drop[i] = from[i].empty();
              }
            }
            for (int64_t i = 0; i != rank; ++i) {
              if (!drop[i]) {
                to.push_back(from[i]);
                continue;
              }
              // The operator itself demands an extent of 1.
              for (unsigned digit : from[i]) {
                std::optional<unsigned> symbol =
                    digits[digit].extent.getSymbol();
                if (!symbol) {
                  whyNot = "it drops an axis whose extent is not 1";
                  return false;
                }
                pin(*symbol, 1);
              }
            }
            return true;
          })
          .Case([&](onnx::UnsqueezeOp unsqueeze) {
            Value input = onnx::presentOrNull(unsqueeze.getAxesInput());
            std::optional<ArrayRef<int64_t>> attr = unsqueeze.getAxes();
            size_t added = attr ? attr->size() : 0;
            if (!attr && input && facts.get(input).elements)
              added = facts.get(input).elements->size();
            std::optional<SmallVector<int64_t>> axes =
                facts.getAxes(attr, input, rank + added);
            if (!axes) {
              whyNot = "its axes are not constant, not distinct or out of "
                       "range";
              return false;
            }
            const auto *next = from.begin();
            for (int64_t i = 0, e = rank + added; i != e; ++i) {
              if (llvm::is_contained(*axes, i))
                to.emplace_back();
              else
                to.push_back(*next++);
            }
            return true;
          })
          .Case([&](onnx::GatherOp gather) {
            int64_t axis = normalizeAxis(gather.getAxis().value_or(0), rank);
            if (!isViewOp(gather, facts) || axis >= rank ||
                !from[axis].empty()) {
              whyNot = "it takes a part of its input";
              return false;
            }
            to = from;
            // A scalar index takes the axis away.
            if (facts.get(gather.getIndices()).shape->empty())
              to.erase(to.begin() + axis);
            return true;
          })
          .Case([&](onnx::ReshapeOp reshapeOp) {
            SmallVector<Extent> extents;
            for (const Axis &axis : from)
              extents.push_back(getExtent(axis));
            std::optional<SmallVector<std::optional<Extent>>> target =
                getReshapeTarget(reshapeOp, facts, extents, lastExtent, whyNot);
            return target && reshape(from, *target, to, whyNot);
          })
          .Default([&](Operation *) {
            // Operators without axes of their own keep them all.
            to = from;
            return true;
          });
  if (!followed)
    return false;
  views.push_back(to);
  return true;
}
