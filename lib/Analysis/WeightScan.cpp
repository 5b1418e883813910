//===- WeightScan.cpp - Passes over the bytes of a weight -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/WeightScan.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <atomic>
#include <cmath>
#include <functional>
#include <mutex>

using namespace mlir;
using namespace headopt;

/// Bytes read at once. Large enough that the calls do not count, small enough
/// that the piece is still in the cache when it is compared.
static constexpr uint64_t kPiece = 1 << 20;

/// The first byte at which `a` and `b` differ, `size` when they do not.
static uint64_t findByte(const char *a, const char *b, uint64_t size) {
  if (memcmp(a, b, size) == 0)
    return size;
  return std::mismatch(a, a + size, b).first - a;
}

/// The first element, of `count`, at which `a` and `b` differ and that is not
/// exempt; `count` when there is none. `first` is the index of element 0.
static uint64_t findElement(const char *a, const char *b, uint64_t count,
                            uint64_t width, uint64_t first,
                            Exemption isExempt) {
  uint64_t element = findByte(a, b, count * width) / width;
  if (!isExempt)
    return element;
  while (element != count && isExempt(first + element)) {
    ++element;
    element += findByte(a + element * width, b + element * width,
                        (count - element) * width) /
               width;
  }
  return element;
}

/// What one unit of work of a scan found.
using Found = llvm::Expected<std::optional<Difference>>;

/// Calls `visit` for units 0 to `count` - 1, several at once unless `context`
/// is null, each thread with buffers of its own. Returns what the first unit
/// with a difference (or an error) found, the same with any number of threads;
/// units after it may be left out.
static Found visitUnits(MLIRContext *context, uint64_t count,
                        llvm::function_ref<Found(uint64_t, std::vector<char> &,
                                                 std::vector<char> &)>
                            visit) {
  std::mutex mutex;
  std::atomic<uint64_t> next = 0, best = count;
  Found result = std::nullopt;
  auto work = [&](size_t) {
    std::vector<char> first, second;
    // Units are handed out in ascending order, so that all before the best one
    // have been.
    for (uint64_t unit; (unit = next++) < best;) {
      Found found = visit(unit, first, second);
      if (found && !*found)
        continue;
      std::lock_guard<std::mutex> lock(mutex);
      if (unit < best) {
        if (!result)
          llvm::consumeError(result.takeError());
        result = std::move(found);
        best = unit;
      } else if (!found) {
        llvm::consumeError(found.takeError());
      }
    }
  };
  // A few pieces are read before another thread wakes up.
  if (!context || count < 8)
    work(0);
  else
    parallelFor(context, 0, context->getNumThreads(), work);
  return result;
}

llvm::Expected<std::optional<Difference>>
headopt::findDifference(const ConstantReader &weight, Direction direction,
                        uint64_t limit, RepresentativeSink sink,
                        MLIRContext *context, Exemption isExempt) {
  const uint64_t width = weight.getElementBytes();
  const uint64_t stride = direction.stride, extent = direction.extent;
  const uint64_t group = stride * extent;
  uint64_t total = weight.getNumElements();

  if (weight.isSplat() || extent == 1) {
    if (!sink)
      return std::nullopt;
    if (llvm::Error err = forEachRepresentative(weight, direction, sink))
      return std::move(err);
    return std::nullopt;
  }

  if (group * width <= kPiece) {
    if (limit)
      total = std::min(total, std::max(group, limit / group * group));
    // Many groups at a time; inside a group each element but the last `stride`
    // is compared with its neighbour.
    const uint64_t step = kPiece / (group * width) * group;
    auto visit = [&](uint64_t unit, std::vector<char> &piece,
                     std::vector<char> &) -> Found {
      const uint64_t first = unit * step;
      const uint64_t count = std::min(step, total - first);
      piece.resize(step * width);
      if (llvm::Error err = weight.read(first, count, piece.data()))
        return std::move(err);
      for (uint64_t begin = 0; begin < count; begin += group) {
        const char *base = piece.data() + begin * width;
        uint64_t compared = (extent - 1) * stride;
        uint64_t element = findElement(base, base + stride * width, compared,
                                       width, first + begin, isExempt);
        if (element != compared) {
          uint64_t index = first + begin + element;
          return Difference{index, index + stride};
        }
        if (sink)
          sink(first + begin, stride, base);
      }
      return std::nullopt;
    };
    return visitUnits(context, llvm::divideCeil(total, step), visit);
  }

  // A group is larger than a piece: hold a stretch of its first slice and
  // compare the same stretch of every other slice with it.
  const uint64_t step = std::max<uint64_t>(1, kPiece / width);
  const uint64_t stretches = llvm::divideCeil(stride, step);
  uint64_t units = total / group * stretches;
  if (limit)
    units = std::min(units, std::max<uint64_t>(1, limit / (step * extent)));
  auto visit = [&](uint64_t unit, std::vector<char> &reference,
                   std::vector<char> &piece) -> Found {
    const uint64_t outer = unit / stretches * group;
    const uint64_t inner = unit % stretches * step;
    uint64_t count = std::min(step, stride - inner);
    if (limit)
      count = std::min(count, std::max<uint64_t>(1, limit / extent));
    reference.resize(step * width);
    piece.resize(step * width);
    if (llvm::Error err = weight.read(outer + inner, count, reference.data()))
      return std::move(err);
    for (uint64_t i = 1; i != extent; ++i) {
      uint64_t first = outer + i * stride + inner;
      if (llvm::Error err = weight.read(first, count, piece.data()))
        return std::move(err);
      uint64_t element = findElement(reference.data(), piece.data(), count,
                                     width, first, isExempt);
      if (element != count)
        return Difference{outer + inner + element, first + element};
    }
    if (sink)
      sink(outer + inner, count, reference.data());
    return std::nullopt;
  };
  return visitUnits(context, units, visit);
}

llvm::Error headopt::forEachRepresentative(const ConstantReader &weight,
                                           ArrayRef<Direction> directions,
                                           RepresentativeSink sink) {
  // Runs of elements with coordinate 0 everywhere are as long as the smallest
  // stride; the others are skipped.
  SmallVector<Direction> sorted(directions);
  llvm::sort(sorted,
             [](Direction a, Direction b) { return a.stride > b.stride; });
  const uint64_t width = weight.getElementBytes();
  std::vector<char> piece;

  std::function<llvm::Error(uint64_t, uint64_t, size_t)> visit =
      [&](uint64_t begin, uint64_t end, size_t depth) -> llvm::Error {
    if (depth == sorted.size()) {
      for (uint64_t first = begin; first < end;) {
        uint64_t count = std::min(end - first, kPiece / width);
        piece.resize(count * width);
        if (llvm::Error err = weight.read(first, count, piece.data()))
          return err;
        sink(first, count, piece.data());
        first += count;
      }
      return llvm::Error::success();
    }
    auto [stride, extent] = sorted[depth];
    uint64_t group = stride * extent;
    // Short runs: one read for many groups, then pick.
    if (depth + 1 == sorted.size() && group * width <= kPiece) {
      uint64_t groups = kPiece / (group * width);
      for (uint64_t first = begin; first < end; first += groups * group) {
        uint64_t count = std::min(groups * group, end - first);
        piece.resize(count * width);
        if (llvm::Error err = weight.read(first, count, piece.data()))
          return err;
        for (uint64_t i = 0; i < count; i += group)
          sink(first + i, stride, piece.data() + i * width);
      }
      return llvm::Error::success();
    }
    for (uint64_t first = begin; first < end; first += group)
      if (llvm::Error err = visit(first, first + stride, depth + 1))
        return err;
    return llvm::Error::success();
  };
  return visit(0, weight.getNumElements(), 0);
}

SmallVector<Direction> headopt::mergeDirections(ArrayRef<Direction> list) {
  SmallVector<Direction> sorted(list);
  llvm::sort(sorted,
             [](Direction a, Direction b) { return a.stride > b.stride; });
  SmallVector<Direction> merged;
  for (Direction direction : sorted) {
    if (!merged.empty() && merged.back().stride == direction.getPeriod())
      merged.back() = {direction.stride,
                       merged.back().extent * direction.extent};
    else
      merged.push_back(direction);
  }
  return merged;
}

namespace {

/// Reads numbers of one type; f32 without asking for each what it is.
class Decoder {
public:
  explicit Decoder(Type type)
      : type(type), width(type.getIntOrFloatBitWidth() / 8),
        isF32(type.isF32()) {}

  double operator()(const char *bytes, uint64_t index) const {
    if (!isF32)
      return decodeNumber(type, bytes + index * width);
    float value;
    memcpy(&value, bytes + index * sizeof(float), sizeof(float));
    return value;
  }

private:
  Type type;
  unsigned width;
  bool isF32;
};

/// Elements that share all coordinates but those that are averaged: the first
/// of them, f, and the sum of d = w - f. The squared distance from the mean is
/// sum(d * d) - sum(d)^2 / n, without the cancellation that plain sums of w
/// would have for a nearly even weight.
struct Group {
  double first = 0, sum = 0;
  bool seen = false;
};

/// Sums over the whole weight.
struct Deviation {
  double squares = 0, deviations = 0;

  void add(Group &group, double w) {
    if (!group.seen) {
      group.first = w;
      group.seen = true;
    }
    double d = w - group.first;
    group.sum += d;
    deviations += d * d;
    squares += w * w;
  }
  void finish(const Group &group, uint64_t positions) {
    deviations -= group.sum * group.sum / static_cast<double>(positions);
  }
  double getResidual() const {
    return squares == 0 ? 0.0 : std::sqrt(std::max(deviations, 0.0) / squares);
  }
};

} // namespace

/// Along one direction, groups are finished a stretch at a time.
static llvm::Expected<double>
getResidualAlong(const ConstantReader &weight, Type type, Direction direction,
                 llvm::function_ref<double(uint64_t)> zeroPoint) {
  const Decoder decode(type);
  const uint64_t width = weight.getElementBytes();
  const uint64_t period = direction.getPeriod();
  Deviation deviation;
  std::vector<Group> groups;
  std::vector<char> piece;
  const uint64_t step = std::max<uint64_t>(1, kPiece / width);
  for (uint64_t outer = 0; outer < weight.getNumElements(); outer += period) {
    for (uint64_t inner = 0; inner < direction.stride; inner += step) {
      uint64_t count = std::min(step, direction.stride - inner);
      // Short stretches lie close enough together for one read.
      bool together = period <= step;
      groups.assign(count, Group());
      piece.resize((together ? period : count) * width);
      if (together)
        if (llvm::Error err = weight.read(outer, period, piece.data()))
          return std::move(err);
      for (uint64_t i = 0; i != direction.extent; ++i) {
        const char *bytes = piece.data();
        if (together)
          bytes += i * direction.stride * width;
        else if (llvm::Error err = weight.read(
                     outer + i * direction.stride + inner, count, piece.data()))
          return std::move(err);
        uint64_t first = outer + i * direction.stride + inner;
        for (uint64_t j = 0; j != count; ++j)
          deviation.add(groups[j], decode(bytes, j) -
                                       (zeroPoint ? zeroPoint(first + j) : 0));
      }
      for (const Group &group : groups)
        deviation.finish(group, direction.extent);
    }
  }
  return deviation.getResidual();
}

llvm::Expected<double>
headopt::getResidual(const ConstantReader &weight, Type type,
                     ArrayRef<Direction> directions,
                     llvm::function_ref<double(uint64_t)> zeroPoint) {
  SmallVector<Direction> merged = mergeDirections(directions);
  if (weight.isSplat() || merged.empty())
    return 0.0;
  if (merged.size() == 1)
    return getResidualAlong(weight, type, merged.front(), zeroPoint);

  const Decoder decode(type);
  uint64_t positions = 1;
  for (Direction direction : merged)
    positions *= direction.extent;
  const uint64_t total = weight.getNumElements();
  const uint64_t width = weight.getElementBytes();
  std::vector<Group> groups(total / positions);
  Deviation deviation;
  std::vector<char> piece;
  const uint64_t step = kPiece / width;
  // Within a run as long as the smallest stride the group advances by one.
  const uint64_t run = merged.back().stride;
  for (uint64_t first = 0; first < total; first += step) {
    uint64_t count = std::min(step, total - first);
    piece.resize(count * width);
    if (llvm::Error err = weight.read(first, count, piece.data()))
      return std::move(err);
    for (uint64_t i = 0; i < count;) {
      uint64_t index = first + i;
      // Drop the coordinates along the directions from the index.
      uint64_t groupIndex = index;
      for (Direction d : merged)
        groupIndex =
            groupIndex % d.stride + groupIndex / d.getPeriod() * d.stride;
      uint64_t length = std::min(count - i, run - index % run);
      for (uint64_t j = 0; j != length; ++j)
        deviation.add(groups[groupIndex + j],
                      decode(piece.data(), i + j) -
                          (zeroPoint ? zeroPoint(index + j) : 0));
      i += length;
    }
  }
  for (const Group &group : groups)
    deviation.finish(group, positions);
  return deviation.getResidual();
}
