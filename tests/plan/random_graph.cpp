#include "tests/plan/random_graph.h"

#include <random>

#include "tests/plan/graph_generator.h"

namespace hone::plan {

graph::Graph randomGraph(uint64_t seed, int nodes) { return GraphGenerator(seed).run(nodes); }

graph::Graph randomLoops(uint64_t seed, int nodes) { return GraphGenerator(seed).runWithLoops(nodes); }

std::vector<tensor::HostTensor> randomInputs(const graph::Graph &graph, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<tensor::HostTensor> inputs;
  for (const graph::Port &port : graph.inputs) {
    const graph::TensorType &type = graph.values[static_cast<size_t>(port.value)].type;
    tensor::HostTensor input = tensor::HostTensor::zeros(type.dtype, type.shape);
    for (int64_t i = 0; i < input.elements(); ++i) {
      if (isFloat(type.dtype)) {
        input.setReal(i, static_cast<double>(static_cast<int64_t>(random() % 2001) - 1000) / 500.0);
      } else {
        input.setInteger(i, static_cast<int64_t>(random() % 4) - 2);
      }
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace hone::plan
