//===- RuntimeLinkTest.cpp - Tests of heads that bring a runtime ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// No driver is needed: the heads of this file are of a version that the runtime
// does not know, which it says before it looks for one.
//
//===----------------------------------------------------------------------===//

#include "headopt/Support/TemporaryFolder.h"
#include "headopt/Target/GPU/Runtime.h"
#include "headopt/Target/Native/Compile.h"
#include "headopt/Target/Native/Target.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/DynamicLibrary.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cstdlib>

using namespace headopt;

namespace {

/// `int NAME(const char **text)`, which gives a runtime's code and words.
std::string makeHead(const std::string &name) {
  return R"mlir(
llvm.func @headopt_gpu_begin(!llvm.ptr, !llvm.ptr, !llvm.ptr, i64)
llvm.func @headopt_gpu_end(!llvm.ptr) -> i32
llvm.func @headopt_gpu_error() -> !llvm.ptr
llvm.mlir.global internal constant @name(")mlir" +
         name + R"mlir(\00")
llvm.func @)mlir" +
         name + R"mlir((%text: !llvm.ptr) -> i32 {
  %size = llvm.mlir.constant(256 : i64) : i64
  %zero = llvm.mlir.constant(0 : i64) : i64
  %null = llvm.mlir.zero : !llvm.ptr
  %version = llvm.mlir.constant(99 : i32) : i32
  %name = llvm.mlir.addressof @name : !llvm.ptr
  %call = llvm.alloca %size x i8 {alignment = 8 : i64} : (i64) -> !llvm.ptr
  %program = llvm.alloca %size x i8 {alignment = 8 : i64} : (i64) -> !llvm.ptr
  llvm.store %version, %program : i32, !llvm.ptr
  %slot = llvm.getelementptr %program[16] : (!llvm.ptr) -> !llvm.ptr, i8
  llvm.store %name, %slot : !llvm.ptr, !llvm.ptr
  llvm.call @headopt_gpu_begin(%call, %program, %null, %zero)
      : (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
  %code = llvm.call @headopt_gpu_end(%call) : (!llvm.ptr) -> i32
  %error = llvm.call @headopt_gpu_error() : () -> !llvm.ptr
  llvm.store %error, %text : !llvm.ptr, !llvm.ptr
  llvm.return %code : i32
})mlir";
}

constexpr llvm::StringLiteral kCUDAError =
    "the head and its runtime for CUDA are of different versions of head-opt";
constexpr llvm::StringLiteral kHIPError =
    "the head and its runtime for HIP are of different versions of head-opt";

class RuntimeLinkTest : public testing::Test {
protected:
  RuntimeLinkTest() : folder(llvm::cantFail(TemporaryFolder::create())) {
    mlir::DialectRegistry registry;
    registerNativeTranslations(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// Compiles a head with the runtime for `kind`; what is wrong, or "".
  std::string compile(const std::string &name, DeviceKind kind,
                      NativeFormat format, const std::string &path,
                      llvm::StringRef triple = "") {
    auto module =
        mlir::parseSourceString<mlir::ModuleOp>(makeHead(name), &context);
    if (!module)
      return "does not parse";
    NativeOptions options;
    options.triple = llvm::cantFail(parseTriple(triple));
    options.format = format;
    options.objects = {getRuntimeObject(kind)};
    std::string cpu =
        options.triple.getArch() == llvm::Triple::x86_64 ? "x86-64" : "generic";
    llvm::Expected<NativeCode> code =
        compileNative({{*module, cpu}}, options, path);
    return code ? "" : llvm::toString(code.takeError());
  }

  /// Names of what the object file `path` has for others.
  static std::vector<std::string> globalsOf(const std::string &path) {
    auto object =
        llvm::cantFail(llvm::object::ObjectFile::createObjectFile(path));
    std::vector<std::string> names;
    for (const llvm::object::SymbolRef &symbol :
         object.getBinary()->symbols()) {
      uint32_t flags = llvm::cantFail(symbol.getFlags());
      if ((flags & llvm::object::SymbolRef::SF_Global) &&
          !(flags & llvm::object::SymbolRef::SF_Undefined))
        names.push_back(llvm::cantFail(symbol.getName()).str());
    }
    return names;
  }

  static int run(std::vector<std::string> command, const std::string &output) {
    auto program = llvm::sys::findProgramByName(command.front());
    if (!program)
      return -1;
    std::vector<llvm::StringRef> args(command.begin(), command.end());
    return llvm::sys::ExecuteAndWait(
        *program, args, std::nullopt,
        {std::nullopt, llvm::StringRef(output), std::nullopt});
  }

  TemporaryFolder folder;
  mlir::MLIRContext context;
};

TEST_F(RuntimeLinkTest, RuntimesAreObjects) {
  for (DeviceKind kind : {DeviceKind::CUDA, DeviceKind::ROCm}) {
    llvm::StringRef bytes = getRuntimeObject(kind);
    auto object = llvm::object::ObjectFile::createObjectFile(
        llvm::MemoryBufferRef(bytes, "runtime"));
    ASSERT_TRUE(static_cast<bool>(object));
    // Two may meet in one program, and none is seen outside a library.
    unsigned functions = 0;
    for (const llvm::object::ELFSymbolRef symbol :
         llvm::cast<llvm::object::ELFObjectFileBase>(**object).symbols()) {
      llvm::StringRef name = llvm::cantFail(symbol.getName());
      uint32_t flags = llvm::cantFail(symbol.getFlags());
      if (!(flags & llvm::object::SymbolRef::SF_Global) ||
          (flags & llvm::object::SymbolRef::SF_Undefined))
        continue;
      EXPECT_TRUE(name.starts_with("headopt_")) << name.str();
      EXPECT_EQ(symbol.getBinding(), llvm::ELF::STB_WEAK) << name.str();
      EXPECT_EQ(symbol.getOther() & 3, llvm::ELF::STV_HIDDEN) << name.str();
      functions += name.starts_with("headopt_gpu_");
    }
    EXPECT_EQ(functions, 12u);
  }
}

TEST_F(RuntimeLinkTest, SharedLibrariesInOneProcess) {
  struct {
    const char *name;
    DeviceKind kind;
    llvm::StringRef error;
  } heads[] = {{"head_a", DeviceKind::CUDA, kCUDAError},
               {"head_b", DeviceKind::ROCm, kHIPError},
               {"head_c", DeviceKind::CUDA, kCUDAError}};
  for (auto &head : heads) {
    std::string path = folder.getFile(std::string(head.name) + ".so");
    ASSERT_EQ(compile(head.name, head.kind, NativeFormat::Shared, path), "");
    std::string reason;
    auto library =
        llvm::sys::DynamicLibrary::getPermanentLibrary(path.c_str(), &reason);
    ASSERT_TRUE(library.isValid()) << reason;
    EXPECT_EQ(library.getAddressOfSymbol("headopt_gpu_begin"), nullptr);
    EXPECT_EQ(library.getAddressOfSymbol("headopt_device_api"), nullptr);
    auto *function = reinterpret_cast<int (*)(const char **)>(
        library.getAddressOfSymbol(head.name));
    ASSERT_NE(function, nullptr);
    const char *text = nullptr;
    EXPECT_EQ(function(&text), 1);
    EXPECT_EQ(std::string(text),
              std::string(head.name) + ": " + head.error.str());
  }
}

TEST_F(RuntimeLinkTest, ObjectsInOneProgram) {
  std::vector<std::string> command{"cc", "-o", folder.getFile("program"),
                                   folder.getFile("main.c")};
  std::pair<const char *, DeviceKind> heads[] = {{"head_a", DeviceKind::CUDA},
                                                 {"head_b", DeviceKind::ROCm},
                                                 {"head_c", DeviceKind::CUDA}};
  for (auto [name, kind] : heads) {
    std::string path = folder.getFile(std::string(name) + ".o");
    ASSERT_EQ(compile(name, kind, NativeFormat::Object, path), "");
    EXPECT_EQ(globalsOf(path), std::vector<std::string>{name});
    command.push_back(path);
  }
  llvm::cantFail(llvm::writeToOutput(folder.getFile("main.c"),
                                     [](llvm::raw_ostream &os) -> llvm::Error {
                                       os << R"c(
#include <stdio.h>
int head_a(const char **), head_b(const char **), head_c(const char **);
int main(void) {
  int (*heads[])(const char **) = {head_a, head_b, head_c};
  for (int i = 0; i < 3; ++i) {
    const char *text;
    if (heads[i](&text) != 1)
      return 1;
    puts(text);
  }
  return 0;
}
)c";
                                       return llvm::Error::success();
                                     }));
  ASSERT_EQ(run(command, ""), 0);
  std::string output = folder.getFile("output");
  ASSERT_EQ(run({folder.getFile("program")}, output), 0);
  auto text = llvm::MemoryBuffer::getFile(output);
  ASSERT_TRUE(static_cast<bool>(text));
  EXPECT_EQ((*text)->getBuffer().str(),
            "head_a: " + kCUDAError.str() + "\nhead_b: " + kHIPError.str() +
                "\nhead_c: " + kCUDAError.str() + "\n");
}

TEST_F(RuntimeLinkTest, WithoutACompiler) {
  auto lld = llvm::sys::findProgramByName("ld.lld");
  if (!lld)
    lld = llvm::sys::findProgramByName("ld.lld-22");
  if (!lld)
    GTEST_SKIP() << "there is no ld.lld";
  std::string bin = folder.getFile("bin");
  ASSERT_FALSE(llvm::sys::fs::create_directory(bin));
  std::string path = getenv("PATH");
  setenv("PATH", bin.c_str(), 1);
  std::string object = folder.getFile("head.o");
  std::string without =
      compile("head", DeviceKind::CUDA, NativeFormat::Object, object);
  EXPECT_FALSE(llvm::sys::fs::exists(object));
  ASSERT_FALSE(llvm::sys::fs::create_link(*lld, bin + "/ld.lld"));
  std::string joined =
      compile("head", DeviceKind::CUDA, NativeFormat::Object, object);
  std::string linked = compile("head", DeviceKind::CUDA, NativeFormat::Shared,
                               folder.getFile("head.so"));
  setenv("PATH", path.c_str(), 1);
  EXPECT_NE(without.find("there is neither cc nor ld.lld on PATH to link the "
                         "runtime to the head; install one"),
            std::string::npos)
      << without;
  EXPECT_EQ(joined, "");
  EXPECT_EQ(globalsOf(object), std::vector<std::string>{"head"});
  EXPECT_EQ(linked, "");
}

/// What generated code calls as it is embedded; weak, where nothing made it
/// local.
TEST_F(RuntimeLinkTest, BareRuntimesInOneProgram) {
  std::vector<std::string> command{"cc", "-r", "-nostdlib", "-o",
                                   folder.getFile("two.o")};
  for (const char *name : {"first.o", "second.o"}) {
    command.push_back(folder.getFile(name));
    llvm::cantFail(llvm::writeToOutput(
        command.back(), [](llvm::raw_ostream &os) -> llvm::Error {
          os << getRuntimeObject(DeviceKind::CUDA);
          return llvm::Error::success();
        }));
  }
  EXPECT_EQ(run(command, ""), 0);
}

TEST_F(RuntimeLinkTest, IsForThisMachineOnly) {
  llvm::Triple host = llvm::cantFail(parseTriple(""));
  const char *other = host.getArch() == llvm::Triple::aarch64
                          ? "x86_64-linux-gnu"
                          : "aarch64-linux-gnu";
  std::string error = compile("head", DeviceKind::CUDA, NativeFormat::Object,
                              folder.getFile("head.o"), other);
  EXPECT_NE(error.find("is for this machine, not for"), std::string::npos)
      << error;
  EXPECT_FALSE(llvm::sys::fs::exists(folder.getFile("head.o")));
}

} // namespace
