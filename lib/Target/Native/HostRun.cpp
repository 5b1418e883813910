//===- HostRun.cpp - Running a compiled head here -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/HostRun.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <dlfcn.h>
#include <random>
#include <utility>

using namespace llvm;
using namespace headopt;

static Error error(const Twine &what) {
  return createStringError(std::errc::invalid_argument, "%s",
                           what.str().c_str());
}

static std::string spellShape(ArrayRef<int64_t> extents) {
  if (extents.empty())
    return "a single number";
  std::string text;
  raw_string_ostream os(text);
  ListSeparator times("x");
  for (int64_t extent : extents) {
    os << times;
    if (extent == HeadSignature::kDynamic)
      os << '?';
    else
      os << extent;
  }
  return text;
}

Expected<NpyArray> headopt::makeRandomFeatures(const HeadSignature &signature,
                                               std::optional<int64_t> batch) {
  SmallVector<int64_t> shape = signature.features;
  if (!signature.getDynamicAxes().empty())
    return error("the head takes " + spellShape(shape) +
                 "; say with an input (--input) how large it is");
  if (shape.front() == HeadSignature::kDynamic)
    shape.front() = batch.value_or(1);
  else if (batch && *batch != shape.front())
    return error("the head takes a batch of " + Twine(shape.front()) +
                 ", not of " + Twine(*batch));
  Expected<NpyArray> tensor = NpyArray::create(signature.element, shape);
  if (!tensor)
    return tensor.takeError();
  // Distributions of the standard library differ between implementations.
  std::mt19937_64 random(1);
  for (uint64_t i = 0, e = tensor->getNumElements(); i < e; ++i)
    tensor->set(i, static_cast<double>(random() >> 11) * 0x1p-52 - 1);
  return tensor;
}

/// Calls `function` with the extents of one feature map, batch first.
template <size_t... I>
static int callWith(void *function, const void *features,
                    ArrayRef<int64_t> extents, void *output,
                    std::index_sequence<I...>) {
  using Head = int (*)(const void *, decltype(int64_t(I))..., void *);
  return reinterpret_cast<Head>(function)(features, extents[I]..., output);
}

/// The number of arguments is only known now.
template <size_t N = 1>
static int call(void *function, const void *features, ArrayRef<int64_t> extents,
                void *output) {
  constexpr size_t kMaxExtents = 16;
  if constexpr (N <= kMaxExtents) {
    if (extents.size() == N)
      return callWith(function, features, extents, output,
                      std::make_index_sequence<N>());
    return call<N + 1>(function, features, extents, output);
  }
  llvm_unreachable("more dynamic extents than a feature map can have");
}

Expected<NpyArray> headopt::runOnHost(StringRef path, const NativeCode &code,
                                      const NpyArray &features) {
  if (!code.signature)
    return error("'" + code.name + "' has no headopt.signature");
  const HeadSignature &signature = *code.signature;
  if (features.element != signature.element)
    return error("the input has elements " + getName(features.element) +
                 ", the head takes " + getName(signature.element));
  bool fits = features.shape.size() == signature.features.size();
  for (size_t axis = 0; fits && axis < features.shape.size(); ++axis)
    fits = signature.features[axis] == features.shape[axis] ||
           (signature.features[axis] == HeadSignature::kDynamic &&
            (axis == 0 || features.shape[axis] > 0));
  if (!fits)
    return error("the input is " + spellShape(features.shape) +
                 ", the head takes " + spellShape(signature.features) +
                 "; save an array of that shape");
  SmallVector<int64_t> extents{features.shape.front()};
  for (unsigned axis : signature.getDynamicAxes())
    extents.push_back(features.shape[axis]);

  Expected<NpyArray> output = NpyArray::create(
      signature.outputElement, signature.getOutputExtents(features.shape));
  if (!output)
    return output.takeError();
  void *library = dlopen(path.str().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return error("the compiled head cannot be loaded: " + Twine(dlerror()));
  void *function = dlsym(library, code.name.c_str());
  if (!function)
    return error("the compiled head cannot be loaded: " + Twine(dlerror()));
  if (int status = call(function, features.data->getBufferStart(), extents,
                        output->data->getBufferStart())) {
    std::string reason = "the head returned " + std::to_string(status);
    if (!code.errorFunction.empty())
      if (void *explain = dlsym(library, code.errorFunction.c_str()))
        reason = reinterpret_cast<const char *(*)()>(explain)();
    return error(reason);
  }
  return output;
}
