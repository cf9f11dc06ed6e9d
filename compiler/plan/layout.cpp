#include "compiler/plan/layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/plan/blocks.h"
#include "compiler/tensor/affine.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;
using tensor::Layout;

class LayoutChooser {
 public:
  LayoutChooser(Program &program, int64_t lanes, Plan &plan) : program_(program), lanes_(lanes), plan_(plan) {}

  void run() {
    for (const graph::Port &port : program_.graph.inputs) {
      const graph::TensorType &type = program_.value(port.value).type;
      const int buffer = add(port.name, Place::Input, type, Layout::rowMajor(type.shape));
      program_.planned(port.value).buffer = buffer;
      plan_.inputs.push_back(buffer);
    }
    plan_.outputs.assign(program_.graph.outputs.size(), -1);
    for (size_t g = 0; g < program_.groups.size(); ++g) {
      const bool blocks = worksOnBlocks(program_.groups[g]);
      for (size_t i = 0; i < program_.groups[g].stored.size(); ++i) {
        if (isPiece(program_.groups[g].stored[i].value)) continue;
        createFor(static_cast<int>(g), static_cast<int>(i), blocks);
      }
    }
    for (const Node &node : program_.graph.nodes) {
      if (node.op == Op::LoopResult) program_.planned(node.output).buffer = program_.planned(node.inputs[1]).buffer;
    }
    for (size_t port = 0; port < plan_.outputs.size(); ++port) {
      if (program_.outputs[port].group >= 0) continue;
      const graph::Port &output = program_.graph.outputs[port];
      const graph::TensorType &type = program_.value(output.value).type;
      plan_.outputs[port] = add(output.name, Place::Output, type, Layout::rowMajor(type.shape));
    }
    for (Group &group : program_.groups) {
      for (StoredValue &entry : group.stored) {
        if (isPiece(entry.value)) entry.buffer = program_.planned(entry.form).buffer;
      }
    }
  }

 private:
  int add(std::string name, Place place, const graph::TensorType &type, Layout layout) {
    PlanBuffer buffer;
    buffer.name = std::move(name);
    buffer.place = place;
    buffer.dtype = type.dtype;
    buffer.shape = type.shape;
    buffer.bytes = layout.elements() * sizeOf(type.dtype);
    buffer.layout = std::move(layout);
    plan_.buffers.push_back(std::move(buffer));
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  void createFor(int group, int index, bool blocks) {
    StoredValue &entry = program_.groups[static_cast<size_t>(group)].stored[static_cast<size_t>(index)];
    for (size_t port = 0; port < plan_.outputs.size(); ++port) {
      if (program_.outputs[port].group != group || program_.outputs[port].entry != index) continue;
      const graph::Port &output = program_.graph.outputs[port];
      const graph::TensorType &type = program_.value(output.value).type;
      entry.buffer = add(output.name, Place::Output, type, Layout::rowMajor(type.shape));
      plan_.outputs[port] = entry.buffer;
    }
    const Node *producer = program_.producerOf(entry.value);
    // A row goes to where the others are.
    const bool isCollected = producer != nullptr && producer->op == Op::LoopCollect;
    if (isCollected) entry.buffer = program_.planned(producer->inputs[0]).buffer;
    if (entry.buffer < 0) {
      const graph::Value &value = program_.value(entry.form);
      const graph::Shape &shape = value.type.shape;
      const bool mayBlock = blocks && keepsChannels(entry) && isImage(shape) && readersAgree(entry.form);
      const int64_t block = mayBlock ? chooseBlock(shape[1], usesOf(entry), lanes_) : 1;
      program_.planned(entry.form).isBlocked = block > 1;
      entry.buffer = add(value.name.empty() ? absl::StrCat("%", entry.form) : value.name, Place::Arena, value.type,
                         block > 1 ? Layout::blocked(shape, 1, block) : Layout::rowMajor(shape));
    }
    if (program_.planned(entry.form).group == group) program_.planned(entry.form).buffer = entry.buffer;
  }

  /// With more than one pixel: with one, blocked and row-major are the same bytes.
  static bool isImage(const graph::Shape &shape) {
    if (shape.size() < 3) return false;
    return std::any_of(shape.begin() + 2, shape.end(), [](int64_t extent) { return extent > 1; });
  }

  /// How those who compute and read the form go through its channels.
  std::vector<ChannelUse> usesOf(const StoredValue &entry) const {
    const int64_t channels = program_.shape(entry.form)[1];
    std::vector<ChannelUse> uses = {{channels, false}};
    const Group &group = program_.groups[static_cast<size_t>(program_.planned(entry.value).group)];
    if (group.anchor >= 0 && entry.form == entry.value) {
      const Node &anchor = program_.graph.nodes[static_cast<size_t>(group.anchor)];
      if (anchor.op == Op::Conv) uses[0].run = runOf(anchor, channels);
      if (takesChannelsApart(anchor) && !readsBlocked(anchor.inputs[0])) uses[0].run = 1;
    }
    for (int user : program_.planned(entry.form).users) {
      const Node &reader = program_.graph.nodes[static_cast<size_t>(user)];
      ChannelUse use{channels, false};
      if (reader.op == Op::Conv) {
        use.run = runOf(reader, channels);
        use.skipsRows = std::get<graph::ConvAttributes>(reader.attributes).strides.back() > 1;
      } else if (reader.op == Op::Pool) {
        use.skipsRows = std::get<graph::PoolAttributes>(reader.attributes).strides.back() > 1;
      }
      uses.push_back(use);
    }
    return uses;
  }

  /// Whether \p anchor computes each channel from the same one of what it reads: from rows in rows, or element by
  /// element.
  bool takesChannelsApart(const Node &anchor) const {
    return anchor.op == Op::Pool || (anchor.op == Op::Conv && isDepthwise(anchor));
  }

  bool readsBlocked(ValueId input) const {
    const std::vector<ValueId> leaves = leavesOf(program_, input);
    return std::any_of(leaves.begin(), leaves.end(), [&](ValueId leaf) { return isBlocked(leaf); });
  }

  bool isDepthwise(const Node &conv) const {
    const int64_t groups = std::get<graph::ConvAttributes>(conv.attributes).groups;
    return groups == program_.shape(conv.inputs[0])[1] && groups == program_.shape(conv.output)[1];
  }

  /// Channels of a group, of \p channels that \p conv computes or reads. One for each channel are no groups to go
  /// through.
  int64_t runOf(const Node &conv, int64_t channels) const {
    return isDepthwise(conv) ? channels : channels / std::get<graph::ConvAttributes>(conv.attributes).groups;
  }

  bool isPiece(ValueId value) const { return program_.pieces.entries.count(value) != 0; }

  /// Whether the channels of what is computed are those of the form. (Of a view that is only known where the form is
  /// woven from pieces.)
  bool keepsChannels(const StoredValue &entry) const {
    if (entry.form == entry.value) return true;
    bool found = false;
    for (const auto &[value, piece] : program_.pieces.entries) {
      if (piece.form != entry.form) continue;
      if (!keepsChannels(value, piece)) return false;
      found = true;
    }
    return found;
  }

  bool hasRankOf(const StoredValue &piece, ValueId value) const {
    return program_.shape(piece.form).size() == program_.shape(value).size();
  }

  /// The same for one piece: its channels are the form's, and in no other index of it.
  bool keepsChannels(ValueId value, const StoredValue &piece) const {
    if (!hasRankOf(piece, value)) return false;
    const Indices &own = *program_.planned(value).coords;
    if (own.size() < 2 || piece.coords.size() < 2) return false;
    const auto &dims = program_.groups[static_cast<size_t>(program_.planned(value).group)].domains.output.dims;
    for (size_t dim = 0; dim < dims.size(); ++dim) {
      const std::optional<int64_t> step = coefficientOf(own[1], static_cast<int>(dim));
      for (size_t d = 0; d < piece.coords.size(); ++d) {
        const std::optional<int64_t> found = coefficientOf(piece.coords[d], static_cast<int>(dim));
        const bool isChannel = step != std::optional<int64_t>(0) && dims[dim].extent > 1;
        if (d == 1 ? found != step : isChannel && found != std::optional<int64_t>(0)) return false;
      }
    }
    return true;
  }

  bool isBlocked(ValueId value) const {
    if (isPiece(value)) {
      return hasRankOf(program_.pieces.entries.at(value), value) &&
             worksOnBlocks(program_.groups[static_cast<size_t>(program_.planned(value).group)]);
    }
    const int buffer = program_.planned(value).buffer;
    if (buffer < 0) return false;
    const PlanBuffer &b = plan_.buffers[static_cast<size_t>(buffer)];
    return !b.layout.isRowMajor(b.shape);
  }

  /// Convs and pools do; elementwise ops, copies and concatenations go along with what they read.
  bool worksOnBlocks(const Group &group) const {
    if (group.anchor >= 0) {
      const Node &anchor = program_.graph.nodes[static_cast<size_t>(group.anchor)];
      if (anchor.op == Op::Conv || anchor.op == Op::Pool) return true;
      if (anchor.op != Op::Concat) return false;
    }
    const int index = static_cast<int>(&group - program_.groups.data());
    const std::vector<ValueId> inputs = inputsOf(program_, index);
    return std::any_of(inputs.begin(), inputs.end(), [&](ValueId input) { return readsBlocked(input); });
  }

  /// Whether all who read \p value read whole channels at a place: then a vector of channels serves them.
  bool readersAgree(ValueId value) const {
    const std::vector<int> &users = program_.planned(value).users;
    return !program_.planned(value).isOutput && std::all_of(users.begin(), users.end(), [&](int user) {
      return readsBlocks(program_.graph.nodes[static_cast<size_t>(user)], value);
    });
  }

  /// Whether \p view, behind which there is \p value, is an image with the same channels at every place, and read by
  /// who agrees: rows and columns that are repeated or picked. Views on the way to it may have any rank.
  bool isBlockedBehind(ValueId value, ValueId view) const {
    const std::vector<int> &users = program_.planned(view).users;
    if (program_.planned(view).isOutput) return false;
    const size_t rank = program_.shape(value).size();
    if (program_.shape(view).size() != rank) {
      return !program_.planned(view).isStored && std::all_of(users.begin(), users.end(), [&](int user) {
        const Node &node = program_.graph.nodes[static_cast<size_t>(user)];
        return isView(node.op) && isBlockedBehind(value, node.output);
      });
    }
    Indices indices = dimsFrom(0, rank);
    for (ValueId current = view; current != value;) {
      const Node *node = program_.producerOf(current);
      Source source = backward(program_.graph, *node, indices,
                               [](ValueId, const Indices &place) { return tensor::load(0, place); });
      if (source.outside) return false;
      indices = std::move(source.indices);
      current = node->inputs[0];
    }
    for (size_t d = 0; d < indices.size(); ++d) {
      const std::optional<int64_t> step = coefficientOf(indices[d], 1);
      if (step != std::optional<int64_t>(d == 1 ? 1 : 0)) return false;
    }
    if (program_.planned(view).isStored) return true;  // the copy reads it, and has a layout of its own
    return readersAgree(view) && std::all_of(users.begin(), users.end(), [&](int user) {
             const Op op = program_.graph.nodes[static_cast<size_t>(user)].op;
             return op != Op::Conv && op != Op::Pool;
           });
  }

  bool readsBlocks(const Node &reader, ValueId value) const {
    switch (reader.op) {
      case Op::Conv:
        return reader.inputs[0] == value;
      case Op::Pool:
        return true;
      case Op::Elementwise:
      case Op::Cast:
      case Op::Concat:
        return program_.shape(reader.output).size() == program_.shape(value).size();
      case Op::Reduce: {
        const auto &axes = std::get<graph::ReduceAttributes>(reader.attributes).axes;
        return std::find(axes.begin(), axes.end(), 1) == axes.end();
      }
      case Op::Reshape:
      case Op::Broadcast:
      case Op::Gather:
        return reader.inputs[0] == value && isBlockedBehind(value, reader.output);
      case Op::Pad:
      case Op::Slice:
        return program_.shape(reader.output)[1] == program_.shape(value)[1] && readersAgree(reader.output);
      default:
        return false;
    }
  }

  Program &program_;
  int64_t lanes_;
  Plan &plan_;
};

}  // namespace

void createBuffers(Program &program, int64_t lanes, Plan &plan) { LayoutChooser(program, lanes, plan).run(); }

}  // namespace hone::plan
