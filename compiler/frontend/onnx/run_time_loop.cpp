#include "compiler/frontend/onnx/run_time_loop.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/axes.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/index_checks.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// How the parts of a count add up over iterations.
struct CountPart {
  ValueId CountedIndices::*value;
  int64_t initial;
  ScalarOp sum;
};
constexpr CountPart kCountParts[] = {
    {&CountedIndices::count, 0, ScalarOp::Add},
    {&CountedIndices::example, std::numeric_limits<int64_t>::min(), ScalarOp::Max},
    {&CountedIndices::extent, 0, ScalarOp::Max},
};

/// Of one loop: its states are whether it goes on, the number of the iteration, those of the model, the rows, and
/// what checks of indices count.
class LoopBuilder {
 public:
  LoopBuilder(Builder &build, const RunTimeLoop &loop) : build_(build), loop_(loop), number_(build.newLoop()) {}

  absl::StatusOr<Operands> run() {
    HONE_RETURN_IF_ERROR(begin());
    HONE_ASSIGN_OR_RETURN(Operands results, loop_.iterate(iteration_, given_));
    const size_t first = loop_.condition ? 1 : 0;
    HONE_ASSIGN_OR_RETURN(ValueId goesOn, goesOnAfter(results));
    HONE_ASSIGN_OR_RETURN(ValueId following, following_);
    next_ = {goesOn, following};
    for (size_t i = 0; i < loop_.states.size(); ++i) HONE_RETURN_IF_ERROR(addNext(i, results[first + i]));
    for (size_t i = 0; i < loop_.rows.size(); ++i) {
      collected_.push_back(-1);
      if (!loop_.rows[i].isUsed) continue;
      HONE_RETURN_IF_ERROR(collect(i, results[first + loop_.states.size() + i]));
    }
    HONE_RETURN_IF_ERROR(joinCounts(build_, loop_.firstCount));
    HONE_RETURN_IF_ERROR(carryCounts(loop_.firstCount));
    HONE_ASSIGN_OR_RETURN(ValueId end, build_.loopEnd(number_, states_, next_));
    HONE_RETURN_IF_ERROR(finishCounts(end, loop_.firstCount));
    return finish(end);
  }

 private:
  absl::Status begin() {
    Result runs = build_.integer(DType::Bool, 1);
    if (loop_.condition) runs = build_.reshape(*loop_.condition, {});
    if (loop_.trips) {
      HONE_ASSIGN_OR_RETURN(trips_, build_.cast(build_.reshape(*loop_.trips, {}), DType::I64));
      const Result isAny = build_.apply(ScalarOp::Less, {build_.integer(DType::I64, 0), trips_});
      runs = build_.apply(ScalarOp::And, {runs, isAny});
      bound_ = highest(build_, trips_);
      if (bound_) bound_ = std::max<int64_t>(*bound_, 0);
    }
    HONE_RETURN_IF_ERROR(addState(runs));
    HONE_RETURN_IF_ERROR(addState(build_.integer(DType::I64, 0)));
    iteration_ = states_[1];
    // It begins with 0 and is below the number of trips: the loop would have ended.
    if (bound_) build_.setRange(iteration_, 0, std::max<int64_t>(*bound_ - 1, 0));
    following_ = build_.apply(ScalarOp::Add, {iteration_, build_.integer(DType::I64, 1)});
    for (size_t i = 0; i < loop_.states.size(); ++i) HONE_RETURN_IF_ERROR(give(i));
    return absl::OkStatus();
  }

  absl::Status addState(const Result &initial) {
    if (!initial.ok()) return initial.status();
    const auto place = static_cast<int64_t>(states_.size());
    HONE_ASSIGN_OR_RETURN(states_.emplace_back(), build_.loopState(number_, place, initial, build_.shape(*initial)));
    return absl::OkStatus();
  }

  /// State \p i of the model as the body finds it. Nothing changes what has no elements, or is not there.
  absl::Status give(size_t i) {
    const Operand &initial = loop_.states[i];
    given_.push_back(initial);
    places_.push_back(0);
    if (isAbsent(initial)) return absl::OkStatus();
    const ValueId value = tensorOf(initial);
    if (value < 0) {
      return refused(i, absl::StrCat("is a sequence of ", sequenceOf(initial)->size(), " tensors"),
                     "stack them in one tensor");
    }
    if (build_.isBounded(value))
      return refused(i, "has sizes that depend on data", "make them fixed, for example by TopK");
    if (build_.type(value).elements() == 0) return absl::OkStatus();
    places_[i] = states_.size();
    HONE_RETURN_IF_ERROR(addState(value));
    given_[i] = states_.back();
    return absl::OkStatus();
  }

  absl::Status refused(size_t state, const std::string &what, const std::string &remedy) const {
    std::string ways = remedy;
    if (!loop_.whatDecides.empty()) {
      absl::StrAppend(&ways, "; or how often it repeats has to be known at compile time, and that ", loop_.whatDecides);
    }
    return unsupported("state ", state, " ", what, ", which only iterations that are written out may do; ", ways);
  }

  absl::Status addNext(size_t i, const Operand &next) {
    const Operand &initial = loop_.states[i];
    const ValueId from = tensorOf(initial), to = tensorOf(next);
    if (isAbsent(initial) && isAbsent(next)) return absl::OkStatus();
    if (to < 0 || from < 0) return invalid("state ", i, " is not a tensor before and after an iteration");
    if (build_.type(from) != build_.type(to) || build_.elementType(from) != build_.elementType(to)) {
      return refused(i,
                     absl::StrCat("is ", graph::typeText(build_.type(from)), " at first and ",
                                  graph::typeText(build_.type(to)), " after an iteration"),
                     "write into a tensor of the final size instead");
    }
    if (build_.isBounded(to))
      return refused(i, "has sizes that depend on data after an iteration", "make them fixed, for example by TopK");
    if (places_[i] == 0) return absl::OkStatus();
    next_.push_back(to);
    return absl::OkStatus();
  }

  Result goesOnAfter(const Operands &results) {
    Result goesOn = build_.integer(DType::Bool, 1);
    if (loop_.condition) {
      const ValueId next = tensorOf(results[0]);
      if (next < 0 || build_.dtype(next) != DType::Bool || build_.type(next).elements() != 1) {
        return invalid("output 0 of its graph, the condition, is not one bool");
      }
      goesOn = build_.reshape(next, {});
    }
    if (!goesOn.ok()) return goesOn;
    if (isTrue(*goesOn)) {
      if (!loop_.trips)
        return invalid("it never ends: it has no trip count, and nothing in it makes its condition false");
      isExact_ = build_.constant(trips_) != nullptr && (!loop_.condition || isTrue(*loop_.condition));
    }
    if (loop_.trips) goesOn = build_.apply(ScalarOp::And, {goesOn, build_.apply(ScalarOp::Less, {following_, trips_})});
    return goesOn;
  }

  bool isTrue(ValueId condition) const {
    const graph::ConstantData *known = build_.constant(condition);
    return known != nullptr && graph::elementAsInteger(*known, 0) != 0;
  }

  absl::Status collect(size_t i, const Operand &value) {
    const ValueId row = tensorOf(value);
    const std::string what =
        loop_.rows[i].what.empty() ? absl::StrCat("output ", loop_.states.size() + i) : loop_.rows[i].what;
    if (row < 0) return invalid(what, " of its graph is no tensor");
    if (!bound_) {
      return unsupported(what, " has an element for each iteration, and how many there are at most has to ",
                         "be known at compile time, but ", loop_.whatDecides,
                         "; give the loop a constant trip count as its bound");
    }
    if (build_.isBounded(row)) {
      return unsupported(what,
                         " has an element for each iteration, whose sizes depend on data; make them fixed, for "
                         "example by TopK with a constant k");
    }
    Shape shape = build_.shape(row);
    shape.insert(shape.begin(), *bound_);
    const graph::TensorType type{build_.dtype(row), shape};
    HONE_RETURN_IF_ERROR(build_.checkSize(type));
    if (type.elements() == 0) {
      HONE_ASSIGN_OR_RETURN(collected_.back(), build_.constant(graph::makeConstant(type, std::vector<int64_t>())));
      build_.setElementType(collected_.back(), build_.elementType(row));
      return absl::OkStatus();
    }
    HONE_ASSIGN_OR_RETURN(ValueId zero, build_.number(type.dtype, 0));
    build_.setElementType(zero, build_.elementType(row));
    HONE_ASSIGN_OR_RETURN(ValueId rows, build_.loopState(number_, static_cast<int64_t>(states_.size()), zero, shape));
    Result place = iteration_;
    if (loop_.rows[i].isBackward) place = build_.apply(ScalarOp::Sub, {build_.integer(DType::I64, *bound_ - 1), place});
    HONE_ASSIGN_OR_RETURN(next_.emplace_back(), build_.loopCollect(rows, row, place));
    states_.push_back(rows);
    collected_.back() = rows;
    return absl::OkStatus();
  }

  /// What an iteration counts is added up in states of its own.
  absl::Status carryCounts(size_t first) {
    for (size_t i = first; i < build_.countedIndices().size(); ++i) {
      CountedIndices &counted = build_.countedIndices()[i];
      for (const CountPart &part : kCountParts) {
        ValueId &value = counted.*part.value;
        HONE_RETURN_IF_ERROR(addState(build_.integer(DType::I64, part.initial)));
        HONE_ASSIGN_OR_RETURN(next_.emplace_back(), build_.apply(part.sum, {states_.back(), value}));
        value = states_.back();
      }
    }
    return absl::OkStatus();
  }

  /// The sums, where the loop is needed: elsewhere it does not run for their sake, and might never end.
  absl::Status finishCounts(ValueId end, size_t first) {
    for (size_t i = first; i < build_.countedIndices().size(); ++i) {
      CountedIndices &counted = build_.countedIndices()[i];
      for (const CountPart &part : kCountParts) {
        Result sum = build_.loopResult(end, counted.*part.value);
        const std::vector<std::pair<ValueId, bool>> &branches = build_.branches();
        for (auto branch = branches.rbegin(); branch != branches.rend(); ++branch) {
          Result other = build_.integer(DType::I64, part.initial);
          if (!branch->second) std::swap(sum, other);
          sum = build_.apply(ScalarOp::Select, {build_.reshape(branch->first, {}), sum, other});
        }
        HONE_ASSIGN_OR_RETURN(counted.*part.value, sum);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Operands> finish(ValueId end) {
    Operands outputs;
    for (size_t i = 0; i < loop_.states.size(); ++i) {
      outputs.push_back(loop_.states[i]);
      if (places_[i] == 0) continue;
      HONE_ASSIGN_OR_RETURN(outputs.back(), build_.loopResult(end, states_[places_[i]]));
    }
    HONE_ASSIGN_OR_RETURN(ValueId count, build_.loopResult(end, iteration_));
    for (size_t i = 0; i < loop_.rows.size(); ++i) {
      outputs.emplace_back();
      if (!loop_.rows[i].isUsed) continue;
      HONE_ASSIGN_OR_RETURN(outputs.back(), joined(end, collected_[i], loop_.rows[i].axis, count));
    }
    return outputs;
  }

  absl::StatusOr<Operand> joined(ValueId end, ValueId rows, int64_t axis, ValueId count) {
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build_.rank(rows)));
    Result all = build_.constant(rows) == nullptr ? build_.loopResult(end, rows) : Result(rows);
    if (!isExact_) {
      Extents extents(build_.shape(rows).size(), -1);
      extents[0] = count;
      build_.setRange(count, 0, *bound_);
      all = build_.bounded(all, std::move(extents));
    }
    std::vector<int64_t> permutation(build_.shape(rows).size());
    std::iota(permutation.begin(), permutation.end(), 0);
    std::rotate(permutation.begin(), permutation.begin() + 1, permutation.begin() + axis + 1);
    HONE_ASSIGN_OR_RETURN(ValueId joined, build_.transpose(all, permutation));
    return Operand(joined);
  }

  Builder &build_;
  const RunTimeLoop &loop_;
  const int64_t number_;
  ValueId trips_ = -1, iteration_ = -1;
  Result following_ = -1;         // the number of the next iteration
  std::optional<int64_t> bound_;  // no more iterations than this
  bool isExact_ = false;          // as many as bound_
  std::vector<ValueId> states_, next_;
  Operands given_;                  // the model's states as the body finds them
  std::vector<size_t> places_;      // of those: in states_, 0 for those that are none of the loop's
  std::vector<ValueId> collected_;  // per row: the state, or a constant without elements
};

}  // namespace

absl::StatusOr<Operands> buildLoop(Builder &build, const RunTimeLoop &loop) { return LoopBuilder(build, loop).run(); }

}  // namespace hone::frontend
