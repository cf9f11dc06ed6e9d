// NodeContext: one node of the model as the operators' functions see it: its operands as values of the graph, its typed
// attributes with defaults, the version of its opset, and the builder. One thread at a time; refers to the model and
// the builder, which must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/build/axes.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/frontend/onnx/operand.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// Makes a graph within the graph around it, whose values it may read, ready to be imported.
using SubgraphReader = std::function<absl::StatusOr<std::unique_ptr<Subgraph>>(const onnx::GraphProto &)>;

/// In the place of an operand that is omitted.
inline constexpr ValueId kOmitted = -1;

class NodeContext {
 public:
  /// \p usedOutputs are the positions somebody reads.
  NodeContext(const onnx::NodeProto &proto, int64_t version, Operands operands, std::set<int> usedOutputs,
              Builder &builder, const ImportOptions &options, SubgraphReader subgraphs)
      : build(builder),
        proto_(proto),
        version_(version),
        operands_(std::move(operands)),
        usedOutputs_(std::move(usedOutputs)),
        options_(options),
        subgraphs_(std::move(subgraphs)) {
    for (const Operand &operand : operands_) inputs_.push_back(tensorOf(operand));
  }

  /// The node with other operands and in another version: what an operator is that does the same on converted data.
  NodeContext withInputs(const std::vector<ValueId> &inputs, int64_t version) const;

  Builder &build;

  int64_t version() const { return version_; }
  const ImportLimits &limits() const { return options_.limits; }
  int inputCount() const { return static_cast<int>(inputs_.size()); }
  bool has(int position) const { return position < inputCount() && inputs_[static_cast<size_t>(position)] >= 0; }
  /// The operand; the operator's row in the table guarantees that those up to its minimum are there.
  ValueId input(int position) const { return inputs_.at(static_cast<size_t>(position)); }
  const std::vector<ValueId> &inputs() const { return inputs_; }
  /// All operands, for operators that take more than tensors; input() of those that are none is -1.
  const Operands &operands() const { return operands_; }
  const Shape &shape(int position) const { return build.shape(input(position)); }
  DType dtype(int position) const { return build.dtype(input(position)); }
  ElementType elementType(int position) const { return build.elementType(input(position)); }
  int64_t rank(int position) const { return build.rank(input(position)); }
  int outputCount() const { return proto_.output_size(); }
  bool isOutputUsed(int position) const { return usedOutputs_.count(position) != 0; }
  /// Operators return their first output; further ones are added here, in order.
  void addOutput(ValueId value) { furtherOutputs_.push_back(value); }
  const std::vector<ValueId> &furtherOutputs() const { return furtherOutputs_; }

  /// A constant that the operator needs while compiling; \p what names the operand in the error.
  absl::StatusOr<const graph::ConstantData *> constantInput(int position, std::string_view what) const;
  absl::StatusOr<std::vector<int64_t>> constantIntegers(int position, std::string_view what) const;
  absl::StatusOr<int64_t> constantInteger(int position, std::string_view what) const;
  absl::StatusOr<double> constantNumber(int position, std::string_view what) const;

  /// For an error about \p value, which is not known: "follows from the input 'n', which --bind n=VALUE makes a
  /// constant".
  std::string whatDecides(ValueId value) const;

  bool hasAttribute(std::string_view name) const { return find(name) != nullptr; }
  absl::StatusOr<int64_t> integer(std::string_view name, std::optional<int64_t> otherwise = std::nullopt) const;
  absl::StatusOr<double> real(std::string_view name, std::optional<double> otherwise = std::nullopt) const;
  /// An attribute that names an element type; \p otherwise where it is missing, or 0.
  absl::StatusOr<ElementType> elementType(std::string_view name, ElementType otherwise) const;
  absl::StatusOr<std::string> text(std::string_view name, std::optional<std::string> otherwise = std::nullopt) const;
  /// Which of \p words the attribute is, counted from 0; the first one where it is not given.
  absl::StatusOr<size_t> choice(std::string_view name, const std::vector<std::string_view> &words) const;
  absl::StatusOr<std::vector<int64_t>> integers(std::string_view name) const;
  absl::StatusOr<std::vector<double>> reals(std::string_view name) const;
  absl::StatusOr<std::vector<std::string>> texts(std::string_view name) const;
  absl::StatusOr<graph::Constant> tensor(std::string_view name) const;
  /// The tensor that is the attribute as a value of the graph.
  Result tensorValue(std::string_view name) const;
  absl::StatusOr<graph::Constant> sparseTensor(std::string_view name) const;
  absl::StatusOr<std::unique_ptr<Subgraph>> subgraph(std::string_view name) const;

  /// Operators that moved a list from an attribute to an operand: the list from wherever it is, if it is anywhere.
  absl::StatusOr<std::optional<std::vector<int64_t>>> listFrom(std::string_view attribute, int position) const;

 private:
  const onnx::AttributeProto *find(std::string_view name) const;
  absl::StatusOr<const onnx::AttributeProto *> get(std::string_view name,
                                                   onnx::AttributeProto::AttributeType type) const;

  const onnx::NodeProto &proto_;
  int64_t version_;
  Operands operands_;
  std::vector<ValueId> inputs_;  ///< those that are tensors, -1 in the places of the others
  std::set<int> usedOutputs_;
  std::vector<ValueId> furtherOutputs_;
  const ImportOptions &options_;
  SubgraphReader subgraphs_;
};

}  // namespace hone::frontend
