// Every rule has schedules that break it and nothing else, with the sentence; and what is next to them is legal.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "compiler/schedule/schedule.h"
#include "tests/schedule/legal_cases.h"
#include "tests/support/example_kernels.h"

namespace hone::schedule {
namespace {

using tensor::Kernel;
using testing::LegalCase;
using namespace tensor::testing;

TargetDescription target() {
  TargetDescription target;
  target.vectorBytes = 32;
  target.vectorRegisters = 16;
  return target;
}

Schedule parsed(const std::string &lines) {
  const bool hasAlgorithm = lines.starts_with("algorithm ");
  const absl::StatusOr<Schedule> schedule = parse(hasAlgorithm ? lines : "algorithm direct\n" + lines);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return schedule.value_or(Schedule{});
}

std::string refusal(const Kernel &kernel, const std::string &lines) {
  const absl::Status status = legal(kernel, parsed(lines), target());
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

std::vector<LegalCase> allCases() {
  std::vector<LegalCase> all;
  for (const auto &cases : {testing::loopCases(), testing::attachmentCases(), testing::algorithmCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

/// Whether \p sentence ends with what \p pattern becomes with names and numbers in the places of $0, $1 and so on.
bool isInstance(const std::string &sentence, std::string pattern) {
  size_t from = 0;
  for (bool isFirst = true;; isFirst = false) {
    const size_t dollar = pattern.find('$');
    const std::string piece = pattern.substr(0, dollar);
    if (dollar == std::string::npos) return sentence.size() >= from + piece.size() && sentence.ends_with(piece);
    const size_t found = sentence.find(piece, from);
    if (found == std::string::npos || (isFirst && piece.empty() && dollar != 0)) return false;
    from = found + piece.size();
    pattern = pattern.substr(dollar + 2);
  }
}

/// How many clauses of how many lines differ.
int64_t differences(const Schedule &a, const Schedule &b) {
  int64_t count = a.algorithm == b.algorithm ? 0 : 1;
  for (size_t s = 0; s < std::min(a.stages.size(), b.stages.size()); ++s) {
    const StageSchedule &x = a.stages[s], &y = b.stages[s];
    count += x.stage == y.stage ? 0 : 1;
    count += x.at == y.at ? 0 : 1;
    count += x.vectorDim == y.vectorDim && x.lanes == y.lanes ? 0 : 1;
    count += x.registers == y.registers ? 0 : 1;
    count += x.parallel == y.parallel && x.tile == y.tile && x.reduction == y.reduction ? 0 : 1;
    count += x.unroll == y.unroll ? 0 : 1;
    count += x.packs == y.packs ? 0 : 1;
    count += x.prefetches == y.prefetches ? 0 : 1;
    count += x.stores == y.stores ? 0 : 1;
  }
  return count;
}

TEST(Legal, EverySentenceHasASchedule) {
  std::set<std::string> broken;
  for (const LegalCase &given : allCases()) broken.insert(given.rule);
  for (const Sentence &sentence : sentences()) EXPECT_TRUE(broken.contains(sentence.text)) << sentence.text;
  for (const tensor::AlgorithmSentence &sentence : tensor::algorithmSentences()) {
    EXPECT_TRUE(broken.contains(sentence.text)) << sentence.text;
  }
  EXPECT_EQ(broken.size(), sentences().size() + tensor::algorithmSentences().size()) << "two rules say the same";
}

TEST(Legal, NothingButTheRuleRefuses) {
  for (const LegalCase &given : allCases()) {
    SCOPED_TRACE(print(given.kernel) + given.lines);
    EXPECT_EQ(verify(given.kernel), "");
    EXPECT_EQ(verify(given.repairedKernel), "");
    EXPECT_EQ(refusal(given.kernel, given.lines), given.sentence);
    EXPECT_TRUE(isInstance(given.sentence, given.rule)) << given.sentence << "\n" << given.rule;
    EXPECT_EQ(refusal(given.repairedKernel, given.repaired), "") << given.repaired;
    // One thing was repaired: a clause, the kernel, or the lines as a whole.
    const Schedule before = parsed(given.lines), after = parsed(given.repaired);
    const bool sameKernel = print(given.kernel) == print(given.repairedKernel);
    const bool sameLines = before.stages.size() == after.stages.size() && sameKernel;
    const int64_t most = given.rule == std::string(sentenceOf(Rule::LinesInOrder)) ? 2 : 1;
    EXPECT_LE(differences(before, after), sameLines ? most : 0) << given.repaired;
    EXPECT_FALSE(sameLines && before == after) << "nothing is repaired";
  }
}

struct Neighbour {
  const char *lines;
};

class LegalNeighbours : public ::testing::TestWithParam<Neighbour> {};

// Stages conv [n, oc, y, x; ic, ky, kx] and out [n, oc, y, x]; extents 1, 20, 7, 6; 3, 3, 3.
TEST_P(LegalNeighbours, AreAccepted) {
  ConvolutionSize size;
  size.oc = 20;
  EXPECT_EQ(refusal(convolutionWithEpilogue(size), GetParam().lines), "") << GetParam().lines;
}

INSTANTIATE_TEST_SUITE_P(
    OfAConvolution, LegalNeighbours,
    ::testing::Values(Neighbour{"conv vector oc 8\nout\n"}, Neighbour{"conv vector ic 2\nout\n"},
                      Neighbour{"conv vector oc 8 registers x 3 order n, oc/16 | x/3, oc/8 | ic, ky\nout\n"},
                      Neighbour{"conv unroll ky, kx\nout\n"}, Neighbour{"conv order n, oc | y, x | -\nout at conv x\n"},
                      Neighbour{"conv at out y\nout order n, oc | y, x | -\n"},
                      Neighbour{"conv pack weight [0/8][1][2][3][0%8], bias [0]\nout\n"}));

TEST(Legal, RowsOfAScanAreScansOfTheirOwn) {
  EXPECT_EQ(refusal(cumulativeSum(3, 8), "out order r | - | -\n"), "");
  const std::string rows = " order n/2 | - | -\n";
  EXPECT_EQ(refusal(lstm(3, 4, 5, 6), "from_input\ngates" + rows + "c" + rows + "h" + rows), "");
}

TEST(Legal, ChainsOfFeedersShareALoop) {
  EXPECT_EQ(refusal(softmax(3, 8), "mx at out r\ne at out r\ns at out r\nout order r | c | -\n"), "");
}

TEST(Legal, LinesAreThoseThatTheAlgorithmLeaves) {
  const Kernel kernel = softmax(3, 8);
  EXPECT_EQ(refusal(kernel, "algorithm split mx c 2\nmx\ne\ns\nout\n"),
            "schedule has 4 stages, kernel 'softmax' has 5; give one line per stage");
  EXPECT_EQ(refusal(kernel, "algorithm split mx c 2\nmx_partial\nmx\ne\ns\nout\n"), "");
}

TEST(Legal, TilesOfTuplesCountTheirValues) {
  const Kernel kernel = convolution({.n = 2, .oc = 16, .y = 64, .x = 64});
  const auto tiled = [&](const std::string &count) {
    return refusal(kernel, "algorithm winograd 4 3\nconv_v   registers y_tile " + count + ", x_tile 4\nconv_m\nconv\n");
  };
  EXPECT_EQ(tiled("7"), "");
  EXPECT_EQ(tiled("8"),
            "schedule of stage 'conv_v': register tile of 32 elements of 36 values each; at most 1024 values");
}

}  // namespace
}  // namespace hone::schedule
