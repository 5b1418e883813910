//===- Header.cpp - The C header of a compiled head -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "headopt/Target/Native/Header.h"
#include "Symbols.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace headopt;

/// Keywords of C99 to C23 and C++, and what else a global function must not be
/// called.
static bool isReserved(StringRef name) {
  static constexpr StringLiteral words[] = {"alignas",     "alignof",
                                            "and",         "and_eq",
                                            "asm",         "auto",
                                            "bitand",      "bitor",
                                            "bool",        "break",
                                            "case",        "catch",
                                            "char",        "char16_t",
                                            "char32_t",    "char8_t",
                                            "class",       "co_await",
                                            "co_return",   "co_yield",
                                            "compl",       "concept",
                                            "const",       "const_cast",
                                            "consteval",   "constexpr",
                                            "constinit",   "continue",
                                            "decltype",    "default",
                                            "delete",      "do",
                                            "double",      "dynamic_cast",
                                            "else",        "enum",
                                            "explicit",    "export",
                                            "extern",      "false",
                                            "float",       "for",
                                            "friend",      "goto",
                                            "if",          "inline",
                                            "int",         "int64_t",
                                            "linux",       "long",
                                            "main",        "mutable",
                                            "namespace",   "new",
                                            "noexcept",    "not",
                                            "not_eq",      "nullptr",
                                            "operator",    "or",
                                            "or_eq",       "private",
                                            "protected",   "public",
                                            "register",    "reinterpret_cast",
                                            "requires",    "restrict",
                                            "return",      "short",
                                            "signed",      "sizeof",
                                            "static",      "static_assert",
                                            "static_cast", "struct",
                                            "switch",      "template",
                                            "this",        "thread_local",
                                            "throw",       "true",
                                            "try",         "typedef",
                                            "typeid",      "typename",
                                            "typeof",      "typeof_unqual",
                                            "uint16_t",    "union",
                                            "unix",        "unsigned",
                                            "using",       "virtual",
                                            "void",        "volatile",
                                            "wchar_t",     "while",
                                            "xor",         "xor_eq"};
  return is_contained(words, name);
}

bool headopt::isFunctionName(StringRef name) {
  // Names that start with an underscore are the implementation's.
  if (name.empty() || !isAlpha(name.front()))
    return false;
  return all_of(name, [](char c) { return isAlnum(c) || c == '_'; }) &&
         !isReserved(name) && !isLibraryFunction(name);
}

std::string headopt::makeFunctionName(StringRef stem) {
  std::string name;
  for (char c : stem)
    name += isAlnum(c) ? c : '_';
  return isFunctionName(name) ? name : "head_" + name;
}

static StringRef getCType(Element element) {
  switch (element) {
  case Element::F16:
  case Element::BF16:
    return "uint16_t";
  case Element::F32:
    return "float";
  case Element::F64:
    return "double";
  }
  llvm_unreachable("unknown element type");
}

/// Name of the parameter for a dynamic extent.
static std::string getParameter(unsigned axis) {
  return axis ? "extent" + std::to_string(axis) : "batch";
}

/// [batch][512][7][7]
static std::string spellExtents(ArrayRef<int64_t> extents, bool isOutput) {
  std::string text;
  raw_string_ostream os(text);
  for (auto [axis, extent] : enumerate(extents)) {
    os << '[';
    if (extent >= 0)
      os << extent;
    else
      os << getParameter(isOutput ? -1 - extent : axis);
    os << ']';
  }
  return text;
}

std::string headopt::describeArguments(const HeadSignature &signature) {
  // An output extent that the features fix is that number.
  SmallVector<int64_t> output;
  for (int64_t extent : signature.output)
    output.push_back(extent < 0 && signature.features[-1 - extent] > 0
                         ? signature.features[-1 - extent]
                         : extent);
  std::string text;
  raw_string_ostream os(text);
  os << " * features  " << getName(signature.element)
     << spellExtents(signature.features, false) << "\n"
     << " * batch     number of feature maps: ";
  if (signature.features.front() != HeadSignature::kDynamic)
    os << signature.features.front() << '\n';
  else
    os << "0 or more; with 0, nothing is read or written\n";
  for (unsigned axis : signature.getDynamicAxes())
    os << " * " << left_justify(getParameter(axis), 9) << " extent " << axis
       << " of the feature map, 1 or more\n";
  os << " * output    " << getName(signature.outputElement)
     << spellExtents(output, true) << "\n";
  for (auto [half, bits] :
       {std::pair(Element::F16,
                  "f16 is the bits of an IEEE 754 half (binary16)"),
        std::pair(Element::BF16, "bf16 is the bits of a bfloat16")})
    if (signature.element == half || signature.outputElement == half)
      os << " * " << bits << ".\n";
  return text;
}

std::string headopt::spellParameters(const HeadSignature &signature) {
  std::string text = "const ";
  text += getCType(signature.element);
  text += " *features, int64_t batch, ";
  for (unsigned axis : signature.getDynamicAxes())
    text += "int64_t " + getParameter(axis) + ", ";
  text += getCType(signature.outputElement);
  return text + " *output";
}

std::string headopt::makeHeaderFile(StringRef name, StringRef declarations) {
  std::string guard = "HEADOPT_" + name.upper() + "_H";
  std::string text;
  raw_string_ostream os(text);
  os << "/* The head '" << name
     << "' as a C function. Written by head-opt; changes are lost. */\n\n"
     << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << "#include <stdint.h>\n\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
     << declarations << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard
     << " */\n";
  return text;
}

Error headopt::checkHeaderName(StringRef name) {
  if (isFunctionName(name))
    return Error::success();
  return createStringError(std::errc::invalid_argument,
                           "no header for '%s': C has no such function name; "
                           "give it another with --name",
                           name.str().c_str());
}

Error headopt::checkHeader(const NativeCode &code) {
  if (code.signature)
    return checkHeaderName(code.name);
  return createStringError(
      std::errc::invalid_argument,
      "no header for '%s': its function has no headopt.signature",
      code.name.c_str());
}

Expected<std::string> headopt::makeHeader(const NativeCode &code) {
  if (Error failed = checkHeader(code))
    return std::move(failed);
  const HeadSignature &signature = *code.signature;
  bool fixedBatch = signature.features.front() != HeadSignature::kDynamic;
  SmallVector<unsigned> axes = signature.getDynamicAxes();

  std::string text;
  raw_string_ostream os(text);
  os << "/**\n * Computes the head's output for `batch` feature maps.\n *\n"
     << describeArguments(signature) << " *\n"
     << " * Both arrays are row-major without gaps, need the alignment of one "
        "element,\n * and must not overlap.";
  os << "\n *\n * Returns 0, or 1 and writes nothing when batch is ";
  StringRef last = axes.empty() ? "or a pointer is" : "a pointer is";
  if (fixedBatch)
    os << "not " << signature.features.front() << ", " << last << " null";
  else
    os << "negative, " << last << "\n * null although batch is above 0";
  os << (axes.empty() ? ""
         : fixedBatch ? ",\n * or an extent is below 1"
                      : ", or an extent is below 1")
     << ".\n *\n"
     << " * Threads may call it at the same time. It allocates nothing";
  if (code.scratchBytes)
    os << "; each thread has\n * " << code.scratchBytes
       << " bytes of scratch memory (thread-local)";
  os << ".\n * Weights: " << code.weightBytes << " bytes, read only.\n"
     << " * Compiled for ";
  ListSeparator comma;
  for (const std::string &cpu : code.cpus)
    os << comma << cpu;
  if (code.cpus.size() > 1)
    os << " (chosen when it first runs)";
  os << "; " << (code.usesOpenMP ? "threads: OpenMP" : "one thread");
  os << ".\n * Needs "
     << (code.usesOpenMP && code.usesLibm ? "libomp and libm"
         : code.usesOpenMP                ? "libomp"
         : code.usesLibm                  ? "libm (-lm)"
                                          : "no library but libc")
     << ".\n */\n";

  os << "int " << code.name << '(' << spellParameters(signature) << ");\n";
  return makeHeaderFile(code.name, text);
}
