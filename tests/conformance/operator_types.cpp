#include "tests/conformance/operator_types.h"

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "tests/conformance/run_case.h"
#include "tests/frontend/evaluate_graph.h"
#include "tests/frontend/model_builder.h"

namespace hone::conformance {
namespace {

constexpr size_t kRecipes = 2;

/// The types of the data, by ONNX's names, in the order of DType.
constexpr std::pair<DType, std::string_view> kOnnxNames[] = {
    {DType::Bool, "tensor(bool)"},   {DType::I8, "tensor(int8)"},       {DType::I16, "tensor(int16)"},
    {DType::I32, "tensor(int32)"},   {DType::I64, "tensor(int64)"},     {DType::U8, "tensor(uint8)"},
    {DType::U16, "tensor(uint16)"},  {DType::U32, "tensor(uint32)"},    {DType::U64, "tensor(uint64)"},
    {DType::F16, "tensor(float16)"}, {DType::BF16, "tensor(bfloat16)"}, {DType::F32, "tensor(float)"},
    {DType::F64, "tensor(double)"},
};

/// Operators whose first input is not the one that is computed with: the position of the one that is.
constexpr std::pair<std::string_view, int> kDataInputs[] = {{"OneHot", 2}, {"Where", 1}};

/// Of the models that are made here; newer opsets give the same operators the same meaning.
constexpr int64_t kRecipeOpset = 18;

int dataInput(const std::string &op) {
  for (const auto &[name, position] : kDataInputs) {
    if (name == op) return position;
  }
  return 0;
}

template <typename Names>
std::vector<DType> typesOf(const Names &names) {
  std::vector<DType> types;
  for (const auto &[dtype, name] : kOnnxNames) {
    if (std::any_of(names.begin(), names.end(), [&, known = name](const auto *text) { return *text == known; })) {
      types.push_back(dtype);
    }
  }
  return types;
}

/// The same for an operator that is newer than the schemas of the library: inputs of the first one's type are open, and
/// it may be any of the same kind.
bool guessOpenType(const onnx::GraphProto &graph, Recipe &recipe) {
  using enum DType;
  if (graph.input_size() == 0) return false;
  const auto typeOf = [](const onnx::ValueInfoProto &input) { return input.type().tensor_type().elem_type(); };
  const int open = typeOf(graph.input(0));
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (typeOf(input) == open) recipe.retyped.insert(input.name());
  }
  const std::vector<DType> floats = {F16, BF16, F32, F64}, integers = {I8, I16, I32, I64, U8, U16, U32, U64};
  const bool isReal = std::any_of(floats.begin(), floats.end(), [&](DType f) { return test::elementType(f) == open; });
  recipe.types = isReal ? floats : open == test::elementType(Bool) ? std::vector<DType>{Bool} : integers;
  return true;
}

/// Finds what ONNX leaves open at the data input of the recipe's node; false when that is nothing.
bool findOpenType(const onnx::GraphProto &graph, Recipe &recipe) {
  const onnx::NodeProto &node = graph.node(0);
  const onnx::OpSchema *schema =
      onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(kRecipeOpset), node.domain());
  if (schema == nullptr) return guessOpenType(graph, recipe);
  const auto parameter = [&](int position) -> const onnx::OpSchema::FormalParameter & {
    return schema->inputs()[std::min(static_cast<size_t>(position), schema->inputs().size() - 1)];
  };
  if (node.input_size() > 0 && !schema->inputs().empty()) {
    const int data = dataInput(node.op_type());
    for (int i = 0; i < node.input_size(); ++i) {
      const bool isOpen = parameter(i).GetTypeStr() == parameter(data).GetTypeStr();
      if (isOpen && !node.input(i).empty()) recipe.retyped.insert(node.input(i));
    }
    recipe.types = typesOf(parameter(data).GetTypes());
    // Opset 22 allows bfloat16 wherever float16 was.
    const auto has = [&](DType type) {
      return std::find(recipe.types.begin(), recipe.types.end(), type) != recipe.types.end();
    };
    if (has(DType::F16) && !has(DType::BF16)) recipe.types.push_back(DType::BF16);
  }
  // The type of what ConstantOfShape and Constant make is that of their attribute.
  if (recipe.types.size() > 1) return true;
  const auto &attributes = node.attribute();
  if (std::none_of(attributes.begin(), attributes.end(),
                   [](const auto &a) { return a.name() == "value" && a.has_t(); }))
    return !recipe.types.empty();
  recipe.retyped.clear();
  recipe.types = typesOf(schema->outputs()[0].GetTypes());
  return true;
}

std::optional<std::pair<std::string, Recipe>> recipeFrom(const Case &item, const Expectations &expected) {
  const auto bytes = readFile(item.folder / "model.onnx");
  onnx::ModelProto model;
  if (!bytes.ok() || !model.ParseFromString(*bytes) || model.graph().node_size() != 1) return std::nullopt;
  const auto interface = readInterface(*bytes);
  const auto sets = readDataSets(item.folder);
  if (!interface.ok() || !sets.ok() || sets->empty()) return std::nullopt;
  Recipe recipe{*bytes, *interface, sets->front(), {}, {}, {}};
  const auto bound = expected.bound.find(item.name);
  if (bound != expected.bound.end()) recipe.bound = bound->second;
  if (!findOpenType(model.graph(), recipe)) return std::nullopt;
  return std::pair(model.graph().node(0).op_type(), std::move(recipe));
}

/// Operators that the test data lack, or have in models of several nodes only.
struct HandMade {
  std::string_view name;
  std::vector<graph::Shape> inputs;  ///< of the open type
  std::vector<DType> types;          ///< that it may be
  std::vector<std::pair<std::string, std::vector<int64_t>>> lists;
  std::vector<std::pair<std::string, int64_t>> numbers;
  bool isConstant = false;  ///< what ends up in a shape: the first input is bound
};

const std::vector<HandMade> &handMadeOperators() {
  using enum DType;
  static const std::vector<DType> integers = {I8, I16, I32, I64, U8, U16, U32, U64};
  static const std::vector<DType> floats = {F16, F32, F64};
  static const std::vector<DType> all = {Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64};
  static const std::vector<HandMade> rows = {
      {"BitwiseAnd", {{19}, {19}}, integers, {}, {}},
      {"BitwiseNot", {{19}}, integers, {}, {}},
      {"BitwiseOr", {{19}, {19}}, integers, {}, {}},
      {"BitwiseXor", {{19}, {19}}, integers, {}, {}},
      {"GlobalLpPool", {{1, 2, 3, 5}}, floats, {}, {}},
      {"GroupNormalization", {{1, 4, 3, 5}, {2}, {2}}, {F16, BF16, F32, F64}, {}, {{"num_groups", 2}}},
      {"LpNormalization", {{3, 5}}, floats, {}, {{"axis", 1}}},
      {"LpPool", {{1, 2, 5, 5}}, floats, {{"kernel_shape", {3, 2}}}, {}},
      {"MaxRoiPool", {{1, 2, 6, 6}, {1, 5}}, floats, {{"pooled_shape", {2, 2}}}, {}},
      {"Mish", {{19}}, floats, {}, {}},
      {"NonZero", {{3, 5}}, all, {}, {}, true},
  };
  return rows;
}

runtime::NamedArray counting(const std::string &name, const graph::Shape &shape) {
  const int64_t count = graph::TensorType{DType::F32, shape}.elements();
  runtime::NamedArray result{name, {HONE_FLOAT32, shape, std::string(static_cast<size_t>(count) * 4, '\0')}};
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i * 5 % 7);
    std::copy_n(reinterpret_cast<const char *>(&value), 4, result.array.bytes.begin() + i * 4);
  }
  return result;
}

Recipe recipeFor(const HandMade &row) {
  test::ModelBuilder builder(kRecipeOpset);
  Recipe recipe;
  for (const graph::Shape &shape : row.inputs) {
    recipe.interface.inputs.push_back(absl::StrCat("x", recipe.interface.inputs.size()));
    builder.input(recipe.interface.inputs.back(), DType::F32, shape);
    recipe.data.inputs.push_back(counting(recipe.interface.inputs.back(), shape));
  }
  onnx::NodeProto &node = builder.node(std::string(row.name), recipe.interface.inputs, {"y"});
  for (const auto &[name, values] : row.lists) test::setAttribute(node, name, values);
  for (const auto &[name, value] : row.numbers) test::setAttribute(node, name, value);
  builder.output("y");
  recipe.interface.outputs = {"y"};
  recipe.model = builder.bytes();
  recipe.retyped = {recipe.interface.inputs.begin(), recipe.interface.inputs.end()};
  recipe.types = row.types;
  if (row.isConstant) recipe.bound = {recipe.interface.inputs.front()};
  return recipe;
}

/// Compress needs a condition that is known, of a type of its own.
Recipe recipeForCompress() {
  Recipe recipe = recipeFor({"Compress", {{4, 3}}, handMadeOperators().back().types, {}, {}});
  test::ModelBuilder builder(kRecipeOpset);
  builder.input("x0", DType::F32, {4, 3});
  builder.integers("chosen", {1, 0, 1, 0});
  test::setAttribute(builder.node("Cast", {"chosen"}, {"condition"}), "to", test::elementType(DType::Bool));
  test::setAttribute(builder.node("Compress", {"x0", "condition"}, {"y"}), "axis", 0);
  builder.output("y");
  recipe.model = builder.bytes();
  return recipe;
}

/// The elements as numbers of another type.
graph::Constant converted(const graph::ConstantData &from, DType dtype) {
  const graph::TensorType type{dtype, from.type.shape};
  const auto count = static_cast<size_t>(from.type.elements());
  if (isFloat(from.type.dtype)) {
    std::vector<double> values(count);
    graph::readElements(from, 0, 1, static_cast<int64_t>(count), values.data());
    return graph::makeConstant(type, values);
  }
  std::vector<int64_t> values(count);
  graph::readElements(from, 0, 1, static_cast<int64_t>(count), values.data());
  return graph::makeConstant(type, values);
}

runtime::Array asArray(const graph::ConstantData &constant) {
  runtime::Array array;
  for (int dtype = HONE_BOOL; dtype <= HONE_FLOAT64; ++dtype) {
    if (hone_dtype_name(static_cast<hone_dtype>(dtype)) == name(constant.type.dtype)) {
      array.dtype = static_cast<hone_dtype>(dtype);
    }
  }
  array.shape = constant.type.shape;
  array.bytes.assign(constant.bytes.begin(), constant.bytes.end());
  return array;
}

/// The recipe with \p type in place of the type that it has.
Recipe retype(const Recipe &recipe, DType type) {
  Recipe result = recipe;
  onnx::ModelProto model;
  model.ParseFromString(recipe.model);
  onnx::GraphProto &graph = *model.mutable_graph();
  for (auto &input : *graph.mutable_input()) {
    if (recipe.retyped.count(input.name()) == 0) continue;
    input.mutable_type()->mutable_tensor_type()->set_elem_type(test::elementType(type));
  }
  for (size_t i = 0; i < recipe.interface.inputs.size() && i < recipe.data.inputs.size(); ++i) {
    if (recipe.retyped.count(recipe.interface.inputs[i]) == 0) continue;
    result.data.inputs[i].array = asArray(*converted(*asConstant(recipe.data.inputs[i].array), type));
  }
  for (auto &attribute : *graph.mutable_node(0)->mutable_attribute()) {
    if (!recipe.retyped.empty() || attribute.name() != "value") continue;
    auto parsed = runtime::parseOnnxTensor(attribute.t().SerializeAsString(), "value");
    if (!parsed.ok()) continue;
    const graph::Constant value = converted(*asConstant(parsed->array), type);
    onnx::TensorProto &tensor = *attribute.mutable_t();
    tensor.Clear();
    tensor.set_data_type(test::elementType(type));
    for (const int64_t extent : value->type.shape) tensor.add_dims(extent);
    tensor.set_raw_data(value->bytes.data(), value->bytes.size());
  }
  result.model = model.SerializeAsString();
  return result;
}

/// What the evaluator of graphs makes of the recipe's data.
absl::Status evaluate(Recipe &recipe) {
  frontend::ImportOptions options;
  std::map<std::string, graph::Constant> inputs;
  for (size_t i = 0; i < recipe.interface.inputs.size() && i < recipe.data.inputs.size(); ++i) {
    const std::string &input = recipe.interface.inputs[i];
    const graph::Constant value = asConstant(recipe.data.inputs[i].array);
    if (recipe.bound.count(input) != 0) {
      options.boundInputs[input] = value;
    } else {
      options.inputShapes[input] = value->type.shape;
      inputs[input] = value;
    }
  }
  HONE_ASSIGN_OR_RETURN(const graph::Graph graph, frontend::importModel(recipe.model, options));
  HONE_ASSIGN_OR_RETURN(auto outputs, test::evaluateGraph(graph, inputs));
  recipe.data.outputs.clear();
  for (const std::string &output : recipe.interface.outputs) {
    recipe.data.outputs.push_back({output, asArray(*outputs.at(output))});
  }
  return absl::OkStatus();
}

runtime::Tolerance toleranceFor(DType type) {
  if (type == DType::BF16) return {3e-2, 1e-2};
  if (type == DType::F16) return {4e-3, 1e-3};
  return {1e-3, 1e-6};
}

}  // namespace

void addRecipes(const std::vector<Case> &cases, const Expectations &expected,
                std::map<std::string, std::vector<Recipe>> &result) {
  std::set<std::string> wanted;
  for (const frontend::Operator &row : frontend::operators()) wanted.emplace(row.name);
  for (const Case &item : cases) {
    if (expected.notPassing.count(item.name) != 0) continue;
    auto recipe = recipeFrom(item, expected);
    if (!recipe || wanted.count(recipe->first) == 0 || result[recipe->first].size() >= kRecipes) continue;
    result[recipe->first].push_back(std::move(recipe->second));
  }
}

void addHandMadeRecipes(std::map<std::string, std::vector<Recipe>> &result) {
  for (const HandMade &row : handMadeOperators()) {
    const std::string name(row.name);
    if (result[name].empty()) result[name].push_back(recipeFor(row));
  }
  if (result["Compress"].empty()) result["Compress"].push_back(recipeForCompress());
}

bool works(const Recipe &recipe, DType type) {
  Recipe retyped = retype(recipe, type);
  if (!evaluate(retyped).ok()) return false;
  Setting setting;
  setting.target = codegen::hostTarget();
  setting.tolerance = toleranceFor(type);
  const CaseResult result = runModel(retyped.model, retyped.interface, retyped.data, retyped.bound, setting);
  return result.outcome == Outcome::Passed;
}

std::string typesText(const std::vector<DType> &types) {
  struct Family {
    std::vector<DType> members;
    std::string_view text;
  };
  using enum DType;
  static const std::vector<Family> families = {{{I8, I16, I32, I64}, "i8–i64"}, {{U8, U16, U32, U64}, "u8–u64"}};
  std::set<DType> left(types.begin(), types.end());
  std::vector<std::string> words;
  for (const DType type : {F16, BF16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool}) {
    if (left.count(type) == 0) continue;
    const auto whole = std::find_if(families.begin(), families.end(), [&](const Family &family) {
      return family.members.front() == type && std::all_of(family.members.begin(), family.members.end(),
                                                           [&](DType member) { return left.count(member) != 0; });
    });
    words.emplace_back(whole == families.end() ? shortName(type) : whole->text);
    if (whole != families.end()) {
      for (const DType member : whole->members) left.erase(member);
    }
  }
  return absl::StrJoin(words, " ");
}

}  // namespace hone::conformance
