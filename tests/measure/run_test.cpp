// How candidates are run: on which copy of their parameters, in which threads, with which scratch. The kernels here are
// functions of the test.
#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "measure/parameter_copies.h"
#include "measure/timed_run.h"

namespace hone::measure {
namespace {

TEST(ParameterCopies, ExceedTheCacheTogether) {
  EXPECT_EQ(copyBytes(0), 0);
  EXPECT_EQ(copyBytes(1), 4096);
  EXPECT_EQ(copyBytes(4097), 8192);
  EXPECT_EQ(copiesFor(0, 100), 1);
  EXPECT_EQ(copiesFor(200, 100), 1);
  EXPECT_EQ(copiesFor(100, 100), 1);
  EXPECT_EQ(copiesFor(99, 100), 2);
  EXPECT_EQ(copiesFor(1, 100), 100);
}

TEST(ParameterCopies, TakeTurnsEachInMemoryOfItsOwn) {
  const std::vector<std::vector<char>> parameters = {std::vector<char>(5000, 'a'), {}, std::vector<char>(70, 'b')};
  auto copies = ParameterCopies::make(parameters, 3);
  ASSERT_TRUE(copies.ok()) << copies.status();
  std::set<const char *> first, second;
  for (int turn = 0; turn < 3; ++turn) {
    first.insert(copies->parameter(0));
    second.insert(copies->parameter(2));
    EXPECT_EQ(std::vector<char>(copies->parameter(0), copies->parameter(0) + 5000), parameters[0]);
    EXPECT_EQ(std::vector<char>(copies->parameter(2), copies->parameter(2) + 70), parameters[2]);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(copies->parameter(2)) % HONE_ALIGNMENT, 0U);
    copies->advance();
  }
  EXPECT_EQ(first.size(), 3U);
  EXPECT_EQ(second.size(), 3U);
  EXPECT_TRUE(first.contains(copies->parameter(0)));
  for (auto low = first.begin(), high = std::next(low); high != first.end(); ++low, ++high)
    EXPECT_GE(*high - *low, 5070);
}

TEST(ParameterCopies, OfNothingNeedNoMemory) {
  auto copies = ParameterCopies::make({}, 4);
  ASSERT_TRUE(copies.ok()) << copies.status();
  copies->advance();
}

// What a kernel of the test was called with.
struct Seen {
  std::mutex mutex;
  std::vector<const void *> parameters, shared;
  std::map<const void *, int> scratches;  // and the CPU that used each
  int64_t pieces = 0;
};
Seen *seen = nullptr;

void note(void *const *buffers, int64_t begin, int64_t end, void *scratch) {
  const std::lock_guard lock(seen->mutex);
  seen->parameters.push_back(buffers[1]);
  seen->shared.push_back(buffers[2]);
  seen->scratches[scratch] = sched_getcpu();
  seen->pieces += end - begin;
}

// A kernel of an input and a parameter, with shared scratch.
class Runs : public ::testing::Test {
 protected:
  Runs() { seen = &seen_; }
  ~Runs() override { seen = nullptr; }

  // In a thread of its own, which will be pinned.
  void run(int threads, int64_t copies, int times) {
    std::thread([&] { runHere(threads, copies, times); }).join();
  }

  void runHere(int threads, int64_t copies, int times) {
    auto runner = Runner::make(table_, threads);
    ASSERT_TRUE(runner.ok()) << runner.status();
    auto parameters = ParameterCopies::make({std::vector<char>(100, 'p')}, copies);
    ASSERT_TRUE(parameters.ok()) << parameters.status();
    Call call{&kernel_, {nullptr, nullptr, nullptr}, {1}, *std::move(parameters)};
    for (int i = 0; i < times; ++i) runner->run(call);
  }

  Seen seen_;
  const hone_phase phase_{note, 8, 128};
  const hone_kernel kernel_{"k", &phase_, 1, 2, 64};
  const hone_module table_{HONE_ABI_VERSION, 1, &kernel_};
};

TEST_F(Runs, UseOneCopyAfterTheOther) {
  run(1, 3, 7);
  ASSERT_EQ(seen_.parameters.size(), 7U);
  EXPECT_EQ(std::set<const void *>(seen_.parameters.begin(), seen_.parameters.end()).size(), 3U);
  for (size_t i = 3; i < 7; ++i) EXPECT_EQ(seen_.parameters[i], seen_.parameters[i - 3]);
}

TEST_F(Runs, StayOnOneCopyWhereThereIsOne) {
  run(1, 1, 4);
  EXPECT_EQ(std::set<const void *>(seen_.parameters.begin(), seen_.parameters.end()).size(), 1U);
}

TEST_F(Runs, HaveTheirScratches) {
  run(1, 1, 1);
  EXPECT_NE(seen_.shared.front(), nullptr);
  EXPECT_FALSE(seen_.scratches.contains(nullptr));
}

// One thread on all of the range would be as right: who does how much is the pool's to decide.
TEST_F(Runs, ShareTheRangeAmongThreadsWithScratchesOfTheirOwn) {
  run(3, 1, 200);
  EXPECT_EQ(seen_.pieces, 200 * 8);
  EXPECT_LE(seen_.scratches.size(), 3U);
  const std::vector<const void *> places = [&] {
    std::vector<const void *> result;
    for (const auto &[scratch, cpu] : seen_.scratches) result.push_back(scratch);
    return result;
  }();
  for (size_t i = 1; i < places.size(); ++i)
    EXPECT_GE(static_cast<const char *>(places[i]) - static_cast<const char *>(places[i - 1]), 4096);
}

}  // namespace
}  // namespace hone::measure
