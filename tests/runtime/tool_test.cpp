// The command hone-run: options, inputs, outputs, reports, exit codes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "runtime/tools/npz.h"
#include "runtime/tools/peak.h"
#include "runtime/tools/report.h"
#include "runtime/tools/run_options.h"
#include "runtime/tools/run_tool.h"
#include "runtime/tools/tensor_data.h"
#include "tests/runtime/sample_artifact.h"

namespace hone::runtime {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome run(const std::vector<std::string> &arguments) {
  std::ostringstream out, err;
  const int code = runTool("hone-run", arguments, out, err);
  return {code, out.str(), err.str()};
}

class Tool : public testing::Test {
 protected:
  Tool() { test::writeFile(tar_, test::sampleTar()); }

  /// An npz with one array.
  std::string npz(const std::string &name, hone_dtype dtype, const std::vector<int64_t> &shape,
                  const std::string &bytes) {
    std::ostringstream file;
    ZipWriter writer(file);
    EXPECT_TRUE(writer.add(name + ".npy", npyHeader(dtype, shape), bytes).ok());
    EXPECT_TRUE(writer.finish().ok());
    const std::string path = folder_ + "/" + std::to_string(count_++) + ".npz";
    test::writeFile(path, file.str());
    return path;
  }

  const std::string folder_ = test::temporaryFolder(), tar_ = folder_ + "/model.tar";
  int count_ = 0;
};

TEST_F(Tool, RunsInputsToOutputs) {
  std::vector<float> input(test::kElements);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 11);
  const std::string in = npz("data", HONE_FLOAT32, {1000, 16}, {reinterpret_cast<char *>(input.data()), 64000});
  const std::string out = folder_ + "/out.npz";
  // As a TVMC user types it: --output for --outputs.
  const Outcome outcome = run({"--inputs", in, "--output", out, tar_});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  Result<NpzFile> file = NpzFile::open(out);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->names(), (std::vector<std::string>{"output_0", "output_1", "scaled", "nested_total"}));
  Result<Array> scaled = file->read("scaled", 1 << 20);
  ASSERT_TRUE(scaled.ok());
  EXPECT_EQ(scaled->shape, (std::vector<int64_t>{1000, 16}));
  for (size_t i = 0; i < input.size(); ++i) {
    float value = 0;
    std::memcpy(&value, scaled->bytes.data() + 4 * i, 4);
    ASSERT_EQ(value, 2 * input[i] + static_cast<float>(i % 16));
  }
  EXPECT_EQ(file->read("output_0", 1 << 20)->bytes, scaled->bytes);
  for (const auto &entry : std::filesystem::directory_iterator(folder_))
    EXPECT_EQ(entry.path().string().find(".hone-run"), std::string::npos);
}

TEST_F(Tool, PrintsTimesAsTvmDoes) {
  const Outcome outcome = run({"--print-time", "--repeat", "5", "--number=2", "--warmup", "0", "--threads", "2", tar_});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string title, heads, numbers;
  std::getline(lines, title);
  std::getline(lines, heads);
  std::getline(lines, numbers);
  EXPECT_EQ(title, "Execution time summary:");
  EXPECT_EQ(heads, "  mean (ms)   median (ms)    max (ms)     min (ms)     std (ms)  ");
  double mean = 0, median = 0, most = 0, least = 0, spread = -1;
  std::istringstream(numbers) >> mean >> median >> most >> least >> spread;
  EXPECT_LE(least, median);
  EXPECT_LE(median, most);
  EXPECT_GE(mean, least);
  EXPECT_GE(spread, 0);
}

TEST_F(Tool, PrintsTopOfEveryOutput) {
  const Outcome outcome = run({"--fill-mode", "zeros", "--print-top", "3", tar_});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "scaled:\n[[ 15 31 47 ]\n [ 15 15 15 ]]\nnested/total:\n[[      0 ]\n [ 120000 ]]\n");
}

TEST_F(Tool, PrintsProfileAndJson) {
  const Outcome text = run({"--profile", "--repeat", "3", tar_});
  ASSERT_EQ(text.code, 0) << text.err;
  for (const char *part : {"first", "second", "third", "total", "GFLOP/s", "measured peak: "})
    EXPECT_NE(text.out.find(part), std::string::npos) << part;
  const Outcome json =
      run({"--profile", "--print-time", "--print-top", "2", "--end-to-end", "--output-format", "json", tar_});
  ASSERT_EQ(json.code, 0) << json.err;
  for (const char *part : {"\"model\": \"sample\"", "\"time_ms\": {\"mean\": ", "\"samples\": [",
                           "\"kernel\": \"scale_add\"", "\"flops\": 32000", "\"indices\": ["})
    EXPECT_NE(json.out.find(part), std::string::npos) << part << json.out;
}

TEST_F(Tool, ShowsEstimatesBesideTimes) {
  // An artifact without estimates has no columns for them.
  const Outcome without = run({"--profile", tar_});
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_EQ(without.out.find("estimate"), std::string::npos) << without.out;
  EXPECT_EQ(run({"--profile", "--output-format", "json", tar_}).out.find("estimate"), std::string::npos);
  test::writeFile(
      tar_,
      test::sampleTar(test::edited(
          test::sampleJson(test::moduleBytes("sample"), test::sampleParameters()), "{\"name\": \"total\"}",
          "{\"name\": \"total\", \"estimate\": {\"cycles\": 9000000, \"limit\": \"L2\\u001b\", \"threads\": 4}}")));
  const Outcome text = run({"--profile", "--threads", "1", tar_});
  ASSERT_EQ(text.code, 0) << text.err;
  std::istringstream lines(text.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << "what an artifact says is not for the terminal";
    const std::string call = line.substr(0, line.find(' '));
    EXPECT_EQ(line.find("  L2") != std::string::npos, call == "second") << line;
    EXPECT_EQ(line.ends_with("estimate (ms)  limit"), call == "call") << line;
  }
  EXPECT_NE(text.out.find("estimates: of the compiler, for threads: 4, at the measured "), std::string::npos)
      << text.out;
  const std::string json = run({"--profile", "--output-format", "json", tar_}).out;
  EXPECT_NE(json.find("\"estimates\": {\"threads\": 4, \"clock_ghz\": "), std::string::npos) << json;
  // Nine million cycles: a millisecond on no machine, a minute on none either.
  const std::string key = "\"limit\": \"L2\\u001b\", \"estimate_ms\": ";
  const size_t at = json.find(key);
  ASSERT_NE(at, std::string::npos) << json;
  const double milliseconds = std::stod(json.substr(at + key.size()));
  EXPECT_GT(milliseconds, 1);
  EXPECT_LT(milliseconds, 60000);
}

TEST_F(Tool, LeavesSumsOfSomeEstimatesOut) {
  RunReport report;
  report.estimateThreads = 2;
  report.profile = {{"a", "a", 2, 0, "loads", 1}, {"b", "b", 1, 0, "memory", 0.5}, {"left_out", "c", 0, 0, "L3", 0}};
  const auto total = [&] {
    std::ostringstream out;
    printText(report, out);
    const std::string text = out.str(), line = text.substr(text.find("total"));
    return line.substr(0, line.find('\n'));
  };
  EXPECT_TRUE(total().ends_with(" 1.5000")) << total();
  report.profile[1].estimate = 0;  // a loop's
  EXPECT_TRUE(total().ends_with(" 0.0")) << total();
}

TEST_F(Tool, ExplainsWrongInputs) {
  const std::string bytes(64000, '\0');
  const auto complaint = [&](const std::string &npz) {
    const Outcome outcome = run({"-i", npz, tar_});
    EXPECT_EQ(outcome.code, 3);
    EXPECT_EQ(outcome.err.rfind("error: '" + npz + "': ", 0), 0u) << outcome.err;
    return outcome.err.substr(("error: '" + npz + "': ").size());
  };
  EXPECT_EQ(complaint(npz("dada", HONE_FLOAT32, {1000, 16}, bytes)), "the model has no input 'dada'; it has 'data'\n");
  EXPECT_EQ(complaint(npz("data", HONE_FLOAT32, {16, 1000}, bytes)),
            "input 'data' is float32[16,1000], but the model takes float32[1000,16]\n");
  EXPECT_EQ(complaint(npz("data", HONE_INT32, {1000, 16}, bytes)),
            "input 'data' is int32[1000,16], but the model takes float32[1000,16]\n");
  EXPECT_EQ(complaint(npz("data", HONE_FLOAT64, {1000, 16}, bytes + bytes)),
            "input 'data' is float64[1000,16], but the model takes float32[1000,16]\n");
  const std::string junk = folder_ + "/junk.npz";
  test::writeFile(junk, "PK junk");
  complaint(junk);
  EXPECT_EQ(run({"-i", folder_ + "/none.npz", tar_}).code, 5);
}

TEST_F(Tool, ExplainsWrongUse) {
  const auto complaint = [&](std::vector<std::string> arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_EQ(complaint({}), "error: no artifact is given; see --help\n");
  EXPECT_EQ(complaint({"--bogus", tar_}), "error: unknown option '--bogus'; see --help\n");
  EXPECT_EQ(complaint({"-x", tar_}), "error: unknown option '-x'; see --help\n");
  EXPECT_EQ(complaint({"--print", tar_}), "error: option '--print' is ambiguous: --print-time, --print-top\n");
  EXPECT_EQ(complaint({tar_, "other.tar"}),
            "error: one artifact is expected, but there are '" + tar_ + "' and 'other.tar'\n");
  EXPECT_EQ(complaint({tar_, "--repeat"}), "error: --repeat needs a value: N\n");
  EXPECT_EQ(complaint({tar_, "--repeat", "0"}), "error: --repeat takes a whole number from 1 to 1000000000, not '0'\n");
  EXPECT_EQ(complaint({tar_, "--repeat", "3x"}),
            "error: --repeat takes a whole number from 1 to 1000000000, not '3x'\n");
  EXPECT_EQ(complaint({tar_, "--print-time=1"}), "error: --print-time takes no value, but has '1'\n");
  EXPECT_EQ(complaint({tar_, "--fill-mode", "nine"}), "error: --fill-mode takes zeros, ones or random, not 'nine'\n");
  EXPECT_EQ(complaint({tar_, "--device", "cuda"}),
            "error: not supported by hone: --device cuda; the only device is cpu\n");
  EXPECT_EQ(complaint({tar_, "--rpc-tracker", "host"}),
            "error: not supported by hone: --rpc-tracker on a local artifact\n");
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_NE(run({"-h"}).out.find("--print-top N"), std::string::npos);
}

TEST_F(Tool, ExitCodesTellWhoseFaultItIs) {
  test::writeFile(folder_ + "/damaged.tar", "damaged");
  EXPECT_EQ(run({folder_ + "/damaged.tar"}).code, 3);
  EXPECT_EQ(run({folder_ + "/none.tar"}).code, 5);
  const Outcome unwritable = run({"-o", folder_ + "/no/such/folder/y.npz", tar_});
  EXPECT_EQ(unwritable.code, 5);
  EXPECT_EQ(unwritable.err, "error: cannot write '" + folder_ + "/no/such/folder/y.npz': No such file or directory\n");
  // A folder in the way: nothing is left beside it.
  std::filesystem::create_directories(folder_ + "/taken.npz/inside");
  EXPECT_EQ(run({"-o", folder_ + "/taken.npz", tar_}).code, 5);
  for (const auto &entry : std::filesystem::directory_iterator(folder_))
    EXPECT_EQ(entry.path().string().find(".hone-run"), std::string::npos);
}

TEST_F(Tool, NeverWritesOverWhatItReads) {
  std::filesystem::create_hard_link(tar_, folder_ + "/hard");
  std::filesystem::create_symlink("hard", folder_ + "/soft");
  const std::string before = test::readFile(tar_);
  for (const std::string &output : {tar_, folder_ + "/./model.tar", folder_ + "/hard", folder_ + "/soft"}) {
    const Outcome outcome = run({tar_, "-o", output});
    EXPECT_EQ(outcome.code, 2) << output;
    EXPECT_NE(outcome.err.find("error: the output '" + output + "' is the input "), std::string::npos) << outcome.err;
    EXPECT_EQ(test::readFile(tar_), before);
  }
}

TEST_F(Tool, PrefixesAndShortForms) {
  Result<RunOptions> options = parseRunOptions(
      {"--fill", "ones", "--rep=7", "--num", "3", "-iX.npz", "-o", "Y.npz", "--prof", "--", "-strange"});
  ASSERT_TRUE(options.ok()) << options.status().message;
  EXPECT_EQ(options->fillMode, FillMode::Ones);
  EXPECT_EQ(options->repeat, 7);
  EXPECT_EQ(options->number, 3);
  EXPECT_EQ(options->inputs, "X.npz");
  EXPECT_EQ(options->outputs, "Y.npz");
  EXPECT_TRUE(options->profile);
  EXPECT_EQ(options->path, "-strange");
}

// Where a coordinator's flags stand beside these.
TEST(RunOptions, AreCompletedAmongOthers) {
  const std::vector<std::string> further = {"rpc-tracker", "server", "priority", "detach"};
  const auto completed = [&](const std::string &name) {
    Result<std::string> full = completeRunOption(name, further);
    return full.ok() ? *full : full.status().message;
  };
  EXPECT_EQ(completed("priority"), "priority");
  EXPECT_EQ(completed("prio"), "priority");
  EXPECT_EQ(completed("pri"), "option '--pri' is ambiguous: --print-time, --print-top, --priority");
  EXPECT_EQ(completed("se"), "option '--se' is ambiguous: --seed, --server");
  EXPECT_EQ(completed("rpc-t"), "rpc-tracker");
  // TVMC has these alone with their beginnings.
  EXPECT_EQ(completed("de"), "device");
  EXPECT_EQ(completed("out"), "outputs");
  EXPECT_EQ(completed("output-f"), "output-format");
  EXPECT_EQ(completed("x"), "unknown option '--x'; see --help");
}

TEST(Fill, FollowsTheRuleAndTheSeed) {
  const TensorInfo floats{"f", HONE_FLOAT32, {1000}, 4000}, ids{"i", HONE_INT64, {1000}, 8000},
      flags{"b", HONE_BOOL, {1000}, 1000}, halves{"h", HONE_FLOAT16, {1000}, 2000};
  const std::string first = fillTensor(floats, 0, FillMode::Random, 1);
  EXPECT_EQ(first, fillTensor(floats, 0, FillMode::Random, 1));
  EXPECT_NE(first, fillTensor(floats, 0, FillMode::Random, 2));
  EXPECT_NE(first, fillTensor(floats, 1, FillMode::Random, 1)) << "inputs must not be equal";
  double sum = 0, lowest = 1, highest = -1;
  for (size_t i = 0; i < 1000; ++i) {
    float value = 0;
    std::memcpy(&value, first.data() + 4 * i, 4);
    sum += value;
    lowest = std::min<double>(lowest, value);
    highest = std::max<double>(highest, value);
  }
  EXPECT_GE(lowest, -1);
  EXPECT_LE(highest, 1);
  EXPECT_LT(lowest, -0.95);
  EXPECT_GT(highest, 0.95);
  EXPECT_LT(std::fabs(sum / 1000), 0.1);
  const std::string integers = fillTensor(ids, 0, FillMode::Random, 1);
  int64_t least = 1000, most = -1;
  for (size_t i = 0; i < 1000; ++i) {
    int64_t value = 0;
    std::memcpy(&value, integers.data() + 8 * i, 8);
    least = std::min(least, value);
    most = std::max(most, value);
  }
  EXPECT_EQ(least, 0);
  EXPECT_EQ(most, 127);
  for (const char value : fillTensor(flags, 0, FillMode::Random, 1)) ASSERT_TRUE(value == 0 || value == 1);
  EXPECT_EQ(fillTensor(halves, 0, FillMode::Ones, 1).substr(0, 2), std::string("\x00\x3c", 2));
  EXPECT_EQ(fillTensor(halves, 0, FillMode::Zeros, 1), std::string(2000, '\0'));
  const std::string random = fillTensor(halves, 0, FillMode::Random, 1);
  const TopElements largest = topElements(HONE_FLOAT16, random.data(), 1000, 1000);
  EXPECT_LE(largest.values.front(), 1);
  EXPECT_GT(largest.values.front(), 0.9);
  EXPECT_GE(largest.values.back(), -1);
  EXPECT_LT(largest.values.back(), -0.9);
}

TEST(Report, SummaryIsRight) {
  const TimeSummary summary = summarise({4, 1, 3, 2});
  EXPECT_DOUBLE_EQ(summary.mean, 2.5);
  EXPECT_DOUBLE_EQ(summary.median, 2.5);
  EXPECT_DOUBLE_EQ(summary.min, 1);
  EXPECT_DOUBLE_EQ(summary.max, 4);
  EXPECT_DOUBLE_EQ(summary.std, std::sqrt(1.25));
}

TEST(Report, TopHandlesTiesNanAndIntegers) {
  const float values[] = {1, 5, NAN, 5, -INFINITY};
  const TopElements top = topElements(HONE_FLOAT32, values, 5, 9);
  EXPECT_EQ(top.indices, (std::vector<int64_t>{2, 1, 3, 0, 4}));
  const int8_t small[] = {-3, 4, 100};
  EXPECT_EQ(topElements(HONE_INT8, small, 3, 1).indices, (std::vector<int64_t>{2}));
}

TEST(Peak, IsPlausible) {
  const double peak = measurePeakFlops(1);
  EXPECT_GT(peak, 1e8);
  EXPECT_LT(peak, 1e12);
}

}  // namespace
}  // namespace hone::runtime
