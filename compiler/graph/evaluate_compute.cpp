// Compute nodes on constants: the interpreter of tensor/, and what it costs.
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/evaluate_parts.h"
#include "compiler/tensor/interpreter.h"

namespace hone::graph {
namespace {

// Of evaluate()'s other steps, which are loops over numbers, in one node of an expression that is interpreted.
constexpr double kStepsPerNode = 64;

double sizeOfIndex(const tensor::Index &index) {
  double size = 1;
  for (const tensor::Index &arg : index->args) size += sizeOfIndex(arg);
  return size;
}

double sizeOfIndices(const std::vector<tensor::Access> &accesses) {
  double size = 0;
  for (const tensor::Access &access : accesses) {
    for (const tensor::Index &index : access.indices) size += sizeOfIndex(index);
  }
  return size;
}

double sizeOfScalar(const tensor::Scalar &scalar) {
  double size = scalar->kind == tensor::ScalarKind::IndexValue ? sizeOfIndex(scalar->index) : 1;
  for (const tensor::Scalar &arg : scalar->args) size += sizeOfScalar(arg);
  return size;
}

}  // namespace

double interpretationSteps(const ComputeAttributes &compute) {
  double steps = 0;
  for (const tensor::TensorOp &stage : compute.kernel->stages) {
    double points = 1, size = sizeOfIndices(stage.reads) + sizeOfIndices(stage.writes);
    for (const tensor::Dim &dim : stage.dims) points *= static_cast<double>(dim.extent);
    for (const tensor::Scalar &scalar : stage.body) size += sizeOfScalar(scalar);
    for (const tensor::Scalar &scalar : stage.combiner.combine) size += sizeOfScalar(scalar);
    steps += points * size * kStepsPerNode;
  }
  return steps;
}

absl::StatusOr<Constant> evaluateCompute(const ComputeAttributes &compute, const std::vector<Constant> &inputs) {
  std::vector<tensor::HostTensor> arguments;
  for (const Constant &input : inputs) arguments.push_back({input->type.dtype, input->type.shape, input->bytes.copy()});
  HONE_ASSIGN_OR_RETURN(std::vector<tensor::HostTensor> results, tensor::interpret(*compute.kernel, arguments));
  tensor::HostTensor &result = results.at(0);
  return std::make_shared<const ConstantData>(
      ConstantData{{result.dtype, std::move(result.shape)}, std::move(result.bytes)});
}

}  // namespace hone::graph
