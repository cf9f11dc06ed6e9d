// Convolutions.
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/integer_products.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

Result importConv(NodeContext &node) {
  const Shape &weight = node.shape(1);
  if (weight.size() != node.shape(0).size() || weight.size() < 3) {
    return invalid("data of shape ", graph::shapeText(node.shape(0)), " does not go with weights of shape ",
                   graph::shapeText(weight));
  }
  HONE_ASSIGN_OR_RETURN(Window window, readWindow(node, node.shape(0), Shape(weight.begin() + 2, weight.end())));
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("group", 1));
  std::vector<Result> bias;
  if (node.has(2)) bias.emplace_back(node.input(2));
  const graph::ConvAttributes attributes = {window.strides, window.dilations, window.pads, groups};
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ofIntegers,
                        convOfIntegers(node.build, node.input(0), node.input(1), bias, attributes));
  if (ofIntegers) return *ofIntegers;
  return node.build.conv(node.input(0), node.input(1), bias, attributes);
}

}  // namespace hone::frontend
