#include "compiler/frontend/onnx/functions.h"

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

/// Attributes with default values (FunctionProto.attribute_proto), which came with version 9 of the format: where the
/// message does not know the field yet, its bytes are there all the same.
absl::StatusOr<std::vector<onnx::AttributeProto>> readDefaults(const onnx::FunctionProto &function) {
  constexpr int kField = 11;
  std::vector<onnx::AttributeProto> defaults;
  const google::protobuf::UnknownFieldSet &fields = function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField &field = fields.field(i);
    if (field.number() != kField) continue;
    bool isMessage = field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED;
    if (!isMessage || !defaults.emplace_back().ParseFromString(field.length_delimited())) {
      return invalid("the defaults of its attributes are damaged");
    }
  }
  return defaults;
}

absl::StatusOr<Function> indexed(const onnx::FunctionProto &proto) {
  Function function;
  function.proto = &proto;
  HONE_ASSIGN_OR_RETURN(function.opsets, readOpsets(proto.opset_import()));
  HONE_ASSIGN_OR_RETURN(function.body, indexFunction(proto));
  HONE_ASSIGN_OR_RETURN(function.defaults, readDefaults(proto));
  return function;
}

}  // namespace

std::string domainOf(const std::string &domain) { return domain == "ai.onnx" ? "" : domain; }

absl::StatusOr<Opsets> readOpsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> &imports) {
  Opsets versions;
  for (const onnx::OperatorSetIdProto &opset : imports) {
    std::string domain = domainOf(opset.domain());
    auto [entry, isNew] = versions.emplace(domain, opset.version());
    if (!isNew && entry->second != opset.version()) {
      return invalid("the model imports versions ", entry->second, " and ", opset.version(), " of the operators of '",
                     domain.empty() ? "ai.onnx" : domain, "'");
    }
  }
  auto own = versions.find("");
  if (own != versions.end() && own->second > kNewestOpset) {
    return unsupported("the model uses opset ", own->second, "; opsets 1 to ", kNewestOpset,
                       " are supported: export it with opset_version=", kNewestOpset, " or lower");
  }
  if (own != versions.end() && own->second < 1) return invalid("the model's opset ", own->second, " does not exist");
  return versions;
}

absl::StatusOr<Functions> Functions::read(const onnx::ModelProto &model) {
  Functions functions;
  for (const onnx::FunctionProto &function : model.functions()) {
    Key key = {domainOf(function.domain()), function.name()};
    if (!functions.protos_.emplace(key, &function).second) {
      return invalid("the function '", function.name(), "' of the domain '", function.domain(), "' is defined twice");
    }
  }
  return functions;
}

absl::StatusOr<const Function *> Functions::called(const onnx::NodeProto &node) {
  std::unique_ptr<Function> &function = functions_[key(node)];
  if (function == nullptr) {
    absl::StatusOr<Function> result = indexed(*protos_.at(key(node)));
    if (!result.ok()) {
      return absl::Status(result.status().code(),
                          absl::StrCat("function '", node.op_type(), "': ", result.status().message()));
    }
    function = std::make_unique<Function>(*std::move(result));
  }
  return function.get();
}

}  // namespace hone::frontend
