//===- VulkanTest.cpp - Kernels on a Vulkan device ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of every form that the mapping makes, through the SPIR-V pipeline and
// runtime/vulkan.c, against the same sums in double. ctest runs them on Mesa's
// device for CPUs with sub-groups of 4, 8 and 16 lanes, and with staging
// buffers.
//
//===----------------------------------------------------------------------===//

#include "VulkanFailures.h"
#include "VulkanProgram.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <thread>

using namespace headopt::test;

namespace {

std::vector<float> makeNumbers(size_t count, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.5f, 1.0f);
  std::vector<float> numbers(count);
  for (float &x : numbers)
    x = normal(generator);
  return numbers;
}

float toFloat(uint16_t half) {
  int exponent = half >> 10 & 31;
  float fraction = static_cast<float>(half & 1023) / 1024;
  float magnitude = exponent == 0 ? std::ldexp(fraction, -14)
                                  : std::ldexp(1 + fraction, exponent - 15);
  return half & 0x8000 ? -magnitude : magnitude;
}

/// Halves between -1.99 and 1.99, without subnormal ones.
std::vector<uint16_t> makeHalves(size_t count) {
  std::mt19937 generator(2);
  std::vector<uint16_t> halves(count);
  for (uint16_t &x : halves) {
    uint32_t bits = static_cast<uint32_t>(generator());
    x = static_cast<uint16_t>((bits & 0x83ff) | ((8 + (bits >> 16) % 8) << 10));
  }
  return halves;
}

std::vector<double> sumRows(const std::vector<float> &x, size_t columns) {
  std::vector<double> sums(x.size() / columns);
  for (size_t i = 0; i < x.size(); ++i)
    sums[i / columns] += x[i];
  return sums;
}

void expectNear(const std::vector<float> &y, const std::vector<double> &sums,
                double tolerance) {
  ASSERT_EQ(y.size(), sums.size());
  for (size_t i = 0; i < y.size(); ++i)
    ASSERT_NEAR(y[i], sums[i], tolerance) << "at " << i;
}

uint64_t ceilDiv(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

struct VulkanTest : testing::Test {
  /// Skips where there is no Vulkan; a device that cannot run this kernel is
  /// none either.
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // The device is opened once in a process, and not here in one that is to
    // see how that fails.
    if (testing::internal::InDeathTestChild())
      return;
    VulkanProgram nothing(R"mlir(
      gpu.func @nothing(%x: memref<?xf32>) kernel
          attributes {known_block_size = array<i32: 1, 1, 1>} { gpu.return }
    )mlir");
    ASSERT_TRUE(nothing.isValid());
    headopt_gpu_call call;
    headopt_gpu_begin(&call, &nothing.get(), nullptr, 0);
    int32_t code = headopt_gpu_end(&call);
    if (code == 2)
      GTEST_SKIP() << "no Vulkan device: " << headopt_gpu_error()
                   << " (utils/setup.sh installs Mesa's for CPUs)";
    ASSERT_EQ(code, 0) << headopt_gpu_error();
  }
};

#define ASSERT_RUNS(call)                                                      \
  do {                                                                         \
    int32_t code = call;                                                       \
    ASSERT_EQ(code, 0) << headopt_gpu_error();                                 \
  } while (false)

/// P lanes a row; lanes without a row and without an element add nothing.
std::string makeRows(unsigned lanes) {
  std::string text = R"mlir(
    gpu.func @rows(%x: memref<?xf32>, %rows: index, %columns: index,
                   %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %p = arith.constant $P : index
      %zero = arith.constant 0.0 : f32
      %b = gpu.block_id x
      %t = gpu.thread_id x
      %g = gpu.grid_dim x
      %perBlock = arith.divui %c64, %p : index
      %mine = arith.divui %t, %p : index
      %lane = arith.remui %t, %p : index
      %first = arith.muli %b, %perBlock : index
      %step = arith.muli %g, %perBlock : index
      scf.for %base = %first to %rows step %step {
        %row = arith.addi %base, %mine : index
        %in = arith.cmpi slt, %row, %rows : index
        %end = arith.select %in, %columns, %c0 : index
        %start = arith.muli %row, %columns : index
        %sum = scf.for %i = %lane to %end step %p iter_args(%s = %zero) -> f32 {
          %at = arith.addi %start, %i : index
          %v = memref.load %x[%at] : memref<?xf32>
          %a = arith.addf %s, %v : f32
          scf.yield %a : f32
        }
        %all = gpu.subgroup_reduce add %sum cluster(size = $P) : (f32) -> f32
        %lane0 = arith.cmpi eq, %lane, %c0 : index
        %writes = arith.andi %lane0, %in : i1
        scf.if %writes {
          memref.store %all, %y[%row] : memref<?xf32>
        }
      }
      gpu.return
    }
  )mlir";
  for (size_t at; (at = text.find("$P")) != std::string::npos;)
    text.replace(at, 2, std::to_string(lanes));
  return text;
}

TEST_F(VulkanTest, RowsByClusters) {
  for (unsigned lanes = 2; lanes <= getSubgroupSize(); lanes *= 2) {
    SCOPED_TRACE(lanes);
    VulkanProgram program(makeRows(lanes));
    ASSERT_TRUE(program.isValid());
    // Also fewer columns than lanes, and rows that do not fill the last block.
    for (uint64_t columns : {49, 1, 3, 64})
      for (uint64_t rows : {1, 7, 100, 1001}) {
        std::vector<float> x = makeNumbers(rows * columns);
        std::vector<float> y(rows, NAN);
        uint64_t blocks = ceilDiv(rows, 64 / lanes);
        ASSERT_RUNS(program.run(x, y, blocks, {rows, columns}));
        expectNear(y, sumRows(x, columns), 1e-4);
        // The same with fewer blocks, which go on with other rows.
        std::vector<float> again(rows, NAN);
        ASSERT_RUNS(program.run(x, again, ceilDiv(blocks, 3), {rows, columns}));
        EXPECT_EQ(again, y);
      }
  }
}

TEST_F(VulkanTest, NoRows) {
  VulkanProgram program(makeRows(2));
  ASSERT_TRUE(program.isValid());
  std::vector<float> none;
  ASSERT_RUNS(program.run(none, none, 0, {0, 49}));
  // A launch all the same.
  ASSERT_RUNS(program.run(none, none, 1, {0, 49}));
}

TEST_F(VulkanTest, BlockForEachRow) {
  VulkanProgram program(R"mlir(
    gpu.func @block(%x: memref<?xvector<4xf32>>, %rows: index, %quads: index,
                    %y: memref<?xf32>)
        workgroup(%sums: memref<64xf32, #gpu.address_space<workgroup>>)
        kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c256 = arith.constant 256 : index
      %size = arith.constant $S : index
      %count = arith.divui %c256, %size : index
      %zero = arith.constant 0.0 : f32
      %b = gpu.block_id x
      %g = gpu.grid_dim x
      %t = gpu.thread_id x
      %lane = arith.remui %t, %size : index
      %subgroup = arith.divui %t, %size : index
      %lane0 = arith.cmpi eq, %lane, %c0 : index
      %first = arith.cmpi eq, %t, %c0 : index
      scf.for %row = %b to %rows step %g {
        %start = arith.muli %row, %quads : index
        %acc:4 = scf.for %i = %t to %quads step %c256
            iter_args(%s0 = %zero, %s1 = %zero, %s2 = %zero, %s3 = %zero)
            -> (f32, f32, f32, f32) {
          %at = arith.addi %start, %i : index
          %v = memref.load %x[%at] : memref<?xvector<4xf32>>
          %e0 = vector.extract %v[0] : f32 from vector<4xf32>
          %e1 = vector.extract %v[1] : f32 from vector<4xf32>
          %e2 = vector.extract %v[2] : f32 from vector<4xf32>
          %e3 = vector.extract %v[3] : f32 from vector<4xf32>
          %a0 = arith.addf %s0, %e0 : f32
          %a1 = arith.addf %s1, %e1 : f32
          %a2 = arith.addf %s2, %e2 : f32
          %a3 = arith.addf %s3, %e3 : f32
          scf.yield %a0, %a1, %a2, %a3 : f32, f32, f32, f32
        }
        %s01 = arith.addf %acc#0, %acc#1 : f32
        %s23 = arith.addf %acc#2, %acc#3 : f32
        %mine = arith.addf %s01, %s23 : f32
        %part = gpu.subgroup_reduce add %mine uniform : (f32) -> f32
        scf.if %lane0 {
          memref.store %part, %sums[%subgroup]
              : memref<64xf32, #gpu.address_space<workgroup>>
        }
        gpu.barrier
        scf.if %first {
          %all = scf.for %i = %c0 to %count step %c1
              iter_args(%s = %zero) -> f32 {
            %v = memref.load %sums[%i]
                : memref<64xf32, #gpu.address_space<workgroup>>
            %a = arith.addf %s, %v : f32
            scf.yield %a : f32
          }
          memref.store %all, %y[%row] : memref<?xf32>
        }
        gpu.barrier
      }
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  // 5 leaves most threads without an element.
  for (uint64_t quads : {3025, 5, 256}) {
    std::vector<float> x = makeNumbers(6 * quads * 4);
    std::vector<float> y(6, NAN), again(6, NAN);
    ASSERT_RUNS(program.run(x, y, 6, {6, quads}));
    expectNear(y, sumRows(x, quads * 4), 2e-3);
    ASSERT_RUNS(program.run(x, again, 4, {6, quads}));
    EXPECT_EQ(again, y);
  }
}

TEST_F(VulkanTest, Columns) {
  VulkanProgram program(R"mlir(
    gpu.func @columns(%x: memref<?xf32>, %rows: index, %columns: i32,
                      %scale: f32, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c64 = arith.constant 64 : index
      %zero = arith.constant 0.0 : f32
      %b = gpu.block_id x
      %t = gpu.thread_id x
      %width = arith.index_cast %columns : i32 to index
      %first = arith.muli %b, %c64 : index
      %column = arith.addi %first, %t : index
      %in = arith.cmpi slt, %column, %width : index
      scf.if %in {
        %sum = scf.for %i = %c0 to %rows step %c1
            iter_args(%s = %zero) -> f32 {
          %start = arith.muli %i, %width : index
          %at = arith.addi %start, %column : index
          %v = memref.load %x[%at] : memref<?xf32>
          %a = arith.addf %s, %v : f32
          scf.yield %a : f32
        }
        %scaled = arith.mulf %sum, %scale : f32
        memref.store %scaled, %y[%column] : memref<?xf32>
      }
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  uint64_t rows = 49, columns = 300;
  std::vector<float> x = makeNumbers(rows * columns), y(columns, NAN);
  std::vector<double> sums(columns);
  for (size_t i = 0; i < x.size(); ++i)
    sums[i % columns] += 0.25 * x[i];
  float scale = 0.25f;
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof bits);
  ASSERT_RUNS(program.run(x, y, ceilDiv(columns, 64), {rows, columns, bits}));
  expectNear(y, sums, 1e-4);
}

/// f16 as such, and eight at once as four words; the results are halves.
TEST_F(VulkanTest, Halves) {
  VulkanProgram program(R"mlir(
    gpu.func @halves(%x: memref<?xvector<4xi32>>, %n: index, %w: memref<?xf16>,
                     %y: memref<?xf16>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c64 = arith.constant 64 : index
      %b = gpu.block_id x
      %t = gpu.thread_id x
      %first = arith.muli %b, %c64 : index
      %i = arith.addi %first, %t : index
      %in = arith.cmpi slt, %i, %n : index
      scf.if %in {
        %v = memref.load %x[%i] : memref<?xvector<4xi32>>
        %h = vector.bitcast %v : vector<4xi32> to vector<8xf16>
        %h0 = vector.extract %h[0] : f16 from vector<8xf16>
        %h3 = vector.extract %h[3] : f16 from vector<8xf16>
        %h6 = vector.extract %h[6] : f16 from vector<8xf16>
        %f0 = arith.extf %h0 : f16 to f32
        %f3 = arith.extf %h3 : f16 to f32
        %f6 = arith.extf %h6 : f16 to f32
        %hw = memref.load %w[%i] : memref<?xf16>
        %fw = arith.extf %hw : f16 to f32
        %p = arith.mulf %f0, %f3 : f32
        %q = arith.addf %p, %f6 : f32
        %r = arith.mulf %q, %fw : f32
        %z = arith.truncf %r : f32 to f16
        memref.store %z, %y[%i] : memref<?xf16>
      }
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  size_t n = 5000;
  std::vector<uint16_t> x = makeHalves(8 * n), w = makeHalves(n), y(n);
  program.addConstant(w);
  ASSERT_RUNS(program.run(x, y, ceilDiv(n, 64), {n}));
  for (size_t i = 0; i < n; ++i) {
    float p = toFloat(x[8 * i]) * toFloat(x[8 * i + 3]);
    // A driver may join the two.
    double sum = static_cast<double>(p) + toFloat(x[8 * i + 6]);
    double exact = sum * toFloat(w[i]);
    double result = toFloat(y[i]);
    int exponent;
    std::frexp(exact, &exponent);
    // Half a unit in the last place: rounded to nearest.
    double half = std::ldexp(0.5, std::max(exponent - 11, -24));
    ASSERT_NEAR(result, exact, half * 1.001) << "at " << i;
  }
}

/// Conversions to f16 are rounded to nearest, ties to even, on all devices.
TEST_F(VulkanTest, NarrowingRoundsToEven) {
  VulkanProgram program(R"mlir(
    gpu.func @narrow(%x: memref<?xf32>, %n: index, %y: memref<?xf16>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %t = gpu.thread_id x
      %in = arith.cmpi slt, %t, %n : index
      scf.if %in {
        %v = memref.load %x[%t] : memref<?xf32>
        %z = arith.truncf %v : f32 to f16
        memref.store %z, %y[%t] : memref<?xf16>
      }
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  float unit = std::ldexp(1.0f, -10);
  std::vector<float> x = {1 + 0.5f * unit,
                          1 + 1.5f * unit,
                          -(1 + 0.75f * unit),
                          65519,
                          65520,
                          std::ldexp(1.0f, -24),
                          std::ldexp(1.0f, -25),
                          std::ldexp(1.5f, -25),
                          -0.0f,
                          INFINITY};
  std::vector<uint16_t> expected = {0x3c00, 0x3c02, 0xbc01, 0x7bff, 0x7c00,
                                    0x0001, 0x0000, 0x0001, 0x8000, 0x7c00};
  std::vector<uint16_t> y(x.size());
  ASSERT_RUNS(program.run(x, y, 1, {x.size()}));
  EXPECT_EQ(y, expected);
}

TEST_F(VulkanTest, BF16AsIntegers) {
  VulkanProgram program(R"mlir(
    gpu.func @bf16(%x: memref<?xi16>, %v: memref<?xvector<4xi32>>,
                   %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %c16 = arith.constant 16 : i32
      %t = gpu.thread_id x
      %a = memref.load %x[%t] : memref<?xi16>
      %w = arith.extui %a : i16 to i32
      %s = arith.shli %w, %c16 : i32
      %f = arith.bitcast %s : i32 to f32
      %q = memref.load %v[%t] : memref<?xvector<4xi32>>
      %b = vector.bitcast %q : vector<4xi32> to vector<8xi16>
      %b5 = vector.extract %b[5] : i16 from vector<8xi16>
      %w5 = arith.extui %b5 : i16 to i32
      %s5 = arith.shli %w5, %c16 : i32
      %f5 = arith.bitcast %s5 : i32 to f32
      %z = arith.addf %f, %f5 : f32
      memref.store %z, %y[%t] : memref<?xf32>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  std::vector<float> numbers = makeNumbers(32 * 9), y(32, NAN);
  std::vector<uint16_t> bits(numbers.size());
  auto widen = [](uint16_t bf16) {
    uint32_t wide = static_cast<uint32_t>(bf16) << 16;
    float number;
    std::memcpy(&number, &wide, sizeof number);
    return number;
  };
  for (size_t i = 0; i < bits.size(); ++i) {
    uint32_t wide;
    std::memcpy(&wide, &numbers[i], sizeof wide);
    bits[i] = static_cast<uint16_t>(wide >> 16);
  }
  std::vector<uint16_t> x(bits.begin(), bits.begin() + 32);
  std::vector<uint16_t> v(bits.begin() + 32, bits.end());
  program.addConstant(v);
  ASSERT_RUNS(program.run(x, y, 1, {}));
  for (size_t i = 0; i < y.size(); ++i)
    ASSERT_EQ(y[i], widen(x[i]) + widen(v[8 * i + 5])) << "at " << i;
}

/// Upstream gives garbage here (llvm/llvm-project#211981).
TEST_F(VulkanTest, LoopsWithoutATrip) {
  VulkanProgram program(R"mlir(
    gpu.func @trips(%x: memref<?xi32>, %n: index, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %five = arith.constant 5.0 : f32
      %one = arith.constant 1.0 : f32
      %two = arith.constant 2 : i32
      %seven = arith.constant 7 : i32
      %yes = arith.constant true
      %t = gpu.thread_id x
      %trips = memref.load %x[%t] : memref<?xi32>
      %end = arith.index_cast %trips : i32 to index
      // Twice, so that what the loop inside left the first time is no excuse.
      %r:4 = scf.for %k = %c0 to %c2 step %c1
          iter_args(%s = %five, %v = %seven, %last = %end, %p = %yes)
          -> (f32, i32, index, i1) {
        %odd = arith.cmpi eq, %k, %c0 : index
        %stop = arith.select %odd, %end, %c0 : index
        %q:4 = scf.for %i = %c0 to %stop step %c1
            iter_args(%s2 = %s, %v2 = %v, %last2 = %last, %p2 = %p)
            -> (f32, i32, index, i1) {
          %s3 = arith.addf %s2, %one : f32
          %v3 = arith.addi %v2, %two : i32
          %p3 = arith.xori %p2, %yes : i1
          scf.yield %s3, %v3, %i, %p3 : f32, i32, index, i1
        }
        %s4 = arith.addf %q#0, %one : f32
        scf.yield %s4, %q#1, %q#2, %q#3 : f32, i32, index, i1
      }
      %v2 = arith.sitofp %r#1 : i32 to f32
      %i32 = arith.index_cast %r#2 : index to i32
      %f = arith.sitofp %i32 : i32 to f32
      %flag = arith.select %r#3, %one, %five : f32
      %n4 = arith.constant 4 : index
      %at = arith.muli %t, %n4 : index
      %at1 = arith.addi %at, %c1 : index
      %at2 = arith.addi %at, %c2 : index
      %at3 = arith.addi %at1, %c2 : index
      memref.store %r#0, %y[%at] : memref<?xf32>
      memref.store %v2, %y[%at1] : memref<?xf32>
      memref.store %f, %y[%at2] : memref<?xf32>
      memref.store %flag, %y[%at3] : memref<?xf32>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  std::vector<int32_t> trips(32);
  for (int32_t i = 0; i < 32; ++i)
    trips[static_cast<size_t>(i)] = i % 4 - 1;
  std::vector<float> y(32 * 4, NAN), expected;
  ASSERT_RUNS(program.run(trips, y, 1, {0}));
  for (int32_t n : trips) {
    auto count = static_cast<float>(std::max(n, 0));
    expected.push_back(5 + 2 + count);
    expected.push_back(7 + 2 * count);
    expected.push_back(static_cast<float>(n > 0 ? n - 1 : n));
    expected.push_back(n > 0 && n % 2 ? 5.0f : 1.0f);
  }
  EXPECT_EQ(y, expected);
}

TEST_F(VulkanTest, BranchesWithResults) {
  VulkanProgram program(R"mlir(
    gpu.func @branches(%x: memref<?xf32>, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %t = gpu.thread_id x
      %v = memref.load %x[%t] : memref<?xf32>
      %positive = arith.cmpf ogt, %v, %zero : f32
      %r:2 = scf.if %positive -> (f32, i1) {
        %above = arith.cmpf ogt, %v, %one : f32
        %w = scf.if %above -> f32 {
          %d = arith.divf %one, %v : f32
          scf.yield %d : f32
        } else {
          scf.yield %v : f32
        }
        scf.yield %w, %above : f32, i1
      } else {
        %m = arith.negf %v : f32
        scf.yield %m, %positive : f32, i1
      }
      %plus = arith.addf %r#0, %one : f32
      %z = arith.select %r#1, %plus, %r#0 : f32
      memref.store %z, %y[%t] : memref<?xf32>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  std::vector<float> x = makeNumbers(64), y(64, NAN);
  ASSERT_RUNS(program.run(x, y, 1, {}));
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(y[i], x[i] > 1 ? 1 / x[i] + 1 : std::abs(x[i]), 1e-6);
}

/// More elements than the 65,535 blocks that Vulkan promises have threads.
TEST_F(VulkanTest, GridStride) {
  VulkanProgram program(R"mlir(
    gpu.func @stride(%x: memref<?xf32>, %n: index, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %c32 = arith.constant 32 : index
      %one = arith.constant 1.0 : f32
      %b = gpu.block_id x
      %t = gpu.thread_id x
      %g = gpu.grid_dim x
      %start = arith.muli %b, %c32 : index
      %first = arith.addi %start, %t : index
      %step = arith.muli %g, %c32 : index
      scf.for %i = %first to %n step %step {
        %v = memref.load %x[%i] : memref<?xf32>
        %w = arith.addf %v, %one : f32
        memref.store %w, %y[%i] : memref<?xf32>
      }
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  size_t n = 65535 * 32 + 1000;
  std::vector<float> x(n), y(n, NAN);
  for (size_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(i);
  ASSERT_RUNS(program.run(x, y, 65535, {n}));
  for (size_t i = 0; i < n; ++i)
    ASSERT_EQ(y[i], x[i] + 1);
}

TEST_F(VulkanTest, Subgroups) {
  VulkanProgram program(R"mlir(
    gpu.func @subgroups(%x: memref<?xf32>, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
      %c64 = arith.constant 64 : index
      %c128 = arith.constant 128 : index
      %c192 = arith.constant 192 : index
      %one = arith.constant 1 : i32
      %size = arith.constant $S : i32
      %t = gpu.thread_id x
      %v = memref.load %x[%t] : memref<?xf32>
      %sum = gpu.subgroup_reduce add %v cluster(size = $S) : (f32) -> f32
      %max = gpu.subgroup_reduce maximumf %v : (f32) -> f32
      %pair = gpu.subgroup_reduce minimumf %v cluster(size = 2) : (f32) -> f32
      %other, %valid = gpu.shuffle xor %v, %one, %size : f32
      memref.store %sum, %y[%t] : memref<?xf32>
      %i1 = arith.addi %t, %c64 : index
      memref.store %max, %y[%i1] : memref<?xf32>
      %i2 = arith.addi %t, %c128 : index
      memref.store %pair, %y[%i2] : memref<?xf32>
      %i3 = arith.addi %t, %c192 : index
      memref.store %other, %y[%i3] : memref<?xf32>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  size_t size = getSubgroupSize();
  std::vector<float> x = makeNumbers(64), y(256);
  // All of the first sub-group gets this NaN.
  x[1] = NAN;
  x[size + 1] = -INFINITY;
  ASSERT_RUNS(program.run(x, y, 1, {}));
  for (size_t t = 0; t < 64; ++t) {
    size_t first = t / size * size;
    double sum = 0, max = -INFINITY;
    for (size_t i = first; i < first + size; ++i) {
      sum += x[i];
      max = std::isnan(x[i]) || std::isnan(max) ? NAN
                                                : std::max<double>(max, x[i]);
    }
    if (first == 0) {
      EXPECT_TRUE(std::isnan(y[t]));
      EXPECT_TRUE(std::isnan(y[64 + t]));
    } else {
      if (first == size)
        EXPECT_EQ(y[t], -INFINITY);
      else
        EXPECT_NEAR(y[t], sum, 1e-5);
      EXPECT_EQ(y[64 + t], max);
    }
    float other = x[t ^ 1];
    if (t < 2)
      EXPECT_TRUE(std::isnan(y[128 + t]));
    else
      EXPECT_EQ(y[128 + t], std::min(x[t], other));
    if (t != 0) {
      EXPECT_EQ(y[192 + t], other);
    }
  }
}

TEST_F(VulkanTest, DoublesAndFunctions) {
  VulkanProgram program(R"mlir(
    gpu.func @doubles(%x: memref<?xf64>, %v: memref<?xvector<2xf64>>,
                      %k: memref<?xi64>, %b: memref<?xi8>, %y: memref<?xf64>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %t = gpu.thread_id x
      %a = memref.load %x[%t] : memref<?xf64>
      %pair = memref.load %v[%t] : memref<?xvector<2xf64>>
      %p = vector.extract %pair[1] : f64 from vector<2xf64>
      %m = math.fma %a, %p, %a : f64
      %abs = math.absf %m : f64
      %root = math.sqrt %abs : f64
      %rounded = math.roundeven %m : f64
      %floor = math.floor %m : f64
      %long = memref.load %k[%t] : memref<?xi64>
      %at = arith.index_cast %long : i64 to index
      %c = memref.load %x[%at] : memref<?xf64>
      %byte = memref.load %b[%t] : memref<?xi8>
      %wide = arith.extsi %byte : i8 to i32
      %d = arith.sitofp %wide : i32 to f64
      %s0 = arith.addf %root, %rounded : f64
      %s1 = arith.addf %s0, %floor : f64
      %s2 = arith.addf %s1, %c : f64
      %s3 = arith.addf %s2, %d : f64
      %z = arith.maximumf %s3, %a : f64
      memref.store %z, %y[%t] : memref<?xf64>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  std::vector<float> numbers = makeNumbers(96);
  std::vector<double> x(numbers.begin(), numbers.begin() + 32), y(32, NAN);
  std::vector<double> v(numbers.begin() + 32, numbers.end());
  std::vector<int64_t> k(32);
  std::vector<int8_t> b(32);
  for (size_t i = 0; i < 32; ++i) {
    k[i] = static_cast<int64_t>(i * 7 % 32);
    b[i] = static_cast<int8_t>(static_cast<int>(i * 8) - 128);
  }
  program.addConstant(v);
  program.addConstant(k);
  program.addConstant(b);
  ASSERT_RUNS(program.run(x, y, 1, {}));
  for (size_t i = 0; i < y.size(); ++i) {
    double m = std::fma(x[i], v[2 * i + 1], x[i]);
    double sum = std::sqrt(std::abs(m)) + std::nearbyint(m) + std::floor(m) +
                 x[static_cast<size_t>(k[i])] + b[i];
    EXPECT_NEAR(y[i], std::max(sum, x[i]), 1e-12);
  }
}

TEST_F(VulkanTest, FloatFunctions) {
  VulkanProgram program(R"mlir(
    gpu.func @functions(%x: memref<?xf32>, %y: memref<?xf32>)
        kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %half = arith.constant 0.5 : f32
      %t = gpu.thread_id x
      %a = memref.load %x[%t] : memref<?xf32>
      %r = math.roundeven %a : f32
      %f = math.floor %a : f32
      %d = arith.subf %r, %f : f32
      %abs = math.absf %a : f32
      %root = math.sqrt %abs : f32
      %z = math.fma %d, %half, %root : f32
      %max = arith.maximumf %z, %a : f32
      %min = arith.minimumf %max, %abs : f32
      memref.store %min, %y[%t] : memref<?xf32>
      gpu.return
    }
  )mlir");
  ASSERT_TRUE(program.isValid());
  std::vector<float> x = makeNumbers(32), y(32, NAN);
  x[0] = 0.5f;
  x[1] = 1.5f;
  x[2] = NAN;
  ASSERT_RUNS(program.run(x, y, 1, {}));
  EXPECT_TRUE(std::isnan(y[2]));
  for (size_t i = 0; i < y.size(); ++i)
    if (i != 2) {
      float magnitude = std::abs(x[i]);
      float z = 0.5f * (std::nearbyint(x[i]) - std::floor(x[i])) +
                std::sqrt(magnitude);
      EXPECT_NEAR(y[i], std::min(std::max(z, x[i]), magnitude), 1e-6);
    }
}

/// Two kernels, the first of which writes to scratch memory what the second
/// reads; the parts of that memory are addresses the caller makes.
const char *const kTwoKernels = R"mlir(
  gpu.func @scale(%x: memref<?xf32>, %n: index, %w: memref<?xf32>,
                  %y: memref<?xf32>)
      kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c32 = arith.constant 32 : index
    %b = gpu.block_id x
    %t = gpu.thread_id x
    %first = arith.muli %b, %c32 : index
    %i = arith.addi %first, %t : index
    %in = arith.cmpi slt, %i, %n : index
    scf.if %in {
      %v = memref.load %x[%i] : memref<?xf32>
      %u = memref.load %w[%i] : memref<?xf32>
      %z = arith.mulf %v, %u : f32
      memref.store %z, %y[%i] : memref<?xf32>
    }
    gpu.return
  }
  gpu.func @reverse(%x: memref<?xf32>, %n: index, %y: memref<?xf32>)
      kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %b = gpu.block_id x
    %t = gpu.thread_id x
    %first = arith.muli %b, %c64 : index
    %i = arith.addi %first, %t : index
    %in = arith.cmpi slt, %i, %n : index
    scf.if %in {
      %last = arith.subi %n, %c1 : index
      %from = arith.subi %last, %i : index
      %v = memref.load %x[%from] : memref<?xf32>
      memref.store %v, %y[%i] : memref<?xf32>
    }
    gpu.return
  }
)mlir";

int32_t runTwoKernels(VulkanProgram &program, const std::vector<float> &x,
                      std::vector<float> &y) {
  uint64_t n = x.size();
  // A part of no bytes, one of n numbers, and again one of no bytes.
  uint64_t part = 512;
  uint64_t bytes = part + ceilDiv(n * 4, 256) * 256;
  return program.run(x.data(), n * 4, y.data(), n * 4, bytes,
                     [&](headopt_gpu_call &call, uint64_t in, uint64_t out) {
                       uint64_t scratch = headopt_gpu_scratch(&call);
                       uint64_t weights = headopt_gpu_constant(&call, 0);
                       uint64_t scale[] = {in, n, weights, scratch + part};
                       headopt_gpu_launch(&call, 0, ceilDiv(n, 32), scale);
                       // Nothing to do, at the very end.
                       uint64_t none[] = {in, 0, weights, scratch + bytes};
                       headopt_gpu_launch(&call, 0, 1, none);
                       // Over and over, so that more than one pool of
                       // descriptors is used.
                       for (int i = 0; i < 41; ++i) {
                         uint64_t reverse[] = {scratch + part, n, out};
                         headopt_gpu_launch(&call, 1, ceilDiv(n, 64), reverse);
                       }
                     });
}

void checkTwoKernels(VulkanProgram &program, const std::vector<float> &weights,
                     unsigned seed) {
  size_t n = weights.size();
  std::vector<float> x = makeNumbers(n, seed), y(n, NAN);
  ASSERT_RUNS(runTwoKernels(program, x, y));
  for (size_t i = 0; i < n; ++i)
    ASSERT_EQ(y[i], x[n - 1 - i] * weights[n - 1 - i]) << "at " << i;
}

TEST_F(VulkanTest, ScratchAndConstants) {
  VulkanProgram program(kTwoKernels);
  ASSERT_TRUE(program.isValid());
  std::vector<float> weights = makeNumbers(10000, 7);
  program.addConstant(weights);
  program.addConstant(nullptr, 0);
  for (unsigned seed = 1; seed < 4; ++seed)
    checkTwoKernels(program, weights, seed);
}

TEST_F(VulkanTest, Threads) {
  VulkanProgram program(kTwoKernels);
  ASSERT_TRUE(program.isValid());
  std::vector<float> weights = makeNumbers(3000, 7);
  program.addConstant(weights);
  program.get();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 5; ++i)
        checkTwoKernels(program, weights, 10 * t + i + 1);
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// Errors have a code and one line of text, and the next call works.
TEST_F(VulkanTest, Errors) {
  VulkanProgram program(kTwoKernels);
  ASSERT_TRUE(program.isValid());
  std::vector<float> weights(64, 2.0f);
  program.addConstant(weights);
  std::vector<float> x(64, 1.0f), y(64, -1.0f);
  auto launch = [&](uint32_t kernel, uint64_t blocks,
                    std::vector<uint64_t> args) {
    return program.run(x.data(), 256, y.data(), 256, 0,
                       [&](headopt_gpu_call &call, uint64_t in, uint64_t out) {
                         for (uint64_t &arg : args)
                           arg = arg == 'x' ? in : arg == 'y' ? out : arg;
                         headopt_gpu_launch(&call, kernel, blocks, args.data());
                         // After an error, nothing is done.
                         uint64_t reverse[] = {in, 64, out};
                         headopt_gpu_launch(&call, 1, 1, reverse);
                       });
  };
  auto expect = [&](int32_t code, int32_t expected, const char *part) {
    EXPECT_EQ(code, expected);
    EXPECT_NE(std::string(headopt_gpu_error()).find(part), std::string::npos)
        << headopt_gpu_error();
    EXPECT_EQ(std::string(headopt_gpu_error()).find('\n'), std::string::npos);
    EXPECT_EQ(y, std::vector<float>(64, -1.0f));
  };
  expect(launch(1, uint64_t(1) << 32, {'x', 64, 'y'}), 3, "blocks");
  expect(launch(1, 1, {'x', uint64_t(1) << 31, 'y'}), 3,
         "indices have 32 bits");
  expect(launch(1, 1, {12345, 64, 'y'}), 3, "no address of this call");
  expect(launch(9, 1, {}), 3, "has no kernel 9");
  // More than a device binds.
  expect(program.run(x.data(), 0, y.data(), 0, size_t(1) << 40,
                     [](headopt_gpu_call &call, uint64_t, uint64_t) {
                       EXPECT_EQ(headopt_gpu_scratch(&call), 0u);
                       EXPECT_EQ(headopt_gpu_constant(&call, 0), 0u);
                     }),
         4, "intermediate results: a buffer of 1099511627776 bytes is more");
  EXPECT_NE(std::string(headopt_gpu_error()).find("smaller batch"),
            std::string::npos);
  headopt_gpu_call staged;
  headopt_gpu_stage(&staged, &program.get(), nullptr, 0, uint64_t(1) << 40);
  EXPECT_EQ(headopt_gpu_staged_stream(&staged), nullptr);
  EXPECT_EQ(headopt_gpu_staged_input(&staged), 0u);
  EXPECT_EQ(headopt_gpu_staged_output(&staged), 0u);
  expect(headopt_gpu_unstage(&staged, nullptr, uint64_t(1) << 40, 0), 4,
         "the output: a buffer of 1099511627776 bytes");
  // No batch makes these smaller.
  VulkanProgram large(kTwoKernels);
  const struct headopt_gpu_constant tooLarge = {nullptr, uint64_t(1) << 40};
  headopt_gpu_program &given = large.get();
  given.constants = &tooLarge;
  given.num_constants = 1;
  expect(runTwoKernels(large, x, y), 4,
         "a layer's weights: a buffer of 1099511627776 bytes");
  EXPECT_NE(std::string(headopt_gpu_error()).find("needs another device"),
            std::string::npos);
  // A code of the caller's own goes through.
  headopt_gpu_stage(&staged, &program.get(), x.data(), 256, 256);
  EXPECT_EQ(headopt_gpu_unstage(&staged, y.data(), 256, 1), 1);
  EXPECT_EQ(y, std::vector<float>(64, -1.0f));

  std::string binary = program.binary;
  VulkanProgram broken(kTwoKernels);
  broken.addConstant(weights);
  broken.binary = "no SPIR-V at all; it is long enough";
  expect(runTwoKernels(broken, x, y), 3, "is no SPIR-V");
  VulkanProgram newer(kTwoKernels);
  newer.get().version = 2;
  expect(runTwoKernels(newer, x, y), 3, "version 2");
  ASSERT_RUNS(launch(1, 1, {'x', 64, 'y'}));
  EXPECT_EQ(y, x);
}

/// A program says for which sub-groups it must be compiled instead.
TEST_F(VulkanTest, OtherSubgroups) {
  VulkanProgram program(makeRows(2), getSubgroupSize() * 2);
  ASSERT_TRUE(program.isValid());
  std::vector<float> x(64, 1.0f), y(64);
  EXPECT_EQ(program.run(x, y, 2, {64, 1}), 2);
  EXPECT_NE(std::string(headopt_gpu_error())
                .find("--target=vulkan:" + std::to_string(getSubgroupSize())),
            std::string::npos)
      << headopt_gpu_error();
}

/// Kernels without sub-groups run whatever the program was compiled for.
TEST_F(VulkanTest, OtherSubgroupsUnused) {
  VulkanProgram program(kTwoKernels, getSubgroupSize() * 2);
  ASSERT_TRUE(program.isValid());
  std::vector<float> weights = makeNumbers(100, 7);
  program.addConstant(weights);
  checkTwoKernels(program, weights, 1);
}

/// Begun without a stream, a call has one of its own.
TEST_F(VulkanTest, OwnStream) {
  VulkanProgram program(kTwoKernels);
  ASSERT_TRUE(program.isValid());
  program.addConstant(std::vector<float>(64, 2.0f));
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &program.get(), nullptr, 1024);
  uint64_t scratch = headopt_gpu_scratch(&call);
  EXPECT_EQ(scratch % 256, 0u);
  uint64_t args[] = {headopt_gpu_constant(&call, 0), 64, scratch};
  headopt_gpu_launch(&call, 1, 1, args);
  EXPECT_EQ(headopt_gpu_end(&call), 0) << headopt_gpu_error();
}

/// What a process of its own says that begins a call.
void beginInvalid(const char *variable, const char *value) {
  setenv(variable, value, 1);
  VulkanProgram program(kTwoKernels);
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &program.get(), nullptr, 0);
  int32_t code = headopt_gpu_end(&call);
  std::fputs(headopt_gpu_error(), stderr);
  std::exit(code);
}

TEST_F(VulkanTest, NoDevice) {
  EXPECT_EXIT(beginInvalid("HEADOPT_VULKAN_DEVICE", "nonsense"),
              testing::ExitedWithCode(2),
              "^HEADOPT_VULKAN_DEVICE=nonsense is none of the Vulkan 1.1 "
              "devices: 0 ");
  EXPECT_EXIT(beginInvalid("HEADOPT_VULKAN_DEVICE", "77"),
              testing::ExitedWithCode(2),
              "^HEADOPT_VULKAN_DEVICE=77 is none of");
  // It does not become 0.
  EXPECT_EXIT(beginInvalid("HEADOPT_VULKAN_DEVICE", "4294967296"),
              testing::ExitedWithCode(2),
              "^HEADOPT_VULKAN_DEVICE=4294967296 is none of");
  // llvmpipe (LLVM 15.0.6, 256 bits): a number that is no device's is a name's.
  std::string bits = std::to_string(32 * getSubgroupSize());
  EXPECT_EXIT(beginInvalid("HEADOPT_VULKAN_DEVICE", bits.c_str()),
              testing::ExitedWithCode(0), "^$");
  EXPECT_EXIT(beginInvalid("VK_ICD_FILENAMES", "/nonexistent"),
              testing::ExitedWithCode(2), "^no Vulkan d");
}

/// What a process of its own says in which a function always fails.
void callWithFailure(const std::string &function, int result) {
  VulkanProgram program(kTwoKernels);
  std::vector<float> weights(64, 2.0f), x(64, 1.0f), y(64, -1.0f);
  program.addConstant(weights);
  failVulkan(function, result);
  int32_t code = runTwoKernels(program, x, y);
  // Once more, with what the first call left.
  int32_t again = runTwoKernels(program, x, y);
  std::fprintf(stderr, "%s|%s", headopt_gpu_error(),
               code == again && y == std::vector<float>(64, -1.0f) ? "as before"
                                                                   : "other");
  std::exit(code);
}

/// What a process of its own says of blocks of 64 threads, on a device that
/// takes `most` sub-groups when it is asked for a size.
void callWithSubgroups(unsigned size, unsigned most) {
  describeSubgroups(128, most);
  VulkanProgram program(makeRows(2), size);
  std::vector<float> x(2, 1.0f), y(1);
  int32_t code = program.run(x, y, 1, {1, 2});
  std::fprintf(stderr, "%s|%s", headopt_gpu_error(),
               hasAskedForSize() ? "asked" : "not asked");
  std::exit(code != 0 ? code : y[0] == 2 ? 0 : 9);
}

/// Where a block would have too many sub-groups for that, none is asked for the
/// size that it has by itself.
TEST_F(VulkanTest, ManySubgroups) {
  unsigned own = getSubgroupSize(), blocks = 64 / own;
  EXPECT_EXIT(callWithSubgroups(own, blocks), testing::ExitedWithCode(0),
              "^[|]asked");
  EXPECT_EXIT(callWithSubgroups(own, blocks - 1), testing::ExitedWithCode(0),
              "^[|]not asked");
  EXPECT_EXIT(callWithSubgroups(2 * own, blocks / 2 - 1),
              testing::ExitedWithCode(2),
              "kernel rows has blocks of " + std::to_string(blocks / 2) +
                  " sub-groups of " + std::to_string(2 * own) +
                  " lanes, and .* takes " + std::to_string(blocks / 2 - 1) +
                  "; compile it with --target=vulkan:" + std::to_string(own));
}

TEST_F(VulkanTest, EveryFunctionFails) {
  std::vector<std::string> functions = getFallibleFunctions();
  EXPECT_GT(functions.size(), 20u);
  constexpr int kOutOfDeviceMemory = -2, kDeviceLost = -4;
  for (const std::string &function : functions) {
    SCOPED_TRACE(function);
    EXPECT_EXIT(callWithFailure(function, kOutOfDeviceMemory),
                testing::ExitedWithCode(4),
                "^" + function +
                    ": VK_ERROR_OUT_OF_DEVICE_MEMORY .-2.[|]as before");
  }
  EXPECT_EXIT(callWithFailure("vkQueueSubmit", kDeviceLost),
              testing::ExitedWithCode(3),
              "^vkQueueSubmit: VK_ERROR_DEVICE_LOST .-4.[|]as before");
}

} // namespace
