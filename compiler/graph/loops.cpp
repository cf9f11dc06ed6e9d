#include "compiler/graph/loops.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/print.h"

namespace hone::graph {
namespace {

template <typename... Parts>
absl::Status error(const Parts &...parts) {
  return absl::InternalError(absl::StrCat(parts...));
}

size_t at(ValueId id) { return static_cast<size_t>(id); }

int64_t numberOf(const Node &node) { return std::get<LoopAttributes>(node.attributes).loop; }

class LoopFinder {
 public:
  explicit LoopFinder(const Graph &graph) : graph_(graph) {}

  absl::StatusOr<Loops> run() {
    result_.loopOf.assign(graph_.nodes.size(), -1);
    const bool isAny =
        std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [](const Node &node) { return isOfLoop(node.op); });
    if (!isAny) return std::move(result_);
    index();
    HONE_RETURN_IF_ERROR(collectLoops());
    spread();
    HONE_RETURN_IF_ERROR(nest());
    HONE_RETURN_IF_ERROR(checkReaders());
    return std::move(result_);
  }

 private:
  using Set = std::set<int>;  // of loops

  const Node &node(int position) const { return graph_.nodes[static_cast<size_t>(position)]; }
  const Node *producerOf(ValueId value) const {
    return producer_[at(value)] < 0 ? nullptr : &node(producer_[at(value)]);
  }
  std::string describe(const Node &node) const {
    return graph::describe(node, static_cast<size_t>(&node - graph_.nodes.data()));
  }

  void index() {
    producer_.assign(graph_.values.size(), -1);
    readers_.resize(graph_.values.size());
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      producer_[at(graph_.nodes[i].output)] = static_cast<int>(i);
    }
    // What leads nowhere may be of half a loop: nobody asks.
    std::vector<bool> isNeeded(graph_.values.size(), false);
    for (const Port &port : graph_.outputs) isNeeded[at(port.value)] = true;
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      if (!isNeeded[at(graph_.nodes[i].output)]) continue;
      needed_.push_back(static_cast<int>(i));
      for (ValueId input : graph_.nodes[i].inputs) isNeeded[at(input)] = true;
    }
    std::reverse(needed_.begin(), needed_.end());
    for (int i : needed_) {
      for (ValueId input : node(i).inputs) readers_[at(input)].push_back(i);
    }
  }

  absl::Status collectLoops() {
    for (int i : needed_) {
      const Node &end = node(i);
      if (end.op != Op::LoopEnd) continue;
      const auto isNew = loops_.emplace(numberOf(end), static_cast<int>(result_.loops.size())).second;
      if (!isNew) return error(describe(end), ": loop ", numberOf(end), " ends twice");
      Loop loop;
      loop.end = i;
      for (size_t k = 0; k < end.inputs.size() / 2; ++k) {
        const Node *state = producerOf(end.inputs[k]);
        const LoopAttributes expected{numberOf(end), static_cast<int64_t>(k)};
        if (state == nullptr || state->op != Op::LoopState || std::get<LoopAttributes>(state->attributes) != expected) {
          return error(describe(end), ": operand ", k, " is not state ", k, " of loop ", expected.loop);
        }
        loop.states.push_back(producer_[at(end.inputs[k])]);
      }
      result_.loops.push_back(std::move(loop));
    }
    for (int i : needed_) {
      const Node &state = node(i);
      if (state.op != Op::LoopState) continue;
      const auto found = loops_.find(numberOf(state));
      if (found == loops_.end()) return error(describe(state), ": loop ", numberOf(state), " has no end");
      const Node &end = node(result_.loops[static_cast<size_t>(found->second)].end);
      const int64_t place = std::get<LoopAttributes>(state.attributes).state;
      const bool isListed = place >= 0 && place < static_cast<int64_t>(end.inputs.size() / 2) &&
                            end.inputs[static_cast<size_t>(place)] == state.output;
      if (!isListed) return error(describe(state), ": the end of loop ", numberOf(state), " does not have this state");
    }
    return absl::OkStatus();
  }

  /// Per value the loops on whose states it depends, and per loop those of what is in it: all of the loop is in them.
  void spread() {
    within_.assign(graph_.values.size(), {});
    around_.assign(result_.loops.size(), {});
    for (bool changes = true; changes;) {
      changes = false;
      for (int i : needed_) {
        const Node &node = this->node(i);
        Set loops;
        const size_t operands = node.op == Op::LoopResult ? 1 : node.inputs.size();
        for (size_t k = 0; k < operands; ++k)
          loops.insert(within_[at(node.inputs[k])].begin(), within_[at(node.inputs[k])].end());
        if (node.op == Op::LoopState || node.op == Op::LoopEnd) {
          const int own = loops_.at(numberOf(node));
          Set &around = around_[static_cast<size_t>(own)];
          loops.erase(own);
          const size_t before = around.size();
          around.insert(loops.begin(), loops.end());
          changes = changes || around.size() != before;
          loops = around;
          if (node.op == Op::LoopState) loops.insert(own);
        }
        within_[at(node.output)] = std::move(loops);
      }
    }
  }

  /// The innermost of \p loops, which have to lie within each other; -1 for none.
  absl::StatusOr<int> innermost(const Set &loops, const Node &node) const {
    int inner = -1;
    for (int loop : loops) {
      if (inner < 0 || around_[static_cast<size_t>(loop)].size() > around_[static_cast<size_t>(inner)].size())
        inner = loop;
    }
    if (inner < 0) return inner;
    Set chain = around_[static_cast<size_t>(inner)];
    chain.insert(inner);
    if (chain == loops) return inner;
    return error(describe(node), " depends on the states of loops that do not lie within each other");
  }

  absl::Status nest() {
    for (size_t i = 0; i < result_.loops.size(); ++i) {
      Loop &loop = result_.loops[i];
      HONE_ASSIGN_OR_RETURN(loop.around, innermost(around_[i], node(loop.end)));
    }
    for (int i : needed_) {
      HONE_ASSIGN_OR_RETURN(result_.loopOf[static_cast<size_t>(i)], innermost(within_[at(node(i).output)], node(i)));
    }
    return absl::OkStatus();
  }

  absl::Status checkReaders() const {
    for (const Port &port : graph_.outputs) {
      const Node *producer = producerOf(port.value);
      if (!within_[at(port.value)].empty() || (producer != nullptr && producer->op == Op::LoopEnd)) {
        return error("output '", port.name, "' is a value within a loop");
      }
    }
    for (int position : needed_) {
      const Node &node = this->node(position);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const Node *operand = producerOf(node.inputs[i]);
        const bool isEnd = operand != nullptr && operand->op == Op::LoopEnd;
        if (isEnd != (node.op == Op::LoopResult && i == 0))
          return error(describe(node), ": operand ", i, isEnd ? " is" : " is not", " the end of a loop");
      }
      if (node.op == Op::LoopResult) HONE_RETURN_IF_ERROR(checkResult(node));
      if (node.op == Op::LoopCollect) HONE_RETURN_IF_ERROR(checkCollect(node));
    }
    return absl::OkStatus();
  }

  absl::Status checkResult(const Node &result) const {
    const Node &end = *producerOf(result.inputs[0]);
    const auto states = end.inputs.begin() + static_cast<std::ptrdiff_t>(end.inputs.size() / 2);
    if (std::find(end.inputs.begin(), states, result.inputs[1]) != states) return absl::OkStatus();
    return error(describe(result), ": operand 1 is no state of the loop");
  }

  /// The row is written to where the state is: nobody may see the state in between.
  absl::Status checkCollect(const Node &collect) const {
    const Node *state = producerOf(collect.inputs[0]);
    if (state == nullptr || state->op != Op::LoopState)
      return error(describe(collect), ": operand 0 is no state of a loop");
    const int end = result_.loops[static_cast<size_t>(loops_.at(numberOf(*state)))].end;
    const auto &nexts = node(end).inputs;
    const size_t place = static_cast<size_t>(std::get<LoopAttributes>(state->attributes).state);
    const bool isNext = nexts[nexts.size() / 2 + place] == collect.output;
    const auto isRead = [&](int reader) {
      const Node &by = node(reader);
      return reader != end && &by != &collect && by.op != Op::LoopResult;
    };
    const auto &ofState = readers_[at(state->output)], &ofResult = readers_[at(collect.output)];
    if (isNext && std::none_of(ofState.begin(), ofState.end(), isRead) && ofResult == std::vector<int>{end} &&
        collect.inputs[1] != state->output) {
      return absl::OkStatus();
    }
    return error(describe(collect), ": somebody else reads the state, or it does not come next");
  }

  const Graph &graph_;
  Loops result_;
  std::vector<int> needed_;                // nodes to which an output leads
  std::vector<int> producer_;              // per value: node, or -1
  std::vector<std::vector<int>> readers_;  // per value: nodes, once per use
  std::map<int64_t, int> loops_;           // by number
  std::vector<Set> within_;                // per value
  std::vector<Set> around_;                // per loop
};

}  // namespace

bool Loops::isWithin(int loop, int around) const {
  while (loop >= 0 && loop != around) loop = loops[static_cast<size_t>(loop)].around;
  return loop == around;
}

absl::StatusOr<Loops> findLoops(const Graph &graph) { return LoopFinder(graph).run(); }

}  // namespace hone::graph
