#include "compiler/plan/kernel_assembler.h"

#include <algorithm>
#include <bit>
#include <cctype>

#include "absl/strings/str_cat.h"

namespace hone::plan {
namespace {

using tensor::BufferRole;
using tensor::Index;
using tensor::Scalar;

std::string unique(std::set<std::string> &used, const std::string &name) {
  std::string result = name;
  for (int i = 2; !used.insert(result).second; ++i) result = absl::StrCat(name, "_", i);
  return result;
}

/// Rewrites the buffers that index expressions load from.
class Renumberer {
 public:
  explicit Renumberer(std::vector<int> to) : to_(std::move(to)) {}

  int buffer(int from) const { return to_[static_cast<size_t>(from)]; }

  void apply(tensor::TensorOp &op) const {
    for (auto *accesses : {&op.reads, &op.writes}) {
      for (tensor::Access &access : *accesses) {
        access.buffer = buffer(access.buffer);
        for (Index &i : access.indices) i = index(i);
      }
    }
    for (Scalar &s : op.body) s = scalar(s);
  }

 private:
  static bool loads(const Index &i) {
    return i->kind == tensor::IndexKind::Load ||
           std::any_of(i->args.begin(), i->args.end(), [](const Index &arg) { return loads(arg); });
  }
  static bool loads(const Scalar &s) {
    if (s->kind == tensor::ScalarKind::IndexValue) return loads(s->index);
    return std::any_of(s->args.begin(), s->args.end(), [](const Scalar &arg) { return loads(arg); });
  }

  Index index(const Index &i) const {
    if (!loads(i)) return i;
    tensor::IndexNode node = *i;
    if (node.kind == tensor::IndexKind::Load) node.buffer = buffer(node.buffer);
    for (Index &arg : node.args) arg = index(arg);
    return std::make_shared<const tensor::IndexNode>(std::move(node));
  }

  Scalar scalar(const Scalar &s) const {
    if (!loads(s)) return s;
    tensor::ScalarNode node = *s;
    if (node.kind == tensor::ScalarKind::IndexValue) node.index = index(node.index);
    for (Scalar &arg : node.args) arg = scalar(arg);
    return std::make_shared<const tensor::ScalarNode>(std::move(node));
  }

  std::vector<int> to_;
};

int rank(BufferRole role) {
  switch (role) {
    case BufferRole::Input:
      return 0;
    case BufferRole::Parameter:
      return 1;
    case BufferRole::Output:
      return 2;
    case BufferRole::Temporary:
      return 3;
  }
  return 3;
}

}  // namespace

std::string KernelAssembler::bufferName(const std::string &name) {
  std::string clean;
  for (char c : name) {
    const bool allowed = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (allowed || (!clean.empty() && clean.back() != '_')) clean += allowed ? c : '_';
  }
  if (clean.empty() || std::isdigit(static_cast<unsigned char>(clean[0])) != 0) clean = "v" + clean;
  return unique(bufferNames_, clean);
}

int KernelAssembler::argument(int planBuffer, tensor::Buffer buffer) {
  const auto [entry, isNew] = arguments_.try_emplace({planBuffer, buffer.shape}, static_cast<int>(planBuffers_.size()));
  if (isNew) {
    buffer.name = bufferName(buffer.name);
    kernel_.buffers.push_back(std::move(buffer));
    planBuffers_.push_back(planBuffer);
  }
  return entry->second;
}

int KernelAssembler::temporary(std::string name, DType dtype, std::vector<int64_t> shape) {
  tensor::Layout layout = tensor::Layout::rowMajor(shape);
  kernel_.buffers.push_back(
      {bufferName(name), dtype, std::move(shape), std::move(layout), tensor::BufferRole::Temporary});
  planBuffers_.push_back(-1);
  return static_cast<int>(planBuffers_.size()) - 1;
}

std::string KernelAssembler::stageName(const std::string &name) { return unique(stageNames_, name); }

PlanKernel KernelAssembler::finish(std::string name) {
  std::vector<int> order(kernel_.buffers.size()), to(kernel_.buffers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  const auto role = [&](int buffer) { return rank(kernel_.buffers[static_cast<size_t>(buffer)].role); };
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return std::make_pair(role(a), a) < std::make_pair(role(b), b); });

  PlanKernel result;
  result.kernel.name = std::move(name);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto from = static_cast<size_t>(order[i]);
    to[from] = static_cast<int>(i);
    if (planBuffers_[from] >= 0) result.arguments.push_back(planBuffers_[from]);
    result.kernel.buffers.push_back(std::move(kernel_.buffers[from]));
  }
  const Renumberer renumberer(std::move(to));
  result.kernel.stages = std::move(kernel_.stages);
  for (tensor::TensorOp &stage : result.kernel.stages) renumberer.apply(stage);
  return result;
}

Stage::Stage(KernelAssembler &kernel, const std::string &name, std::vector<tensor::Dim> dims) : kernel_(&kernel) {
  op_.name = kernel.stageName(name);
  op_.dims = std::move(dims);
}

Index Stage::reduce(std::string name, int64_t extent) {
  op_.dims.push_back({std::move(name), extent, tensor::DimKind::Reduction});
  return dim(op_.dims.size() - 1);
}

void Stage::reduceFrom(size_t first) {
  for (size_t i = first; i < op_.dims.size(); ++i) op_.dims[i].kind = tensor::DimKind::Reduction;
}

Scalar Stage::read(int buffer, const Indices &indices, std::optional<double> outside) {
  std::string key = absl::StrCat(buffer, "|", outside ? absl::StrCat(std::bit_cast<uint64_t>(*outside)) : "", "|",
                                 indexKey(indices, op_.dims));
  const auto [entry, isNew] = reads_.try_emplace(std::move(key), static_cast<int>(op_.reads.size()));
  if (isNew) op_.reads.push_back({buffer, indices, outside});
  return tensor::read(entry->second, kernel_->dtypeOf(buffer));
}

void Stage::finish(Scalar body, tensor::CombinerKind combiner, int buffer, Indices indices) {
  const bool reduces = std::any_of(op_.dims.begin(), op_.dims.end(),
                                   [](const tensor::Dim &dim) { return dim.kind == tensor::DimKind::Reduction; });
  const tensor::CombinerKind kind = reduces ? combiner : tensor::CombinerKind::None;
  finish({std::move(body)}, {kind, {}, {}}, {{buffer, std::move(indices), std::nullopt}});
}

void Stage::finish(std::vector<Scalar> body, tensor::Combiner combiner, std::vector<tensor::Access> writes) {
  op_.body = std::move(body);
  op_.combiner = std::move(combiner);
  op_.writes = std::move(writes);
  kernel_->add(std::move(op_));
}

}  // namespace hone::plan
