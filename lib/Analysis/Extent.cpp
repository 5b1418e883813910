//===- Extent.cpp - Extents that only a run knows -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/Extent.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace headopt;

Extent Extent::operator*(const Extent &other) const {
  Extent product;
  if (number == kOverflow || other.number == kOverflow ||
      symbols.size() + other.symbols.size() > kMaxSymbols ||
      llvm::MulOverflow(number, other.number, product.number)) {
    product.number = kOverflow;
    return product;
  }
  std::merge(symbols.begin(), symbols.end(), other.symbols.begin(),
             other.symbols.end(), std::back_inserter(product.symbols));
  return product;
}

std::optional<Extent> Extent::divideBy(const Extent &divisor) const {
  if (number == kOverflow || divisor.number == kOverflow ||
      divisor.number == 0 || number % divisor.number != 0 ||
      !llvm::includes(symbols, divisor.symbols))
    return std::nullopt;
  Extent quotient(number / divisor.number);
  std::set_difference(symbols.begin(), symbols.end(), divisor.symbols.begin(),
                      divisor.symbols.end(),
                      std::back_inserter(quotient.symbols));
  return quotient;
}

Extent Extent::substitute(unsigned symbol, int64_t value) const {
  Extent result(number);
  for (unsigned factor : symbols)
    result *= factor == symbol ? Extent(value) : getSymbol(factor);
  return result;
}

Extent headopt::multiply(llvm::ArrayRef<Extent> extents) {
  Extent product;
  for (const Extent &extent : extents)
    product *= extent;
  return product;
}
