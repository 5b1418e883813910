//===- Extent.h - Extents that only a run knows -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_ANALYSIS_EXTENT_H
#define HEADOPT_ANALYSIS_EXTENT_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace headopt {

/// An extent, or an element of a shape, as a product c * s1 * s2 ... of a
/// number and of symbols: extents that only a run knows, each at least 0. Equal
/// products are equal in every run. A product whose number does not fit 64
/// bits, or that has more symbols than any shape, equals nothing, not even
/// itself.
class Extent {
public:
  Extent(int64_t number = 1) : number(number) {}

  static Extent getSymbol(unsigned symbol) {
    Extent extent;
    extent.symbols.push_back(symbol);
    return extent;
  }

  bool isNumber() const { return symbols.empty() && number != kOverflow; }
  /// The number, or ShapedType::kDynamic when it has symbols.
  int64_t getNumber() const {
    return isNumber() ? number : mlir::ShapedType::kDynamic;
  }
  bool isNumber(int64_t value) const { return isNumber() && number == value; }
  /// The symbol, when the extent is nothing but one.
  std::optional<unsigned> getSymbol() const {
    if (number != 1 || symbols.size() != 1)
      return std::nullopt;
    return symbols.front();
  }
  /// The factor that is a number, and the symbols, ascending and as often as
  /// each is a factor.
  int64_t getCoefficient() const { return number; }
  llvm::ArrayRef<unsigned> getSymbols() const { return symbols; }
  bool contains(unsigned symbol) const {
    return llvm::is_contained(symbols, symbol);
  }

  bool operator==(const Extent &other) const {
    return number != kOverflow && number == other.number &&
           symbols == other.symbols;
  }
  bool operator!=(const Extent &other) const { return !(*this == other); }

  Extent operator*(const Extent &other) const;
  Extent &operator*=(const Extent &other) { return *this = *this * other; }

  /// The product q with q * divisor == *this, where there is one. In a run in
  /// which `divisor` is 0 any q is right.
  std::optional<Extent> divideBy(const Extent &divisor) const;

  /// The extent with `value` in place of `symbol`.
  Extent substitute(unsigned symbol, int64_t value) const;

private:
  static constexpr int64_t kOverflow = INT64_MIN;
  /// A hostile model may square a product again and again.
  static constexpr size_t kMaxSymbols = 64;

  int64_t number;
  /// Ascending, as often as each is a factor.
  llvm::SmallVector<unsigned, 2> symbols;
};

/// The product of `extents`.
Extent multiply(llvm::ArrayRef<Extent> extents);

} // namespace headopt

#endif // HEADOPT_ANALYSIS_EXTENT_H
