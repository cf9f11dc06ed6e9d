// The canonical text of schedules: print and parse. docs/schedules.md has the grammar.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/base/text_reader.h"
#include "compiler/schedule/schedule.h"

namespace hone::schedule {
namespace {

using absl::StrAppend;
using absl::StrCat;

std::string loopText(const Loop &loop) { return loop.step == 1 ? loop.dim : StrCat(loop.dim, "/", loop.step); }

std::string section(const std::vector<Loop> &loops) {
  if (loops.empty()) return "-";
  return absl::StrJoin(loops, ", ", [](std::string *out, const Loop &loop) { StrAppend(out, loopText(loop)); });
}

// Axis {dim, divisor, extent} of the dim's outermost axis is [dim/divisor]: its extent follows from the shape. Those
// further in are [dim%modulus/divisor].
std::string layoutText(const tensor::Layout &layout) {
  std::string out;
  std::map<int, int64_t> outer;
  for (const tensor::LayoutAxis &axis : layout.axes) {
    StrAppend(&out, "[", axis.dim);
    auto [entry, isOutermost] = outer.try_emplace(axis.dim, axis.divisor);
    if (!isOutermost) {
      StrAppend(&out, "%", entry->second);
      entry->second = axis.divisor;
    }
    if (axis.divisor != 1) StrAppend(&out, "/", axis.divisor);
    StrAppend(&out, "]");
  }
  return out;
}

std::string stageText(const StageSchedule &stage) {
  std::string out = stage.stage;
  if (stage.at) StrAppend(&out, "   at ", stage.at->stage, " ", loopText(stage.at->loop));
  if (!stage.vectorDim.empty()) StrAppend(&out, "   vector ", stage.vectorDim, " ", stage.lanes);
  if (!stage.registers.empty()) {
    StrAppend(&out, "   registers ",
              absl::StrJoin(stage.registers, ", ", [](std::string *text, const RegisterTile &tile) {
                StrAppend(text, tile.dim, " ", tile.count);
              }));
  }
  if (!stage.parallel.empty() || !stage.tile.empty() || !stage.reduction.empty()) {
    StrAppend(&out, "   order ", section(stage.parallel), " | ", section(stage.tile), " | ", section(stage.reduction));
  }
  if (!stage.unroll.empty()) StrAppend(&out, "   unroll ", absl::StrJoin(stage.unroll, ", "));
  const auto layouts = [&out](const char *clause, const std::vector<Pack> &packs) {
    if (packs.empty()) return;
    StrAppend(&out, "   ", clause, " ", absl::StrJoin(packs, ", ", [](std::string *text, const Pack &pack) {
      StrAppend(text, pack.buffer, " ", layoutText(pack.layout));
    }));
  };
  layouts("pack", stage.packs);
  if (!stage.prefetches.empty()) {
    StrAppend(&out, "   prefetch ", absl::StrJoin(stage.prefetches, ", ", [](std::string *text, const Prefetch &each) {
      StrAppend(text, each.buffer, " ", each.distance);
    }));
  }
  layouts("store", stage.stores);
  return out;
}

absl::StatusOr<Loop> parseLoop(TextReader &in) {
  Loop loop;
  HONE_ASSIGN_OR_RETURN(loop.dim, in.word());
  if (in.accept("/")) {
    HONE_ASSIGN_OR_RETURN(loop.step, in.positive());
  }
  return loop;
}

absl::Status parseSection(TextReader &in, std::vector<Loop> &loops) {
  if (in.accept("-")) return absl::OkStatus();
  do {
    HONE_ASSIGN_OR_RETURN(Loop loop, parseLoop(in));
    loops.push_back(std::move(loop));
  } while (in.accept(","));
  return absl::OkStatus();
}

absl::Status parseOrder(TextReader &in, StageSchedule &stage) {
  HONE_RETURN_IF_ERROR(parseSection(in, stage.parallel));
  if (!in.accept("|")) return in.expected("'|' after the parallel loops ('-' stands for none)");
  HONE_RETURN_IF_ERROR(parseSection(in, stage.tile));
  if (!in.accept("|")) return in.expected("'|' after the tile loops ('-' stands for none)");
  return parseSection(in, stage.reduction);
}

absl::StatusOr<tensor::Layout> parseLayout(TextReader &in) {
  tensor::Layout layout;
  std::map<int, int64_t> outer;
  while (in.accept("[")) {
    tensor::LayoutAxis axis;
    HONE_ASSIGN_OR_RETURN(int64_t dim, in.integer());
    if (dim < 0 || dim > 64) return in.expected("the position of a dim (at most 64)");
    axis.dim = static_cast<int>(dim);
    axis.extent = 0;
    auto seen = outer.find(axis.dim);
    if (seen != outer.end()) {
      if (!in.accept("%")) return in.expected("'%' and the divisor of the dim's outer axis");
      HONE_ASSIGN_OR_RETURN(int64_t modulus, in.positive());
      if (modulus != seen->second) return in.expected(StrCat("the divisor of the dim's outer axis, ", seen->second));
      axis.extent = modulus;
    }
    if (in.accept("/")) {
      HONE_ASSIGN_OR_RETURN(axis.divisor, in.positive());
    }
    if (axis.extent % axis.divisor != 0) return in.expected(StrCat("a divisor of ", axis.extent));
    if (seen != outer.end()) axis.extent /= axis.divisor;
    outer[axis.dim] = axis.divisor;
    if (!in.accept("]")) return in.expected("']'");
    layout.axes.push_back(axis);
  }
  if (layout.axes.empty()) return in.expected("a layout such as [0/32][1][0%32]");
  for (auto [dim, divisor] : outer) {
    if (divisor != 1) return in.expected(StrCat("an innermost axis [", dim, "%", divisor, "] of dim ", dim));
  }
  return layout;
}

absl::Status parseRegisters(TextReader &in, StageSchedule &stage) {
  do {
    RegisterTile tile;
    HONE_ASSIGN_OR_RETURN(tile.dim, in.word());
    HONE_ASSIGN_OR_RETURN(tile.count, in.positive());
    stage.registers.push_back(std::move(tile));
  } while (in.accept(","));
  return absl::OkStatus();
}

absl::Status parsePacks(TextReader &in, std::vector<Pack> &packs) {
  do {
    Pack pack;
    HONE_ASSIGN_OR_RETURN(pack.buffer, in.word());
    HONE_ASSIGN_OR_RETURN(pack.layout, parseLayout(in));
    packs.push_back(std::move(pack));
  } while (in.accept(","));
  return absl::OkStatus();
}

absl::Status parsePrefetches(TextReader &in, StageSchedule &stage) {
  do {
    Prefetch prefetch;
    HONE_ASSIGN_OR_RETURN(prefetch.buffer, in.word());
    HONE_ASSIGN_OR_RETURN(prefetch.distance, in.positive());
    stage.prefetches.push_back(std::move(prefetch));
  } while (in.accept(","));
  return absl::OkStatus();
}

absl::Status parseClause(std::string_view keyword, TextReader &in, StageSchedule &stage) {
  if (keyword == "at") {
    Attachment at;
    HONE_ASSIGN_OR_RETURN(at.stage, in.word());
    HONE_ASSIGN_OR_RETURN(at.loop, parseLoop(in));
    stage.at = std::move(at);
    return absl::OkStatus();
  }
  if (keyword == "vector") {
    HONE_ASSIGN_OR_RETURN(stage.vectorDim, in.word());
    HONE_ASSIGN_OR_RETURN(stage.lanes, in.positive());
    return absl::OkStatus();
  }
  if (keyword == "registers") return parseRegisters(in, stage);
  if (keyword == "order") return parseOrder(in, stage);
  if (keyword == "unroll") {
    do {
      HONE_ASSIGN_OR_RETURN(std::string dim, in.word());
      stage.unroll.push_back(std::move(dim));
    } while (in.accept(","));
    return absl::OkStatus();
  }
  if (keyword == "pack") return parsePacks(in, stage.packs);
  if (keyword == "prefetch") return parsePrefetches(in, stage);
  if (keyword == "store") return parsePacks(in, stage.stores);
  return in.expected("one of at, vector, registers, order, unroll, pack, prefetch, store");
}

absl::StatusOr<StageSchedule> parseStage(std::string name, TextReader &in) {
  StageSchedule stage;
  stage.stage = std::move(name);
  std::vector<std::string> seen;
  while (!in.atEnd()) {
    HONE_ASSIGN_OR_RETURN(std::string keyword, in.word());
    for (const std::string &earlier : seen) {
      if (earlier == keyword) return in.expected(StrCat("'", keyword, "' only once"));
    }
    HONE_RETURN_IF_ERROR(parseClause(keyword, in, stage));
    seen.push_back(std::move(keyword));
  }
  return stage;
}

}  // namespace

std::string print(const Schedule &schedule) {
  std::string out = StrCat("algorithm ", schedule.algorithm, "\n");
  for (const StageSchedule &stage : schedule.stages) StrAppend(&out, stageText(stage), "\n");
  return out;
}

absl::StatusOr<Schedule> parse(std::string_view text) {
  Schedule schedule;
  bool hasAlgorithm = false;
  int number = 0;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    TextReader in(line.substr(0, line.find('#')), "schedule", number);
    if (in.atEnd()) continue;
    HONE_ASSIGN_OR_RETURN(std::string first, in.word());
    if (!hasAlgorithm) {
      if (first != "algorithm") return in.expected("'algorithm NAME' on the first line");
      schedule.algorithm.clear();
      do {
        HONE_ASSIGN_OR_RETURN(const std::string word, in.word());
        StrAppend(&schedule.algorithm, schedule.algorithm.empty() ? "" : " ", word);
      } while (!in.atEnd());
      hasAlgorithm = true;
      continue;
    }
    HONE_ASSIGN_OR_RETURN(StageSchedule stage, parseStage(std::move(first), in));
    schedule.stages.push_back(std::move(stage));
  }
  if (!hasAlgorithm)
    return absl::InvalidArgumentError("schedule is empty: expected 'algorithm NAME' on the first line");
  return schedule;
}

}  // namespace hone::schedule
