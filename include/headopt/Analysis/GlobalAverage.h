//===- GlobalAverage.h - Maps that are averaged already ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mean of a feature map over all its positions is written in many ways:
// GlobalAveragePool, one or more ReduceMeans, a sum and a division, a window or
// a kernel as large as the map. All of them are sums over some axes and factors
// that belong to no element, with views between, so that one rule finds them:
// follow the axes from the map to the value; the axes that are summed must be
// the spatial ones, and the factors must be one over their positions.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_GLOBALAVERAGE_H
#define HEADOPT_ANALYSIS_GLOBALAVERAGE_H

#include "headopt/Analysis/ModelFacts.h"

namespace headopt {

/// A value that is the mean of `map` over `axes`.
struct GlobalAverage {
  /// The feature map: of the values that will do the first one in which the
  /// averaged axes are all those from 2 on, or else the first one.
  mlir::Value map;
  /// The averaged axes of the map, ascending; empty when not even its rank is
  /// known (a GlobalAveragePool). Axes of extent 1 are among them where they
  /// make them all axes from 2 on, and else left out.
  llvm::SmallVector<int64_t> axes;
  /// For each axis of the value the axes of the map that it is made of, slowest
  /// first; none where its extent is 1 (an averaged axis that is kept, for
  /// instance). Nullopt when it has an axis that is only a part of one.
  std::optional<llvm::SmallVector<llvm::SmallVector<int64_t, 2>>> resultAxes;

  /// True when the averaged axes are all from 2 on, as GlobalAveragePool has
  /// them. The rank of the map is `rank`.
  bool isChannelsFirst(int64_t rank) const {
    return rank > 2 && static_cast<int64_t>(axes.size()) == rank - 2 &&
           axes.front() == 2;
  }
};

/// Reads `value` as the mean of a feature map over all its spatial axes. These
/// are the axes from 2 on as convolutions lay them out: where the map comes
/// from decides, however it was transposed on the way, or else the operator
/// that pools. Nullopt when it is no such mean, when that is not proved, or
/// when `value` is a mere view of one. Means of integers, which are rounded,
/// are none.
std::optional<GlobalAverage> matchGlobalAverage(mlir::Value value,
                                                const ModelFacts &facts);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_GLOBALAVERAGE_H
