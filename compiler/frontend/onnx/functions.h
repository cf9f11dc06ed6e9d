// The functions that a model brings along (ModelProto.functions), each looked at when it is first called. One thread at
// a time; refers to the model, which must outlive it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/body.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// Versions by domain; ONNX's own domain is "".
using Opsets = std::map<std::string, int64_t>;

/// "" for both spellings of ONNX's own domain.
std::string domainOf(const std::string &domain);

/// \p imports with both spellings of ONNX's own domain as one, within the versions that are supported.
absl::StatusOr<Opsets> readOpsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &imports);

struct Function {
  const onnx::FunctionProto *proto = nullptr;
  BodyIndex body;
  Opsets opsets;
  std::vector<onnx::AttributeProto> defaults;  ///< of attributes that a call may leave out
};

class Functions {
 public:
  static absl::StatusOr<Functions> read(const onnx::ModelProto &model);

  bool isFunction(const onnx::NodeProto &node) const { return protos_.count(key(node)) != 0; }
  /// The function that \p node calls; it lasts as long as this.
  absl::StatusOr<const Function *> called(const onnx::NodeProto &node);

 private:
  using Key = std::pair<std::string, std::string>;
  static Key key(const onnx::NodeProto &node) { return {domainOf(node.domain()), node.op_type()}; }

  std::map<Key, const onnx::FunctionProto *> protos_;
  std::map<Key, std::unique_ptr<Function>> functions_;
};

}  // namespace hone::frontend
