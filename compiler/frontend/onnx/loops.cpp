// Loop. Where it is known and short enough, the iterations are written out one after the other, and what does not
// depend on data folds on the way; a Loop that may end early by data runs to its bound then, and each state keeps its
// value once the condition was false. All others are loops of the graph (run_time_loop.h).
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/axes.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/index_checks.h"
#include "compiler/frontend/onnx/iterations.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/run_time_loop.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// Iterations of which nothing is left but numbers are written out up to this many.
constexpr int64_t kMostIterations = 4096;
/// Of a loop that data may end, iterations are written out up to this many: each costs at run time, needed or not.
constexpr int64_t kMostSkipped = 16;
/// A state that grows has room for this many iterations at most.
constexpr int64_t kMostGrowth = int64_t{1} << 20;

/// One Loop: its states, and whether the next iteration takes place.
class Loop {
 public:
  Loop(NodeContext &node, Subgraph &body) : node_(node), build_(node.build), body_(body) {}

  absl::StatusOr<Operands> run() {
    HONE_RETURN_IF_ERROR(readOperands());
    const Operands states = states_;
    const std::optional<ValueId> condition = condition_;
    // Loops carry tensors.
    mustWriteOut_ =
        std::any_of(states.begin(), states.end(), [](const Operand &state) { return sequenceOf(state) != nullptr; });
    countedBefore_ = build_.countedIndices().size();
    HONE_ASSIGN_OR_RETURN(std::optional<Operands> results, writeOut());
    if (results) return *std::move(results);
    states_ = states;
    condition_ = condition;
    startAnew();
    absl::StatusOr<Operands> repeated = repeat();
    // What a loop cannot do, iterations may.
    if (repeated.ok() || !trips_ || mustWriteOut_ || !absl::IsUnimplemented(repeated.status())) return repeated;
    startAnew();
    collected_ = emptyCollections();
    mustWriteOut_ = true;
    absl::StatusOr<std::optional<Operands>> written = writeOut();
    if (!written.ok() || !*written) return repeated;
    return **std::move(written);
  }

 private:
  /// What was made so far is dropped.
  void startAnew() {
    build_.countedIndices().resize(countedBefore_);
    body_.startAnew();
  }

  absl::Status readOperands() {
    if (node_.inputCount() < 2) return invalid("has ", node_.inputCount(), " operands; the operator takes 2 or more");
    states_.assign(node_.operands().begin() + 2, node_.operands().end());
    if (body_.outputCount() < 1 + states_.size()) {
      return invalid("its graph has ", body_.outputCount(), " outputs for a condition and ", states_.size(), " states");
    }
    collected_ = emptyCollections();
    if (node_.has(1)) {
      if (node_.dtype(1) != DType::Bool || build_.type(node_.input(1)).elements() != 1) {
        return invalid("the condition is ", graph::typeText(build_.type(node_.input(1))), ", not one bool");
      }
      condition_ = node_.input(1);
    }
    if (!node_.has(0)) return absl::OkStatus();
    if (!isInteger(node_.dtype(0)) || build_.type(node_.input(0)).elements() != 1) {
      return invalid("the trip count is ", graph::typeText(build_.type(node_.input(0))), ", not one integer");
    }
    if (const graph::ConstantData *known = build_.constant(node_.input(0))) trips_ = graph::elementAsInteger(*known, 0);
    return absl::OkStatus();
  }

  std::vector<Collected> emptyCollections() const {
    std::vector<Collected> collections;
    for (size_t i = 1 + states_.size(); i < body_.outputCount(); ++i) {
      collections.emplace_back(absl::StrCat("output ", i, " of its graph"));
    }
    return collections;
  }

  // ------------------------------------------------------------------------------------------- written out

  /// The iterations one after the other; nothing where they should not be.
  absl::StatusOr<std::optional<Operands>> writeOut() {
    const bool isBounded = trips_ || !node_.has(0);
    if (!isBounded) return std::nullopt;
    const int64_t nodesBefore = build_.nodeCount();
    int64_t iteration = 0;
    for (; !trips_ || iteration < *trips_; ++iteration) {
      if (iteration > 0 && wouldBeTooLong(build_.nodeCount() - nodesBefore, iteration)) return std::nullopt;
      HONE_ASSIGN_OR_RETURN(const Next next, checkCondition());
      if (next == Next::Unknown) return std::nullopt;
      if (next == Next::No) break;
      HONE_RETURN_IF_ERROR(iterate(iteration));
    }
    HONE_RETURN_IF_ERROR(joinCounts(build_, countedBefore_));
    HONE_ASSIGN_OR_RETURN(Operands outputs, finish(iteration));
    return std::optional<Operands>(std::move(outputs));
  }

  /// Whether \p nodes, which \p iterations have become, say that all of them would become too many.
  bool wouldBeTooLong(int64_t nodes, int64_t iterations) const {
    if (mustWriteOut_) return false;
    if (nodes > kMostWrittenOut || iterations >= kMostIterations) return true;
    // As long as a condition is known, nobody knows when it ends.
    const bool mayEnd = condition_ && !runs_;
    return trips_ && !mayEnd && *trips_ - iterations > kMostWrittenOut * iterations / std::max<int64_t>(nodes, 1);
  }

  enum class Next { No, MayBe, Unknown };

  /// Whether the next iteration may take place; what is left of the condition at run time goes to runs_.
  absl::StatusOr<Next> checkCondition() {
    if (!condition_) return Next::MayBe;
    if (const graph::ConstantData *known = build_.constant(*condition_)) {
      return graph::elementAsInteger(*known, 0) != 0 ? Next::MayBe : Next::No;
    }
    if (!trips_ || (*trips_ > kMostSkipped && !mustWriteOut_)) return Next::Unknown;
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (isCollected(i)) return Next::Unknown;
    }
    Result next = build_.reshape(*condition_, {});
    if (runs_) next = build_.apply(ScalarOp::And, {*runs_, next});
    HONE_ASSIGN_OR_RETURN(runs_, next);
    return Next::MayBe;
  }

  absl::Status iterate(int64_t iteration) {
    HONE_ASSIGN_OR_RETURN(ValueId number, build_.integer(DType::I64, iteration));
    Operands arguments = {number};
    Result isRunning = condition_ ? Result(*condition_) : build_.integer(DType::Bool, 1);
    HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), isRunning);
    arguments.insert(arguments.end(), states_.begin(), states_.end());
    HONE_ASSIGN_OR_RETURN(Operands results, importWhereItRuns(arguments));
    if (condition_) {
      const ValueId next = tensorOf(results[0]);
      if (next < 0 || build_.dtype(next) != DType::Bool || build_.type(next).elements() != 1) {
        return invalid("output 0 of its graph, the condition, is not one bool");
      }
      condition_ = next;
    }
    for (size_t i = 0; i < states_.size(); ++i) {
      Operand &next = results[1 + i];
      if (runs_) {
        HONE_ASSIGN_OR_RETURN(next, choose(build_, *runs_, next, states_[i], absl::StrCat("state ", i)));
      }
      states_[i] = next;
    }
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (isCollected(i)) HONE_RETURN_IF_ERROR(collected_[i].add(build_, results[1 + states_.size() + i]));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Operands> importWhereItRuns(const Operands &arguments) {
    if (!runs_) return body_.import(arguments);
    const Builder::Branch branch(build_, *runs_, true);
    return body_.import(arguments);
  }

  absl::StatusOr<Operands> finish(int64_t iterations) {
    Operands outputs = states_;
    Operands sample;
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (!isCollected(i)) {
        outputs.emplace_back();
      } else if (iterations > 0) {
        HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), collected_[i].join(build_, 0, false));
      } else {
        // Only the graph itself says which shape its outputs would have had; what it computes for that is dropped.
        if (sample.empty()) {
          HONE_ASSIGN_OR_RETURN(sample, importSample());
        }
        HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), Collected::none(build_, sample[1 + states_.size() + i], 0));
      }
    }
    return outputs;
  }

  // --------------------------------------------------------------------------------------------- as a loop

  absl::StatusOr<Operands> repeat() {
    RunTimeLoop loop;
    if (node_.has(0)) loop.trips = node_.input(0);
    loop.condition = condition_;
    loop.firstCount = countedBefore_;
    for (size_t i = 0; i < collected_.size(); ++i) {
      loop.rows.push_back({.isUsed = isCollected(i), .what = absl::StrCat("output ", states_.size() + i)});
    }
    // States that grow are collected like outputs, row by row.
    std::vector<std::optional<int64_t>> axes;
    for (size_t i = 0; i < states_.size(); ++i) {
      axes.push_back(growingAxis(i));
      if (axes[i]) {
        loop.rows.push_back({.axis = *axes[i], .what = absl::StrCat("state ", i)});
      } else {
        loop.states.push_back(states_[i]);
      }
    }
    if (!trips_) loop.whatDecides = whatDecides();
    loop.iterate = [&](ValueId number, const Operands &states) { return iterateOnce(number, states, axes); };
    HONE_ASSIGN_OR_RETURN(const Operands results, buildLoop(build_, loop));
    return withGrown(results, axes);
  }

  /// One iteration of a loop of the graph. A state that grows has nothing in it yet, so that what it becomes is what
  /// is put behind it.
  absl::StatusOr<Operands> iterateOnce(ValueId number, const Operands &states,
                                       const std::vector<std::optional<int64_t>> &axes) {
    Operands arguments = {number};
    // The iteration takes place: its condition is true.
    HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), build_.integer(DType::Bool, 1));
    auto next = states.begin();
    for (size_t i = 0; i < states_.size(); ++i) {
      if (axes[i]) {
        HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), nothingOf(tensorOf(states_[i]), *axes[i]));
      } else {
        arguments.push_back(*next++);
      }
    }
    HONE_ASSIGN_OR_RETURN(Operands results, body_.import(arguments));
    Operands ordered, grown;
    if (condition_) ordered.push_back(results[0]);
    for (size_t i = 0; i < states_.size(); ++i) {
      const Operand &result = results[1 + i];
      if (axes[i]) HONE_RETURN_IF_ERROR(checkGrowth(i, result, *axes[i]));
      (axes[i] ? grown : ordered).push_back(result);
    }
    ordered.insert(ordered.end(), results.begin() + static_cast<std::ptrdiff_t>(1 + states_.size()), results.end());
    ordered.insert(ordered.end(), grown.begin(), grown.end());
    return ordered;
  }

  /// The axis along which state \p i grows with each iteration of a bounded number of them, and does nothing else.
  std::optional<int64_t> growingAxis(size_t i) const {
    const ValueId initial = tensorOf(states_[i]);
    if (!node_.has(0) || initial < 0 || build_.isBounded(initial)) return std::nullopt;
    if (highest(build_, node_.input(0)).value_or(kMostGrowth + 1) > kMostGrowth) return std::nullopt;
    const std::optional<int64_t> axis = body_.growingAxis(2 + i, 1 + i);
    if (!axis) return std::nullopt;
    const absl::StatusOr<int64_t> normalized = normalizeAxis(*axis, build_.rank(initial));
    return normalized.ok() ? std::optional(*normalized) : std::nullopt;
  }

  Result nothingOf(ValueId value, int64_t axis) {
    graph::TensorType type = build_.type(value);
    type.shape[static_cast<size_t>(axis)] = 0;
    HONE_ASSIGN_OR_RETURN(ValueId nothing, build_.constant(graph::makeConstant(type, std::vector<int64_t>())));
    build_.setElementType(nothing, build_.elementType(value));
    return nothing;
  }

  absl::Status checkGrowth(size_t i, const Operand &added, int64_t axis) const {
    const ValueId initial = tensorOf(states_[i]), value = tensorOf(added);
    if (value < 0) return invalid("state ", i, " is not a tensor before and after an iteration");
    graph::TensorType wanted = build_.type(initial);
    if (build_.rank(value) == build_.rank(initial)) {
      wanted.shape[static_cast<size_t>(axis)] = build_.shape(value)[static_cast<size_t>(axis)];
    }
    if (build_.type(value) == wanted && build_.elementType(value) == build_.elementType(initial))
      return absl::OkStatus();
    return invalid("state ", i, " is ", graph::typeText(build_.type(initial)), ", behind which ",
                   graph::typeText(build_.type(value)), " is put along axis ", axis);
  }

  /// The outputs in the model's order: \p results has what states that grow have collected behind all others.
  absl::StatusOr<Operands> withGrown(const Operands &results, const std::vector<std::optional<int64_t>> &axes) {
    const auto count = static_cast<size_t>(std::count(axes.begin(), axes.end(), std::nullopt));
    Operands outputs;
    size_t state = 0, grown = count + collected_.size();
    for (size_t i = 0; i < states_.size(); ++i) {
      if (!axes[i]) {
        outputs.push_back(results[state++]);
        continue;
      }
      // One dim for the iterations, and one for what each of them adds.
      const ValueId rows = tensorOf(results[grown++]);
      Shape shape = build_.shape(rows);
      const auto axis = static_cast<size_t>(*axes[i]);
      shape[axis] *= shape[axis + 1];
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
      const Result added = build_.reshape(rows, shape);
      HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), build_.concat({tensorOf(states_[i]), added}, *axes[i]));
    }
    const auto first = results.begin() + static_cast<std::ptrdiff_t>(count);
    outputs.insert(outputs.end(), first, first + static_cast<std::ptrdiff_t>(collected_.size()));
    return outputs;
  }

  /// What decides how often it repeats, and is not known.
  std::string whatDecides() const {
    if (node_.has(0)) return node_.whatDecides(node_.input(0));
    return "depends on the contents of the network's inputs";
  }

  absl::StatusOr<Operands> importSample() {
    HONE_ASSIGN_OR_RETURN(ValueId number, build_.integer(DType::I64, 0));
    HONE_ASSIGN_OR_RETURN(ValueId isRunning, build_.integer(DType::Bool, 1));
    Operands arguments = {number, isRunning};
    arguments.insert(arguments.end(), states_.begin(), states_.end());
    absl::StatusOr<Operands> sample = body_.import(arguments);
    build_.countedIndices().resize(countedBefore_);
    return sample;
  }

  bool isCollected(size_t i) const { return node_.isOutputUsed(static_cast<int>(states_.size() + i)); }

  NodeContext &node_;
  Builder &build_;
  Subgraph &body_;
  std::optional<int64_t> trips_;
  std::optional<ValueId> condition_;  ///< of the next iteration, as far as the model gives one
  std::optional<ValueId> runs_;       ///< whether this iteration still takes place, where that depends on data
  Operands states_;
  std::vector<Collected> collected_;
  bool mustWriteOut_ = false;  ///< there is no other way
  size_t countedBefore_ = 0;   ///< of Builder::countedIndices()
};

}  // namespace

absl::StatusOr<Operands> importLoop(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Subgraph> body, node.subgraph("body"));
  return Loop(node, *body).run();
}

}  // namespace hone::frontend
