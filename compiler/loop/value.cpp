// Scalar expressions, reads and writes of TensorOps as loop IR.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "compiler/loop/lowering.h"

namespace hone::loop {
namespace {

using tensor::IndexKind;
using tensor::ScalarKind;

// What an unclamped index buffer may hold, as far as address arithmetic is concerned.
constexpr int64_t kIndexLimit = int64_t{1} << 40;

bool usesLane(const IntExpr &e, int lane) { return lane >= 0 && coefficientOf(e, lane) != 0; }

}  // namespace

ValuePtr makeApply(ScalarOp op, std::vector<ValuePtr> args) {
  int lanes = 1;
  for (const ValuePtr &arg : args) lanes = std::max(lanes, arg->type.lanes);
  for (ValuePtr &arg : args) arg = broadcastTo(std::move(arg), lanes);
  Value v;
  v.kind = ValueKind::Apply;
  v.type = {isPredicate(op) ? DType::Bool : args.back()->type.dtype, lanes};
  v.op = op;
  v.args = std::move(args);
  return std::make_shared<const Value>(std::move(v));
}

ValuePtr makeConversion(ValueKind kind, DType dtype, ValuePtr arg) {
  Value v;
  v.kind = kind;
  v.type = {dtype, arg->type.lanes};
  v.args = {std::move(arg)};
  return std::make_shared<const Value>(std::move(v));
}

ValuePtr makeRegister(int reg, const IntExpr &index, Type type) {
  Value v;
  v.kind = ValueKind::Register;
  v.type = type;
  v.reg = reg;
  v.index = index;
  return std::make_shared<const Value>(std::move(v));
}

ValuePtr makeConstant(const tensor::Scalar &constant, int lanes) {
  assert(constant->kind == ScalarKind::Constant);
  Value v;
  v.kind = ValueKind::Constant;
  v.type = {constant->dtype, lanes};
  v.number = constant->number;
  v.integer = constant->integer;
  return std::make_shared<const Value>(std::move(v));
}

ValuePtr broadcastTo(ValuePtr value, int lanes) {
  if (value->type.lanes == lanes) return value;
  assert(value->type.lanes == 1);
  Value v;
  if (value->kind == ValueKind::Constant) {
    v = *value;
  } else {
    v.kind = ValueKind::Broadcast;
    v.args = {value};
  }
  v.type = {value->type.dtype, lanes};
  return std::make_shared<const Value>(std::move(v));
}

StatementPtr makeSet(int reg, const IntExpr &index, ValuePtr value) {
  Statement s;
  s.kind = StatementKind::Set;
  s.reg = reg;
  s.index = index;
  s.type = value->type;
  s.value = std::move(value);
  return std::make_shared<const Statement>(std::move(s));
}

StatementPtr makeRegisters(int reg, std::string name, int count, Type type) {
  Statement s;
  s.kind = StatementKind::Registers;
  s.reg = reg;
  s.name = std::move(name);
  s.count = count;
  s.type = type;
  return std::make_shared<const Statement>(std::move(s));
}

StatementPtr makeBlock(Body body) {
  if (body.size() == 1) return body.front();
  Statement s;
  s.kind = StatementKind::Block;
  s.body = std::move(body);
  return std::make_shared<const Statement>(std::move(s));
}

StatementPtr makeFor(const IntExpr &variable, const IntExpr &begin, const IntExpr &end, LoopKind kind, Body body) {
  Statement s;
  s.kind = StatementKind::For;
  s.variable = variable;
  s.begin = begin;
  s.end = end;
  s.loop = kind;
  s.body = std::move(body);
  return std::make_shared<const Statement>(std::move(s));
}

namespace {

// Whether `scalar` is 0 wherever read `read` is: the read is a factor of it.
bool isFactor(const tensor::Scalar &scalar, int read) {
  if (scalar->kind == ScalarKind::Read) return scalar->position == read;
  if (scalar->kind == ScalarKind::Cast) return isFactor(scalar->args[0], read);
  return scalar->kind == ScalarKind::Apply && scalar->op == ScalarOp::Mul &&
         (isFactor(scalar->args[0], read) || isFactor(scalar->args[1], read));
}

}  // namespace

bool outsideIsNeutral(const tensor::TensorOp &op, int read) {
  const std::optional<double> &outside = op.reads.at(static_cast<size_t>(read)).outside;
  if (!outside || op.body.size() != 1) return false;
  const tensor::Scalar &body = op.body[0];
  bool isTheRead = body->kind == ScalarKind::Read && body->position == read;
  switch (op.combiner.kind) {
    case tensor::CombinerKind::Sum:
      return *outside == 0 && isFactor(body, read);
    case tensor::CombinerKind::Product:
      return *outside == 1 && isTheRead;
    case tensor::CombinerKind::Max:
      return isTheRead && *outside == -std::numeric_limits<double>::infinity();
    case tensor::CombinerKind::Min:
      return isTheRead && *outside == std::numeric_limits<double>::infinity();
    case tensor::CombinerKind::None:
    case tensor::CombinerKind::Custom:
      return false;
  }
  return false;
}

IntExpr Lowering::index(const tensor::Index &index, const Point &point) {
  auto arg = [&](size_t i) { return this->index(index->args[i], point); };
  switch (index->kind) {
    case IndexKind::Constant:
      return index->value;
    case IndexKind::Dim:
      return point.dims.at(static_cast<size_t>(index->value));
    case IndexKind::Add:
      return arg(0) + arg(1);
    case IndexKind::Mul: {
      IntExpr a = arg(0);
      IntExpr b = arg(1);
      assert((a.isConstant() || b.isConstant()) && "index products have a constant factor");
      return b.isConstant() ? a * b.constant() : b * a.constant();
    }
    case IndexKind::FloorDiv:
      return floorDiv(arg(0), index->high);
    case IndexKind::Mod:
      return mod(arg(0), index->high);
    case IndexKind::Clamp: {
      const tensor::Index &inner = index->args[0];
      if (inner->kind == IndexKind::Load) {
        IntExpr bare = this->index(inner, point);
        const Atom &atom = *bare.terms().at(0).atom;
        return loadIndex(atom.buffer, atom.a, index->low, index->high);
      }
      return min(max(arg(0), index->low), index->high);
    }
    case IndexKind::Load: {
      std::vector<IntExpr> indices;
      const std::vector<int64_t> &shape = buffer(index->buffer).shape;
      for (size_t i = 0; i < index->args.size(); ++i) indices.push_back(min(max(arg(i), 0), shape[i] - 1));
      return loadIndex(storage(index->buffer).slot, offset(index->buffer, indices), -kIndexLimit, kIndexLimit);
    }
  }
  return 0;
}

IntExpr Lowering::offset(int buffer, const std::vector<IntExpr> &indices) {
  const Storage &place = storage(buffer);
  IntExpr sum;
  int64_t stride = 1;
  for (size_t i = place.layout.axes.size(); i-- > 0;) {
    const tensor::LayoutAxis &axis = place.layout.axes[i];
    auto d = static_cast<size_t>(axis.dim);
    IntExpr digit = floorDiv(indices[d] - place.origin[d], axis.divisor);
    // The axis of the leading digit, which need not be the first in memory, takes all that the others leave.
    bool isOutermost =
        std::none_of(place.layout.axes.begin(), place.layout.axes.end(), [&](const tensor::LayoutAxis &other) {
          return other.dim == axis.dim && std::pair(other.divisor, other.extent) > std::pair(axis.divisor, axis.extent);
        });
    if (!isOutermost) digit = mod(digit, axis.extent);
    sum = sum + digit * stride;
    stride *= axis.extent;
  }
  return sum;
}

IntExpr Lowering::address(const tensor::Access &access, const Point &point) {
  std::vector<IntExpr> indices;
  for (const tensor::Index &each : access.indices) indices.push_back(index(each, point));
  return offset(access.buffer, indices);
}

ValuePtr Lowering::load(const tensor::TensorOp &op, int read, const Point &point, const ProvenInside &proven) {
  const tensor::Access &access = op.reads.at(static_cast<size_t>(read));
  const tensor::Buffer &source = buffer(access.buffer);
  Value v;
  v.kind = ValueKind::Load;
  v.buffer = storage(access.buffer).slot;
  std::vector<IntExpr> indices;
  bool perLane = false;
  for (size_t k = 0; k < access.indices.size(); ++k) {
    IntExpr e = index(access.indices[k], point);
    perLane = perLane || usesLane(e, point.lane);
    if (access.outside && !proven.contains({read, static_cast<int>(k)})) {
      if (e.low() >= source.shape[k] || e.high() < 0)
        return makeConstant(tensor::number(*access.outside, source.dtype), 1);
      if (e.low() < 0 || e.high() >= source.shape[k]) v.guards.push_back({e, 0, source.shape[k]});
    }
    indices.push_back(std::move(e));
  }
  v.index = offset(access.buffer, indices);
  v.type = {source.dtype, perLane ? point.lanes : 1};
  if (perLane) {
    v.lane = point.lane;
    v.activeLanes = point.activeLanes;
  }
  if (!v.guards.empty()) v.fill = makeConstant(tensor::number(*access.outside, v.type.dtype), v.type.lanes);
  return std::make_shared<const Value>(std::move(v));
}

ValuePtr Lowering::value(const tensor::TensorOp &op, const tensor::Scalar &scalar, const Point &point,
                         const HeldBuffers &registers, const ProvenInside &proven, const SharedValues &shared) {
  if (const auto known = shared.find(scalar.get()); known != shared.end()) return known->second;
  switch (scalar->kind) {
    case ScalarKind::Constant:
      return makeConstant(scalar, 1);
    case ScalarKind::IndexValue: {
      Value v;
      v.kind = ValueKind::IndexValue;
      v.index = index(scalar->index, point);
      bool perLane = usesLane(v.index, point.lane);
      v.type = {DType::I64, perLane ? point.lanes : 1};
      v.lane = perLane ? point.lane : -1;
      return std::make_shared<const Value>(std::move(v));
    }
    case ScalarKind::Read: {
      int source = op.reads.at(static_cast<size_t>(scalar->position)).buffer;
      auto held = registers.find(source);
      if (held != registers.end()) {
        const auto &[reg, dtype] = held->second;
        ValuePtr element = makeRegister(reg, point.registerIndex, {dtype, point.lanes});
        return dtype == scalar->dtype ? element : makeConversion(ValueKind::Cast, scalar->dtype, std::move(element));
      }
      return load(op, scalar->position, point, proven);
    }
    case ScalarKind::Apply: {
      std::vector<ValuePtr> args;
      for (const tensor::Scalar &arg : scalar->args) args.push_back(value(op, arg, point, registers, proven, shared));
      return makeApply(scalar->op, std::move(args));
    }
    case ScalarKind::Cast:
    case ScalarKind::Bits:
      return makeConversion(conversionOf(scalar->kind), scalar->dtype,
                            value(op, scalar->args[0], point, registers, proven, shared));
    case ScalarKind::Accumulator:
    case ScalarKind::Element:
      assert(false && "only combiners have accumulators and elements");
      break;
  }
  return nullptr;
}

namespace {

// \p order: each node once, after those that it uses.
void countUses(const tensor::Scalar &node, std::map<const tensor::ScalarNode *, int> &uses,
               std::vector<tensor::Scalar> &order) {
  if (uses[node.get()]++ > 0) return;
  for (const tensor::Scalar &arg : node->args) countUses(arg, uses, order);
  order.push_back(node);
}

}  // namespace

SharedValues Lowering::shareValues(const tensor::TensorOp &op, const Point &point, Body &out) {
  SharedValues shared;
  if (op.body.size() == 1) return shared;
  std::map<const tensor::ScalarNode *, int> uses;
  std::vector<tensor::Scalar> order;
  for (const tensor::Scalar &element : op.body) countUses(element, uses, order);
  std::vector<std::pair<Type, std::pair<int, int>>> arrays;  // the array of each type, and how many it holds
  Body sets;
  for (const tensor::Scalar &node : order) {
    if (uses[node.get()] < 2 || node->kind == ScalarKind::Constant) continue;
    ValuePtr known = value(op, node, point, {}, {}, shared);
    auto array =
        std::find_if(arrays.begin(), arrays.end(), [&](const auto &each) { return each.first == known->type; });
    if (array == arrays.end()) {
      arrays.push_back({known->type, {freshRegister(), 0}});
      array = arrays.end() - 1;
    }
    auto &[reg, count] = array->second;
    shared[node.get()] = makeRegister(reg, count, known->type);
    sets.push_back(makeSet(reg, count++, std::move(known)));
  }
  for (const auto &[type, array] : arrays) out.push_back(makeRegisters(array.first, op.name, array.second, type));
  out.insert(out.end(), sets.begin(), sets.end());
  return shared;
}

namespace {

// Whether the lanes of a vector may pass the shape's end at `index`: in a peeled tail those that would are not active,
// and a whole vector is rounded up only where all storage is padded.
bool mayPassEnd(const tensor::TensorOp &op, const tensor::Index &index, int64_t extent, const Point &point,
                const IntExpr &e) {
  return point.lanes > 1 && usesLane(e, point.lane) && index->kind == IndexKind::Dim &&
         op.dims[static_cast<size_t>(index->value)].extent <= extent;
}

}  // namespace

StatementPtr Lowering::store(const tensor::TensorOp &op, const tensor::Access &access, ValuePtr value,
                             const Point &point) {
  const tensor::Buffer &target = buffer(access.buffer);
  Statement s;
  s.kind = StatementKind::Store;
  s.buffer = storage(access.buffer).slot;
  std::vector<IntExpr> indices;
  for (size_t k = 0; k < access.indices.size(); ++k) {
    IntExpr e = index(access.indices[k], point);
    bool crosses = e.low() < 0 || e.high() >= target.shape[k];
    if (crosses && !mayPassEnd(op, access.indices[k], target.shape[k], point, e)) {
      s.guards.push_back({e, 0, target.shape[k]});
    }
    indices.push_back(std::move(e));
  }
  s.index = offset(access.buffer, indices);
  if (value->type.dtype != target.dtype) value = makeConversion(ValueKind::Cast, target.dtype, std::move(value));
  s.value = broadcastTo(std::move(value), point.lanes);
  if (point.lanes > 1) {
    s.lane = point.lane;
    s.activeLanes = point.activeLanes;
  }
  return std::make_shared<const Statement>(std::move(s));
}

}  // namespace hone::loop
