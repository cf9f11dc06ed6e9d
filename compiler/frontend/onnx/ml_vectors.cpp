// Support vector machines: kernels of rows of features with the vectors, and sums of them.
#include "compiler/base/status.h"
#include "compiler/frontend/build/coupled_probabilities.h"
#include "compiler/frontend/onnx/ml_operators.h"
#include "compiler/frontend/onnx/ml_scores.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

struct Kernel {
  std::string type;
  double gamma = 0, offset = 0, degree = 0;
};

absl::StatusOr<Kernel> readKernel(const NodeContext &node) {
  Kernel kernel;
  HONE_ASSIGN_OR_RETURN(kernel.type, node.text("kernel_type", "LINEAR"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> parameters, realsOrNone(node, "kernel_params"));
  if (kernel.type != "LINEAR" && kernel.type != "POLY" && kernel.type != "RBF" && kernel.type != "SIGMOID") {
    return invalid("attribute 'kernel_type' is '", kernel.type, "', not LINEAR, POLY, RBF or SIGMOID");
  }
  if (parameters.empty()) return kernel;
  if (parameters.size() != 3) return invalid("attribute 'kernel_params' has ", parameters.size(), " entries, not 3");
  kernel.gamma = parameters[0];
  kernel.offset = parameters[1];
  kernel.degree = parameters[2];
  return kernel;
}

/// The kernel of each row with each of \p count vectors: [rows, count].
Result kernels(Builder &build, const Kernel &kernel, ValueId rows, const std::vector<double> &vectors, int64_t count) {
  const Shape shape = build.shape(rows);
  if (count < 1 || static_cast<int64_t>(vectors.size()) / count != shape[1] ||
      static_cast<int64_t>(vectors.size()) % count != 0) {
    return invalid("attribute 'support_vectors' has ", vectors.size(), " entries, which are not ", count,
                   " vectors of ", shape[1], " features");
  }
  Result all = constantOf(build, DType::F32, {count, shape[1]}, vectors);
  const auto number = [&](double value) { return build.number(DType::F32, value); };
  if (kernel.type == "RBF") {
    HONE_RETURN_IF_ERROR(build.checkSize({DType::F32, {shape[0], count, shape[1]}}));
    Result row = build.reshape(rows, {shape[0], 1, shape[1]});
    Result difference = build.apply(Op::Sub, {row, all});
    Result distance = build.reduce(graph::ReduceKind::Sum, build.apply(Op::Mul, {difference, difference}), {2}, false);
    return build.apply(Op::Exp, {build.apply(Op::Mul, {distance, number(-kernel.gamma)})});
  }
  Result product = build.matMul(rows, all, false, true);
  if (kernel.type == "LINEAR") return product;
  Result scaled = build.apply(Op::Mul, {product, number(kernel.gamma)});
  scaled = build.apply(Op::Add, {scaled, number(kernel.offset)});
  return kernel.type == "POLY" ? build.apply(Op::Pow, {scaled, number(kernel.degree)})
                               : build.apply(Op::Tanh, {scaled});
}

/// The machines that tell two of the classes apart, one for each pair.
struct Pairs {
  int64_t classes = 0;
  std::vector<int64_t> supports;           ///< vectors of each class
  std::vector<double> coefficients;        ///< [classes - 1, vectors]
  std::vector<double> offsets;             ///< of each pair
  std::vector<double> slopes, intercepts;  ///< of each pair, where probabilities are wanted
  int64_t vectors = 0;
  int64_t pairs() const { return classes * (classes - 1) / 2; }
};

constexpr int64_t kMostClasses = 1024;

absl::StatusOr<Pairs> readPairs(const NodeContext &node, int64_t classes) {
  Pairs machine;
  machine.classes = classes;
  if (classes < 2 || classes > kMostClasses) return unsupported(classes, " classes; 2 to ", kMostClasses);
  HONE_ASSIGN_OR_RETURN(machine.supports, integersOrNone(node, "vectors_per_class"));
  HONE_ASSIGN_OR_RETURN(machine.coefficients, node.reals("coefficients"));
  HONE_ASSIGN_OR_RETURN(machine.offsets, node.reals("rho"));
  HONE_ASSIGN_OR_RETURN(machine.slopes, realsOrNone(node, "prob_a"));
  HONE_ASSIGN_OR_RETURN(machine.intercepts, realsOrNone(node, "prob_b"));
  if (machine.supports.empty()) {
    return unsupported("a classifier without support vectors; export it as LinearClassifier");
  }
  const auto check = [](const char *name, size_t found, int64_t wanted) -> absl::Status {
    if (static_cast<int64_t>(found) == wanted) return absl::OkStatus();
    return invalid("attribute '", name, "' has ", found, " entries instead of ", wanted);
  };
  HONE_RETURN_IF_ERROR(check("vectors_per_class", machine.supports.size(), classes));
  const auto most = static_cast<int64_t>(machine.coefficients.size());
  for (const int64_t count : machine.supports) {
    if (count < 0 || count > most) return invalid("attribute 'vectors_per_class' has ", count);
    machine.vectors += count;
  }
  HONE_RETURN_IF_ERROR(check("coefficients", machine.coefficients.size(), (classes - 1) * machine.vectors));
  HONE_RETURN_IF_ERROR(check("rho", machine.offsets.size(), machine.pairs()));
  const bool hasProbabilities = !machine.slopes.empty();
  HONE_RETURN_IF_ERROR(check("prob_a", machine.slopes.size(), hasProbabilities ? machine.pairs() : 0));
  HONE_RETURN_IF_ERROR(check("prob_b", machine.intercepts.size(), hasProbabilities ? machine.pairs() : 0));
  return machine;
}

/// A matrix [pairs, vectors]: what each vector counts for each pair of classes i < j. Those of class i have their
/// coefficients against j in row j - 1, those of class j against i in row i.
std::vector<double> pairCoefficients(const Pairs &machine) {
  std::vector<int64_t> begins = {0};
  for (const int64_t count : machine.supports) begins.push_back(begins.back() + count);
  std::vector<double> result(static_cast<size_t>(machine.pairs() * machine.vectors), 0);
  int64_t pair = 0;
  const auto copy = [&](int64_t ofClass, int64_t row) {
    const auto c = static_cast<size_t>(ofClass);
    for (int64_t v = begins[c]; v < begins[c + 1]; ++v) {
      result[static_cast<size_t>(pair * machine.vectors + v)] =
          machine.coefficients[static_cast<size_t>(row * machine.vectors + v)];
    }
  };
  for (int64_t i = 0; i < machine.classes; ++i) {
    for (int64_t j = i + 1; j < machine.classes; ++j, ++pair) {
      copy(i, j - 1);
      copy(j, i);
    }
  }
  return result;
}

/// How many of its pairs each class wins: [rows, classes], from the decisions [rows, pairs].
Result votes(Builder &build, const Pairs &machine, const Result &decisions) {
  // Decided for i: one vote for i; else one for j. As a product: won * (i - j) + j, summed up over the pairs.
  const int64_t pairs = machine.pairs(), classes = machine.classes;
  std::vector<double> gains(static_cast<size_t>(pairs * classes), 0), base(static_cast<size_t>(classes), 0);
  int64_t pair = 0;
  for (int64_t i = 0; i < classes; ++i) {
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      gains[static_cast<size_t>(pair * classes + i)] = 1;
      gains[static_cast<size_t>(pair * classes + j)] = -1;
      base[static_cast<size_t>(j)] += 1;
    }
  }
  Result isFirst = build.apply(Op::Less, {build.number(DType::F32, 0), decisions});
  Result won = build.matMul(build.cast(isFirst, DType::F32), constantOf(build, DType::F32, {pairs, classes}, gains));
  return build.apply(Op::Add, {won, constantOf(build, DType::F32, {classes}, base)});
}

/// The probability of the first class of each pair: [rows, pairs].
Result pairProbabilities(Builder &build, const Pairs &machine, const Result &decisions) {
  const auto number = [&](double value) { return build.number(DType::F32, value); };
  const Shape shape = {machine.pairs()};
  Result x = build.apply(Op::Mul, {decisions, constantOf(build, DType::F32, shape, machine.slopes)});
  x = build.apply(Op::Add, {x, constantOf(build, DType::F32, shape, machine.intercepts)});
  Result sigmoid = build.apply(Op::Div, {number(1), build.apply(Op::Add, {number(1), build.apply(Op::Exp, {x})})});
  return build.apply(Op::Min, {build.apply(Op::Max, {sigmoid, number(1e-7)}), number(1 - 1e-7)});
}

}  // namespace

Result importSvmRegressor(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(Kernel kernel, readKernel(node));
  HONE_ASSIGN_OR_RETURN(int64_t supports, node.integer("n_supports", 0));
  HONE_ASSIGN_OR_RETURN(int64_t isOneClass, node.integer("one_class", 0));
  HONE_ASSIGN_OR_RETURN(std::vector<double> coefficients, node.reals("coefficients"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> offset, node.reals("rho"));
  if (offset.empty()) return invalid("attribute 'rho' is empty");
  HONE_ASSIGN_OR_RETURN(ValueId rows, featureRows(node, DType::F32));
  Result terms = rows;  // without support vectors the model is linear
  if (supports > 0) {
    HONE_ASSIGN_OR_RETURN(std::vector<double> vectors, node.reals("support_vectors"));
    terms = kernels(build, kernel, rows, vectors, supports);
  }
  if (!terms.ok()) return terms;
  const int64_t count = build.shape(*terms)[1];
  if (static_cast<int64_t>(coefficients.size()) != count) {
    return invalid("attribute 'coefficients' has ", coefficients.size(), " entries instead of ", count);
  }
  Result score = build.matMul(terms, constantOf(build, DType::F32, {count, 1}, coefficients));
  score = build.apply(Op::Add, {score, build.number(DType::F32, offset[0])});
  if (isOneClass == 0) return score;
  Result isInside = build.apply(Op::Less, {build.number(DType::F32, 0), score});
  return build.apply(Op::Select, {isInside, build.number(DType::F32, 1), build.number(DType::F32, -1)});
}

// The class that wins most of its pairs. Scores are the pairs' decisions, or probabilities of the classes.
Result importSvmClassifier(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ClassLabels labels, readLabels(node, "classlabels_ints", "classlabels_strings"));
  HONE_ASSIGN_OR_RETURN(Kernel kernel, readKernel(node));
  HONE_ASSIGN_OR_RETURN(PostTransform transform, readPostTransform(node));
  HONE_ASSIGN_OR_RETURN(Pairs machine, readPairs(node, labels.count()));
  HONE_ASSIGN_OR_RETURN(std::vector<double> vectors, node.reals("support_vectors"));
  HONE_ASSIGN_OR_RETURN(ValueId rows, featureRows(node, DType::F32));
  HONE_RETURN_IF_ERROR(build.checkSize({DType::F32, {machine.pairs(), machine.vectors}}));
  Result terms = kernels(build, kernel, rows, vectors, machine.vectors);
  Result weights = constantOf(build, DType::F32, {machine.pairs(), machine.vectors}, pairCoefficients(machine));
  Result decisions = build.apply(Op::Add, {build.matMul(terms, weights, false, true),
                                           constantOf(build, DType::F32, {machine.pairs()}, machine.offsets)});
  Result scores;
  if (!machine.slopes.empty()) {
    Result pairs = pairProbabilities(build, machine, decisions);
    scores = transformed(build, coupledProbabilities(build, pairs, machine.classes), transform);
  } else if (machine.classes == 2) {
    scores = twoClasses(build, decisions, transform, transform != PostTransform::None);
  } else {
    scores = transformed(build, decisions, transform);
  }
  HONE_ASSIGN_OR_RETURN(ValueId result, scores);
  node.addOutput(result);
  return labelsAt(build, labels, highestClass(build, votes(build, machine, decisions)));
}

}  // namespace hone::frontend
