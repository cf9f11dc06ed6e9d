// The stages of every op that is computed as the anchor of a group: one function per op, node -> TensorOps. emit.cpp
// has the table. Functions without state; see GroupEmitter for what they share.
#pragma once

#include "compiler/plan/group_emitter.h"

namespace hone::plan {

Finish emitConv(GroupEmitter &emitter, const graph::Node &node);
Finish emitPool(GroupEmitter &emitter, const graph::Node &node);
Finish emitMatMul(GroupEmitter &emitter, const graph::Node &node);
Finish emitReduce(GroupEmitter &emitter, const graph::Node &node);
Finish emitSoftmax(GroupEmitter &emitter, const graph::Node &node);
Finish emitLogSoftmax(GroupEmitter &emitter, const graph::Node &node);
Finish emitLayerNorm(GroupEmitter &emitter, const graph::Node &node);
Finish emitConcat(GroupEmitter &emitter, const graph::Node &node);
Finish emitCompute(GroupEmitter &emitter, const graph::Node &node);
Finish emitLoopState(GroupEmitter &emitter, const graph::Node &node);
Finish emitLoopCollect(GroupEmitter &emitter, const graph::Node &node);
Finish emitLoopEnd(GroupEmitter &emitter, const graph::Node &node);

// Scalars with fewer letters.
tensor::Scalar sum(const tensor::Scalar &a, const tensor::Scalar &b);
tensor::Scalar difference(const tensor::Scalar &a, const tensor::Scalar &b);
tensor::Scalar product(const tensor::Scalar &a, const tensor::Scalar &b);
tensor::Scalar quotient(const tensor::Scalar &a, const tensor::Scalar &b);

}  // namespace hone::plan
