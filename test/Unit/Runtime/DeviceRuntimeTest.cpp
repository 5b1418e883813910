//===- DeviceRuntimeTest.cpp - Tests of the runtimes for CUDA and HIP -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls the runtime as the generated code of a head does, with a driver that
// keeps account. Compiled for each of the two runtimes.
//
//===----------------------------------------------------------------------===//

#include "../../../runtime/headopt_gpu.h"
#include "StandIn.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>

namespace {

#ifdef HEADOPT_TEST_HIP
constexpr bool kIsHip = true;
#else
constexpr bool kIsHip = false;
#endif

constexpr int kOutOfMemory = 2;
constexpr int kOther = 700;

const float kWeights[3] = {1, 2, 3};
const char kBias[5] = "bias";

/// A head with two kernels and three constants, as generated code has it.
struct Head {
  headopt_gpu_kernel kernels[2] = {{"pool", "ppi", 256, 0},
                                   {"dense", "pwfip", 64, 0}};
  struct headopt_gpu_constant constants[3] = {
      {kWeights, sizeof(kWeights)}, {nullptr, 0}, {kBias, sizeof(kBias)}};
  // Not a zero behind it.
  std::string binary = "// kernels";
  void *state = nullptr;
  headopt_gpu_program program;
  uint64_t scratch = 1000;

  Head() {
    program = {1,       32, 2,       3,         "head", "sm_80",
               nullptr, 0,  kernels, constants, &state};
    program.binary = binary.data();
    program.binary_bytes = binary.size() + kIsHip;
  }

  int32_t run(uint64_t input, int64_t batch, uint64_t output, void *stream) {
    headopt_gpu_call call;
    // It need not be set.
    std::memset(&call, 0xaa, sizeof(call));
    headopt_gpu_begin(&call, &program, stream, scratch);
    uint64_t buffer = headopt_gpu_scratch(&call);
    uint64_t pool[] = {input, buffer, static_cast<uint64_t>(batch)};
    headopt_gpu_launch(&call, 0, batch, pool);
    uint64_t dense[] = {buffer, 0x1234567800000007, 0xffffffff3f800000,
                        headopt_gpu_constant(&call, 2), output};
    headopt_gpu_launch(&call, 1, 3, dense);
    return headopt_gpu_end(&call);
  }

  int32_t runOnHost(const std::string &input, std::string &output) {
    headopt_gpu_call call;
    std::memset(&call, 0xaa, sizeof(call));
    headopt_gpu_stage(&call, &program, input.data(), input.size(),
                      output.size());
    uint64_t in = headopt_gpu_staged_input(&call);
    uint64_t out = headopt_gpu_staged_output(&call);
    EXPECT_EQ(in == 0, out == 0);
    int32_t code = 0;
    if (in) {
      // A kernel that copies.
      std::memcpy(reinterpret_cast<void *>(out), reinterpret_cast<void *>(in),
                  std::min(input.size(), output.size()));
      code = run(in, 1, out, headopt_gpu_staged_stream(&call));
    }
    return headopt_gpu_unstage(&call, output.data(), output.size(), code);
  }
};

/// For what can only be seen in the first calls of a process.
void expectInNewProcess(const std::function<void()> &body) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto run = [&] {
    body();
    std::exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

class DeviceRuntimeTest : public testing::Test {
protected:
  void SetUp() override {
    standIn.reset();
    standIn.kernels = {{"pool", "ppi"}, {"dense", "pwfip"}};
    // Threads of CUDA have none at first.
    StandIn::setContext(0);
    makeHead();
  }

  void TearDown() override {
    EXPECT_EQ(standIn.misuses, Strings());
    standIn.reset();
  }

  using Strings = std::vector<std::string>;

  static Head &head() { return getHeads().back(); }

  static Head &makeHead() { return getHeads().emplace_back(); }

  static std::string error() { return headopt_gpu_error(); }

  static void failAt(const std::string &function, int at, int status) {
    std::lock_guard<std::mutex> lock(standIn.mutex);
    standIn.failFunction = function;
    standIn.failAt = at;
    standIn.failStatus = status;
    standIn.calledSince = 0;
  }

  /// Nothing is left of calls but the constants in `contexts` contexts.
  static void expectOnlyConstants(unsigned contexts) {
    EXPECT_EQ(standIn.modules.size(), contexts);
    EXPECT_EQ(standIn.memory.size(), contexts);
    EXPECT_EQ(standIn.streams.size(), 0u);
    for (const auto &[address, memory] : standIn.memory)
      EXPECT_FALSE(memory.pooled);
  }

private:
  /// The runtime keeps what it knows of a program for as long as the process,
  /// so programs never go: LeakSanitizer finds what else does not.
  static std::deque<Head> &getHeads() {
    static auto *heads = new std::deque<Head>;
    return *heads;
  }
};

TEST_F(DeviceRuntimeTest, LaunchesAsAsked) {
  void *stream = reinterpret_cast<void *>(2);
  EXPECT_EQ(head().run(0x111111111000, 5, 0x222222222000, stream), 0);
  ASSERT_EQ(standIn.launches.size(), 2u);
  const StandIn::Launch &pool = standIn.launches[0];
  EXPECT_EQ(pool.kernel, "pool");
  EXPECT_EQ(pool.grid, (std::vector<unsigned>{5, 1, 1}));
  EXPECT_EQ(pool.block, (std::vector<unsigned>{256, 1, 1}));
  EXPECT_EQ(pool.stream, stream);
  EXPECT_EQ(pool.args[0], 0x111111111000u);
  EXPECT_EQ(pool.args[2], 5u);
  EXPECT_NE(pool.args[1], 0u);
  EXPECT_EQ(pool.args[1] % 256, 0u);
  const StandIn::Launch &dense = standIn.launches[1];
  EXPECT_EQ(dense.kernel, "dense");
  EXPECT_EQ(dense.grid, (std::vector<unsigned>{3, 1, 1}));
  EXPECT_EQ(dense.block, (std::vector<unsigned>{64, 1, 1}));
  EXPECT_EQ(dense.args[0], pool.args[1]);
  // The low halves.
  EXPECT_EQ(dense.args[1], 7u);
  EXPECT_EQ(dense.args[2], 0x3f800000u);
  EXPECT_EQ(dense.args[4], 0x222222222000u);
  EXPECT_EQ(standIn.image, "// kernels");
}

TEST_F(DeviceRuntimeTest, CopiesConstants) {
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &head().program, nullptr, 0);
  uint64_t weights = headopt_gpu_constant(&call, 0);
  uint64_t bias = headopt_gpu_constant(&call, 2);
  EXPECT_NE(headopt_gpu_constant(&call, 1), 0u);
  EXPECT_EQ(headopt_gpu_constant(&call, 3), 0u);
  EXPECT_EQ(weights % 256, 0u);
  EXPECT_EQ(bias % 256, 0u);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void *>(weights), kWeights,
                        sizeof(kWeights)),
            0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void *>(bias), kBias, sizeof(kBias)),
            0);
  EXPECT_EQ(headopt_gpu_end(&call), 0);
}

TEST_F(DeviceRuntimeTest, LoadsOnceForEachContext) {
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  expectOnlyConstants(1);
  EXPECT_EQ(standIn.count("load"), 1u);
  EXPECT_EQ(standIn.count("copy_in"), 2u);
  StandIn::setContext(1);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  StandIn::setContext(0);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  expectOnlyConstants(2);
  EXPECT_EQ(standIn.count("load"), 2u);
  EXPECT_EQ(standIn.count("copy_in"), 4u);
  // Each context has its own constants.
  std::set<uint64_t> addresses;
  for (const StandIn::Launch &launch : standIn.launches)
    if (launch.kernel == "dense")
      addresses.insert(launch.args[3]);
  EXPECT_EQ(addresses.size(), 2u);
}

TEST_F(DeviceRuntimeTest, ConstantsAreThereBeforeOthersRun) {
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  auto at = [](const char *name) {
    return std::find(standIn.calls.begin(), standIn.calls.end(), name) -
           standIn.calls.begin();
  };
  EXPECT_LT(at("copy_in"), at("synchronize"));
  EXPECT_LT(at("synchronize"), at("launch"));
}

TEST_F(DeviceRuntimeTest, ProgramsAreApart) {
  Head &first = head();
  EXPECT_EQ(first.run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(makeHead().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("load"), 2u);
  expectOnlyConstants(2);
}

TEST_F(DeviceRuntimeTest, ScratchIsFreedInStreamOrder) {
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("allocate_async"), 1u);
  EXPECT_EQ(standIn.count("release_async"), 1u);
  // For the constants.
  EXPECT_EQ(standIn.count("synchronize"), 1u);
  EXPECT_TRUE(standIn.busy.count(nullptr));
}

TEST_F(DeviceRuntimeTest, NoScratchIsNoAllocation) {
  head().scratch = 0;
  head().program.num_constants = 0;
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &head().program, nullptr, 0);
  EXPECT_EQ(headopt_gpu_scratch(&call), 0u);
  EXPECT_EQ(headopt_gpu_end(&call), 0);
  EXPECT_EQ(standIn.count("allocate"), 0u);
  EXPECT_EQ(standIn.count("allocate_async"), 0u);
  EXPECT_EQ(standIn.count("copy_in"), 0u);
}

TEST_F(DeviceRuntimeTest, NoBlocksAreNoLaunch) {
  EXPECT_EQ(head().run(1, 0, 1, nullptr), 0);
  ASSERT_EQ(standIn.launches.size(), 1u);
  EXPECT_EQ(standIn.launches[0].kernel, "dense");
}

TEST_F(DeviceRuntimeTest, TooManyBlocksAreAnError) {
  EXPECT_EQ(head().run(1, int64_t(1) << 31, 1, nullptr), 1);
  EXPECT_EQ(standIn.launches.size(), 0u);
  EXPECT_EQ(error(), "head: kernel 'pool' would take 2147483648 blocks of 256 "
                     "threads, more than a launch may have; use a smaller "
                     "batch");
  // A launch in HIP has fewer than 2^32 threads.
  EXPECT_EQ(head().run(1, (int64_t(1) << 31) - 1, 1, nullptr), kIsHip ? 1 : 0);
  EXPECT_EQ(head().run(1, (int64_t(1) << 24), 1, nullptr), kIsHip ? 1 : 0);
  EXPECT_EQ(head().run(1, (int64_t(1) << 24) - 1, 1, nullptr), 0);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, WithoutPool) {
  standIn.pool = false;
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("release"), 1u);
  EXPECT_EQ(standIn.count("release_async"), 0u);
  // The constants, and the kernels before their scratch goes.
  EXPECT_EQ(standIn.count("synchronize"), 2u);
  EXPECT_TRUE(standIn.busy.empty());
  EXPECT_EQ(standIn.count("hipGetLastError"), kIsHip ? 1u : 0u);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, OldDriverWithoutPool) {
  expectInNewProcess([&] {
    standIn.missing = {"cuMemAllocAsync", "hipMallocAsync", "cuCtxGetId"};
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
    std::string output(3, ' ');
    EXPECT_EQ(head().runOnHost("abc", output), 0);
    EXPECT_EQ(output, "abc");
    EXPECT_EQ(standIn.count("release_async"), 0u);
    EXPECT_EQ(standIn.launches.size(), 4u);
    expectOnlyConstants(1);
    EXPECT_EQ(standIn.misuses, Strings());
  });
}

TEST_F(DeviceRuntimeTest, HostCallCopies) {
  std::string input(100000, 'x');
  std::string output(100000, ' ');
  EXPECT_EQ(head().runOnHost(input, output), 0);
  EXPECT_EQ(input, output);
  EXPECT_TRUE(standIn.busy.empty());
  EXPECT_EQ(standIn.count("create_stream"), 1u);
  ASSERT_EQ(standIn.launches.size(), 2u);
  EXPECT_NE(standIn.launches[0].stream, nullptr);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, HostCallOfNothing) {
  std::string output;
  EXPECT_EQ(head().runOnHost("", output), 0);
  // The constants'.
  EXPECT_EQ(standIn.count("copy_in"), 2u);
  EXPECT_EQ(standIn.count("copy_out"), 0u);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, HostCallKeepsTheHeadsError) {
  headopt_gpu_call call;
  headopt_gpu_stage(&call, &head().program, "abc", 3, 3);
  EXPECT_NE(headopt_gpu_staged_input(&call), 0u);
  failAt("synchronize", 1, kOther);
  std::string output = "old";
  EXPECT_EQ(headopt_gpu_unstage(&call, output.data(), 3, 1), 1);
  EXPECT_EQ(output, "old");
  expectOnlyConstants(0);
}

TEST_F(DeviceRuntimeTest, NoDriver) {
  expectInNewProcess([&] {
    EXPECT_EQ(error(), "");
    standIn.present = false;
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 2);
    EXPECT_EQ(error(), kIsHip ? "head: there is no driver for HIP: "
                                "libamdhip64.so.7 cannot be loaded"
                              : "head: there is no driver for CUDA: "
                                "libcuda.so.1 cannot be loaded");
    std::string output = "old";
    EXPECT_EQ(head().runOnHost("abc", output), 2);
    EXPECT_EQ(output, "old");
    EXPECT_TRUE(standIn.calls.empty());
    // It may come.
    standIn.present = true;
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
    expectOnlyConstants(1);
  });
}

TEST_F(DeviceRuntimeTest, DriverTooOld) {
  expectInNewProcess([&] {
    standIn.missing = {"cuLaunchKernel", "hipModuleLaunchKernel"};
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 2);
    EXPECT_EQ(error(), kIsHip ? "head: the driver for HIP has no function "
                                "'hipModuleLaunchKernel'; install a newer one"
                              : "head: the driver for CUDA has no function "
                                "'cuLaunchKernel'; install a newer one");
  });
}

TEST_F(DeviceRuntimeTest, DriverDoesNotStart) {
  expectInNewProcess([&] {
    failAt("init", 1, 100);
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 2);
    EXPECT_EQ(error(), kIsHip
                           ? "head: hipInit: other trouble (ERROR_OTHER, 100)"
                           : "head: cuInit: other trouble (ERROR_OTHER, 100)");
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
    EXPECT_EQ(standIn.count("init"), 2u);
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
    EXPECT_EQ(standIn.count("init"), 2u);
  });
}

TEST_F(DeviceRuntimeTest, NoDevice) {
  failAt(kIsHip ? "hipGetDevice" : "cuCtxGetCurrent", 1, 100);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 2);
  EXPECT_EQ(error(), std::string("head: ") +
                         (kIsHip ? "hipGetDevice" : "cuCtxGetCurrent") +
                         ": other trouble (ERROR_OTHER, 100)");
}

TEST_F(DeviceRuntimeTest, KernelsDoNotLoad) {
  standIn.log = "ptxas application ptx input, line 5; fatal\nbad\n";
  failAt("load", 1, 218);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 3);
  EXPECT_EQ(error(),
            kIsHip ? "head: hipModuleLoadData: other trouble (ERROR_OTHER, "
                     "218); the kernels are made for sm_80"
                   : "head: cuModuleLoadDataEx: other trouble (ERROR_OTHER, "
                     "218); the kernels are made for sm_80: ptxas application "
                     "ptx input, line 5; fatal bad");
  expectOnlyConstants(0);
  // Not taken for loaded.
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, LongMessagesAreCut) {
  standIn.log = std::string(5000, 'y');
  failAt("load", 1, 218);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 3);
  EXPECT_LT(error().size(), 2048u);
}

TEST_F(DeviceRuntimeTest, LaunchFails) {
  failAt("launch", 1, kOther);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 3);
  EXPECT_EQ(error(), std::string("head: ") +
                         (kIsHip ? "hipModuleLaunchKernel" : "cuLaunchKernel") +
                         ": other trouble (ERROR_OTHER, 700) in kernel 'pool'");
  // None after the first error.
  EXPECT_EQ(standIn.count("launch"), 1u);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, OtherVersion) {
  head().program.version = 2;
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 1);
  EXPECT_EQ(error(), std::string("head: the head and its runtime for ") +
                         (kIsHip ? "HIP" : "CUDA") +
                         " are of different versions of head-opt");
  EXPECT_TRUE(standIn.calls.empty());
}

TEST_F(DeviceRuntimeTest, OutOfMemoryAtEachAllocation) {
  // Device call: constants, scratch. Host call: also input and output.
  for (const char *function : {"allocate", "allocate_async"}) {
    unsigned failures = 0;
    for (int at = 1;; ++at) {
      SetUp();
      SCOPED_TRACE(function + std::to_string(at));
      failAt(function, at, kOutOfMemory);
      std::string output = "old";
      int32_t code = head().runOnHost("abc", output);
      if (standIn.calledSince < at) {
        EXPECT_EQ(code, 0);
        EXPECT_EQ(output, "abc");
        break;
      }
      ++failures;
      EXPECT_EQ(code, 4);
      EXPECT_EQ(output, "old");
      EXPECT_NE(error().find(" bytes"), std::string::npos) << error();
      EXPECT_NE(error().find("out of memory"), std::string::npos) << error();
      expectOnlyConstants(standIn.modules.size());
      failAt("", 0, 0);
      EXPECT_EQ(head().runOnHost("abc", output), 0);
      expectOnlyConstants(1);
      EXPECT_EQ(standIn.misuses, Strings());
    }
    EXPECT_EQ(failures, function == std::string("allocate") ? 1u : 3u);
  }
}

/// Whatever the driver fails at, the call says so, leaves nothing, and does not
/// hinder the next one.
TEST_F(DeviceRuntimeTest, AnyFailureLeavesNothing) {
  for (bool pool : {true, false}) {
    for (bool current : {true, false}) {
      bool done = false;
      for (int at = 1; !done; ++at) {
        SetUp();
        SCOPED_TRACE("call " + std::to_string(at));
        StandIn::setContext(current || kIsHip ? 0 : -1);
        standIn.pool = pool;
        failAt("", at, kOther);
        std::string output = "old";
        int32_t code = head().runOnHost("abc", output);
        std::string failed =
            standIn.calls.size() >= size_t(at) ? standIn.calls[at - 1] : "";
        SCOPED_TRACE(failed);
        done = failed.empty();
        // What is only a matter of tidiness does not count.
        if (done || failed == "hipGetLastError") {
          EXPECT_EQ(code, 0) << error();
        } else {
          EXPECT_EQ(code, 3) << error();
          EXPECT_EQ(error().substr(0, 6), "head: ");
        }
        if (failed != "cuCtxPopCurrent_v2") {
          EXPECT_EQ(StandIn::getContext(), current || kIsHip ? 0 : -1);
        }
        expectOnlyConstants(standIn.modules.size());
        EXPECT_LE(standIn.modules.size(), 1u);
        EXPECT_EQ(standIn.misuses, Strings());
        failAt("", 0, 0);
        EXPECT_EQ(head().runOnHost("abc", output), 0) << error();
        EXPECT_EQ(output, "abc");
        expectOnlyConstants(1);
      }
    }
  }
}

TEST_F(DeviceRuntimeTest, CallsAfterAnError) {
  failAt("load", 1, kOther);
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &head().program, nullptr, 100);
  EXPECT_EQ(headopt_gpu_scratch(&call), 0u);
  EXPECT_EQ(headopt_gpu_constant(&call, 0), 0u);
  EXPECT_EQ(headopt_gpu_constant(&call, 99), 0u);
  headopt_gpu_launch(&call, 0, 1, nullptr);
  headopt_gpu_launch(&call, 99, 1, nullptr);
  EXPECT_EQ(headopt_gpu_end(&call), 3);
  EXPECT_EQ(headopt_gpu_end(&call), 3);

  failAt("create_stream", 1, kOther);
  headopt_gpu_stage(&call, &head().program, "abc", 3, 3);
  EXPECT_EQ(headopt_gpu_staged_input(&call), 0u);
  EXPECT_EQ(headopt_gpu_staged_output(&call), 0u);
  EXPECT_EQ(headopt_gpu_staged_stream(&call), nullptr);
  EXPECT_EQ(headopt_gpu_unstage(&call, nullptr, 3, 0), 3);
  EXPECT_EQ(standIn.count("copy_out"), 0u);
  failAt("create_stream", 1, kOther);
  headopt_gpu_stage(&call, &head().program, "abc", 3, 3);
  EXPECT_EQ(headopt_gpu_unstage(&call, nullptr, 3, 1), 3);
  expectOnlyConstants(0);
}

TEST_F(DeviceRuntimeTest, NoSuchKernel) {
  headopt_gpu_call call;
  headopt_gpu_begin(&call, &head().program, nullptr, 100);
  headopt_gpu_launch(&call, 2, 1, nullptr);
  EXPECT_EQ(headopt_gpu_end(&call), 1);
  expectOnlyConstants(1);
}

TEST_F(DeviceRuntimeTest, ErrorsBelongToThreads) {
  failAt("launch", 1, kOther);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 3);
  std::string other = "unset";
  std::thread([&] { other = error(); }).join();
  EXPECT_EQ(other, "");
  EXPECT_NE(error(), "");
}

TEST_F(DeviceRuntimeTest, ManyThreads) {
  standIn.slow = true;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      StandIn::setContext(i % 2);
      for (int k = 0; k < 20; ++k) {
        std::string input(10, char('a' + i));
        std::string output(10, ' ');
        wrong += head().runOnHost(input, output) != 0 || output != input;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(standIn.count("load"), 2u);
  expectOnlyConstants(2);
}

TEST_F(DeviceRuntimeTest, FirstCallsOfAProcessInManyThreads) {
  expectInNewProcess([&] {
    standIn.slow = true;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] { wrong += head().run(1, 1, 1, nullptr) != 0; });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(standIn.count("init"), 1u);
    EXPECT_EQ(standIn.count("load"), 1u);
    EXPECT_EQ(standIn.count("cuDevicePrimaryCtxRetain"), kIsHip ? 0u : 1u);
    EXPECT_EQ(standIn.misuses, Strings());
  });
}

#ifndef HEADOPT_TEST_HIP

TEST_F(DeviceRuntimeTest, WithoutAContextTakesThePrimaryOne) {
  expectInNewProcess([&] {
    StandIn::setContext(-1);
    failAt("cuDeviceGet", 1, 101);
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 2);
    EXPECT_EQ(error(), "head: cuDeviceGet: other trouble (ERROR_OTHER, 101)");
    failAt("cuDevicePrimaryCtxRetain", 1, kOutOfMemory);
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 4);
    EXPECT_EQ(StandIn::getContext(), -1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
      EXPECT_EQ(StandIn::getContext(), -1);
    }
    std::string output = "old";
    EXPECT_EQ(head().runOnHost("abc", output), 0);
    EXPECT_EQ(StandIn::getContext(), -1);
    EXPECT_EQ(standIn.count("cuDevicePrimaryCtxRetain"), 2u);
    // Such streams belong to any context.
    EXPECT_EQ(head().run(1, 1, 1, reinterpret_cast<void *>(1)), 0);
    EXPECT_EQ(head().run(1, 1, 1, reinterpret_cast<void *>(2)), 0);
    EXPECT_EQ(standIn.count("cuStreamGetCtx"), 0u);
    // It is the one that was retained.
    StandIn::setContext(7);
    EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
    EXPECT_EQ(standIn.count("load"), 1u);
    expectOnlyConstants(1);
    EXPECT_EQ(standIn.misuses, Strings());
  });
}

TEST_F(DeviceRuntimeTest, WithoutAContextTakesTheStreams) {
  int stream;
  standIn.streamContexts[&stream] = 3;
  StandIn::setContext(-1);
  EXPECT_EQ(head().run(1, 1, 1, &stream), 0);
  EXPECT_EQ(StandIn::getContext(), -1);
  StandIn::setContext(3);
  EXPECT_EQ(head().run(1, 1, 1, &stream), 0);
  EXPECT_EQ(StandIn::getContext(), 3);
  EXPECT_EQ(standIn.count("load"), 1u);
  EXPECT_EQ(standIn.launches[0].stream, &stream);
}

TEST_F(DeviceRuntimeTest, AHandleUsedAgainIsAnotherContext) {
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  StandIn::setContext(1);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  StandIn::setContext(0);
  standIn.recreateContext(0);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("load"), 3u);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("load"), 3u);
  StandIn::setContext(1);
  EXPECT_EQ(head().run(1, 1, 1, nullptr), 0);
  EXPECT_EQ(standIn.count("load"), 3u);
}

#endif // HEADOPT_TEST_HIP

} // namespace
