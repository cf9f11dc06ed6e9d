// Races: the statistics against closed forms, turns, what is compared and what is refused, reports.
#include "runtime/tools/race.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <sstream>

#include "runtime/tools/race_statistics.h"
#include "tests/runtime/sample_artifact.h"

namespace hone::runtime {
namespace {

// ---------------------------------------------------------------------------------------------------------- statistics

std::vector<double> upTo(int count) {
  std::vector<double> samples;
  for (int i = count; i >= 1; --i) samples.push_back(i);
  return samples;
}

// By hand: twice the sum of the first k binomials of n, in units of 2^-n, is at most 5 %.
TEST(MedianInterval, IsThatOfTheSignTest) {
  EXPECT_FALSE(medianInterval({}, 0.95).has_value());
  EXPECT_FALSE(medianInterval({1}, 0.95).has_value());
  EXPECT_FALSE(medianInterval(upTo(5), 0.95).has_value()) << "2 / 32 is more than 5 %";
  struct Case {
    int count;
    double low, high, confidence;
  };
  for (const Case &known : {Case{6, 1, 6, 1 - 2.0 / 64}, Case{8, 1, 8, 1 - 2.0 / 256},
                            Case{9, 2, 8, 1 - 2.0 * (1 + 9) / 512}, Case{12, 3, 10, 1 - 2.0 * (1 + 12 + 66) / 4096},
                            Case{20, 6, 15, 1 - 2.0 * (1 + 20 + 190 + 1140 + 4845 + 15504) / 1048576}}) {
    const auto interval = medianInterval(upTo(known.count), 0.95);
    ASSERT_TRUE(interval.has_value()) << known.count;
    EXPECT_EQ(interval->low, known.low) << known.count;
    EXPECT_EQ(interval->high, known.high) << known.count;
    EXPECT_NEAR(interval->confidence, known.confidence, 1e-12) << known.count;
  }
  // With 2^-10000 no double begins; the normal distribution says 5000 - 1.96 * 50.
  const auto many = medianInterval(upTo(10000), 0.95);
  ASSERT_TRUE(many.has_value());
  EXPECT_NEAR(many->low, 5000 - 1.96 * 50, 1.5);
  EXPECT_EQ(many->low + many->high, 10001);
  EXPECT_NEAR(many->confidence, 0.95, 0.002);
  EXPECT_GE(many->confidence, 0.95);
}

TEST(MedianInterval, HoldsTheMedianAsOftenAsItSays) {
  std::mt19937_64 random(14);
  std::exponential_distribution<double> skewed(1);
  constexpr int kTrials = 4000;
  int hits = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> samples(20);
    for (double &sample : samples) sample = skewed(random);
    const auto interval = medianInterval(samples, 0.95);
    hits += interval->low <= std::log(2.0) && std::log(2.0) <= interval->high;
  }
  // Of 4000 trials at 0.9586 the standard deviation is 0.3 %.
  EXPECT_NEAR(static_cast<double>(hits) / kTrials, 0.9586, 0.013);
}

TEST(CompareTimes, TakesPairsSoThatWhatSlowsBothDoesNotCount) {
  // The machine becomes ten times slower, and comes back.
  std::vector<double> baseline = {1, 2, 4, 10, 8, 4, 2, 1}, times;
  for (const double time : baseline) times.push_back(1.5 * time);
  TimeRatio ratio = compareTimes(times, baseline, 0.95);
  EXPECT_DOUBLE_EQ(ratio.ratio, 1.5);
  ASSERT_TRUE(ratio.interval.has_value());
  EXPECT_DOUBLE_EQ(ratio.interval->low, 1.5);
  EXPECT_DOUBLE_EQ(ratio.interval->high, 1.5);
  // The medians are equal here; in most rounds the other one was twice as fast.
  EXPECT_DOUBLE_EQ(compareTimes({2, 1, 6}, {1, 2, 3}, 0.95).ratio, 2);
  // Of an even number it is the mean of the two in the middle, and one outlier moves nothing.
  EXPECT_DOUBLE_EQ(compareTimes({1, 2, 3, 1000}, {1, 1, 1, 1}, 0.95).ratio, 2.5);
}

// --------------------------------------------------------------------------------------------------------------- turns

std::string parametersOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> sampleBias() {
  std::vector<float> values;
  for (int i = 0; i < test::kWidth; ++i) values.push_back(static_cast<float>(i));
  return values;
}

class Races : public testing::Test {
 protected:
  std::string artifact(const std::string &tar) {
    const std::string path = folder_ + "/" + std::to_string(count_++) + ".tar";
    test::writeFile(path, tar);
    return path;
  }
  /// The sample with another word in its description.
  std::string edited(const std::string &from, const std::string &to) {
    return artifact(test::sampleTar(
        test::edited(test::sampleJson(test::moduleBytes("sample"), test::sampleParameters()), from, to)));
  }
  std::string withBias(const std::vector<float> &bias) {
    const std::string module = test::moduleBytes("sample"), parameters = parametersOf(bias);
    return artifact(test::tarOf({{"mod.so", module},
                                 {"mod.json", test::seal(test::sampleJson(module, parameters))},
                                 {"mod.params", parameters}}));
  }
  Status run(const std::vector<std::string> &paths) {
    RaceOptions options;
    options.paths = paths;
    options.fillMode = FillMode::Zeros;
    options.rounds = kFewestRounds;
    options.number = 1;
    options.threads = 1;
    report_ = {};
    return race(options, report_, rest_, onStep_);
  }
  void expectRefused(const std::vector<std::string> &paths, const std::string &sentence) {
    const Status status = run(paths);
    EXPECT_EQ(status.code, HONE_REFUSED);
    EXPECT_NE(status.message.find(sentence), std::string::npos) << status.message;
  }

  const std::string folder_ = test::temporaryFolder();
  int count_ = 0;
  const std::string sample_ = artifact(test::sampleTar());
  RaceReport report_;
  Rest rest_;
  OnRaceStep onStep_;
};

TEST_F(Races, EveryArtifactIsTimedOnceInEachRoundAndTheFirstTurnGoesRound) {
  const std::vector<std::string> paths = {sample_, artifact(test::sampleTar()), sample_};
  std::string steps;
  onStep_ = [&](const char *what, size_t racer, int64_t round) {
    steps += std::string(1, *what) + std::to_string(racer) + std::to_string(round) + " ";
  };
  int rests = 0;
  rest_ = [&](const Sleep &) { return ++rests > 0; };
  const Status status = run(paths);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(steps,
            "l00 l10 l20 r00 r10 r20 "
            "r00 r10 r20 r11 r21 r01 r22 r02 r12 r03 r13 r23 r14 r24 r04 r25 r05 r15 ");
  EXPECT_EQ(rests, 1 + 3 * kFewestRounds) << "before the first run, and before each sample";
  ASSERT_EQ(report_.racers.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(report_.racers[i].name, paths[i]);
    EXPECT_EQ(report_.racers[i].number, 1);
    EXPECT_EQ(report_.racers[i].difference, 0);
    ASSERT_EQ(report_.racers[i].seconds.size(), static_cast<size_t>(kFewestRounds));
    for (const double seconds : report_.racers[i].seconds) EXPECT_GT(seconds, 0);
  }
}

TEST_F(Races, SamplesOfShortRunsHoldMany) {
  RaceOptions options;
  options.paths = {sample_, sample_};
  options.rounds = kFewestRounds;
  options.threads = 1;
  const Status status = race(options, report_, {}, {});
  ASSERT_TRUE(status.ok()) << status.message;
  // The sample takes some microseconds, so 20 ms hold hundreds even on a machine that is busy.
  for (const Racer &racer : report_.racers) EXPECT_GT(racer.number, 1);
}

TEST_F(Races, OutputsAreCompared) {
  // With inputs of zeros the outputs are the bias 0 … 15 in each row, and their sum, 120000.
  std::vector<float> bias = sampleBias();
  bias[15] = 18;
  ASSERT_TRUE(run({sample_, withBias(bias)}).ok());
  EXPECT_DOUBLE_EQ(report_.racers[0].difference, 0);
  EXPECT_DOUBLE_EQ(report_.racers[1].difference, 3.0 / 15) << "the sum differs by less, 3000 / 120000";
  bias[15] = std::numeric_limits<float>::quiet_NaN();
  const std::string broken = withBias(bias);
  ASSERT_TRUE(run({sample_, broken}).ok());
  EXPECT_TRUE(std::isinf(report_.racers[1].difference));
  ASSERT_TRUE(run({broken, broken}).ok());
  EXPECT_EQ(report_.racers[1].difference, 0) << "both say that it is none";
  ASSERT_TRUE(run({withBias(std::vector<float>(16, 0)), sample_}).ok());
  EXPECT_TRUE(std::isinf(report_.racers[1].difference)) << "relative to nothing";
}

TEST_F(Races, ArtifactsOfOtherModelsAreRefused) {
  const std::string renamed = edited("\"name\": \"data\"", "\"name\": \"dada\"");
  expectRefused({sample_, renamed}, "input 0 of '" + renamed + "' is 'dada', float32[1000,16], but that of '" +
                                        sample_ + "' is 'data', float32[1000,16]");
  expectRefused({sample_, sample_, edited("\"shape\": [1000, 16]", "\"shape\": [16, 1000]")},
                "is 'data', float32[16,1000], but");
  const std::string turned = edited("{\"name\": \"scaled\", \"dtype\": \"float32\", \"shape\": [1000, 16]",
                                    "{\"name\": \"scaled\", \"dtype\": \"float32\", \"shape\": [16, 1000]");
  expectRefused({sample_, turned}, "output 0 ('scaled') of '" + turned + "' is float32[16,1000], but that of '" +
                                       sample_ + "' is float32[1000,16]");
}

TEST_F(Races, TheArtifactThatFailsIsNamed) {
  const std::string garbage = artifact("this is no artifact"), absent = folder_ + "/absent.tar";
  expectRefused({sample_, garbage}, "'" + garbage + "': ");
  const Status status = run({sample_, absent});
  EXPECT_EQ(status.code, HONE_UNAVAILABLE);
  EXPECT_EQ(status.message.find(absent), status.message.rfind(absent)) << "once: " << status.message;
  EXPECT_NE(status.message.find(absent), std::string::npos) << status.message;
}

TEST_F(Races, AnInterruptionEndsIt) {
  int rests = 0;
  rest_ = [&](const Sleep &) {
    if (++rests == 4) raise(SIGINT);
    return false;
  };
  EXPECT_EQ(static_cast<int>(run({sample_, sample_}).code), 130);
  EXPECT_EQ(rests, 4);
}

// ------------------------------------------------------------------------------------------------------------- reports

RaceReport report() {
  RaceReport report;
  report.threads = 2;
  report.racers = {{"a.tar", 5, {0.002, 0.002, 0.002, 0.002, 0.002, 0.004}, 0},
                   {"much-longer.tar", 10, {0.001, 0.001, 0.001, 0.003, 0.001, 0.002}, 1.25e-7},
                   {"c\n\"c\".tar", 1, {0.002, 0.002, 0.002, 0.002, 0.002, 0.004}, INFINITY}};
  return report;
}

TEST(RaceReports, Text) {
  std::ostringstream out;
  printRaceText(report(), out);
  EXPECT_EQ(out.str(),
            "artifact         median (ms)  min (ms)    runs   ratio     95 % interval  difference\n"
            "a.tar                 2.0000    2.0000   6 x 5       1                 -           -\n"
            "much-longer.tar       1.0000    1.0000  6 x 10  0.5000  0.5000 to 1.5000     1.2e-07\n"
            "c?\"c\".tar             2.0000    2.0000   6 x 1  1.0000  1.0000 to 1.0000         inf\n"
            "threads: 2; ratio: of times to those of the first, round by round; an interval with 1 in it shows no "
            "difference\n");
}

TEST(RaceReports, Json) {
  std::ostringstream out;
  printRaceJson(report(), out);
  EXPECT_EQ(out.str(),
            "{\"threads\": 2,\n \"artifacts\": [\n"
            "  {\"artifact\": \"a.tar\", \"median_ms\": 2, \"min_ms\": 2, \"number\": 5, \"ratio\": 1, "
            "\"ratio_interval\": null, \"confidence\": null, \"difference\": 0,\n"
            "   \"samples_ms\": [2, 2, 2, 2, 2, 4]},\n"
            "  {\"artifact\": \"much-longer.tar\", \"median_ms\": 1, \"min_ms\": 1, \"number\": 10, \"ratio\": 0.5, "
            "\"ratio_interval\": [0.5, 1.5], \"confidence\": 0.96875, \"difference\": 1.25e-07,\n"
            "   \"samples_ms\": [1, 1, 1, 3, 1, 2]},\n"
            "  {\"artifact\": \"c\\u000a\\\"c\\\".tar\", \"median_ms\": 2, \"min_ms\": 2, \"number\": 1, \"ratio\": 1, "
            "\"ratio_interval\": [1, 1], \"confidence\": 0.96875, \"difference\": null,\n"
            "   \"samples_ms\": [2, 2, 2, 2, 2, 4]}]}\n");
}

}  // namespace
}  // namespace hone::runtime
