// Compute nodes: the stages of the node's kernel become stages of the group's, with values of the graph in the places
// of its input buffers, and the value's storage in that of its output.
#include <algorithm>
#include <cassert>

#include "compiler/plan/emit.h"
#include "compiler/tensor/index_range.h"

namespace hone::plan {
namespace {

using graph::Node;
using tensor::BufferRole;
using tensor::Index;
using tensor::IndexKind;
using tensor::Scalar;
using tensor::ScalarKind;

class KernelCopier {
 public:
  KernelCopier(GroupEmitter &emitter, const Node &node)
      : emitter_(emitter), kernel_(*std::get<graph::ComputeAttributes>(node.attributes).kernel) {
    size_t input = 0;
    for (const tensor::Buffer &buffer : kernel_.buffers) {
      const bool isInput = buffer.role == BufferRole::Input;
      values_.push_back(isInput ? node.inputs[input++] : -1);
      buffers_.push_back(isInput ? -1
                         : buffer.role == BufferRole::Output
                             ? emitter.storageOf(node)
                             : emitter.temporary(buffer.name, buffer.dtype, buffer.shape));
    }
  }

  void run() {
    for (const tensor::TensorOp &op : kernel_.stages) copy(op);
  }

 private:
  void copy(const tensor::TensorOp &op) {
    Stage stage = emitter_.stage(op.name, op.dims);
    std::vector<Scalar> body;
    for (const Scalar &scalar : op.body) body.push_back(copied(stage, op, scalar));
    std::vector<tensor::Access> writes;
    for (const tensor::Access &write : op.writes) {
      writes.push_back({buffers_[at(write.buffer)], copied(stage, op, write.indices), std::nullopt});
    }
    stage.finish(std::move(body), op.combiner, std::move(writes));
  }

  Scalar copied(Stage &stage, const tensor::TensorOp &op, const Scalar &scalar) {
    if (scalar->kind == ScalarKind::Read) {
      const tensor::Access &access = op.reads[at(scalar->position)];
      const Indices indices = copied(stage, op, access.indices);
      const graph::ValueId value = values_[at(access.buffer)];
      if (value >= 0) return emitter_.value(stage, value, indices, access.outside);
      return stage.read(buffers_[at(access.buffer)], indices, access.outside);
    }
    tensor::ScalarNode node = *scalar;
    if (node.kind == ScalarKind::IndexValue) node.index = copied(stage, op, node.index);
    for (Scalar &arg : node.args) arg = copied(stage, op, arg);
    return std::make_shared<const tensor::ScalarNode>(std::move(node));
  }

  Indices copied(Stage &stage, const tensor::TensorOp &op, const Indices &indices) {
    Indices result;
    for (const Index &index : indices) result.push_back(copied(stage, op, index));
    return result;
  }

  Index copied(Stage &stage, const tensor::TensorOp &op, const Index &index) {
    tensor::IndexNode node = *index;
    for (size_t i = 0; i < node.args.size(); ++i) node.args[i] = copied(stage, op, index->args[i]);
    if (node.kind != IndexKind::Load) return std::make_shared<const tensor::IndexNode>(std::move(node));
    const graph::ValueId value = values_[at(node.buffer)];
    if (value < 0) return tensor::load(buffers_[at(node.buffer)], std::move(node.args));
    // Places outside mean the nearest one inside, of this value: behind a view there may be more than that.
    const graph::Shape &shape = emitter_.shape(value);
    for (size_t i = 0; i < node.args.size(); ++i) {
      if (tensor::staysInside(kernel_, op, index->args[i], shape[i])) continue;
      node.args[i] = tensor::clamp(node.args[i], 0, shape[i] - 1);
    }
    return emitter_.loadIndex(stage, value, node.args);
  }

  static size_t at(int position) { return static_cast<size_t>(position); }

  GroupEmitter &emitter_;
  const tensor::Kernel &kernel_;
  std::vector<graph::ValueId> values_;  // per buffer of the node's kernel: the operand, or -1
  std::vector<int> buffers_;            // per buffer of the node's kernel: the group's buffer, or -1
};

}  // namespace

Finish emitCompute(GroupEmitter &emitter, const Node &node) {
  KernelCopier(emitter, node).run();
  return nullptr;
}

}  // namespace hone::plan
