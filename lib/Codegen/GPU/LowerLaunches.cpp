//===- LowerLaunches.cpp - Host code of a head that runs on a GPU ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The function that launches kernels becomes C functions that call the runtime
// (runtime/headopt_gpu.h). All tensors are one of three things: the caller's
// memory, a part of the memory that is asked for once for each call, or a
// constant that the runtime keeps on the device. So nothing is left of them but
// an address, and of shapes but the numbers that kernels are given.
//
//===----------------------------------------------------------------------===//

#include "../ElementwiseBody.h"
#include "headopt/Codegen/Passes.h"
#include "headopt/Support/Attributes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

namespace headopt {
#define GEN_PASS_DEF_LOWERLAUNCHES
#include "headopt/Codegen/Passes.h.inc"
} // namespace headopt

using namespace mlir;
using namespace headopt;

/// Of parts of the memory that a call asks for.
static constexpr int64_t kAlignment = 256;
/// More than any device has. Sums of sizes up to this have 64 bits.
static constexpr int64_t kMaxBytes = int64_t(1) << 48;
/// 64-bit words of `struct headopt_gpu_call`.
static constexpr int64_t kCallWords = 32;
/// Of `struct headopt_gpu_program`.
static constexpr int32_t kRuntimeVersion = 1;

namespace {

/// One kernel as the runtime knows it.
struct Kernel {
  unsigned index;
  std::string arguments;
  int64_t threads;
};

class Lowering {
public:
  Lowering(func::FuncOp head, gpu::BinaryOp binary, StringRef interface)
      : b(head.getLoc(), head.getContext()), head(head), binary(binary),
        interface(interface) {}

  LogicalResult run();

private:
  LogicalResult check();
  std::string getName(StringRef suffix) {
    return (head.getName() + suffix).str();
  }
  LLVM::LLVMFuncOp getRuntime(StringRef name, Type result,
                              ArrayRef<Type> arguments);
  Value callRuntime(StringRef name, Type result, ValueRange arguments);

  scf::IfOp rejectIf(Value isBad);
  void createEntry(StringRef name, bool withStream);
  /// Of the function on device memory.
  std::string getDeviceName() {
    return getName(interface == "vulkan" ? ".device" : ("_" + interface).str());
  }
  LogicalResult createOnDevice();
  void createOnHost();
  void createErrorFunction();
  void createProgram();

  FailureOr<Value> getBase(Value value);
  Value getAddress(Value base);
  Value getExtent(Value shaped, int64_t axis);
  void note(Value isBad);
  Value multiply(Value left, Value right);
  Value getTotal(RankedTensorType type, ValueRange extents);
  LogicalResult lowerAlloc(memref::AllocOp alloc, Value &scratch);
  LogicalResult lowerSize(Operation &op, Value &scratch);
  LogicalResult lowerLaunch(gpu::LaunchFuncOp launch);
  LogicalResult lowerBody(Block &body);

  Value number(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 64);
  }

  ImplicitLocOpBuilder b;
  func::FuncOp head;
  gpu::BinaryOp binary;
  StringRef interface;

  RankedTensorType inputType, outputType;
  SmallVector<unsigned> dynamicAxes;
  /// What the result is in.
  Value resultBase;

  llvm::MapVector<StringAttr, Kernel> kernels;
  llvm::MapVector<Attribute, unsigned> constants;

  // Of the function that is being built.
  func::FuncOp entry;
  Value call, slots;
  /// Bytes of what the caller gives and gets.
  Value inputBytes, outputBytes;
  /// Whether one of the sizes so far is none that a call can have; null for no.
  Value hasBadSize;
  IRMapping map;
  llvm::DenseMap<Value, Value> addresses;
};

} // namespace

//===----------------------------------------------------------------------===//
// What the function must be
//===----------------------------------------------------------------------===//

static LogicalResult refuse(Operation *op) {
  return op->emitError("cannot run on a GPU: '") << op->getName() << "'";
}

static bool isNumber(Type type) { return type.isIntOrIndexOrFloat(); }

/// In memory, of a number or a vector; 0 for what has no place there.
static int64_t getBytes(Type element) {
  if (auto vector = dyn_cast<VectorType>(element))
    return vector.isScalable()
               ? 0
               : vector.getNumElements() * getBytes(vector.getElementType());
  if (!element.isIntOrFloat())
    return 0;
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Bytes of the extents of `type` that are known, without the batch; nullopt
/// when they are more than any device has.
static std::optional<int64_t> getKnownBytes(RankedTensorType type) {
  int64_t bytes = getBytes(type.getElementType());
  for (int64_t extent : type.getShape().drop_front())
    if (!ShapedType::isDynamic(extent) &&
        (llvm::MulOverflow(bytes, extent, bytes) || bytes > kMaxBytes))
      return std::nullopt;
  return bytes;
}

/// Where `value` is in memory: the function's argument, an allocation or a
/// constant. Views of other shapes begin at the same address.
FailureOr<Value> Lowering::getBase(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<memref::AllocOp>(op) ||
        (isa<arith::ConstantOp>(op) &&
         getElementTypeOrSelf(value.getType()).isIntOrFloat()))
      return value;
    bool isView =
        isa<bufferization::ToBufferOp, bufferization::ToTensorOp,
            tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
            memref::CastOp, UnrealizedConversionCastOp>(op);
    if (!isView)
      return refuse(op);
    value = op->getOperand(0);
  }
  return value;
}

LogicalResult Lowering::check() {
  FunctionType type = head.getFunctionType();
  if (head.isExternal() || !head.getBody().hasOneBlock() ||
      type.getNumInputs() != 1 || type.getNumResults() != 1)
    return head.emitError("lower-launches: needs a function of one block from "
                          "one tensor to another");
  inputType = dyn_cast<RankedTensorType>(type.getInput(0));
  outputType = dyn_cast<RankedTensorType>(type.getResult(0));
  if (!inputType || !outputType || inputType.getRank() == 0 ||
      outputType.getRank() == 0)
    return head.emitError("lower-launches: needs a function from one tensor "
                          "with a batch to another");
  if (inputType.getDimSize(0) != outputType.getDimSize(0))
    return head.emitError("lower-launches: the first extent of the result is "
                          "not that of the argument");
  if (ShapedType::isDynamicShape(outputType.getShape().drop_front()))
    return head.emitError("lower-launches: the result has an extent besides "
                          "the batch that is not known; give the model static "
                          "shapes");
  for (RankedTensorType tensor : {inputType, outputType}) {
    if (!tensor.getElementType().isIntOrFloat())
      return head.emitError("lower-launches: ")
             << tensor << " is no tensor of numbers";
    if (!getKnownBytes(tensor))
      return head.emitError("lower-launches: ")
             << tensor << " is larger than any device's memory";
  }
  for (int64_t axis = 1; axis < inputType.getRank(); ++axis)
    if (inputType.isDynamicDim(axis))
      dynamicAxes.push_back(axis);
  // Nobody would check what such a cast claims.
  WalkResult claims = head.walk([&](tensor::CastOp cast) {
    return tensor::preservesStaticInformation(cast.getType(),
                                              cast.getSource().getType())
               ? WalkResult::advance()
               : WalkResult::interrupt();
  });
  if (claims.wasInterrupted())
    return head.emitError("lower-launches: the extents of the feature map are "
                          "not known, but a dense layer takes only certain "
                          "ones; give the model static shapes");
  if (binary.getObjects().size() != 1)
    return binary.emitError("lower-launches: needs code for one device");
  FailureOr<Value> result =
      getBase(head.getBody().front().getTerminator()->getOperand(0));
  if (failed(result))
    return failure();
  resultBase = *result;
  auto alloc = resultBase.getDefiningOp<memref::AllocOp>();
  if (!alloc)
    return head.emitError("lower-launches: the result is not computed by a "
                          "kernel");
  // Where both are dynamic, each call compares them.
  MemRefType buffer = alloc.getType();
  bool isFixed = outputType.hasStaticShape();
  if (buffer.hasStaticShape() != isFixed ||
      (isFixed && buffer.getNumElements() != outputType.getNumElements()))
    return alloc.emitError("lower-launches: a buffer of ")
           << buffer << " is not as long as the result, which is "
           << outputType;
  return success();
}

//===----------------------------------------------------------------------===//
// The runtime's interface
//===----------------------------------------------------------------------===//

LLVM::LLVMFuncOp Lowering::getRuntime(StringRef name, Type result,
                                      ArrayRef<Type> arguments) {
  auto module = head->getParentOfType<ModuleOp>();
  if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return known;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(
      b, name,
      LLVM::LLVMFunctionType::get(
          result ? result : LLVM::LLVMVoidType::get(b.getContext()),
          arguments));
  function.setPrivate();
  return function;
}

/// A call of the runtime's function `name`, and its result if it has one.
Value Lowering::callRuntime(StringRef name, Type result, ValueRange arguments) {
  LLVM::LLVMFuncOp function =
      getRuntime(name, result, llvm::to_vector(arguments.getTypes()));
  auto call = LLVM::CallOp::create(b, function, arguments);
  return result ? call.getResult() : Value();
}

/// A global constant with these bytes.
static LLVM::GlobalOp createBytes(ImplicitLocOpBuilder &b, StringRef name,
                                  StringRef bytes, int64_t alignment) {
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
  return LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                                LLVM::Linkage::Internal, name,
                                b.getStringAttr(bytes), alignment);
}

/// `struct headopt_gpu_program` and what it points to.
void Lowering::createProgram() {
  MLIRContext *context = b.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  auto module = head->getParentOfType<ModuleOp>();
  b.setInsertionPointToStart(module.getBody());

  auto addText = [&](const Twine &name, StringRef text) {
    return createBytes(b, getName(name.str()), (text + Twine('\0')).str(), 1)
        .getSymName()
        .str();
  };
  auto getAddress = [&](StringRef symbol) -> Value {
    return LLVM::AddressOfOp::create(b, pointer, symbol);
  };
  auto getNumber = [&](Type type, int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
  };
  /// A global of `type` that the values in `getParts` make up.
  auto addStruct = [&](StringRef name, Type type,
                       function_ref<SmallVector<Value>()> getParts) {
    auto global =
        LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                               LLVM::Linkage::Internal, name, Attribute());
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&global.getInitializerRegion());
    Value value = LLVM::UndefOp::create(b, type);
    for (auto [i, part] : llvm::enumerate(getParts()))
      value = LLVM::InsertValueOp::create(b, value, part, int64_t(i));
    LLVM::ReturnOp::create(b, value);
  };
  auto addTable = [&](StringRef name, Type rowType,
                      ArrayRef<SmallVector<std::function<Value()>>> rows) {
    auto type = LLVM::LLVMArrayType::get(rowType, rows.size());
    addStruct(name, type, [&] {
      SmallVector<Value> values;
      for (const auto &row : rows) {
        Value value = LLVM::UndefOp::create(b, rowType);
        for (auto [i, part] : llvm::enumerate(row))
          value = LLVM::InsertValueOp::create(b, value, part(), int64_t(i));
        values.push_back(value);
      }
      return values;
    });
  };

  SmallVector<SmallVector<std::function<Value()>>> kernelRows, constantRows;
  for (auto &[name, kernel] : kernels) {
    std::string symbol =
        addText(".kernel" + Twine(kernel.index), name.getValue());
    std::string arguments =
        addText(".arguments" + Twine(kernel.index), kernel.arguments);
    int64_t threads = kernel.threads;
    kernelRows.push_back({[=] { return getAddress(symbol); },
                          [=] { return getAddress(arguments); },
                          [=] { return getNumber(i32, threads); },
                          [=] { return getNumber(i32, 0); }});
  }
  for (auto &[attr, index] : constants) {
    auto value = cast<ElementsAttr>(attr);
    auto shaped = cast<ShapedType>(value.getType());
    Type type = shaped.getElementType();
    for (int64_t extent : llvm::reverse(shaped.getShape()))
      type = LLVM::LLVMArrayType::get(type, extent);
    std::string symbol = getName((".constant" + Twine(index)).str());
    LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                           LLVM::Linkage::Internal, symbol, attr,
                           /*alignment=*/64);
    int64_t bytes = shaped.getNumElements() * getBytes(shaped.getElementType());
    constantRows.push_back({[=] { return getAddress(symbol); },
                            [=] { return getNumber(i64, bytes); }});
  }
  auto object = cast<gpu::ObjectAttr>(binary.getObjectsAttr()[0]);
  StringRef code = object.getObject().getValue();
  // The text of an assembler ends with a zero byte.
  createBytes(b, getName(".code"), (code + Twine('\0')).str(), 64);
  std::string nameText = addText(".name", head.getName());
  auto chip = binary->getAttrOfType<StringAttr>("chip");
  std::string chipText = addText(".chip", chip ? chip.getValue() : "");

  auto kernelType =
      LLVM::LLVMStructType::getLiteral(context, {pointer, pointer, i32, i32});
  auto constantType = LLVM::LLVMStructType::getLiteral(context, {pointer, i64});
  addTable(getName(".kernels"), kernelType, kernelRows);
  addTable(getName(".constants"), constantType, constantRows);

  auto state = LLVM::GlobalOp::create(b, pointer, /*isConstant=*/false,
                                      LLVM::Linkage::Internal,
                                      getName(".state"), Attribute());
  state->setAttr(kSharedAttr, b.getUnitAttr());
  {
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&state.getInitializerRegion());
    Value null = LLVM::ZeroOp::create(b, pointer);
    LLVM::ReturnOp::create(b, null);
  }
  auto programType = LLVM::LLVMStructType::getLiteral(
      context, {i32, i32, i32, i32, pointer, pointer, pointer, i64, pointer,
                pointer, pointer});
  addStruct(getName(".program"), programType, [&] {
    auto size = binary->getAttrOfType<IntegerAttr>("subgroup_size");
    return SmallVector<Value>{getNumber(i32, kRuntimeVersion),
                              getNumber(i32, size ? size.getInt() : 0),
                              getNumber(i32, kernels.size()),
                              getNumber(i32, constants.size()),
                              getAddress(nameText),
                              getAddress(chipText),
                              getAddress(getName(".code")),
                              getNumber(i64, code.size()),
                              getAddress(getName(".kernels")),
                              getAddress(getName(".constants")),
                              getAddress(getName(".state"))};
  });
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

/// Has calls rejected where `isBad`.
void Lowering::note(Value isBad) {
  if (getConstantIntValue(isBad) == 0)
    return;
  hasBadSize = hasBadSize
                   ? arith::OrIOp::create(b, hasBadSize, isBad).getResult()
                   : isBad;
}

/// left * right, of i64 or index.
Value Lowering::multiply(Value left, Value right) {
  std::optional<int64_t> first = getConstantIntValue(left),
                         second = getConstantIntValue(right);
  int64_t product;
  bool isKnown =
      first && second && !llvm::MulOverflow(*first, *second, product);
  if (isKnown || first == 1 || second == 1)
    return b.createOrFold<arith::MulIOp>(left, right);
  Type i64 = b.getI64Type();
  auto convert = [&](Value number, Type to) -> Value {
    if (number.getType() == to)
      return number;
    return arith::IndexCastOp::create(b, to, number);
  };
  auto both = LLVM::SMulWithOverflowOp::create(
      b, LLVM::LLVMStructType::getLiteral(b.getContext(), {i64, b.getI1Type()}),
      convert(left, i64), convert(right, i64));
  note(LLVM::ExtractValueOp::create(b, both, 1));
  return convert(LLVM::ExtractValueOp::create(b, both, 0), left.getType());
}

/// Bytes of a tensor of `type` whose dynamic extents are `extents`.
Value Lowering::getTotal(RankedTensorType type, ValueRange extents) {
  Value bytes = number(*getKnownBytes(type));
  for (Value extent : extents)
    bytes = multiply(extent, bytes);
  bytes = multiply(entry.getArgument(1), bytes);
  note(arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, bytes,
                             number(kMaxBytes)));
  return bytes;
}

/// The device's address of `base`, as i64.
Value Lowering::getAddress(Value base) {
  if (Value known = addresses.lookup(base))
    return known;
  auto constant = base.getDefiningOp<arith::ConstantOp>();
  assert(constant && "arguments and allocations have addresses already");
  unsigned index = constants.try_emplace(constant.getValue(), constants.size())
                       .first->second;
  Value which = arith::ConstantIntOp::create(b, index, 32);
  // Asked for each time: a branch may not be taken.
  return callRuntime("headopt_gpu_constant", b.getI64Type(), {call, which});
}

/// Extent `axis` of a tensor or buffer, as the arguments say it; null when they
/// do not.
Value Lowering::getExtent(Value shaped, int64_t axis) {
  auto type = dyn_cast<ShapedType>(shaped.getType());
  if (!type || !type.hasRank() || axis < 0 || axis >= type.getRank())
    return nullptr;
  if (!type.isDynamicDim(axis))
    return arith::ConstantIndexOp::create(b, type.getDimSize(axis));
  if (shaped == head.getArgument(0)) {
    unsigned argument = 1;
    if (axis != 0)
      argument =
          2 + (llvm::find(dynamicAxes, unsigned(axis)) - dynamicAxes.begin());
    return arith::IndexCastOp::create(b, b.getIndexType(),
                                      entry.getArgument(argument));
  }
  Operation *op = shaped.getDefiningOp();
  if (isa_and_present<tensor::CastOp, memref::CastOp, bufferization::ToBufferOp,
                      bufferization::ToTensorOp>(op))
    return getExtent(op->getOperand(0), axis);
  if (auto alloc = dyn_cast_if_present<memref::AllocOp>(op))
    return map.lookupOrNull(
        alloc.getDynamicSizes()[alloc.getType().getDynamicDimIndex(axis)]);
  if (auto expand = dyn_cast_if_present<tensor::ExpandShapeOp>(op))
    return map.lookupOrNull(cast<Value>(expand.getMixedOutputShape()[axis]));
  auto collapse = dyn_cast_if_present<tensor::CollapseShapeOp>(op);
  if (!collapse)
    return nullptr;
  Value product;
  for (int64_t source : collapse.getReassociationIndices()[axis]) {
    Value extent = getExtent(collapse.getSrc(), source);
    if (!extent)
      return nullptr;
    product = product ? multiply(product, extent) : extent;
  }
  return product;
}

/// Finds a place for a buffer, behind `scratch` bytes of others.
LogicalResult Lowering::lowerAlloc(memref::AllocOp alloc, Value &scratch) {
  MemRefType type = alloc.getType();
  int64_t elementBytes = getBytes(type.getElementType());
  if (type.getRank() != 1 || !type.getLayout().isIdentity() ||
      type.getMemorySpace() || !llvm::isPowerOf2_64(elementBytes) ||
      !fillsItsBytes(getElementTypeOrSelf(type.getElementType())))
    return alloc.emitError("cannot run on a GPU: a buffer of ")
           << type
           << "; buffers have one axis, no layout, and numbers of whole bytes "
              "or vectors of them";
  Value count = getExtent(alloc, 0);
  assert(count && "sizes are computed before they are used");
  if (alloc.getResult() == resultBase) {
    if (!type.hasStaticShape()) {
      Value expected = arith::ConstantIndexOp::create(
          b, ShapedType::getNumElements(outputType.getShape().drop_front()));
      expected =
          arith::MulIOp::create(b, expected, getExtent(head.getArgument(0), 0));
      note(arith::CmpIOp::create(b, arith::CmpIPredicate::ne, count, expected));
    }
    return success();
  }
  addresses[alloc] = scratch;
  Value bytes =
      multiply(count, arith::ConstantIndexOp::create(b, elementBytes));
  note(b.createOrFold<arith::CmpIOp>(
      arith::CmpIPredicate::ugt, bytes,
      arith::ConstantIndexOp::create(b, kMaxBytes)));
  Value mask = arith::ConstantIndexOp::create(b, kAlignment - 1);
  Value inverse = arith::ConstantIndexOp::create(b, -kAlignment);
  Value rounded =
      arith::AndIOp::create(b, arith::AddIOp::create(b, bytes, mask), inverse);
  scratch = arith::AddIOp::create(b, scratch, rounded);
  return success();
}

/// Computes how much memory is asked for and where its parts are, and all else
/// that is known before the first kernel starts.
LogicalResult Lowering::lowerSize(Operation &op, Value &scratch) {
  if (isa<gpu::LaunchFuncOp>(op) || op.hasTrait<OpTrait::IsTerminator>())
    return success();
  // Says no more than a shape.
  if (isa<tensor::EmptyOp>(op))
    return success();
  // Memory for all branches is asked for.
  if (isa<scf::IfOp>(op) && op.getNumResults() == 0) {
    for (Region &region : op.getRegions())
      for (Operation &inner : region.getOps())
        if (failed(lowerSize(inner, scratch)))
          return failure();
    return success();
  }
  if (isa<tensor::DimOp, memref::DimOp>(op)) {
    std::optional<int64_t> axis = getConstantIntValue(op.getOperand(1));
    Value extent = axis ? getExtent(op.getOperand(0), *axis) : Value();
    if (!extent)
      return op.emitError("cannot run on a GPU: an extent that does not come "
                          "from the feature map");
    map.map(op.getResult(0), extent);
    return success();
  }
  if (auto alloc = dyn_cast<memref::AllocOp>(op))
    return lowerAlloc(alloc, scratch);
  if (auto pointer = dyn_cast<memref::ExtractAlignedPointerAsIndexOp>(op)) {
    FailureOr<Value> base = getBase(pointer.getSource());
    if (failed(base))
      return failure();
    if (*base != head.getArgument(0))
      return refuse(&op);
    map.map(pointer.getResult(),
            arith::IndexCastOp::create(b, b.getIndexType(), addresses[*base])
                .getResult());
    return success();
  }
  // Arithmetic of what is known by now. There is no memory to read yet.
  if (op.getNumResults() != 0 && op.getNumRegions() == 0 && isPure(&op) &&
      llvm::all_of(op.getResultTypes(), isNumber) &&
      llvm::all_of(op.getOperands(), [&](Value operand) {
        return isNumber(operand.getType()) && map.contains(operand);
      })) {
    if (auto product = dyn_cast<arith::MulIOp>(op);
        product && product.getType().isIndex())
      map.map(product.getResult(), multiply(map.lookup(product.getLhs()),
                                            map.lookup(product.getRhs())));
    else
      b.clone(op, map);
    return success();
  }
  // Views and constants stand for addresses, which are looked up where they are
  // used.
  if (op.getNumResults() == 1)
    return getBase(op.getResult(0));
  return refuse(&op);
}

LogicalResult Lowering::lowerLaunch(gpu::LaunchFuncOp launch) {
  std::optional<int64_t> threads = getConstantIntValue(launch.getBlockSizeX());
  auto isOne = [](Value value) { return getConstantIntValue(value) == 1; };
  if (!threads || !isOne(launch.getBlockSizeY()) ||
      !isOne(launch.getBlockSizeZ()) || !isOne(launch.getGridSizeY()) ||
      !isOne(launch.getGridSizeZ()) || launch.getDynamicSharedMemorySize() ||
      launch.hasClusterSize())
    return launch.emitError("lower-launches: grids and blocks have one axis, "
                            "and blocks a known number of threads");
  if (launch.getKernelModuleName() != binary.getSymName())
    return launch.emitError("lower-launches: the kernel is not in @")
           << binary.getSymName();
  Kernel kernel{unsigned(kernels.size()), "", *threads};
  SmallVector<Value> numbers;
  for (Value operand : launch.getKernelOperands()) {
    Type type = operand.getType();
    if (isa<MemRefType>(type)) {
      FailureOr<Value> base = getBase(operand);
      if (failed(base))
        return failure();
      Type element = getElementTypeOrSelf(getElementTypeOrSelf(type));
      if (!fillsItsBytes(element))
        return launch.emitError("lower-launches: buffers have no elements of "
                                "type ")
               << element << "; store-whole-bytes gives them whole bytes";
      kernel.arguments += 'p';
      numbers.push_back(getAddress(*base));
      continue;
    }
    if (!type.isIndex() && !type.isInteger(32) && !type.isF32())
      return launch.emitError("lower-launches: kernels take no arguments of "
                              "type ")
             << type;
    Value mapped = map.lookup(operand);
    if (type.isIndex()) {
      kernel.arguments += 'i';
      numbers.push_back(arith::IndexCastOp::create(b, b.getI64Type(), mapped));
    } else {
      kernel.arguments += type.isF32() ? 'f' : 'w';
      if (type.isF32())
        mapped = arith::BitcastOp::create(b, b.getI32Type(), mapped);
      numbers.push_back(arith::ExtUIOp::create(b, b.getI64Type(), mapped));
    }
  }
  const Kernel &known =
      kernels.try_emplace(launch.getKernelName(), kernel).first->second;
  if (known.threads != kernel.threads || known.arguments != kernel.arguments)
    return launch.emitError("lower-launches: kernel '")
           << launch.getKernelName().getValue()
           << "' is launched before with other blocks or arguments; make it "
              "two kernels";

  for (auto [i, value] : llvm::enumerate(numbers)) {
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    Value slot = LLVM::GEPOp::create(b, pointer, b.getI64Type(), slots,
                                     ArrayRef<LLVM::GEPArg>(int32_t(i)));
    LLVM::StoreOp::create(b, value, slot);
  }
  Value which = arith::ConstantIntOp::create(b, known.index, 32);
  Value blocks = arith::IndexCastOp::create(b, b.getI64Type(),
                                            map.lookup(launch.getGridSizeX()));
  callRuntime("headopt_gpu_launch", Type(), {call, which, blocks, slots});
  return success();
}

/// The launches of `body`, whose sizes are known.
LogicalResult Lowering::lowerBody(Block &body) {
  for (Operation &op : body.without_terminator()) {
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op)) {
      if (failed(lowerLaunch(launch)))
        return failure();
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      auto lowered = scf::IfOp::create(b, map.lookup(branch.getCondition()),
                                       branch.elseBlock() != nullptr);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(lowered.thenBlock());
      if (failed(lowerBody(*branch.thenBlock())))
        return failure();
      if (branch.elseBlock()) {
        b.setInsertionPointToStart(lowered.elseBlock());
        if (failed(lowerBody(*branch.elseBlock())))
          return failure();
      }
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The functions
//===----------------------------------------------------------------------===//

/// Rejects the call where `isBad`; the builder is left where it is not, in a
/// branch that is to give the function's result.
scf::IfOp Lowering::rejectIf(Value isBad) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i32 = b.getI32Type();
  auto branch = scf::IfOp::create(b, TypeRange(i32), isBad,
                                  /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  Value program = LLVM::AddressOfOp::create(b, pointer, getName(".program"));
  scf::YieldOp::create(b, callRuntime("headopt_gpu_reject", i32, program));
  b.setInsertionPointToStart(branch.elseBlock());
  return branch;
}

/// int32_t NAME(const void *features, int64_t batch, [int64_t extent...,]
///              void *output, [void *stream])
/// up to the check of its arguments; the builder is left where they are good.
void Lowering::createEntry(StringRef name, bool withStream) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i64 = b.getI64Type(), i32 = b.getI32Type();
  SmallVector<Type> types{pointer, i64};
  types.append(dynamicAxes.size(), i64);
  types.push_back(pointer);
  if (withStream)
    types.push_back(pointer);
  b.setInsertionPoint(head);
  entry = func::FuncOp::create(b, name, b.getFunctionType(types, {i32}));
  b.setInsertionPointToStart(entry.addEntryBlock());

  auto compare = [&](arith::CmpIPredicate predicate, Value a, int64_t value) {
    return Value(arith::CmpIOp::create(b, predicate, a, number(value)));
  };
  auto isNull = [&](Value memory) {
    return compare(arith::CmpIPredicate::eq,
                   LLVM::PtrToIntOp::create(b, i64, memory), 0);
  };
  Value batch = entry.getArgument(1);
  unsigned last = 2 + dynamicAxes.size();
  int64_t fixed = inputType.getDimSize(0);
  Value isBad = ShapedType::isDynamic(fixed)
                    ? compare(arith::CmpIPredicate::slt, batch, 0)
                    : compare(arith::CmpIPredicate::ne, batch, fixed);
  for (unsigned i = 2; i != last; ++i)
    isBad = arith::OrIOp::create(
        b, isBad, compare(arith::CmpIPredicate::slt, entry.getArgument(i), 1));
  Value lacksMemory = arith::OrIOp::create(b, isNull(entry.getArgument(0)),
                                           isNull(entry.getArgument(last)));
  isBad = arith::OrIOp::create(
      b, isBad,
      arith::AndIOp::create(b, compare(arith::CmpIPredicate::ne, batch, 0),
                            lacksMemory));
  hasBadSize = nullptr;
  inputBytes =
      getTotal(inputType, entry.getArguments().slice(2, dynamicAxes.size()));
  outputBytes = getTotal(outputType, {});
  isBad = arith::OrIOp::create(b, isBad, hasBadSize);
  hasBadSize = nullptr;
  scf::IfOp branch = rejectIf(isBad);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfter(branch);
  func::ReturnOp::create(b, branch.getResults());
}

/// Memory of the function's own: `words` 64-bit words.
static Value createWords(ImplicitLocOpBuilder &b, func::FuncOp entry,
                         int64_t words) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&entry.getBody().front());
  Value count = arith::ConstantIntOp::create(b, words, 64);
  return LLVM::AllocaOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                                b.getI64Type(), count, /*alignment=*/16);
}

/// The function on device memory.
LogicalResult Lowering::createOnDevice() {
  Type i64 = b.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  createEntry(getDeviceName(), /*withStream=*/true);
  // Nobody else has addresses of Vulkan's memory.
  if (interface == "vulkan")
    entry.setPrivate();
  else
    entry->setAttr(kExportedAttr, b.getUnitAttr());
  unsigned numSlots = 1;
  head.walk([&](gpu::LaunchFuncOp launch) {
    numSlots = std::max(numSlots, launch.getNumKernelOperands());
  });
  call = createWords(b, entry, kCallWords);
  slots = createWords(b, entry, numSlots);
  unsigned numArguments = entry.getNumArguments();
  addresses[head.getArgument(0)] =
      LLVM::PtrToIntOp::create(b, i64, entry.getArgument(0));
  addresses[resultBase] =
      LLVM::PtrToIntOp::create(b, i64, entry.getArgument(numArguments - 2));

  Value scratch = arith::ConstantIndexOp::create(b, 0);
  Block &body = head.getBody().front();
  for (Operation &op : body)
    if (failed(lowerSize(op, scratch)))
      return failure();
  if (hasBadSize) {
    scf::IfOp branch = rejectIf(hasBadSize);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfter(branch);
    scf::YieldOp::create(b, branch.getResults());
  }
  Value program = LLVM::AddressOfOp::create(b, pointer, getName(".program"));
  callRuntime("headopt_gpu_begin", Type(),
              {call, program, entry.getArgument(numArguments - 1),
               arith::IndexCastOp::create(b, i64, scratch)});
  Value start = callRuntime("headopt_gpu_scratch", i64, call);
  for (auto &[base, address] : addresses)
    if (address.getType().isIndex())
      address = arith::AddIOp::create(
          b, start, arith::IndexCastOp::create(b, i64, address));
  if (failed(lowerBody(body)))
    return failure();
  scf::YieldOp::create(b, callRuntime("headopt_gpu_end", b.getI32Type(), call));
  return success();
}

/// The same on host memory, which is copied.
void Lowering::createOnHost() {
  Type i64 = b.getI64Type(), i32 = b.getI32Type();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  func::FuncOp device = entry;
  createEntry(interface == "vulkan" ? getName("_vulkan")
                                    : getDeviceName() + "_host",
              /*withStream=*/false);
  // Such as the signature, which is that of a head on a CPU.
  entry->setDiscardableAttrs(llvm::to_vector(head->getDiscardableAttrs()));
  call = createWords(b, entry, kCallWords);
  Value output = entry.getArguments().back();
  Value program = LLVM::AddressOfOp::create(b, pointer, getName(".program"));
  callRuntime("headopt_gpu_stage", Type(),
              {call, program, entry.getArgument(0), inputBytes, outputBytes});
  Value from = callRuntime("headopt_gpu_staged_input", i64, call);
  Value to = callRuntime("headopt_gpu_staged_output", i64, call);
  Value stream = callRuntime("headopt_gpu_staged_stream", pointer, call);
  Value isStaged =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, from, number(0));
  auto branch = scf::IfOp::create(b, TypeRange(i32), isStaged,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> arguments =
        llvm::to_vector_of<Value>(entry.getArguments().drop_back());
    arguments[0] = LLVM::IntToPtrOp::create(b, pointer, from);
    arguments.push_back(LLVM::IntToPtrOp::create(b, pointer, to));
    arguments.push_back(stream);
    scf::YieldOp::create(
        b, func::CallOp::create(b, device, arguments).getResults());
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, Value(arith::ConstantIntOp::create(b, 0, 32)));
  }
  scf::YieldOp::create(
      b, callRuntime("headopt_gpu_unstage", i32,
                     {call, output, outputBytes, branch.getResult(0)}));
}

/// const char *NAME_cuda_error(void)
void Lowering::createErrorFunction() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  b.setInsertionPoint(head);
  auto function =
      func::FuncOp::create(b, getName(("_" + interface + "_error").str()),
                           b.getFunctionType({}, {pointer}));
  function->setAttr(kExportedAttr, b.getUnitAttr());
  b.setInsertionPointToStart(function.addEntryBlock());
  func::ReturnOp::create(b, callRuntime("headopt_gpu_error", pointer, {}));
}

LogicalResult Lowering::run() {
  if (failed(check()) || failed(createOnDevice()))
    return failure();
  createOnHost();
  createErrorFunction();
  createProgram();
  head.erase();
  binary.erase();
  return success();
}

namespace {

struct LowerLaunches final : headopt::impl::LowerLaunchesBase<LowerLaunches> {
  using LowerLaunchesBase::LowerLaunchesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!llvm::is_contained({"cuda", "hip", "vulkan"}, interface.getValue())) {
      module.emitError("lower-launches: interface is '")
          << interface << "'; give cuda, hip or vulkan";
      return signalPassFailure();
    }
    auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
    auto binaries = llvm::to_vector(module.getOps<gpu::BinaryOp>());
    if (functions.size() != 1 || binaries.size() != 1) {
      module.emitError("lower-launches: needs a module of one function and one "
                       "gpu.binary");
      return signalPassFailure();
    }
    if (failed(Lowering(functions[0], binaries[0], interface).run()))
      signalPassFailure();
    module->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
  }
};

} // namespace
