#include "compiler/plan/emit.h"

#include <cassert>

namespace hone::plan {
namespace {

using graph::Op;

struct Entry {
  Op op;
  Finish (*emit)(GroupEmitter &, const graph::Node &);
};

// Elementwise ops, casts and views are not here: they are composed into the stages that read or follow them.
constexpr Entry kAnchors[] = {
    {Op::Conv, emitConv},
    {Op::Pool, emitPool},
    {Op::MatMul, emitMatMul},
    {Op::Reduce, emitReduce},
    {Op::Softmax, emitSoftmax},
    {Op::LogSoftmax, emitLogSoftmax},
    {Op::LayerNorm, emitLayerNorm},
    {Op::Concat, emitConcat},
    {Op::Compute, emitCompute},
    {Op::LoopState, emitLoopState},
    {Op::LoopCollect, emitLoopCollect},
    {Op::LoopEnd, emitLoopEnd},
};

}  // namespace

Finish emitAnchor(GroupEmitter &emitter, const graph::Node &node) {
  for (const Entry &entry : kAnchors) {
    if (entry.op == node.op) return entry.emit(emitter, node);
  }
  assert(false && "an op without an entry");
  return nullptr;
}

tensor::Scalar sum(const tensor::Scalar &a, const tensor::Scalar &b) { return tensor::apply(ScalarOp::Add, {a, b}); }
tensor::Scalar difference(const tensor::Scalar &a, const tensor::Scalar &b) {
  return tensor::apply(ScalarOp::Sub, {a, b});
}
tensor::Scalar product(const tensor::Scalar &a, const tensor::Scalar &b) {
  return tensor::apply(ScalarOp::Mul, {a, b});
}
tensor::Scalar quotient(const tensor::Scalar &a, const tensor::Scalar &b) {
  return tensor::apply(ScalarOp::Div, {a, b});
}

}  // namespace hone::plan
