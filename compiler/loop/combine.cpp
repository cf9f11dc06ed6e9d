// Combiners: how two results of a reduction become one.
#include <cassert>
#include <utility>

#include "compiler/loop/lowering.h"

namespace hone::loop {
namespace {

using tensor::CombinerKind;
using tensor::ScalarKind;

ValuePtr combined(const tensor::Scalar &scalar, const std::vector<ValuePtr> &old,
                  const std::vector<ValuePtr> &elements) {
  auto position = static_cast<size_t>(scalar->position);
  switch (scalar->kind) {
    case ScalarKind::Accumulator:
      return old[position];
    case ScalarKind::Element:
      return elements[position];
    case ScalarKind::Constant:
      return makeConstant(scalar, 1);
    default:
      break;
  }
  std::vector<ValuePtr> args;
  for (const tensor::Scalar &arg : scalar->args) args.push_back(combined(arg, old, elements));
  if (scalar->kind == ScalarKind::Apply) return makeApply(scalar->op, std::move(args));
  assert(scalar->kind == ScalarKind::Cast || scalar->kind == ScalarKind::Bits);
  return makeConversion(conversionOf(scalar->kind), scalar->dtype, std::move(args[0]));
}

}  // namespace

ScalarOp combinerOp(CombinerKind kind) {
  switch (kind) {
    case CombinerKind::Product:
      return ScalarOp::Mul;
    case CombinerKind::Min:
      return ScalarOp::Min;
    case CombinerKind::Max:
      return ScalarOp::Max;
    default:
      return ScalarOp::Add;
  }
}

ValuePtr identityOf(const tensor::TensorOp &op, size_t element, int lanes) {
  const DType dtype = op.body[element]->dtype;
  return makeConstant(op.combiner.kind == CombinerKind::Custom ? op.combiner.identity[element]
                                                               : tensor::identity(op.combiner.kind, dtype),
                      lanes);
}

Body setCombined(Lowering &lowering, const tensor::Combiner &combiner, const std::vector<int> &registers,
                 const IntExpr &index, const std::vector<ValuePtr> &old, const std::vector<ValuePtr> &elements,
                 int lanes) {
  if (combiner.kind != CombinerKind::Custom)
    return {makeSet(registers[0], index, makeApply(combinerOp(combiner.kind), {old[0], elements[0]}))};
  // All new values come from the old ones: they are held until the last is known.
  Body out;
  Body sets;
  for (size_t i = 0; i < registers.size(); ++i) {
    const int held = lowering.freshRegister();
    ValuePtr value = broadcastTo(combined(combiner.combine[i], old, elements), lanes);
    const Type type = value->type;
    out.push_back(makeRegisters(held, "combined", 1, type));
    out.push_back(makeSet(held, 0, std::move(value)));
    sets.push_back(makeSet(registers[i], index, makeRegister(held, 0, type)));
  }
  append(out, std::move(sets));
  return {makeBlock(std::move(out))};
}

}  // namespace hone::loop
