//===- Passes.td - Passes that schedule pooling and dense layers ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// These passes know linalg, vector and gpu, neither ONNX nor heads.
//
//===----------------------------------------------------------------------===//

#ifndef HEADOPT_CODEGEN_PASSES_TD
#define HEADOPT_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def StoreWholeBytes : Pass<"store-whole-bytes", "::mlir::ModuleOp"> {
  let summary = "Have booleans in tensors stored as bytes";
  let description = [{
    In memory a boolean takes a byte; in a vector eight of them do. So that all
    that follows may read and write a tensor as vectors, and knows its size from
    its type, tensors of `i1`, and of other signless integers whose width is no
    power of two of at least 8, such as `i4`, get elements of the next width that
    is one. Bodies of linalg operations narrow what they read and widen what they
    write; booleans that are no tensor's stay.

    ```mlir
    %mask = arith.constant dense<[true, false]> : tensor<2xi1>
    %y = linalg.generic {...} ins(%mask, %x : tensor<2xi1>, tensor<2xf32>) outs(%init : tensor<2xf32>) {
    ^bb0(%m: i1, %in: f32, %out: f32):
      %s = arith.select %m, %in, %zero : f32
      linalg.yield %s : f32
    } -> tensor<2xf32>
    ```
    becomes
    ```mlir
    %mask = arith.constant dense<[1, 0]> : tensor<2xi8>
    %y = linalg.generic {...} ins(%mask, %x : tensor<2xi8>, tensor<2xf32>) outs(%init : tensor<2xf32>) {
    ^bb0(%byte: i8, %in: f32, %out: f32):
      %m = arith.trunci %byte : i8 to i1
      %s = arith.select %m, %in, %zero : f32
      linalg.yield %s : f32
    } -> tensor<2xf32>
    ```
    Functions take and give bytes as well: that is what such a tensor is in memory
    in any case. What computes with such tensors and is no linalg operation is
    an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def SpecializeBatch : Pass<"specialize-batch", "::mlir::ModuleOp"> {
  let summary = "Make a C function of one on tensors, by blocks of the batch";
  let description = [{
    Takes the one function of the module, from a tensor whose first extent is
    the batch to another such tensor, and makes of it (each sample of the result
    must be made from the same sample of the argument alone, unless the batch is
    fixed; outline-head sees to that)

    * a function for each size of `sizes`, of tensors with that static batch,
      between two memrefs;
    * a function that calls them for a range of samples, one block after another,
      the largest first;
    * the entry point under the function's name, with the C interface
      `int32_t NAME(const T *features, int64_t batch, [int64_t extent...,]
      T *output)`.

    So every kernel has a static batch, and what it keeps between two layers has
    a bounded size that does not depend on the batch:

    ```mlir
    func.func @head(%x: tensor<?x512x7x7xf32>) -> tensor<?x512xf32>
    ```
    becomes
    ```mlir
    func.func private @head.block8(%x: memref<8x512x7x7xf32>, %y: memref<8x512xf32>)
    func.func private @head.block1(%x: memref<1x512x7x7xf32>, %y: memref<1x512xf32>)
    func.func private @head.range(%features: memref<1xi8>, %output: memref<1xi8>, %first: index, %last: index)
    func.func @head(%features: memref<1xi8>, %batch: i64, %output: memref<1xi8>) -> i32
    ```
    A tensor of fixed batch gets one function of that size. The entry point
    returns 1 when the batch is negative or another than the fixed one, an
    extent is less than 1, or a pointer is null while there is something to
    read or to write.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
  let options = [
    ListOption<"sizes", "sizes", "int64_t",
               "Batches that get a function of their own, largest first, down "
               "to 1 (default: 32,8,4,2,1)">,
    Option<"openmp", "openmp", "bool", /*default=*/"false",
           "Share the samples of a batch that is not fixed out among OpenMP's "
           "threads, when there are enough for a block of the largest size for "
           "each">,
    Option<"parallelBytes", "parallel-bytes", "int64_t", /*default=*/"1 << 20",
           "What must be read before more than one thread does it">,
  ];
}

def FuseElementwise : Pass<"fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Join chains of element-wise operations, and pools with what is before them";
  let description = [{
    Element-wise operations on tensors with one use become part of their
    element-wise user, or of the reduction that reads each of them once. Matrix
    products are left alone: what is before one would be computed again for
    each of its columns.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SchedulePooling : Pass<"schedule-pooling", "::mlir::ModuleOp"> {
  let summary = "Vectorise sums and means over axes of a tensor for a CPU";
  let description = [{
    Rewrites a `linalg` operation on tensors that sums over one or more axes,
    with what is done to each element before and after (widening, an activation,
    the division of a mean, narrowing), into loops of vector operations.

    The axes of the input fall into groups of adjacent ones that are all summed
    or all kept. When the last group is summed (NCHW), rows of memory are summed:
    short ones are read whole, two in each pass of the loop, long ones by four
    accumulators. When the last group is kept (NHWC), rows are added one after
    the other to accumulators of all columns: in registers when they fit, and
    otherwise in memory of a size that stays in the nearest cache.

    Where numbers are widened before they are added (f16 and bf16 to f32), the
    sums of as many rows as a vector has lanes are completed at once, and two rows
    go to accumulators in memory in one pass. bf16 are read two to a lane and
    added by themselves:

    ```mlir
    %read = vector.transfer_read %x[%row, %at], %pad : tensor<512x49xbf16>, vector<32xbf16>
    %even, %odd = vector.deinterleave %read : vector<32xbf16> -> vector<16xbf16>
    ```
    `expand-half` makes a shift and a mask of widening these.

    Nothing beyond a row is read: the end of a row that is no multiple of the
    vector is read by a vector that ends with the row, whose lanes that were
    already added are replaced by zero. Each element of the result is computed
    by the same operations wherever it lies, so that a sample's result does not
    depend on its neighbours.

    Reductions that are left alone get a remark (category `schedule-pooling`) that
    says why.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::ub::UBDialect", "::mlir::vector::VectorDialect"];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"256",
           "Width of the vector registers: 128, 256 or 512">,
    Option<"cutBytes", "cut-bytes", "int64_t", /*default=*/"0",
           "Cut the columns of a single image (NHWC) into pieces for threads "
           "where it has at least so many bytes; 0: never">,
  ];
}

def ScheduleDense : Pass<"schedule-dense", "::mlir::ModuleOp"> {
  let summary = "Vectorise products with a constant matrix for a CPU";
  let description = [{
    Rewrites a matrix product on tensors whose right side is a constant, with
    the element-wise operations behind it (bias, activation), into loops of
    vector operations. The constant is packed at compile time into panels of 48
    columns that are read in order, once for each tile of rows; a tile of the
    result stays in registers for the whole inner extent. Every element is one
    chain of multiplications and additions in order of the inner index, so that
    a row's result does not depend on how many rows there are.

    A constant of bf16 is packed in pairs of rows, as words of 32 bits. With
    `bf16-dot`, and where the left side is bf16 too and the sums are f32, pairs of
    it are multiplied by pairs of the constant:

    ```mlir
    %pairs = vector.transfer_read %packed[%at] : tensor<192xi32>, vector<16xi32>
    %w = vector.bitcast %pairs : vector<16xi32> to vector<32xbf16>
    %sum = x86vector.avx512.dot %carried, %w, %x : vector<32xbf16> -> vector<16xf32>
    ```
    Otherwise each half of a word becomes a number of f32.

    Products that are left alone get a remark (category `schedule-dense`) that
    says why.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::ub::UBDialect",
    "::mlir::vector::VectorDialect", "::mlir::x86vector::X86VectorDialect"];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"256",
           "Width of the vector registers: 128, 256 or 512">,
    Option<"fma", "fma", "bool", /*default=*/"true",
           "The target has fused multiply-add instructions">,
    Option<"bf16Dot", "bf16-dot", "bool", /*default=*/"false",
           "The target is an x86-64 with AVX512-BF16, and AVX512-VL for vectors "
           "of less than 512 bits">,
  ];
}

def ApproximateMath : Pass<"approximate-math", "::mlir::func::FuncOp"> {
  let summary = "Write exp, tanh, log, erf and their kin of f32 as polynomials";
  let description = [{
    Upstream's approximations of exp, expm1, log, log1p, tanh and erf, so that
    compiled heads call no library and these functions are vectorised. Results
    are within a few units in the last place of f32; where the value of exp is
    below the smallest normal number, it is 0. f64 is left to the C library.
  }];
  let options = [
    Option<"fma", "fma", "bool", /*default=*/"true",
           "The target has fused multiply-add instructions; without them, they "
           "are written as two operations">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandHalf : Pass<"expand-half"> {
  let summary = "Write conversions between f32 and bf16, or f16, with integers";
  let description = [{
    `arith.extf` and `arith.truncf` of bf16 become integer operations, and those
    of f16 where the target has no instruction for them, so that no library of
    the compiler is called. Those between f64 and a half go by way of f32. A bf16
    that is half of a word, or every other one of a vector, is widened in its word.
    Rounding is to nearest, ties to even, and once; a NaN stays one.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::vector::VectorDialect"];
  let options = [
    Option<"f16", "f16", "bool", /*default=*/"false",
           "Expand f16 too: the target does not convert it">,
    Option<"narrowF16", "narrow-f16", "bool", /*default=*/"false",
           "Expand what narrows to f16: the target's rounding is not known">,
  ];
}

def MoveBF16 : Pass<"move-bf16", "::mlir::ModuleOp"> {
  let summary = "Have bf16 loaded, moved and stored as integers";
  let description = [{
    Behind expand-half nothing in the LLVM dialect computes with bf16. Still, a
    constant of that type that reaches a phi makes LLVM call a function of the
    compiler's library on processors without instructions for bf16. So the type
    becomes i16 everywhere, except in discardable attributes and as operands of
    intrinsics, which are for processors that have such instructions.

    ```mlir
    %0 = llvm.bitcast %bits : i16 to bf16
    llvm.store %0, %to : bf16, !llvm.ptr
    ```
    becomes
    ```mlir
    %0 = llvm.bitcast %bits : i16 to i16
    llvm.store %0, %to : i16, !llvm.ptr
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerSubgroupReduce
    : Pass<"lower-subgroup-reduce", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Write reductions over a sub-group as shuffles, or as DPP";
  let description = [{
    `gpu.subgroup_reduce`, over a whole sub-group or over clusters of its lanes,
    becomes a butterfly of shuffles. For a chip of AMD's it becomes operations on
    lanes that are moved within registers (DPP) where the chip has them, and
    shuffles elsewhere. Types other than of 32 bits are widened, packed or split
    on the way, and 64-bit shuffles become two. Every lane gets the same result,
    bit by bit.

    ```mlir
    %s = gpu.subgroup_reduce add %x cluster(size = 2) : (f32) -> f32
    ```
    becomes, with `subgroup-size=32`,
    ```mlir
    %y, %valid = gpu.shuffle xor %x, %c1_i32, %c32_i32 : f32
    %s = arith.addf %x, %y : f32
    ```
    A reduction that cannot be written so, such as over a cluster larger than
    the sub-group, is an error.
  }];
  let dependentDialects = [
    "::mlir::amdgpu::AMDGPUDialect", "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::ROCDL::ROCDLDialect",
    "::mlir::vector::VectorDialect"];
  let options = [
    Option<"subgroupSize", "subgroup-size", "unsigned", /*default=*/"32",
           "Lanes of a sub-group">,
    Option<"chip", "chip", "std::string", /*default=*/"",
           "A chip of AMD's, such as gfx90a; without one, all is shuffles">,
  ];
}

def PrepareKernels : Pass<"prepare-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Write kernels so that upstream's conversions need no library";
  let description = [{
    What `convert-gpu-to-nvvm` and `convert-gpu-to-rocdl` do not take as kernels
    have it:

    * Buffers become bare pointers only when their type says how long they are,
      and nothing says yet that they are in the device's memory. So a kernel's
      argument `memref<?xf32>` becomes
      `memref<1099511627776xf32, #gpu.address_space<global>>`; nothing reads that
      length.
    * Both call the vendor's library for functions that the chip has an
      instruction for. So `math.sqrt`, `absf`, `copysign`, `floor`, `ceil`,
      `trunc`, `roundeven` and `fma` become calls of LLVM's intrinsics. Other
      operations of the math dialect on floating point are errors.
    * With `rocm`, `gpu.grid_dim` is read from the packet that started the kernel,
      and not through a function of AMD's library; the size of blocks must be
      known (`known_block_size`).

    ```mlir
    gpu.func @k(%x: memref<?xf32>, %i: index) kernel {
      %a = memref.load %x[%i] : memref<?xf32>
      %b = math.sqrt %a : f32
    ```
    becomes
    ```mlir
    gpu.func @k(%x: memref<1099511627776xf32, #gpu.address_space<global>>, %i: index) kernel {
      %a = memref.load %x[%i] : memref<1099511627776xf32, #gpu.address_space<global>>
      %b = llvm.call_intrinsic "llvm.sqrt"(%a) : (f32) -> f32
    ```
    A kernel with a buffer of another rank or layout is an error.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect"];
  let options = [
    Option<"rocm", "rocm", "bool", /*default=*/"false",
           "The kernels are for AMD's chips">,
  ];
}

def ShareLoops : Pass<"share-loops", "::mlir::ModuleOp"> {
  let summary = "Share a kernel's loops out among OpenMP's threads";
  let description = [{
    Takes functions on buffers without results, and in them the outermost loops
    whose iterations are said to be independent (`headopt.independent`, as
    `schedule-dense` and `schedule-pooling` write it). What such a function does becomes
    a function of its own, of one thread's part: neighbouring iterations of each
    of these loops. Whatever else writes to memory is done by the first thread.
    Where one of these reads or writes what another one wrote, the threads
    meet at a barrier. The first function keeps the buffers and calls the second, in
    one parallel region or, where there is less work than `parallel-bytes` or the
    caller is within a parallel region, once for all.

    ```mlir
    func.func private @f(%x: memref<1024x512xf32>, %y: memref<1024xf32>) {
      scf.for %i = %c0 to %c1024 step %c1 { ... } {headopt.independent = 0}
    ```
    becomes
    ```mlir
    func.func private @f.part(%x: memref<1024x512xf32>, %y: memref<1024xf32>, %thread: index, %threads: index) {
      %from = ... // 1024 * thread / threads
      %to = ...
      scf.for %i = %from to %to step %c1 { ... }
    ```
    and
    ```mlir
    func.func private @f(%x: memref<1024x512xf32>, %y: memref<1024xf32>) {
      ...
      scf.if %several {
        omp.parallel num_threads(%n : i32) {
          ...
          func.call @f.part(%x, %y, %thread, %threads)
    ```
    No iteration is divided, so results do not depend on the number of threads.
    A buffer that one loop alone uses becomes one on each thread's stack; where
    it is too large, or of a size that is not known, the first thread does the
    loop. Where it is not known who uses a buffer, nothing is shared. The work
    of a function is the bytes of its arguments and the numbers that the
    attributes of its loops have.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::omp::OpenMPDialect", "::mlir::scf::SCFDialect"];
  let options = [
    Option<"parallelBytes", "parallel-bytes", "int64_t", /*default=*/"1 << 20",
           "The work that is worth a second thread; each further one takes half "
           "as much more">,
    Option<"stackBytes", "stack-bytes", "int64_t", /*default=*/"16384",
           "Largest total of the buffers that each thread has on its stack">,
  ];
}

def PlaceScratch : Pass<"place-scratch", "::mlir::ModuleOp"> {
  let summary = "Put buffers of static size into one global, or on the stack";
  let description = [{
    A compiled head allocates nothing per call. All `memref.alloc` of a function
    are laid out one behind the other, 64-byte aligned; when no function needs
    more than `stack-bytes` they are on its stack, and otherwise in the global
    `scratch` that all functions share; what freed them goes. (Target/Native makes that global
    thread-local; the functions do not call each other.) An allocation
    of dynamic size, or inside a loop, is an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
  let options = [
    Option<"stackBytes", "stack-bytes", "int64_t", /*default=*/"16384",
           "Largest total that is put on the stack">,
  ];
}

def LowerStridedCopies : Pass<"lower-strided-copies"> {
  let summary = "Make operations on elements of copies between buffers with gaps";
  let description = [{
    Upstream's lowering of `memref.copy` calls a function of MLIR's runtime
    library where a buffer has gaps, such as the part of a map that a slice
    takes. A compiled head needs no such library, so these copies become
    `linalg.copy`, of which `convert-linalg-to-loops` makes loops. Copies of one
    block of memory stay as they are.

    ```mlir
    memref.copy %part, %to
        : memref<6x7x7xf32, strided<[81, 9, 1], offset: 10>> to memref<6x7x7xf32>
    ```
    becomes
    ```mlir
    linalg.copy ins(%part : memref<6x7x7xf32, strided<[81, 9, 1], offset: 10>>)
                outs(%to : memref<6x7x7xf32>)
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

//===----------------------------------------------------------------------===//
// GPUs
//===----------------------------------------------------------------------===//

class MapToGPU<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect", "::mlir::gpu::GPUDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
  let options = [
    Option<"subgroupSize", "subgroup-size", "unsigned", /*default=*/"32",
           "Threads that exchange numbers without shared memory: 4, 8, 16, 32 "
           "or 64">,
    Option<"blockThreads", "block-threads", "unsigned", /*default=*/"256",
           "Threads of the largest block, for a long row or columns: a multiple "
           "of 32 and of the sub-group, up to 1024">,
    Option<"maxBlocks", "max-blocks", "unsigned", /*default=*/"65535",
           "Blocks of a launch; each does several tasks when there are more. "
           "Not every Vulkan device has larger grids. With 2147483647, what CUDA "
           "has, no block does more than one">,
  ];
}

def MapPoolingToGPU : MapToGPU<"map-pooling-to-gpu"> {
  let summary = "Make kernels of sums, means and maxima over axes of a tensor";
  let description = [{
    Replaces a `linalg` operation on tensors that reduces one or more axes, with
    what is done to each element before and after, by one or two `gpu.launch`
    that read the operand's buffer and write a new one:

    ```mlir
    %sums = linalg.generic {...} ins(%map : tensor<?x512x7x7xf32>) outs(%zeros : tensor<?x512xf32>)
    ```
    becomes
    ```mlir
    %from = bufferization.to_buffer %flat read_only : tensor<?xf32> to memref<?xf32>
    %to = memref.alloc(%rows) : memref<?xf32>
    gpu.launch blocks(...) threads(...) module(@head_kernels) function(@head_pool_rows_0) { ... }
    %sums = bufferization.to_tensor %to restrict : memref<?xf32> to tensor<?xf32>
    ```
    When the last reduced axes are the last of the tensor (NCHW), some lanes of
    a sub-group read a short row each, a block a longer one, and several blocks
    the longest, whose sums a second kernel joins. When the last axes stay
    (NHWC), threads have columns of their own. Memory is read 16 bytes at a time
    where every row starts at a multiple of them, or several together do: short
    rows go through shared memory then. Whether the memory itself starts at one
    is checked when the code runs. What is added first is the same either way.

    f16, bf16 and f32 are summed in f32. The order of the additions depends on
    the reduced extents, the type and the options alone.

    Reductions that are left alone get a remark (category `map-pooling-to-gpu`)
    that says why.
  }];
}

def MapDenseToGPU : MapToGPU<"map-dense-to-gpu"> {
  let summary = "Make kernels of products with a constant matrix";
  let description = [{
    Replaces a matrix product with a constant on the right, and the element-wise
    operation behind it, by a `gpu.launch`. The constant is stored anew with the
    numbers of a column next to each other. A sub-group computes a column for
    one row, for up to eight, or, for larger batches, four columns (two where
    the numbers are halves); which, is decided when the code runs:

    ```mlir
    %y = linalg.matmul ins(%x, %w : tensor<?x512xf32>, tensor<512x25xf32>) outs(%zeros : tensor<?x25xf32>)
    ```
    Products that are left alone get a remark (category `map-dense-to-gpu`).
  }];
}

def MapLoopsToGPU : MapToGPU<"map-loops-to-gpu"> {
  let summary = "Make a kernel of each linalg operation that is left";
  let description = [{
    One thread computes one element of the results of a `linalg` operation on
    tensors. Meant for the small operations around a pool and its dense layers,
    after `map-pooling-to-gpu` and `map-dense-to-gpu`. An operation that cannot
    be mapped is an error.
  }];
}

def LowerLaunches : Pass<"lower-launches", "::mlir::ModuleOp"> {
  let summary = "Make C functions of one that launches kernels";
  let description = [{
    Takes the one function of the module, from a tensor whose first extent is
    the batch to another such tensor, whose work is done by kernels of the one
    `gpu.binary`, and makes of it functions that call the runtime
    (`runtime/headopt_gpu.h`), as `NAME_cuda`, `NAME_hip` or `NAME_vulkan`:

    ```mlir
    gpu.binary @head_kernels [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "...">]
    func.func @head(%x: tensor<?x512x7x7xf32>) -> tensor<?x25xf32> { ... gpu.launch_func @head_kernels::@head_pool_rows_0 ... }
    ```
    becomes
    ```mlir
    func.func @head_cuda(%features: !llvm.ptr, %batch: i64, %output: !llvm.ptr, %stream: !llvm.ptr) -> i32
    func.func @head_cuda_host(%features: !llvm.ptr, %batch: i64, %output: !llvm.ptr) -> i32
    func.func @head_cuda_error() -> !llvm.ptr
    ```
    All memory between kernels is asked for once for each call, and constants
    are handed to the runtime, which copies them to a device once. The
    discardable attributes `chip` and `subgroup_size` of the `gpu.binary` go to
    the runtime as well.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect"];
  let options = [
    Option<"interface", "interface", "std::string", /*default=*/"\"cuda\"",
           "Whose driver runs the kernels: cuda, hip or vulkan">,
  ];
}

def PrepareSPIRVKernels
    : Pass<"prepare-spirv-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Say of kernels what convert-gpu-to-spirv must know for Vulkan";
  let description = [{
    Attaches `spirv.target_env` to a `gpu.module` and `spirv.entry_point_abi` to
    its kernels, and makes allocations of the buffers that a block shares:

    ```mlir
    gpu.module @kernels {
      gpu.func @pool(%in: memref<?xf32>, %rows: index, %out: memref<?xf32>)
          workgroup(%sums: memref<8xf32, #gpu.address_space<workgroup>>)
          kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    ```
    becomes
    ```mlir
    gpu.module @kernels attributes {spirv.target_env = ...} {
      gpu.func @pool(%in: memref<?xf32>, %rows: index, %out: memref<?xf32>)
          kernel attributes {known_block_size = array<i32: 256, 1, 1>,
                             spirv.entry_point_abi = ...} {
        %sums = memref.alloc() : memref<8xf32, #spirv.storage_class<Workgroup>>
    ```
    The environment allows all that a kernel may need; what each device must
    have is what `spirv-update-vce` finds to be used. A kernel whose arguments
    are no buffers of SPIR-V, whose blocks are not known, or that shares more
    than the 16,384 bytes that Vulkan promises, is an error.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::spirv::SPIRVDialect"];
  let options = [
    Option<"subgroupSize", "subgroup-size", "unsigned", /*default=*/"32",
           "Lanes of a sub-group, a power of 2 from 4 to 128">,
  ];
}

def PrepareSPIRVSubgroups
    : Pass<"prepare-spirv-subgroups", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Write operations of a sub-group so that Vulkan defines them";
  let description = [{
    * Vulkan does not say which threads of a block are a sub-group: kernels in
      which lanes work together number their threads by sub-group and lane.
    * `gpu.subgroup_reduce` becomes shuffles and operations of `arith`: not all
      devices have reductions of clusters, and Vulkan leaves open their order,
      and what a NaN does.

    ```mlir
    %t = gpu.thread_id x
    %sum = gpu.subgroup_reduce add %x cluster(size = 4) : (f32) -> f32
    ```
    becomes
    ```mlir
    %subgroup = gpu.subgroup_id : index
    %lane = gpu.lane_id
    %first = arith.muli %subgroup, %c32 : index
    %t = arith.addi %first, %lane : index
    %x1, %valid1 = gpu.shuffle xor %x, %c1, %c32 : f32
    %sum1 = arith.addf %x, %x1 : f32
    %x2, %valid2 = gpu.shuffle xor %sum1, %c2, %c32 : f32
    %sum = arith.addf %sum1, %x2 : f32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect"];
  let options = [
    Option<"subgroupSize", "subgroup-size", "unsigned", /*default=*/"32",
           "Lanes of a sub-group, a power of 2 from 4 to 128">,
  ];
}

def PrepareSPIRVLoops : Pass<"prepare-spirv-loops", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give loops without a trip their initial values";
  let description = [{
    MLIR 22's conversion of `scf.for` to SPIR-V leaves the results of a loop
    undefined when it makes no trip (llvm/llvm-project#211981). Unless constant
    bounds show a trip, the initial values are selected behind the loop:

    ```mlir
    %sum = scf.for %i = %t to %n step %c32 iter_args(%s = %init) -> f32 { ... }
    ```
    becomes
    ```mlir
    %loop = scf.for %i = %t to %n step %c32 iter_args(%s = %init) -> f32 { ... }
    %runs = arith.cmpi slt, %t, %n : index
    %sum = arith.select %runs, %loop, %init : f32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def PrepareSPIRVVectors
    : Pass<"prepare-spirv-vectors", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Take vectors apart that SPIR-V does not have";
  let description = [{
    Shaders have vectors of two to four elements. An element of a longer one
    that `vector.bitcast` made becomes a part of an element of its source:

    ```mlir
    %halves = vector.bitcast %x : vector<4xi32> to vector<8xf16>
    %h = vector.extract %halves[3] : f16 from vector<8xf16>
    ```
    becomes
    ```mlir
    %word = vector.extract %x[1] : i32 from vector<4xi32>
    %high = arith.shrui %word, %c16 : i32
    %bits = arith.trunci %high : i32 to i16
    %h = arith.bitcast %bits : i16 to f16
    ```
    Other long vectors are an error, and so are vectors that a loop or a branch
    gives: Mesa's driver for CPUs mixes those of different lanes up. Where one
    condition selects among vectors, it is spread to a vector of conditions.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // HEADOPT_CODEGEN_PASSES_TD
