//===- AxisMap.cpp - Where the axes of a tensor go ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/AxisMap.h"
#include "headopt/Analysis/ConstantReader.h"
#include "llvm/ADT/TypeSwitch.h"
#include <deque>

using namespace mlir;
using namespace headopt;

bool headopt::isViewOp(Operation *op) {
  return isa<onnx::FlattenOp, onnx::ReshapeOp, onnx::SqueezeOp,
             onnx::UnsqueezeOp, onnx::TransposeOp>(op);
}

AxisMap::AxisMap(ArrayRef<int64_t> shape) {
  View view;
  for (auto [axis, extent] : llvm::enumerate(shape)) {
    view.emplace_back();
    if (extent == 1)
      continue;
    view.back().push_back(digits.size());
    digits.push_back({static_cast<unsigned>(axis), extent});
  }
  views.push_back(view);
}

int64_t AxisMap::getExtent(ArrayRef<unsigned> axis) const {
  int64_t extent = 1;
  for (unsigned digit : axis) {
    if (ShapedType::isDynamic(digits[digit].extent))
      return ShapedType::kDynamic;
    extent *= digits[digit].extent;
  }
  return extent;
}

int64_t AxisMap::getStride(unsigned digit) const {
  const Axis &axis = views.front()[digits[digit].axis];
  const unsigned *it = llvm::find(axis, digit);
  return getExtent(ArrayRef(it + 1, axis.end()));
}

void AxisMap::split(unsigned digit, int64_t inner) {
  unsigned faster = digits.size();
  digits.push_back({digits[digit].axis, inner});
  digits[digit].extent /= inner;
  for (View &view : views)
    for (Axis &axis : view)
      if (auto *it = llvm::find(axis, digit); it != axis.end())
        axis.insert(it + 1, faster);
}

void AxisMap::pin(unsigned digit, int64_t extent) {
  digits[digit].extent = extent;
  if (extent != 1)
    return;
  for (View &view : views)
    for (Axis &axis : view)
      llvm::erase(axis, digit);
}

/// Axes given by an attribute or a constant input, made non-negative for
/// `rank`; nullopt when they are not constant or out of range.
static std::optional<SmallVector<int64_t>>
getAxes(std::optional<ArrayRef<int64_t>> attr, Value input, int64_t rank) {
  SmallVector<int64_t> axes;
  if (attr)
    axes.assign(attr->begin(), attr->end());
  else if (std::optional<SmallVector<int64_t>> ints = getConstantInts(input))
    axes = *ints;
  else
    return std::nullopt;
  for (int64_t &axis : axes) {
    if (axis < 0)
      axis += rank;
    if (axis < 0 || axis >= rank)
      return std::nullopt;
  }
  return axes;
}

static Value presentOrNull(Value value) {
  return value && !isa<NoneType>(value.getType()) ? value : Value();
}

/// The target of a reshape: extents, kDynamic where it is whatever remains (a
/// -1, or one extent that nobody knows); `copies[i]` is the axis of the input
/// that extent i repeats, or -1.
static bool getReshapeTarget(onnx::ReshapeOp op, int64_t inputRank,
                             int64_t lastExtent,
                             SmallVectorImpl<int64_t> &target,
                             SmallVectorImpl<int> &copies,
                             std::string &whyNot) {
  auto inferred = dyn_cast<RankedTensorType>(op.getReshaped().getType());
  if (std::optional<SmallVector<int64_t>> ints =
          getConstantInts(op.getShape())) {
    bool allowZero = op.getAllowzero().value_or(0) != 0;
    for (auto [i, extent] : llvm::enumerate(*ints)) {
      bool copy = extent == 0 && !allowZero;
      if (copy && static_cast<int64_t>(i) >= inputRank) {
        whyNot = "its target copies an axis that the input does not have";
        return false;
      }
      copies.push_back(copy ? static_cast<int>(i) : -1);
      target.push_back(copy || extent == -1 ? ShapedType::kDynamic : extent);
    }
  } else if (inferred) {
    target.assign(inferred.getShape().begin(), inferred.getShape().end());
    copies.assign(target.size(), -1);
  } else if (auto shapeType =
                 dyn_cast<RankedTensorType>(op.getShape().getType());
             shapeType && shapeType.getRank() == 1 &&
             shapeType.hasStaticShape()) {
    // The length of the target is the rank of the result.
    target.assign(shapeType.getDimSize(0), ShapedType::kDynamic);
    copies.assign(target.size(), -1);
  } else {
    whyNot = "its target is computed and its result has no known shape";
    return false;
  }
  if (!target.empty() && ShapedType::isDynamic(target.back()) &&
      copies.back() < 0)
    target.back() = lastExtent;
  // All but one unknown extent follow from the number of elements.
  int64_t unknown = 0;
  for (auto [extent, copy] : llvm::zip_equal(target, copies))
    unknown += ShapedType::isDynamic(extent) && copy < 0;
  if (unknown > 1) {
    whyNot = "its target is computed and more than one extent is unknown";
    return false;
  }
  if (llvm::is_contained(target, 0)) {
    whyNot = "its result has no elements";
    return false;
  }
  return true;
}

bool AxisMap::reshape(const View &from, ArrayRef<int64_t> target,
                      ArrayRef<int> copies, View &to, std::string &whyNot) {
  std::deque<unsigned> rest;
  SmallVector<unsigned> unknown;
  int64_t known = 1;
  for (const Axis &axis : from)
    for (unsigned digit : axis) {
      rest.push_back(digit);
      if (ShapedType::isDynamic(digits[digit].extent))
        unknown.push_back(digit);
      else
        known *= digits[digit].extent;
    }

  // One unknown extent on the left and none on the right: it is the quotient.
  if (unknown.size() == 1 &&
      llvm::none_of(llvm::zip_equal(target, copies), [](auto pair) {
        return ShapedType::isDynamic(std::get<0>(pair));
      })) {
    int64_t total = 1;
    for (int64_t extent : target)
      total *= extent;
    if (known == 0 || total % known) {
      whyNot = "its target does not have the number of elements of its input";
      return false;
    }
    if (total / known == 1)
      rest.erase(llvm::find(rest, unknown.front()));
    pin(unknown.front(), total / known);
  }

  // Takes digits for one target axis off one end; false when that needs an
  // extent that is unknown or cuts across digits.
  auto take = [&](size_t i, bool left, Axis &axis) {
    if (copies[i] >= 0) {
      const Axis &copied = from[copies[i]];
      if (copied.size() > rest.size())
        return false;
      for (size_t j = 0; j != copied.size(); ++j)
        if (rest[left ? j : rest.size() - copied.size() + j] != copied[j])
          return false;
      axis = copied;
      for (size_t j = 0; j != copied.size(); ++j)
        left ? rest.pop_front() : rest.pop_back();
      return true;
    }
    if (ShapedType::isDynamic(target[i]))
      return false;
    // Look first, so that a failure leaves the digits alone.
    int64_t need = target[i];
    size_t whole = 0;
    int64_t part = 1;
    while (need != 1) {
      if (whole == rest.size())
        return false;
      unsigned digit = rest[left ? whole : rest.size() - 1 - whole];
      int64_t extent = digits[digit].extent;
      if (ShapedType::isDynamic(extent) || extent == 0)
        return false;
      if (need % extent == 0) {
        need /= extent;
        ++whole;
      } else if (extent % need == 0) {
        part = need;
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
      split(outer, left ? digits[outer].extent / part : part);
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
    whyNot = "its target does not have the number of elements of its input";
    return false;
  }
  to[begin].assign(rest.begin(), rest.end());
  int64_t extent = getExtent(to[begin]);
  if (!ShapedType::isDynamic(target[begin]) && !ShapedType::isDynamic(extent) &&
      extent != target[begin]) {
    whyNot = "its target does not have the number of elements of its input";
    return false;
  }
  if (copies[begin] >= 0 && to[begin] != from[copies[begin]]) {
    whyNot = "its axes cannot be followed: an axis that it copies has moved";
    return false;
  }
  return true;
}

bool AxisMap::apply(Operation *op, int64_t lastExtent, std::string &whyNot) {
  // A copy: split() adds to `views` and to the digits of its elements.
  View from = views.back();
  int64_t rank = from.size();
  View to;
  bool followed =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case([&](onnx::FlattenOp flatten) {
            int64_t axis = flatten.getAxis().value_or(1);
            if (axis < 0)
              axis += rank;
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
            SmallVector<int64_t> perm;
            if (std::optional<ArrayRef<int64_t>> given = transpose.getPerm())
              perm.assign(given->begin(), given->end());
            else
              for (int64_t i = rank; i-- > 0;)
                perm.push_back(i);
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
            Value input = presentOrNull(squeeze.getAxesInput());
            SmallVector<bool> drop(rank, false);
            if (squeeze.getAxes() || input) {
              std::optional<SmallVector<int64_t>> axes =
                  getAxes(squeeze.getAxes(), input, rank);
              if (!axes) {
                whyNot = "its axes are not constant or out of range";
                return false;
              }
              for (int64_t axis : *axes)
                drop[axis] = true;
            } else {
              for (int64_t i = 0; i != rank; ++i) {
                if (ShapedType::isDynamic(getExtent(from[i]))) {
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
                if (!ShapedType::isDynamic(digits[digit].extent)) {
                  whyNot = "it drops an axis whose extent is not 1";
                  return false;
                }
                pin(digit, 1);
              }
            }
            return true;
          })
          .Case([&](onnx::UnsqueezeOp unsqueeze) {
            Value input = presentOrNull(unsqueeze.getAxesInput());
            std::optional<ArrayRef<int64_t>> attr = unsqueeze.getAxes();
            size_t added = 0;
            if (attr)
              added = attr->size();
            else if (std::optional<SmallVector<int64_t>> ints =
                         input ? getConstantInts(input) : std::nullopt)
              added = ints->size();
            std::optional<SmallVector<int64_t>> axes;
            if (attr || input)
              axes = getAxes(attr, input, rank + added);
            if (!axes) {
              whyNot = "its axes are not constant or out of range";
              return false;
            }
            const auto *next = from.begin();
            for (int64_t i = 0, e = rank + added; i != e; ++i) {
              if (llvm::is_contained(*axes, i))
                to.emplace_back();
              else if (next != from.end())
                to.push_back(*next++);
            }
            if (next != from.end()) {
              whyNot = "its axes are not distinct";
              return false;
            }
            return true;
          })
          .Case([&](onnx::ReshapeOp reshapeOp) {
            SmallVector<int64_t> target;
            SmallVector<int> copies;
            return getReshapeTarget(reshapeOp, rank, lastExtent, target, copies,
                                    whyNot) &&
                   reshape(from, target, copies, to, whyNot);
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
