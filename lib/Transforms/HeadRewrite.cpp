//===- HeadRewrite.cpp - What rewrites of heads share ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadRewrite.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace headopt;

// Attributes live as long as the context and are compared and hashed whole, so
// that a large weight becomes a resource, which takes the bytes over.
TypedAttr headopt::takeElements(PooledWeight &weight, StringRef name) {
  static constexpr size_t kLarge = 1 << 16;
  if (weight.bytes.size() < kLarge)
    return DenseElementsAttr::getFromRawBuffer(weight.type, weight.bytes);
  auto owned = std::make_unique<std::vector<char>>(std::move(weight.bytes));
  ArrayRef<char> data(*owned);
  AsmResourceBlob blob(
      data, alignof(std::max_align_t),
      [owned = std::move(owned)](void *, size_t, size_t) {},
      /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(weight.type, name, std::move(blob));
}

void headopt::emitRemark(const Head &head, StringRef category, StringRef name) {
  Location loc = head.layer.op->getLoc();
  auto options =
      remark::RemarkOpts::name("FlattenHead").category(category).function(name);
  switch (head.verdict) {
  case Verdict::Rewritable:
    remark::passed(loc, options)
        << "pooled the feature map before the dense layer"
        << remark::metric("Positions", head.positions)
        << remark::metric("ParametersBefore", head.parametersBefore)
        << remark::metric("ParametersAfter", head.parametersAfter);
    return;
  case Verdict::Unit:
    remark::missed(loc, options)
        << remark::reason("{0}", std::string("the map has one position: "
                                             "nothing to gain"));
    return;
  case Verdict::Pooled:
    remark::missed(loc, options) << remark::reason(
        "{0}", std::string("the map is a global average already"));
    return;
  case Verdict::Refused:
    break;
  }
  std::string label;
  for (unsigned i = 0; i != kNumRules && label.empty(); ++i)
    if (head.rules[i].outcome == Outcome::Fail)
      label = getLabel(static_cast<Rule>(i)).str();
  remark::missed(loc, options)
      << remark::reason("{0}: {1}", label, head.reason)
      << remark::metric("ParametersBefore", head.parametersBefore)
      << remark::metric("ParametersIfPooled", head.parametersIfPooled);
}
