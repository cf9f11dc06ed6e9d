#include "compiler/plan/group_emitter.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Op;
using graph::Shape;
using graph::ValueId;
using tensor::BufferRole;
using tensor::CombinerKind;
using tensor::Index;
using tensor::Layout;
using tensor::Scalar;

/// Bodies that are used more than once are repeated up to this size; larger ones become stages.
constexpr int64_t kMaxRepeatedOps = 12;

Scalar constantScalar(const graph::ConstantData &constant) {
  const DType dtype = constant.type.dtype;
  if (isFloat(dtype)) return tensor::number(graph::elementAsDouble(constant, 0), dtype);
  // Not through number(): doubles do not hold all 64-bit integers.
  tensor::ScalarNode node{};
  node.kind = tensor::ScalarKind::Constant;
  node.dtype = dtype;
  node.integer = graph::elementAsInteger(constant, 0);
  return std::make_shared<const tensor::ScalarNode>(std::move(node));
}

/// \p product apart from the sum that it goes into: a multiply-add would round only once.
Scalar rounded(Scalar product) {
  const bool isProduct = product->kind == tensor::ScalarKind::Apply && product->op == ScalarOp::Mul;
  if (!isProduct || (product->dtype != DType::F32 && product->dtype != DType::F64)) return product;
  const DType dtype = product->dtype;
  return tensor::bits(dtype, tensor::bits(dtype == DType::F32 ? DType::I32 : DType::I64, product));
}

}  // namespace

DType accumulatorOf(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16 ? DType::F32 : dtype; }

GroupEmitter::GroupEmitter(Program &program, int group, Plan &plan, ParameterTable &parameters)
    : program_(program),
      index_(group),
      group_(program.groups[static_cast<size_t>(group)]),
      plan_(plan),
      parameters_(parameters) {}

std::optional<PlanKernel> GroupEmitter::run() {
  const bool isEnd = group_.anchor >= 0 && program_.graph.nodes[static_cast<size_t>(group_.anchor)].op == Op::LoopEnd;
  if (group_.stored.empty() && !isEnd) return std::nullopt;
  if (group_.copied >= 0) {
    emitCopy();
  } else {
    emitMembers(group_.prologue, group_.domains.input, true);
    emitAnchor();
    emitMembers(group_.epilogue, group_.domains.output, false);
  }
  if (builder_.empty()) return std::nullopt;
  PlanKernel result = builder_.finish(kernelName());
  const auto note = [&](int node) {
    const std::string &name = program_.graph.nodes[static_cast<size_t>(node)].name;
    if (!name.empty() && std::find(result.nodes.begin(), result.nodes.end(), name) == result.nodes.end()) {
      result.nodes.push_back(name);
    }
  };
  for (int node : group_.prologue) note(node);
  if (group_.anchor >= 0) note(group_.anchor);
  for (int node : group_.epilogue) note(node);
  if (group_.copied >= 0 && program_.planned(group_.copied).producer >= 0)
    note(program_.planned(group_.copied).producer);
  return result;
}

std::string GroupEmitter::kernelName() const {
  constexpr size_t kMostNamed = 4;
  std::string name = absl::StrCat("k", index_);
  if (group_.copied >= 0) return name + "_copy";
  std::vector<int> nodes = group_.prologue;
  if (group_.anchor >= 0) nodes.push_back(group_.anchor);
  nodes.insert(nodes.end(), group_.epilogue.begin(), group_.epilogue.end());
  for (size_t i = 0; i < std::min(nodes.size(), kMostNamed); ++i) {
    absl::StrAppend(&name, "_", graph::opName(program_.graph.nodes[static_cast<size_t>(nodes[i])]));
  }
  return name;
}

// ------------------------------------------------------------------------------------------------------ stages

void GroupEmitter::emitCopy() {
  const StoredValue &entry = group_.stored[0];
  // While it is written the value has no storage that it could be read from.
  const bool own = program_.planned(group_.copied).group == index_;
  if (own) program_.planned(group_.copied).isStored = false;
  Stage copy = stage("copy", group_.domains.output.dims);
  Scalar body = value(copy, group_.copied, group_.domains.output.coords);
  if (own) program_.planned(group_.copied).isStored = true;
  copy.finish(std::move(body), CombinerKind::None, storageBuffer(entry), entry.coords);
}

void GroupEmitter::emitMembers(const std::vector<int> &nodes, const Domain &domain, bool isPrologue) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node &node = program_.graph.nodes[static_cast<size_t>(nodes[i])];
    if (!needsStage(node.output, isPrologue)) continue;
    const bool isLast = i + 1 == nodes.size();
    emitStage(node.output, domain, !isLast ? graph::opName(node) : isPrologue ? "in" : "out");
  }
}

void GroupEmitter::emitAnchor() {
  if (group_.anchor < 0) return;
  const Node &node = program_.graph.nodes[static_cast<size_t>(group_.anchor)];
  finish_ = plan::emitAnchor(*this, node);
  if (finish_ == nullptr || staged_.count(node.output) != 0) return;
  if (needsStage(node.output, false)) {
    emitStage(node.output, group_.domains.output, group_.epilogue.empty() ? "out" : graph::opName(node));
  }
}

bool GroupEmitter::needsStage(ValueId value, bool isPrologue) const {
  if (storedEntry(value) != nullptr) return true;
  const Op anchor = group_.anchor < 0 ? Op::Elementwise : program_.graph.nodes[static_cast<size_t>(group_.anchor)].op;
  if (isPrologue) {
    // Reductions look at each element once; the others several times.
    if (anchor == Op::Reduce) return false;
    if (value == program_.graph.nodes[static_cast<size_t>(group_.anchor)].inputs[0]) return true;
  }
  return program_.planned(value).users.size() > 1 && sizeOfBody(value) > kMaxRepeatedOps;
}

int64_t GroupEmitter::sizeOfBody(ValueId value) const {
  const Node *node = program_.producerOf(value);
  if (node == nullptr || (node->op != Op::Elementwise && node->op != Op::Cast)) return 1;
  int64_t size = 1;
  for (ValueId input : node->inputs) {
    const ValueId member = memberBehind(program_, index_, input);
    size += member < 0 || staged_.count(member) != 0 ? 1 : sizeOfBody(member);
    if (size > kMaxRepeatedOps) break;
  }
  return size;
}

void GroupEmitter::emitStage(ValueId value, const Domain &domain, const std::string &name) {
  Stage target = stage(name, domain.dims);
  Scalar body = define(target, value, *program_.planned(value).coords);
  if (const StoredValue *entry = storedEntry(value)) {
    const int buffer = storageBuffer(*entry);
    target.finish(std::move(body), CombinerKind::None, buffer, entry->coords);
    staged_[value] = {buffer, entry->coords};
    return;
  }
  const int buffer = temporary(name, dtype(value), domain.dims, domain.dims.size());
  target.finish(std::move(body), CombinerKind::None, buffer, dimsFrom(0, domain.dims.size()));
  staged_[value] = {buffer, dimsFrom(0, domain.dims.size())};
}

Finish GroupEmitter::finishValue(Stage stage, const Node &node, Scalar body, CombinerKind combiner) {
  const StoredValue *entry = storedEntry(node.output);
  if (entry == nullptr) {
    Finish partial = finishPartial(std::move(stage), std::move(body), combiner);
    const DType type = dtype(node.output);
    return [partial, type](Stage &reader) { return tensor::cast(type, partial(reader)); };
  }
  const int buffer = storageBuffer(*entry);
  stage.finish(std::move(body), combiner, buffer, entry->coords);
  staged_[node.output] = {buffer, entry->coords};
  return nullptr;
}

Finish GroupEmitter::finishPartial(Stage stage, Scalar body, CombinerKind combiner) {
  const size_t count = group_.domains.output.dims.size();
  const int buffer = temporary(stage.name(), body->dtype, stage.dims(), count);
  stage.finish(std::move(body), combiner, buffer, dimsFrom(0, count));
  return [buffer, count](Stage &reader) { return reader.read(buffer, dimsFrom(0, count)); };
}

// ----------------------------------------------------------------------------------------------------- buffers

int GroupEmitter::temporary(const std::string &name, DType dtype, const std::vector<tensor::Dim> &dims, size_t count) {
  Shape extents;
  for (size_t i = 0; i < count; ++i) extents.push_back(dims[i].extent);
  return builder_.temporary(name + "_value", dtype, std::move(extents));
}

const StoredValue *GroupEmitter::storedEntry(ValueId value) const {
  for (const StoredValue &entry : group_.stored) {
    if (entry.value == value) return &entry;
  }
  return nullptr;
}

int GroupEmitter::storageBuffer(const StoredValue &entry) {
  const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(entry.buffer)];
  const Shape &shape = program_.shape(entry.form);
  // An output may be a reshape of what is computed: the same bytes in row-major order.
  Layout layout = shape == buffer.shape ? buffer.layout : Layout::rowMajor(shape);
  return builder_.argument(entry.buffer, {buffer.name, buffer.dtype, shape, std::move(layout), BufferRole::Output});
}

int GroupEmitter::storageOf(const Node &node) {
  const StoredValue *entry = storedEntry(node.output);
  assert(entry != nullptr);
  return storageBuffer(*entry);
}

int GroupEmitter::stateBuffer(ValueId value) {
  const int planBuffer = program_.planned(value).buffer;
  const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(planBuffer)];
  return builder_.argument(planBuffer, {buffer.name, buffer.dtype, buffer.shape, buffer.layout, BufferRole::Output});
}

int GroupEmitter::inputBuffer(ValueId leaf, const Shape &shape) {
  const int planBuffer = program_.planned(leaf).buffer;
  assert(planBuffer >= 0);
  const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(planBuffer)];
  assert(shape == buffer.shape || buffer.layout.isRowMajor(buffer.shape));
  Layout layout = shape == buffer.shape ? buffer.layout : Layout::rowMajor(shape);
  return builder_.argument(planBuffer, {buffer.name, buffer.dtype, shape, std::move(layout), BufferRole::Input});
}

int64_t GroupEmitter::writtenBlock() const {
  for (const StoredValue &entry : group_.stored) {
    const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(entry.buffer)];
    if (!buffer.layout.isRowMajor(buffer.shape)) return buffer.layout.axes.back().extent;
  }
  return 1;
}

int GroupEmitter::parameterBuffer(Stage &stage, ValueId leaf, Shape shape, Indices &indices, bool squeeze) {
  if (squeeze) {
    Shape keptShape;
    Indices keptIndices;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1) continue;
      keptShape.push_back(shape[i]);
      keptIndices.push_back(indices[i]);
    }
    shape = std::move(keptShape);
    indices = std::move(keptIndices);
  }
  Layout layout = Layout::rowMajor(shape);
  // Whole vectors may be loaded beside blocked values: padded like them.
  const bool isPerChannel = shape.size() == 1 && indices[0]->kind == tensor::IndexKind::Dim && indices[0]->value == 1 &&
                            stage.dims()[1].extent == shape[0];
  if (const int64_t block = writtenBlock(); isPerChannel && block > 1) layout = Layout::blocked(shape, 0, block);
  const graph::Value &value = program_.value(leaf);
  std::string key = absl::StrCat(leaf, "|", layout.text());
  for (int64_t extent : shape) absl::StrAppend(&key, ",", extent);
  const auto [entry, isNew] = parameters_.try_emplace(std::move(key), static_cast<int>(plan_.buffers.size()));
  if (isNew) {
    PlanBuffer buffer;
    buffer.name = value.name.empty() ? absl::StrCat("%", leaf) : value.name;
    buffer.place = Place::Parameter;
    buffer.dtype = value.type.dtype;
    buffer.shape = shape;
    buffer.bytes = layout.elements() * sizeOf(value.type.dtype);
    buffer.layout = layout;
    buffer.constant = value.constant;
    plan_.buffers.push_back(std::move(buffer));
  }
  const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(entry->second)];
  return builder_.argument(entry->second,
                           {buffer.name, buffer.dtype, std::move(shape), std::move(layout), BufferRole::Parameter});
}

// ------------------------------------------------------------------------------------------------------ values

Scalar GroupEmitter::value(Stage &stage, ValueId value, const Indices &indices, std::optional<double> outside) {
  if (const ValueId member = memberBehind(program_, index_, value); member >= 0) {
    assert(!outside);
    if (const auto staged = staged_.find(member); staged != staged_.end()) {
      return stage.read(staged->second.buffer, staged->second.coords);
    }
    return define(stage, member, member == value ? indices : *program_.planned(member).coords);
  }
  return external(stage, value, indices, outside);
}

Scalar GroupEmitter::define(Stage &stage, ValueId value, const Indices &indices) {
  const Node &node = *program_.producerOf(value);
  if (program_.planned(value).producer == group_.anchor) return finish_(stage);
  std::vector<Scalar> args;
  for (ValueId input : node.inputs) {
    args.push_back(this->value(stage, input, broadcastIndices(shape(input), shape(value), indices)));
  }
  if (node.op == Op::Cast) return tensor::cast(dtype(value), args[0]);
  if (program_.planned(value).leadsToSteps) {
    for (Scalar &arg : args) arg = rounded(arg);
  }
  return tensor::apply(std::get<graph::ElementwiseAttributes>(node.attributes).op, std::move(args));
}

Scalar GroupEmitter::external(Stage &stage, ValueId value, const Indices &indices, std::optional<double> outside) {
  if (isScalarConstant(program_.value(value)) && !outside) return constantScalar(*program_.value(value).constant);
  Resolved source = resolve(program_, value, indices,
                            [&](ValueId table, const Indices &place) { return loadIndex(stage, table, place); });
  if (source.outside) outside = source.outside;
  const graph::Value &leaf = program_.value(source.leaf);
  if (leaf.constant == nullptr) return stage.read(inputBuffer(source.leaf, source.shape), source.indices, outside);
  if (isScalarConstant(leaf) && !outside) return constantScalar(*leaf.constant);
  const bool isOperand = group_.anchor >= 0 && [&] {
    const Node &anchor = program_.graph.nodes[static_cast<size_t>(group_.anchor)];
    const bool contracts = anchor.op == Op::Conv || anchor.op == Op::MatMul;
    return contracts && std::find(anchor.inputs.begin(), anchor.inputs.end(), value) != anchor.inputs.end();
  }();
  const int buffer = parameterBuffer(stage, source.leaf, source.shape, source.indices, !isOperand && !outside);
  return stage.read(buffer, source.indices, outside);
}

Index GroupEmitter::loadIndex(Stage &stage, ValueId value, const Indices &indices) {
  const graph::Value &table = program_.value(value);
  if (isScalarConstant(table)) return tensor::constant(graph::elementAsInteger(*table.constant, 0));
  Resolved source = resolve(program_, value, indices,
                            [&](ValueId inner, const Indices &place) { return loadIndex(stage, inner, place); });
  assert(!source.outside);
  if (program_.value(source.leaf).constant != nullptr) {
    const int buffer = parameterBuffer(stage, source.leaf, source.shape, source.indices, true);
    return tensor::load(buffer, source.indices);
  }
  return tensor::load(inputBuffer(source.leaf, source.shape), source.indices);
}

}  // namespace hone::plan
