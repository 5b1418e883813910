//===- WeightScan.h - Passes over the bytes of a weight ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A weight may be hundreds of megabytes in a file, so everything that is asked
// of it is answered in passes over pieces of it. No IR here: a weight is a flat
// row-major array, and a direction in it is a stride and an extent.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_WEIGHTSCAN_H
#define HEADOPT_ANALYSIS_WEIGHTSCAN_H

#include "headopt/Analysis/ConstantReader.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace headopt {

/// A direction in a flat array: element i has the coordinate
/// (i / stride) % extent. Strides and extents are in elements.
struct Direction {
  uint64_t stride;
  uint64_t extent;

  /// The number of elements after which the coordinate starts again.
  uint64_t getPeriod() const { return stride * extent; }

  bool operator==(const Direction &other) const {
    return stride == other.stride && extent == other.extent;
  }
};

/// Two elements that differ although they have the same coordinates but one.
struct Difference {
  /// Indices into the flat array; `first` has coordinate `i - 1` or 0 in the
  /// direction that was tested, `second` has i.
  uint64_t first;
  uint64_t second;
};

/// Receives elements that stand for all others along the tested direction:
/// `count` consecutive elements from index `first` on.
using RepresentativeSink =
    llvm::function_ref<void(uint64_t first, uint64_t count, const char *bytes)>;

/// True for an element of which a scan does not ask anything. The answer must
/// not depend on the coordinate along the direction that is tested.
using Exemption = llvm::function_ref<bool(uint64_t index)>;

/// Looks for two elements that differ along `direction`, comparing bits (so
/// NaN equals itself, and +0.0 differs from -0.0). Stops at the first that is
/// not exempt. At most
/// about `limit` elements are looked at, 0 means all of them. Elements with
/// coordinate 0 are handed to `sink` when there is one, in any order. With a
/// `context` its threads share the work and call `sink` at the same time.
llvm::Expected<std::optional<Difference>>
findDifference(const ConstantReader &weight, Direction direction,
               uint64_t limit = 0, RepresentativeSink sink = nullptr,
               mlir::MLIRContext *context = nullptr,
               Exemption isExempt = nullptr);

/// The same directions with neighbours joined into one: along (7, stride 7) and
/// (7, stride 1) lie the same elements as along (49, stride 1). Slowest first.
llvm::SmallVector<Direction> mergeDirections(llvm::ArrayRef<Direction> list);

/// Calls `sink` for all elements whose coordinate is 0 in every one of
/// `directions`, in ascending order.
llvm::Error forEachRepresentative(const ConstantReader &weight,
                                  llvm::ArrayRef<Direction> directions,
                                  RepresentativeSink sink);

/// ||W - mean W|| / ||W|| in the Frobenius norm, where each element is compared
/// with the mean of those that share its coordinates except for `directions`;
/// 0 when the weight does not vary along them, at most 1. `type` is the element
/// type; `zeroPoint`, when there is one, gives what an element is less.
llvm::Expected<double>
getResidual(const ConstantReader &weight, mlir::Type type,
            llvm::ArrayRef<Direction> directions,
            llvm::function_ref<double(uint64_t index)> zeroPoint = nullptr);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_WEIGHTSCAN_H
