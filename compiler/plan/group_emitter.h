// GroupEmitter: the kernel of one group. Anchors (emit_*.cpp) add their stages through it; elementwise nodes and
// views are composed into the stages that need them. One thread; borrows program and plan, adds parameters to the plan.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/plan/kernel_assembler.h"
#include "compiler/plan/program.h"

namespace hone::plan {

/// The anchor's value at the point of a stage over the group's output domain.
using Finish = std::function<tensor::Scalar(Stage &stage)>;

/// Parameters of the plan by constant, shape and layout.
using ParameterTable = std::map<std::string, int>;

class GroupEmitter {
 public:
  GroupEmitter(Program &program, int group, Plan &plan, ParameterTable &parameters);

  /// The kernel; nothing when the group stores nothing.
  std::optional<PlanKernel> run();

  // For anchors.

  const graph::Graph &graph() const { return program_.graph; }
  const graph::Shape &shape(graph::ValueId value) const { return program_.shape(value); }
  DType dtype(graph::ValueId value) const { return program_.value(value).type.dtype; }
  const Domains &domains() const { return group_.domains; }
  Stage stage(const std::string &name, std::vector<tensor::Dim> dims) { return {builder_, name, std::move(dims)}; }
  int temporary(const std::string &name, DType dtype, const std::vector<tensor::Dim> &dims, size_t count);
  int temporary(const std::string &name, DType dtype, graph::Shape shape) {
    return builder_.temporary(name, dtype, std::move(shape));
  }
  /// Element \p indices of \p value, computed in place where it is fused.
  tensor::Scalar value(Stage &stage, graph::ValueId value, const Indices &indices,
                       std::optional<double> outside = std::nullopt);
  /// Ends \p stage, whose dims are the output domain and reduction dims, and whose result is the value of \p node:
  /// written to its storage, if it has any, or kept for what is fused behind.
  Finish finishValue(Stage stage, const graph::Node &node, tensor::Scalar body, tensor::CombinerKind combiner);
  /// The same for a result that has to be finished.
  Finish finishPartial(Stage stage, tensor::Scalar body, tensor::CombinerKind combiner);
  /// Element \p indices of the integers \p value, as an index.
  tensor::Index loadIndex(Stage &stage, graph::ValueId value, const Indices &indices);
  /// Whether the kernel that computes \p input writes it to its place in a concatenation.
  bool isInPlace(graph::ValueId input) const { return program_.pieces.inputs.count(input) != 0; }
  /// Where what is written in pieces goes: the storage of \p node's value.
  int storageOf(const graph::Node &node);
  /// Whether \p value has memory, which is that of \p other.
  bool isSameStorage(graph::ValueId value, graph::ValueId other) const {
    const int buffer = program_.planned(value).buffer;
    return buffer >= 0 && buffer == program_.planned(other).buffer;
  }
  /// Where the state \p value of a loop is written by who does not compute it.
  int stateBuffer(graph::ValueId value);

 private:
  struct Staged {
    int buffer;
    Indices coords;
  };

  void emitCopy();
  void emitMembers(const std::vector<int> &nodes, const Domain &domain, bool isPrologue);
  void emitAnchor();
  void emitStage(graph::ValueId value, const Domain &domain, const std::string &name);
  bool needsStage(graph::ValueId value, bool isPrologue) const;
  int64_t sizeOfBody(graph::ValueId value) const;
  const StoredValue *storedEntry(graph::ValueId value) const;
  int storageBuffer(const StoredValue &entry);
  tensor::Scalar define(Stage &stage, graph::ValueId value, const Indices &indices);
  tensor::Scalar external(Stage &stage, graph::ValueId value, const Indices &indices, std::optional<double> outside);
  int inputBuffer(graph::ValueId leaf, const graph::Shape &shape);
  int parameterBuffer(Stage &stage, graph::ValueId leaf, graph::Shape shape, Indices &indices, bool squeeze);
  /// Of channels that the group writes; 1: it writes no blocks.
  int64_t writtenBlock() const;
  std::string kernelName() const;

  Program &program_;
  int index_;
  Group &group_;
  Plan &plan_;
  ParameterTable &parameters_;
  KernelAssembler builder_;
  std::map<graph::ValueId, Staged> staged_;
  Finish finish_;
};

/// Adds the stages of the anchor \p node; returns how its value is had from them, or null when it is stored already.
Finish emitAnchor(GroupEmitter &emitter, const graph::Node &node);

/// What sums of \p dtype are accumulated in.
DType accumulatorOf(DType dtype);

}  // namespace hone::plan
