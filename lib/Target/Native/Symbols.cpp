//===- Symbols.cpp - Whose functions an object calls ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Symbols.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace headopt;

/// What every C compiler takes for granted, and what finds thread-local memory.
static bool isOfLibc(StringRef name) {
  return is_contained(
      {"memcpy", "memmove", "memset", "memcmp", "bcmp", "__tls_get_addr"},
      name);
}

/// Symbols that the linker itself defines.
static bool isOfLinker(StringRef name) {
  return is_contained({"_GLOBAL_OFFSET_TABLE_", "_TLS_MODULE_BASE_"}, name);
}

static bool isOfLibm(StringRef name) {
  static constexpr StringLiteral functions[] = {
      "acos",      "acosh",  "asin",  "asinh",     "atan",      "atan2",
      "atanh",     "cbrt",   "ceil",  "copysign",  "cos",       "cosh",
      "erf",       "erfc",   "exp",   "exp10",     "exp2",      "expm1",
      "fabs",      "fdim",   "floor", "fma",       "fmax",      "fmin",
      "fmod",      "frexp",  "hypot", "ldexp",     "lgamma",    "llrint",
      "llround",   "log",    "log10", "log1p",     "log2",      "logb",
      "lrint",     "lround", "modf",  "nearbyint", "nextafter", "pow",
      "remainder", "rint",   "round", "roundeven", "scalbn",    "sin",
      "sincos",    "sinh",   "sqrt",  "tan",       "tanh",      "tgamma",
      "trunc"};
  if (is_contained(functions, name))
    return true;
  return name.consume_back("f") && is_contained(functions, name);
}

static bool isOfOpenMP(StringRef name) {
  return name.starts_with("__kmpc_") || name.starts_with("omp_");
}

bool headopt::isLibraryFunction(StringRef name) {
  return isOfLibc(name) || isOfLibm(name) || isOfOpenMP(name);
}

Error headopt::addDefinitions(const object::ObjectFile &object,
                              StringSet<> &names) {
  for (const object::SymbolRef &symbol : object.symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    if (!flags)
      return flags.takeError();
    if ((*flags & object::SymbolRef::SF_Undefined) ||
        !(*flags & object::SymbolRef::SF_Global))
      continue;
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    names.insert(*name);
  }
  return Error::success();
}

Expected<Requirements>
headopt::findRequirements(const object::ObjectFile &object,
                          const StringSet<> &provided) {
  Requirements requirements;
  for (const object::SymbolRef &symbol : object.symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    if (!flags)
      return flags.takeError();
    if (!(*flags & object::SymbolRef::SF_Undefined))
      continue;
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return name.takeError();
    if (name->empty() || isOfLinker(*name) || provided.contains(*name))
      continue;
    if (isOfLibc(*name))
      requirements.libc = true;
    else if (isOfLibm(*name))
      requirements.libm = true;
    else if (isOfOpenMP(*name))
      requirements.openMP = true;
    else
      return createStringError(
          std::errc::not_supported,
          "the code calls '%s', which neither libc, libm nor OpenMP's runtime "
          "has; choose a processor that does this by itself (--mcpu), or lower "
          "it otherwise",
          name->str().c_str());
  }
  return requirements;
}
