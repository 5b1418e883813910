//===- HeadReport.cpp - What the analysis found, for people ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Analysis/HeadReport.h"
#include "headopt/Analysis/ConstantReader.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace headopt;

static StringRef getName(Verdict verdict) {
  switch (verdict) {
  case Verdict::Rewritable:
    return "rewritten";
  case Verdict::Unit:
    return "unit";
  case Verdict::Pooled:
    return "pooled";
  case Verdict::Refused:
    return "refused";
  }
  llvm_unreachable("unknown verdict");
}

static StringRef getName(Outcome outcome) {
  switch (outcome) {
  case Outcome::Pass:
    return "pass";
  case Outcome::Fail:
    return "fail";
  case Outcome::NotTested:
    return "skipped";
  }
  llvm_unreachable("unknown outcome");
}

/// 102764544 -> "102,764,544"
static std::string withSeparators(int64_t number) {
  std::string digits = std::to_string(number);
  for (int i = static_cast<int>(digits.size()) - 3; i > (number < 0); i -= 3)
    digits.insert(i, ",");
  return digits;
}

/// What someone can do whose head L6 refuses.
static std::vector<std::string> describeAlternatives(const Head &head) {
  int64_t rank = head.mapShape.size();
  // In groups a convolution is none of these layers.
  bool grouped = !head.layer.isMatrixProduct() &&
                 !llvm::is_contained(head.layer.dataAxes, 1);
  if (grouped || head.get(Rule::Invariance).outcome != Outcome::Fail ||
      rank < 3 || rank > 5 ||
      llvm::any_of(ArrayRef(head.mapShape).drop_front(), ShapedType::isDynamic))
    return {};
  std::string kernel;
  for (int64_t axis = 1; axis != rank; ++axis)
    if (axis != head.channelAxis)
      kernel +=
          (kernel.empty() ? "" : "x") + std::to_string(head.mapShape[axis]);
  int64_t channels = head.mapShape[head.channelAxis];
  std::vector<std::string> lines;
  if (!isa<onnx::ConvOp>(head.layer.op))
    lines.push_back(llvm::formatv(
        "exactly as it is: a convolution with a {0} kernel, without padding, "
        "{1} -> {2} channels",
        kernel, withSeparators(channels), withSeparators(head.numOutputs)));
  int64_t axes = rank - 2;
  lines.push_back(llvm::formatv(
      "to retrain pooled in Keras: GlobalAveragePooling{0}D() in place of "
      "Flatten(), then Dense({1})",
      axes, head.numOutputs));
  lines.push_back(llvm::formatv(
      "to retrain pooled in PyTorch: nn.AdaptiveAvgPool{0}d(1) before "
      "nn.Flatten(), then nn.Linear({1}, {2})",
      axes, channels, head.numOutputs));
  return lines;
}

std::vector<HeadReportEntry>
headopt::describeHeads(const HeadAnalysis &analysis) {
  std::vector<HeadReportEntry> entries;
  for (const Head &head : analysis.getHeads()) {
    auto node = cast<onnx::NodeOpInterface>(head.layer.op);
    HeadReportEntry entry;
    entry.node = node.getDisplayName().str();
    entry.op = node.getOperatorName().str();
    entry.verdict = head.verdict;
    entry.mapShape = head.mapShape;
    entry.axesOrder = head.axesOrder;
    entry.pooledAxes = head.pooledAxes;
    entry.numFeatures = head.numFeatures;
    entry.numOutputs = head.numOutputs;
    entry.rules = head.rules;
    entry.reason = head.reason;
    entry.difference = head.difference;
    entry.residual = head.residual;
    entry.residualByAxis = head.residualByAxis;
    entry.alternatives = describeAlternatives(head);
    entry.parametersBefore = head.parametersBefore;
    entry.parametersAfter = head.parametersAfter;
    entry.parametersIfPooled = head.parametersIfPooled;
    entry.condition = head.condition;
    entries.push_back(std::move(entry));
  }
  return entries;
}

int64_t headopt::countParameters(Operation *module) {
  int64_t count = 0;
  module->walk([&](Operation *op) {
    if (!isa<onnx::InitializerOp, onnx::ConstantOp, onnx::ConstantOfShapeOp>(
            op))
      return;
    // What the constant itself says: values of functions have no types.
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    Attribute value;
    if (auto init = dyn_cast<onnx::InitializerOp>(op))
      value = init.getValue();
    else if (auto constant = dyn_cast<onnx::ConstantOp>(op))
      value = constant.getValueAttr();
    if (TypedAttr elements = value ? onnx::getElements(value) : nullptr)
      type = dyn_cast<RankedTensorType>(elements.getType());
    if (type && type.hasStaticShape() && isa<FloatType>(type.getElementType()))
      count += type.getNumElements();
  });
  return count;
}

unsigned HeadReport::count(Verdict verdict) const {
  return llvm::count_if(heads, [&](const HeadReportEntry &head) {
    return head.verdict == verdict;
  });
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static llvm::json::Array toJSON(ArrayRef<int64_t> numbers) {
  llvm::json::Array array;
  for (int64_t number : numbers)
    array.push_back(ShapedType::isDynamic(number) ? llvm::json::Value(nullptr)
                                                  : llvm::json::Value(number));
  return array;
}

template <typename T>
static llvm::json::Value orNull(const std::optional<T> &value) {
  return value ? llvm::json::Value(*value) : llvm::json::Value(nullptr);
}

/// Text from a model may be any bytes; JSON is UTF-8.
static std::string toUTF8(StringRef text) {
  return llvm::json::isUTF8(text) ? text.str() : llvm::json::fixUTF8(text);
}

/// JSON has no infinities and no NaN.
static llvm::json::Value toJSONNumber(double value) {
  if (std::isfinite(value))
    return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

static llvm::json::Object toJSON(const HeadReportEntry &head) {
  llvm::json::Array rules;
  for (auto [i, rule] : llvm::enumerate(head.rules))
    rules.push_back(llvm::json::Object{
        {"label", getLabel(static_cast<Rule>(i))},
        {"outcome", getName(rule.outcome)},
        {"text", rule.text.empty() ? "not tested" : toUTF8(rule.text)},
    });
  llvm::json::Array residuals;
  for (const Head::AxisResidual &each : head.residualByAxis)
    residuals.push_back(
        llvm::json::Object{{"axis", each.axis}, {"residual", each.residual}});
  llvm::json::Object object{
      {"node", toUTF8(head.node)},
      {"op", head.op},
      {"feature_map", toJSON(head.mapShape)},
      {"axes_order", toJSON(head.axesOrder)},
      {"pooled_axes", toJSON(head.pooledAxes)},
      {"verdict", getName(head.verdict)},
      {"rules", std::move(rules)},
      {"reason", head.reason.empty() ? llvm::json::Value(nullptr)
                                     : llvm::json::Value(toUTF8(head.reason))},
      {"residual", orNull(head.residual)},
      {"residual_by_axis", std::move(residuals)},
      {"alternatives", llvm::json::Array(head.alternatives)},
      {"first_difference", nullptr},
      {"parameters_before", head.parametersBefore},
      {"parameters_after", head.parametersAfter},
      {"if_pooled", head.parametersIfPooled},
      {"condition", head.condition.empty() ? llvm::json::Value(nullptr)
                                           : llvm::json::Value(head.condition)},
  };
  if (head.difference)
    object["first_difference"] = llvm::json::Object{
        {"axis", head.difference->axis},
        {"output", head.difference->output},
        {"position", toJSON(head.difference->position)},
        {"values", llvm::json::Array{toJSONNumber(head.difference->values[0]),
                                     toJSONNumber(head.difference->values[1])}},
    };
  return object;
}

llvm::json::Value HeadReport::toJSON() const {
  llvm::json::Array array;
  for (const HeadReportEntry &head : heads)
    array.push_back(::toJSON(head));
  return llvm::json::Object{
      {"input", toUTF8(input)},
      {"output", output.empty() ? llvm::json::Value(nullptr)
                                : llvm::json::Value(toUTF8(output))},
      {"parameters_before", parametersBefore},
      {"parameters_after", parametersAfter},
      {"bytes_before", orNull(bytesBefore)},
      {"bytes_after", orNull(bytesAfter)},
      {"heads_already_pooled", count(Verdict::Pooled)},
      {"heads", std::move(array)},
  };
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

static std::string formatExtent(int64_t extent) {
  return ShapedType::isDynamic(extent) ? "?" : std::to_string(extent);
}

/// Keeps a row of the table one line, whatever the model calls its nodes.
static std::string printable(StringRef text) {
  std::string result;
  for (char c : text)
    result.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?'
                                                                       : c);
  return result;
}

static std::string formatOutcome(const HeadReportEntry &head) {
  switch (head.verdict) {
  case Verdict::Rewritable: {
    std::string axes;
    for (int64_t axis : head.pooledAxes)
      axes += (axes.empty() ? "" : ",") + std::to_string(axis);
    return llvm::formatv("mean over axes {0}: {1} -> {2} parameters", axes,
                         withSeparators(head.parametersBefore),
                         withSeparators(head.parametersAfter));
  }
  case Verdict::Unit:
    return "the map has one position, nothing to gain: " +
           withSeparators(head.parametersBefore) + " parameters";
  case Verdict::Pooled:
    return "the map is a global average already";
  case Verdict::Refused:
    break;
  }
  std::string text;
  for (auto [i, rule] : llvm::enumerate(head.rules))
    if (rule.outcome == Outcome::Fail && text.empty())
      text = (getLabel(static_cast<Rule>(i)) + ": " + rule.text).str();
  // A weight that is nearly even is not even.
  if (head.residual)
    text += *head.residual != 0 && *head.residual < 0.0005
                ? llvm::formatv(" (residual {0:e1})", *head.residual).str()
                : llvm::formatv(" (residual {0:f3})", *head.residual).str();
  if (head.parametersIfPooled &&
      head.parametersIfPooled < head.parametersBefore)
    text += llvm::formatv("; pooled: {0} instead of {1} parameters",
                          withSeparators(head.parametersIfPooled),
                          withSeparators(head.parametersBefore));
  return printable(text);
}

void HeadReport::print(raw_ostream &os) const {
  SmallVector<std::array<std::string, 5>> rows;
  rows.push_back({"head", "feature map", "K -> O", "verdict", "why"});
  for (const HeadReportEntry &head : heads) {
    std::string map;
    for (int64_t extent : head.mapShape)
      map += (map.empty() ? "" : "x") + formatExtent(extent);
    rows.push_back({printable(head.node) + " (" + head.op + ")",
                    map.empty() ? "?" : map,
                    formatExtent(head.numFeatures) + " -> " +
                        formatExtent(head.numOutputs),
                    getName(head.verdict).str(), formatOutcome(head)});
  }
  if (heads.empty()) {
    os << printable(input) << ": no Flatten -> Dense head\n";
    return;
  }
  std::array<size_t, 4> widths = {};
  for (const auto &row : rows)
    for (size_t i = 0; i != widths.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  for (const auto &row : rows) {
    for (size_t i = 0; i != widths.size(); ++i)
      os << llvm::left_justify(row[i], widths[i]) << "  ";
    os << row.back() << '\n';
  }
  for (const HeadReportEntry &head : heads)
    for (const std::string &line : head.alternatives)
      os << "  " << printable(head.node) << ", " << line << '\n';
  os << printable(input) << ": " << withSeparators(parametersBefore);
  if (parametersAfter != parametersBefore)
    os << " -> " << withSeparators(parametersAfter);
  os << " parameters";
  if (bytesBefore && bytesAfter)
    os << ", " << withSeparators(*bytesBefore) << " -> "
       << withSeparators(*bytesAfter) << " bytes";
  os << '\n';
}
