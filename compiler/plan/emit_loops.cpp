// What loops do with memory: states get their initial values, rows go to their places, and at the end of an iteration
// the states become what comes next.
#include "compiler/plan/emit.h"

namespace hone::plan {

using graph::Node;
using graph::ValueId;
using tensor::CombinerKind;

Finish emitLoopState(GroupEmitter &emitter, const Node &node) {
  const graph::Shape &shape = emitter.shape(node.output);
  Stage copy = emitter.stage("initial", mapDomains(shape).output.dims);
  const ValueId initial = node.inputs[0];
  tensor::Scalar body =
      emitter.value(copy, initial, broadcastIndices(emitter.shape(initial), shape, dimsFrom(0, shape.size())));
  copy.finish(std::move(body), CombinerKind::None, emitter.storageOf(node), dimsFrom(0, shape.size()));
  return nullptr;
}

Finish emitLoopCollect(GroupEmitter &emitter, const Node &node) {
  const graph::Shape &row = emitter.shape(node.inputs[1]);
  Stage copy = emitter.stage("row", mapDomains(row).output.dims);
  const Indices place = dimsFrom(0, row.size());
  tensor::Scalar body = emitter.value(copy, node.inputs[1], place);
  Indices indices = {emitter.loadIndex(copy, node.inputs[2], {})};
  indices.insert(indices.end(), place.begin(), place.end());
  copy.finish(std::move(body), CombinerKind::None, emitter.storageOf(node), std::move(indices));
  return nullptr;
}

Finish emitLoopEnd(GroupEmitter &emitter, const Node &node) {
  const size_t states = node.inputs.size() / 2;
  for (size_t k = 0; k < states; ++k) {
    const ValueId state = node.inputs[k], next = node.inputs[states + k];
    // What is unchanged or collected is there already.
    if (next == state || emitter.isSameStorage(next, state)) continue;
    const graph::Shape &shape = emitter.shape(state);
    Stage copy = emitter.stage("next", mapDomains(shape).output.dims);
    tensor::Scalar body = emitter.value(copy, next, dimsFrom(0, shape.size()));
    copy.finish(std::move(body), CombinerKind::None, emitter.stateBuffer(state), dimsFrom(0, shape.size()));
  }
  return nullptr;
}

}  // namespace hone::plan
