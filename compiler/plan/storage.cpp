// chooseStorage(): which values get memory, which views must become data, who writes the outputs, and the order of
// the kernels.
#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <tuple>

#include "compiler/plan/program.h"
#include "compiler/tensor/affine.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;

/// Stands for an index that is only known at run time.
tensor::Index unknownIndex(ValueId, const Indices &indices) { return tensor::load(0, indices); }

class StorageChooser {
 public:
  explicit StorageChooser(Program &program) : program_(program) {}

  void run() {
    placePieces(program_);
    for (size_t g = 0; g < program_.groups.size(); ++g) storeWhatIsUsedOutside(static_cast<int>(g));
    const size_t nodes = program_.graph.nodes.size();
    for (size_t i = 0; i < nodes; ++i) copyWhatCannotBeRead(program_.graph.nodes[i]);
    copyConditions();
    assignOutputs();
    renumber(orderOfGroups(program_));
  }

 private:
  const Node &node(int position) const { return program_.graph.nodes[static_cast<size_t>(position)]; }

  // ------------------------------------------------------------------------------------------ group values

  bool usedOutside(ValueId value, int group) const {
    if (program_.planned(value).isOutput) return true;
    return std::any_of(program_.planned(value).users.begin(), program_.planned(value).users.end(), [&](int user) {
      const Node &reader = node(user);
      if (!isView(reader.op)) return program_.planned(reader.output).group != group;
      return !isBijection(reader.op) || usedOutside(reader.output, group);
    });
  }

  void storeWhatIsUsedOutside(int index) {
    const Group &group = program_.groups[static_cast<size_t>(index)];
    std::vector<int> members = group.prologue;
    if (group.anchor >= 0) members.push_back(group.anchor);
    members.insert(members.end(), group.epilogue.begin(), group.epilogue.end());
    for (int member : members) {
      const ValueId value = node(member).output;
      const auto piece = program_.pieces.entries.find(value);
      if (piece != program_.pieces.entries.end()) {
        program_.groups[static_cast<size_t>(index)].stored.push_back(piece->second);
      } else if (usedOutside(value, index)) {
        store(index, formOf(index, value));
      }
    }
  }

  void store(int index, StoredValue entry) {
    program_.planned(entry.form).isStored = true;
    program_.planned(entry.form).group = index;
    program_.planned(entry.form).coords = entry.coords;
    program_.groups[static_cast<size_t>(index)].stored.push_back(std::move(entry));
  }

  /// The value itself, or the last of a chain of views that only this value feeds: where the writes stay
  /// consecutive they may as well go to the places that the readers want.
  StoredValue formOf(int index, ValueId value) const {
    const Domain &domain = program_.groups[static_cast<size_t>(index)].domains.output;
    const std::optional<Indices> &coords = program_.planned(value).coords;
    if (!coords) {
      const auto woven = program_.pieces.forms.find(value);
      const ValueId form = woven == program_.pieces.forms.end() ? value : woven->second;
      return {value, form, dimsFrom(0, program_.shape(form).size()), -1};
    }
    StoredValue best{value, value, *coords, -1};
    StoredValue current = best;
    bool moved = false;
    while (program_.planned(current.form).users.size() == 1 && !program_.planned(current.form).isOutput) {
      const Node &user = node(program_.planned(current.form).users[0]);
      if (!isBijection(user.op)) break;
      current.coords = forward(program_.graph, user, current.coords);
      current.form = user.output;
      moved = moved || user.op == Op::Transpose;
      if (!isAffine(current.coords)) break;
      if (moved && isConsecutive(domain, current)) best = current;
    }
    return best;
  }

  bool isConsecutive(const Domain &domain, const StoredValue &entry) const {
    if (domain.vectorDim < 0 || domain.dims[static_cast<size_t>(domain.vectorDim)].extent == 1) return true;
    return coefficientOf(linearIndex(program_.shape(entry.form), entry.coords), domain.vectorDim) ==
           std::optional<int64_t>(1);
  }

  // ---------------------------------------------------------------------------------------------- operands

  void copy(ValueId value) {
    if (program_.planned(value).isStored) return;
    Group group;
    group.copied = value;
    group.domains = mapDomains(program_.shape(value));
    group.guard = program_.guards[static_cast<size_t>(program_.planned(value).producer)];
    group.loop = runsIn(program_, program_.planned(value).producer);
    program_.groups.push_back(group);
    store(static_cast<int>(program_.groups.size()) - 1, {value, value, group.domains.output.coords, -1});
  }

  /// The runtime looks at their bytes.
  void copyConditions() {
    for (const Guard &guard : program_.guards) {
      for (const Condition &condition : guard) copy(condition.value);
    }
  }

  void copyWhatCannotBeRead(const Node &reader) {
    switch (reader.op) {
      case Op::Conv: {
        const auto &conv = std::get<graph::ConvAttributes>(reader.attributes);
        readWindow(reader.inputs[0], conv.pads);
        if (!isPlain(reader.inputs[1])) copy(reader.inputs[1]);
        break;
      }
      case Op::Pool:
        readWindow(reader.inputs[0], std::get<graph::PoolAttributes>(reader.attributes).pads);
        break;
      case Op::MatMul:
        if (!isPlain(reader.inputs[0])) copy(reader.inputs[0]);
        if (!isPlain(reader.inputs[1]) || !columnsAreContiguous(reader)) copy(reader.inputs[1]);
        break;
      case Op::Pad:
        if (std::get<graph::PadAttributes>(reader.attributes).mode == graph::PadMode::Constant &&
            !allowsOutside(reader.inputs[0])) {
          copy(reader.inputs[0]);
        }
        break;
      case Op::Gather:
        if (!isLoadable(reader.inputs[1])) copy(reader.inputs[1]);
        break;
      case Op::Compute:
        readByKernel(reader);
        break;
      case Op::LoopCollect:
        if (!isLoadable(reader.inputs[2])) copy(reader.inputs[2]);
        break;
      case Op::LoopEnd:
        keepFromChange(reader);
        break;
      default:
        break;
    }
  }

  /// Its stages may read an operand many times, and at indices of their own: only what loops step through is not
  /// made data first.
  void readByKernel(const Node &reader) {
    const tensor::Kernel &kernel = *std::get<graph::ComputeAttributes>(reader.attributes).kernel;
    size_t next = 0;
    for (size_t b = 0; b < kernel.buffers.size(); ++b) {
      if (kernel.buffers[b].role != tensor::BufferRole::Input) continue;
      const ValueId value = reader.inputs[next++];
      const bool isLeft = std::any_of(kernel.stages.begin(), kernel.stages.end(), [&](const tensor::TensorOp &stage) {
        return std::any_of(stage.reads.begin(), stage.reads.end(), [&](const tensor::Access &read) {
          return read.buffer == static_cast<int>(b) && read.outside.has_value();
        });
      });
      if (!isPlain(value) || (isLeft && !allowsOutside(value))) copy(value);
    }
  }

  /// What comes next in one state may be another form of what is in one: it is read after that has changed.
  void keepFromChange(const Node &end) {
    const auto states = end.inputs.begin() + static_cast<std::ptrdiff_t>(end.inputs.size() / 2);
    for (auto next = states; next != end.inputs.end(); ++next) {
      if (program_.planned(*next).isStored) continue;
      const std::vector<ValueId> leaves = leavesOf(program_, *next);
      const bool changes = std::any_of(leaves.begin(), leaves.end(), [&](ValueId leaf) {
        return std::find(end.inputs.begin(), states, leaf) != states;
      });
      if (changes) copy(*next);
    }
  }

  void readWindow(ValueId data, const graph::Shape &pads) {
    const bool padded = std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
    if (padded ? !allowsOutside(data) : !isPlain(data)) copy(data);
  }

  Resolved probe(ValueId value) const {
    return resolve(program_, value, dimsFrom(0, program_.shape(value).size()), unknownIndex);
  }

  /// Read through affine indices only: addresses that loops step through.
  bool isPlain(ValueId value) const {
    const Resolved source = probe(value);
    return !source.outside && isAffine(source.indices);
  }

  bool isLoadable(ValueId indices) const { return !probe(indices).outside; }

  bool columnsAreContiguous(const Node &reader) const {
    const ValueId right = reader.inputs[1];
    if (program_.value(right).constant != nullptr) return true;
    const graph::Shape &shape = program_.shape(right);
    if (shape.back() == 1) return true;
    const Resolved source = probe(right);
    return coefficientOf(linearIndex(source.shape, source.indices), static_cast<int>(shape.size()) - 1) ==
           std::optional<int64_t>(1);
  }

  /// Whether an index outside the value's shape is also outside what is read for it.
  bool allowsOutside(ValueId value) const {
    if (program_.planned(value).isStored) return true;
    const Node *producer = program_.producerOf(value);
    if (producer == nullptr) return true;
    if (producer->op == Op::Transpose) return allowsOutside(producer->inputs[0]);
    if (producer->op != Op::Reshape) return !isView(producer->op);
    while (!program_.planned(value).isStored && producer != nullptr && producer->op == Op::Reshape) {
      value = producer->inputs[0];
      producer = program_.producerOf(value);
    }
    return program_.planned(value).isStored;
  }

  // ----------------------------------------------------------------------------------------------- outputs

  /// The stored value whose bytes are those of \p value: itself or what it is a reshape of.
  ValueId bytesOf(ValueId value) const {
    while (!program_.planned(value).isStored) {
      const Node *producer = program_.producerOf(value);
      if (producer == nullptr || producer->op != Op::Reshape) return -1;
      value = producer->inputs[0];
    }
    const Node *producer = program_.producerOf(value);
    if (producer != nullptr && producer->op == Op::LoopResult) return -1;  // its memory is a state's
    return program_.planned(value).group >= 0 ? value : -1;
  }

  void assignOutputs() {
    std::set<ValueId> claimed;
    for (const graph::Port &port : program_.graph.outputs) {
      if (program_.value(port.value).type.elements() == 0) {
        program_.outputs.emplace_back();
        continue;
      }
      const ValueId bytes = bytesOf(port.value);
      if (bytes >= 0 && claimed.insert(bytes).second) {
        const int group = program_.planned(bytes).group;
        const std::vector<StoredValue> &stored = program_.groups[static_cast<size_t>(group)].stored;
        const auto entry = std::find_if(stored.begin(), stored.end(), [&](const auto &s) { return s.form == bytes; });
        assert(entry != stored.end());
        program_.outputs.push_back({group, static_cast<int>(entry - stored.begin())});
        continue;
      }
      // An input, a constant, a view in another order, or a second output of the same bytes.
      Group group;
      group.copied = port.value;
      group.domains = mapDomains(program_.shape(port.value));
      group.stored = {{port.value, port.value, group.domains.output.coords, -1}};
      program_.groups.push_back(std::move(group));
      program_.outputs.push_back({static_cast<int>(program_.groups.size()) - 1, 0});
    }
  }

  // ------------------------------------------------------------------------------------------------- order

  void renumber(const std::vector<int> &order) {
    std::vector<int> position(order.size());
    std::vector<Group> groups;
    for (size_t i = 0; i < order.size(); ++i) {
      position[static_cast<size_t>(order[i])] = static_cast<int>(i);
      groups.push_back(std::move(program_.groups[static_cast<size_t>(order[i])]));
    }
    program_.groups = std::move(groups);
    const auto moved = [&](int group) { return group < 0 ? -1 : position[static_cast<size_t>(group)]; };
    for (PlannedValue &value : program_.values) value.group = moved(value.group);
    for (PlannedOutput &output : program_.outputs) output.group = moved(output.group);
  }

  Program &program_;
};

}  // namespace

void chooseStorage(Program &program) { StorageChooser(program).run(); }

}  // namespace hone::plan
