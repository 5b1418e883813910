// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the benchmarks time with Google Benchmark: heads that head-opt compiled,
// called through their C interface, and plain reading of the same bytes, which
// says how fast the machine could have been. A library, so that entrants.py
// takes turns between this and the peers in one process, on one set of buffers.
//
// run.py builds it; it needs nothing of head-opt.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr size_t hugePage = size_t(2) << 20;
// Several times the last-level cache that one processor sees.
constexpr size_t flushBytes = size_t(128) << 20;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

using ReadFunction = uint64_t (*)(const char *, size_t);

/// Reads as a row of vectors is summed, with `Count` sums that do not wait for
/// one another. Exclusive or instead of an addition: every bit pattern costs
/// the same. The number of sums changes what the hardware prefetches, and no
/// number is best at every size, so there are several.
#define DEFINE_READ(NAME, TARGET, VECTOR, ZERO, LOAD, XOR)                     \
  template <int Count>                                                         \
  __attribute__((noinline, target(TARGET))) uint64_t NAME(const char *bytes,   \
                                                          size_t size) {       \
    VECTOR sums[Count];                                                        \
    for (VECTOR &sum : sums)                                                   \
      sum = ZERO();                                                            \
    constexpr size_t step = Count * sizeof(VECTOR);                            \
    size_t at = 0;                                                             \
    _Pragma("GCC unroll 1") for (; at + step <= size; at += step) {            \
      _Pragma("GCC unroll 16") for (int i = 0; i < Count; ++i) {               \
        const void *from = bytes + at + i * sizeof(VECTOR);                    \
        sums[i] = XOR(sums[i], LOAD(static_cast<const VECTOR *>(from)));       \
      }                                                                        \
    }                                                                          \
    for (int i = 1; i < Count; ++i)                                            \
      sums[0] = XOR(sums[0], sums[i]);                                         \
    uint64_t result;                                                           \
    std::memcpy(&result, &sums[0], sizeof(result));                            \
    for (; at < size; ++at)                                                    \
      result ^= static_cast<unsigned char>(bytes[at]);                         \
    return result;                                                             \
  }

#if defined(__x86_64__)
DEFINE_READ(readAVX512, "avx512f", __m512i, _mm512_setzero_si512,
            _mm512_loadu_si512, _mm512_xor_si512)
DEFINE_READ(readAVX2, "avx2", __m256i, _mm256_setzero_si256, _mm256_loadu_si256,
            _mm256_xor_si256)
DEFINE_READ(readSSE2, "sse2", __m128i, _mm_setzero_si128, _mm_loadu_si128,
            _mm_xor_si128)

/// The same from four places of the buffer at once, which keeps more of the
/// memory busy when it comes from there.
__attribute__((noinline, target("avx512f"))) uint64_t
readAVX512FourStreams(const char *bytes, size_t size) {
  const size_t quarter = size / 4 / 256 * 256;
  __m512i sums[4];
  for (__m512i &sum : sums)
    sum = _mm512_setzero_si512();
  for (size_t at = 0; at < quarter; at += 256)
    for (size_t stream = 0; stream < 4; ++stream)
      for (size_t i = 0; i < 4; ++i)
        sums[i] = _mm512_xor_si512(
            sums[i],
            _mm512_loadu_si512(bytes + stream * quarter + at + 64 * i));
  for (int i = 1; i < 4; ++i)
    sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  uint64_t result;
  std::memcpy(&result, &sums[0], sizeof(result));
  return result ^ readAVX512<4>(bytes + 4 * quarter, size - 4 * quarter);
}
#endif

uint64_t readWords(const char *bytes, size_t size) {
  uint64_t sums[8] = {};
  size_t at = 0;
  for (; at + sizeof(sums) <= size; at += sizeof(sums)) {
    uint64_t words[8];
    std::memcpy(words, bytes + at, sizeof(words));
    for (int i = 0; i < 8; ++i)
      sums[i] ^= words[i];
  }
  uint64_t result = 0;
  for (uint64_t sum : sums)
    result ^= sum;
  for (; at < size; ++at)
    result ^= static_cast<unsigned char>(bytes[at]);
  return result;
}

struct ReadVariant {
  const char *name;
  ReadFunction function;
};

/// Those that this processor runs, widest vectors first.
const std::vector<ReadVariant> &readVariants() {
  static const std::vector<ReadVariant> variants = [] {
    std::vector<ReadVariant> found;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
      found.push_back({"AVX-512 x 4", readAVX512<4>});
      found.push_back({"AVX-512 x 16", readAVX512<16>});
      found.push_back({"AVX-512, 4 streams", readAVX512FourStreams});
    }
    if (__builtin_cpu_supports("avx2"))
      found.push_back({"AVX2 x 8", readAVX2<8>});
    if (found.empty())
      found.push_back({"SSE2 x 8", readSSE2<8>});
#else
    found.push_back({"8 words", readWords});
#endif
    (void)readWords;
    return found;
  }();
  return variants;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

char *allocateHuge(size_t size) {
  size = (size + hugePage - 1) / hugePage * hugePage;
  void *memory = std::aligned_alloc(hugePage, size);
  if (!memory)
    return nullptr;
  madvise(memory, size, MADV_HUGEPAGE);
  return static_cast<char *>(memory);
}

/// Pushes what came before out of the caches, as far as reading can.
void flushCaches() {
  static char *const buffer = [] {
    char *memory = allocateHuge(flushBytes);
    if (memory)
      std::memset(memory, 1, flushBytes);
    return memory;
  }();
  if (buffer)
    benchmark::DoNotOptimize(
        readVariants().front().function(buffer, flushBytes));
}

//===----------------------------------------------------------------------===//
// Reading with several threads
//===----------------------------------------------------------------------===//

/// Threads that read their parts of a buffer together. They wait by looking, as
/// the workers of the runtimes do, though not for ever, in case the one that is
/// waited for needs this processor. They exist only while something is timed.
class Crew {
public:
  Crew(int threads, ReadFunction read) : read(read), threads(threads) {
    for (int part = 1; part < threads; ++part)
      workers.emplace_back([this, part] { work(part); });
  }
  ~Crew() {
    stop = true;
    round.fetch_add(1);
    for (std::thread &worker : workers)
      worker.join();
  }
  uint64_t operator()(const char *from, size_t bytes) {
    if (workers.empty())
      return read(from, bytes);
    start = from;
    size = bytes;
    left.store(threads - 1);
    round.fetch_add(1);
    uint64_t sum = readPart(0);
    waitUntil([&] { return left.load() == 0; });
    return sum;
  }

private:
  template <typename Condition> static void waitUntil(Condition condition) {
    for (int looks = 0; !condition(); ++looks) {
      if (looks > 2000)
        std::this_thread::yield();
#if defined(__x86_64__)
      else
        _mm_pause();
#endif
    }
  }
  uint64_t readPart(int part) const {
    size_t each = size / threads / 4096 * 4096;
    return read(start + part * each,
                part + 1 == threads ? size - part * each : each);
  }
  void work(int part) {
    for (int seen = 0;;) {
      waitUntil([&] { return round.load() != seen; });
      ++seen;
      if (stop)
        return;
      benchmark::DoNotOptimize(readPart(part));
      left.fetch_sub(1);
    }
  }
  ReadFunction read;
  int threads;
  const char *start = nullptr;
  size_t size = 0;
  std::atomic<int> round{0}, left{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
};

//===----------------------------------------------------------------------===//
// Timing
//===----------------------------------------------------------------------===//

/// Takes the time of each repetition and prints nothing.
class Collector : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context &) override { return true; }
  void ReportRuns(const std::vector<Run> &runs) override {
    for (const Run &run : runs)
      if (run.run_type == Run::RT_Iteration)
        seconds.push_back(run.real_accumulated_time /
                          static_cast<double>(run.iterations));
  }
  std::vector<double> seconds;
};

} // namespace

extern "C" {

/// What is to be timed; entrants.py has the same structure.
struct Job {
  /// The compiled head, or null for reading.
  int (*head)(const void *features, int64_t batch, void *output);
  /// For reading: which way, and with how many threads.
  int32_t readVariant;
  int32_t threads;
  /// The inputs, used in turn; `next` goes round.
  const void *const *features;
  int64_t featureCount;
  int64_t next;
  int64_t batch;
  void *output;
  /// For reading: the bytes of one input, and of weights that come with it.
  int64_t featureBytes;
  const char *weights;
  int64_t weightBytes;
  /// Non-zero: the caches are flushed before each call, outside the clock.
  int64_t flush;
};

/// Memory in large pages, where the system gives them; null when there is none.
void *harness_allocate(int64_t size) {
  return allocateHuge(static_cast<size_t>(size));
}

void harness_flush() { flushCaches(); }

/// The name of a way of reading, null behind the last one.
const char *harness_read_variant(int32_t index) {
  const auto &variants = readVariants();
  return index < static_cast<int32_t>(variants.size()) ? variants[index].name
                                                       : nullptr;
}

/// The function `symbol` of the shared library `path`, or null.
void *harness_load(const char *path, const char *symbol) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return library ? dlsym(library, symbol) : nullptr;
}

/// Times `batches` batches of `iterations` calls each and writes the seconds of
/// one call, a batch's mean. Returns the number written.
int32_t harness_time(Job *job, int64_t iterations, int32_t batches,
                     double *seconds) {
  static const bool initialized = [] {
    static char name[] = "harness";
    char *arguments[] = {name, nullptr};
    int count = 1;
    benchmark::Initialize(&count, arguments);
    return true;
  }();
  (void)initialized;

  Crew read(job->head ? 1 : job->threads,
            readVariants()[job->readVariant].function);
  auto call = [&] {
    const void *features = job->features[job->next];
    job->next = (job->next + 1) % job->featureCount;
    if (job->head) {
      benchmark::DoNotOptimize(job->head(features, job->batch, job->output));
      return;
    }
    uint64_t sum = read(static_cast<const char *>(features),
                        static_cast<size_t>(job->featureBytes));
    if (job->weightBytes)
      sum ^= read(job->weights, static_cast<size_t>(job->weightBytes));
    benchmark::DoNotOptimize(sum);
  };
  auto body = [&](benchmark::State &state) {
    if (!job->flush) {
      for (auto _ : state)
        call();
      return;
    }
    for (auto _ : state) {
      flushCaches();
      auto start = std::chrono::steady_clock::now();
      call();
      std::chrono::duration<double> taken =
          std::chrono::steady_clock::now() - start;
      state.SetIterationTime(taken.count());
    }
  };
  benchmark::ClearRegisteredBenchmarks();
  auto *registered = benchmark::RegisterBenchmark("job", body);
  registered->Iterations(iterations)->Repetitions(batches);
  if (job->flush)
    registered->UseManualTime();
  else
    registered->UseRealTime();
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  size_t count =
      std::min(collector.seconds.size(), static_cast<size_t>(batches));
  std::memcpy(seconds, collector.seconds.data(), count * sizeof(double));
  return static_cast<int32_t>(count);
}

} // extern "C"
