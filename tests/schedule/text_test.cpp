// The text of schedules: what is printed is read back as it was, and what is not a schedule is refused where it goes
// wrong.
#include <gtest/gtest.h>

#include <string>

#include "compiler/schedule/schedule.h"

namespace hone::schedule {
namespace {

Schedule everything() {
  Schedule schedule;
  StageSchedule conv;
  conv.stage = "conv";
  conv.vectorDim = "oc";
  conv.lanes = 16;
  conv.registers = {{"x", 7}, {"oc", 2}};
  conv.parallel = {{"n", 1}, {"oc", 32}, {"y", 1}};
  conv.tile = {{"x", 7}};
  conv.reduction = {{"ic", 8}, {"ky", 1}, {"kx", 1}, {"ic", 1}};
  conv.unroll = {"ky", "kx"};
  conv.packs = {{"weight", {{{0, 32, 0}, {1, 8, 0}, {2, 1, 0}, {3, 1, 0}, {1, 1, 8}, {0, 4, 8}, {0, 1, 4}}}},
                {"bias", {{{0, 1, 0}}}}};
  conv.prefetches = {{"weight", 1024}, {"bias", 16}};
  conv.stores = {{"sums", {{{1, 16, 0}, {0, 1, 0}, {1, 1, 16}}}}, {"squares", {{{0, 1, 0}}}}};
  StageSchedule out;
  out.stage = "out_2";
  out.at = Attachment{"conv", {"x", 7}};
  StageSchedule plain;
  plain.stage = "plain";
  schedule.stages = {conv, out, plain};
  return schedule;
}

constexpr const char *kEverything =
    "algorithm direct\n"
    "conv   vector oc 16   registers x 7, oc 2   order n, oc/32, y | x/7 | ic/8, ky, kx, ic   unroll ky, kx   "
    "pack weight [0/32][1/8][2][3][1%8][0%32/4][0%4], bias [0]   prefetch weight 1024, bias 16   store sums "
    "[1/16][0][1%16], squares [0]\n"
    "out_2   at conv x/7\n"
    "plain\n";

TEST(ScheduleText, PrintsEveryClause) { EXPECT_EQ(print(everything()), kEverything); }

TEST(ScheduleText, ReadsBackWhatItPrints) {
  absl::StatusOr<Schedule> parsed = parse(kEverything);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, everything());
}

TEST(ScheduleText, TakesClausesInAnyOrderWithCommentsAndBlanks) {
  absl::StatusOr<Schedule> parsed = parse(
      "# by hand\n\n  algorithm   direct # the only one\n"
      "\tconv store sums[1/16][0] [1%16] , squares [0] pack weight [ 0 / 32 ][1/8][2][3][1 % 8][0%32/4][0%4],bias[0] "
      "unroll ky,kx "
      "prefetch weight 1024,bias 16 order n,oc/32,y/1|x/7|ic/8,ky,kx,ic registers x 7,oc 2 vector oc 16\n"
      "out_2 at conv x / 7\nplain");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, everything());
}

TEST(ScheduleText, ADashStandsForNoLoops) {
  absl::StatusOr<Schedule> parsed = parse("algorithm direct\na   order - | x | -\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->stages[0].parallel.empty());
  EXPECT_EQ(parsed->stages[0].tile, (std::vector<Loop>{{"x", 1}}));
  EXPECT_EQ(print(*parsed), "algorithm direct\na   order - | x | -\n");
}

struct Refused {
  const char *text;
  const char *message;
};

class ScheduleTextErrors : public ::testing::TestWithParam<Refused> {};

TEST_P(ScheduleTextErrors, SayWhereAndWhatWasExpected) {
  absl::StatusOr<Schedule> parsed = parse(GetParam().text);
  ASSERT_FALSE(parsed.ok()) << GetParam().text;
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(parsed.status().message(), GetParam().message) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, ScheduleTextErrors,
    ::testing::Values(
        Refused{"", "schedule is empty: expected 'algorithm NAME' on the first line"},
        Refused{"# nothing\n", "schedule is empty: expected 'algorithm NAME' on the first line"},
        Refused{"conv vector x 8\n", "schedule line 1, column 5: expected 'algorithm NAME' on the first line"},
        Refused{"algorithm\n", "schedule line 1, column 10: expected a name"},
        Refused{"algorithm direct, now\n", "schedule line 1, column 17: expected a name"},
        Refused{"algorithm direct\n\n  ?\n", "schedule line 3, column 3: expected a name"},
        Refused{
            "algorithm direct\na quickly\n",
            "schedule line 2, column 10: expected one of at, vector, registers, order, unroll, pack, prefetch, store"},
        Refused{"algorithm direct\na vector x 8 vector y 8\n",
                "schedule line 2, column 20: expected 'vector' only once"},
        Refused{"algorithm direct\na vector\n", "schedule line 2, column 9: expected a name"},
        Refused{"algorithm direct\na vector x\n", "schedule line 2, column 11: expected a number"},
        Refused{"algorithm direct\na vector x -8\n", "schedule line 2, column 12: expected a number greater than 0"},
        Refused{"algorithm direct\na vector x 0\n", "schedule line 2, column 12: expected a number greater than 0"},
        Refused{"algorithm direct\na vector x 99999999999999999999\n", "schedule line 2, column 12: expected a number"},
        Refused{"algorithm direct\na registers x 2,\n", "schedule line 2, column 17: expected a name"},
        Refused{"algorithm direct\na registers x\n", "schedule line 2, column 14: expected a number"},
        Refused{"algorithm direct\na at\n", "schedule line 2, column 5: expected a name"},
        Refused{"algorithm direct\na at b\n", "schedule line 2, column 7: expected a name"},
        Refused{"algorithm direct\na at b x/\n", "schedule line 2, column 10: expected a number"},
        Refused{"algorithm direct\na order x/0 | - | -\n",
                "schedule line 2, column 11: expected a number greater than 0"},
        Refused{"algorithm direct\na order x\n",
                "schedule line 2, column 10: expected '|' after the parallel loops ('-' stands for none)"},
        Refused{"algorithm direct\na order x | y\n",
                "schedule line 2, column 14: expected '|' after the tile loops ('-' stands for none)"},
        Refused{"algorithm direct\na order x | - |\n", "schedule line 2, column 16: expected a name"},
        Refused{"algorithm direct\na unroll ,\n", "schedule line 2, column 10: expected a name"},
        Refused{"algorithm direct\na pack w\n", "schedule line 2, column 9: expected a layout such as [0/32][1][0%32]"},
        Refused{"algorithm direct\na pack w [x]\n", "schedule line 2, column 11: expected a number"},
        Refused{"algorithm direct\na pack w [65]\n",
                "schedule line 2, column 13: expected the position of a dim (at most 64)"},
        Refused{"algorithm direct\na pack w [0/4][0]\n",
                "schedule line 2, column 17: expected '%' and the divisor of the dim's outer axis"},
        Refused{"algorithm direct\na pack w [0/4][0%8]\n",
                "schedule line 2, column 19: expected the divisor of the dim's outer axis, 4"},
        Refused{"algorithm direct\na pack w [0/4][0%4/3]\n", "schedule line 2, column 21: expected a divisor of 4"},
        Refused{"algorithm direct\na pack w [0/4\n", "schedule line 2, column 14: expected ']'"},
        Refused{"algorithm direct\na pack w [0/4][1]\n",
                "schedule line 2, column 18: expected an innermost axis [0%4] of dim 0"}));

}  // namespace
}  // namespace hone::schedule
