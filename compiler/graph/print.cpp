#include "compiler/graph/print.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "compiler/graph/constants.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::graph {
namespace {

// Constants up to this many elements print their values.
constexpr int64_t kShownElements = 8;

/// The shortest text that reads back as the same number.
template <typename T>
std::string numberText(T value) {
  std::array<char, 64> buffer{};
  auto [end, code] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end);
}

std::string elementText(const ConstantData &constant, int64_t position) {
  DType dtype = constant.type.dtype;
  if (dtype == DType::F64) return numberText(elementAsDouble(constant, position));
  if (isFloat(dtype)) return numberText(static_cast<float>(elementAsDouble(constant, position)));
  if (dtype == DType::U64) return numberText(static_cast<uint64_t>(elementAsInteger(constant, position)));
  return numberText(elementAsInteger(constant, position));
}

std::string constantText(const ConstantData &constant) {
  int64_t count = constant.type.elements();
  if (count > kShownElements) return "";
  std::vector<std::string> elements;
  for (int64_t i = 0; i < count; ++i) elements.push_back(elementText(constant, i));
  if (constant.type.shape.empty()) return absl::StrCat(" = ", elements[0]);
  return absl::StrCat(" = [", absl::StrJoin(elements, ", "), "]");
}

struct AttributePrinter {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const ElementwiseAttributes &) const { return ""; }
  std::string operator()(const ConvAttributes &conv) const {
    return absl::StrCat("strides ", shapeText(conv.strides), dilationsText(conv.dilations), ", pads ",
                        shapeText(conv.pads), ", groups ", conv.groups);
  }
  std::string operator()(const PoolAttributes &pool) const {
    return absl::StrCat(pool.kind == PoolKind::Max ? "max" : "average", ", kernel ", shapeText(pool.kernel),
                        ", strides ", shapeText(pool.strides), dilationsText(pool.dilations), ", pads ",
                        shapeText(pool.pads), pool.countPadding ? ", count padding" : "");
  }
  std::string operator()(const MatMulAttributes &matmul) const {
    if (matmul.transposeA && matmul.transposeB) return "transpose a, transpose b";
    return matmul.transposeA ? "transpose a" : matmul.transposeB ? "transpose b" : "";
  }
  std::string operator()(const ReduceAttributes &reduce) const {
    constexpr std::array<const char *, 5> kNames = {"sum", "mean", "max", "min", "product"};
    return absl::StrCat(kNames.at(static_cast<size_t>(reduce.kind)), ", axes ", shapeText(reduce.axes),
                        reduce.keepDims ? ", keep dims" : "");
  }
  std::string operator()(const AxisAttributes &axis) const { return absl::StrCat("axis ", axis.axis); }
  std::string operator()(const LayerNormAttributes &norm) const {
    return absl::StrCat("axis ", norm.axis, ", epsilon ", epsilonText(norm.epsilon));
  }
  std::string operator()(const TransposeAttributes &transpose) const { return shapeText(transpose.permutation); }
  std::string operator()(const SliceAttributes &slice) const {
    return absl::StrCat("starts ", shapeText(slice.starts), ", steps ", shapeText(slice.steps));
  }
  std::string operator()(const PadAttributes &pad) const {
    std::string mode = pad.mode == PadMode::Edge      ? "edge"
                       : pad.mode == PadMode::Reflect ? "reflect"
                                                      : absl::StrCat("value ", numberText(pad.value));
    return absl::StrCat("pads ", shapeText(pad.pads), ", ", mode);
  }
  /// The end of a loop has no place of its own.
  std::string operator()(const LoopAttributes &loop) const {
    return absl::StrCat("loop ", loop.loop, loop.state < 0 ? "" : absl::StrCat(", state ", loop.state));
  }
  /// In one line, as nodes are.
  std::string operator()(const ComputeAttributes &compute) const {
    std::string text = tensor::print(*compute.kernel);
    text.pop_back();
    return absl::StrReplaceAll(text, {{"\n    ", " "}, {"\n", "; "}});
  }

  /// Models hold the number as a float: print it as short as that.
  static std::string epsilonText(double epsilon) {
    auto rounded = static_cast<float>(epsilon);
    return rounded == epsilon ? numberText(rounded) : numberText(epsilon);
  }
  static std::string dilationsText(const Shape &dilations) {
    bool plain = std::all_of(dilations.begin(), dilations.end(), [](int64_t dilation) { return dilation == 1; });
    return plain ? "" : absl::StrCat(", dilations ", shapeText(dilations));
  }
};

/// Names values in the order in which they appear, so that the text does not depend on how ids were given out.
class Namer {
 public:
  explicit Namer(const Graph &graph) : graph_(graph) {}

  std::string define(ValueId id) { return names_[id] = absl::StrCat("%", next_++); }
  std::string use(ValueId id) {
    const Value &value = graph_.values.at(static_cast<size_t>(id));
    auto found = names_.find(id);
    if (found != names_.end()) return found->second;
    if (!value.constant) return names_[id] = absl::StrCat("%undefined", id);
    constants_.push_back(id);
    // '#' keeps apart the constants without a name and those that models call "1".
    return names_[id] = value.name.empty() ? absl::StrCat("const@#", ++unnamed_) : absl::StrCat("const@", value.name);
  }
  const std::vector<ValueId> &constants() const { return constants_; }

 private:
  const Graph &graph_;
  std::map<ValueId, std::string> names_;
  std::vector<ValueId> constants_;
  int next_ = 0, unnamed_ = 0;
};

}  // namespace

std::string shapeText(const Shape &shape) { return absl::StrCat("[", absl::StrJoin(shape, ","), "]"); }

std::string typeText(const TensorType &type) {
  return absl::StrCat(std::string(shortName(type.dtype)), shapeText(type.shape));
}

std::string attributesText(const Node &node) {
  std::string text = std::visit(AttributePrinter{}, node.attributes);
  return text.empty() ? "" : absl::StrCat(" {", text, "}");
}

std::string describe(const Node &node, size_t position) {
  if (node.name.empty()) return absl::StrCat("node ", position, " (", opName(node), ")");
  return absl::StrCat(opName(node), " '", node.name, "'");
}

std::string print(const Graph &graph) {
  Namer names(graph);
  auto type = [&](ValueId id) { return typeText(graph.values.at(static_cast<size_t>(id)).type); };
  std::string head = absl::StrCat("graph ", graph.name, "\n"), body;
  for (const Port &port : graph.inputs) {
    absl::StrAppend(&head, "input ", names.define(port.value), " \"", port.name, "\" : ", type(port.value), "\n");
  }
  for (const Node &node : graph.nodes) {
    std::vector<std::string> inputs;
    for (ValueId input : node.inputs) inputs.push_back(names.use(input));
    absl::StrAppend(&body, names.define(node.output), " = ", opName(node), "(", absl::StrJoin(inputs, ", "), ")",
                    attributesText(node), " : ", type(node.output), "\n");
  }
  for (const Port &port : graph.outputs) {
    absl::StrAppend(&body, "output \"", port.name, "\" = ", names.use(port.value), "\n");
  }
  for (ValueId id : names.constants()) {
    absl::StrAppend(&head, names.use(id), " : ", type(id),
                    constantText(*graph.values.at(static_cast<size_t>(id)).constant), "\n");
  }
  return absl::StrCat(head, body);
}

}  // namespace hone::graph
