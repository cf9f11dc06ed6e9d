#include "compiler/frontend/build/coupled_probabilities.h"

#include "compiler/base/status.h"
#include "compiler/graph/constants.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;
using tensor::Index;
using tensor::Scalar;

constexpr int64_t kRounds = 100;

/// Q [rows, classes, classes]: the probabilities p that fit the pairs best make p Q p smallest. With r(i, j), the
/// probability of i against j, Q(i, i) is the sum of r(j, i)^2 and Q(i, j) is -r(j, i) r(i, j).
Result quadraticForm(Builder &build, const Result &pairs, int64_t classes) {
  HONE_ASSIGN_OR_RETURN(ValueId known, pairs);
  const int64_t rows = build.shape(known)[0];
  HONE_RETURN_IF_ERROR(build.checkSize({DType::F32, {rows, classes, classes}}));
  const auto size = static_cast<size_t>(classes * classes);
  std::vector<int64_t> source(size, 0);
  std::vector<double> sign(size, 0), start(size, 0), unit(size, 0);
  int64_t pair = 0;
  for (int64_t i = 0; i < classes; ++i) {
    unit[static_cast<size_t>(i * classes + i)] = 1;
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      const auto own = static_cast<size_t>(i * classes + j), other = static_cast<size_t>(j * classes + i);
      source[own] = source[other] = pair;
      sign[own] = 1;
      sign[other] = -1;
      start[other] = 1;
    }
  }
  const auto matrix = [&](const std::vector<double> &values) {
    return build.constant(graph::makeConstant({DType::F32, {classes, classes}}, values));
  };
  Result r = build.reshape(build.gather(known, build.integers(source), 1), {rows, classes, classes});
  r = build.apply(Op::Add, {build.apply(Op::Mul, {r, matrix(sign)}), matrix(start)});
  Result squares = build.reduce(graph::ReduceKind::Sum, build.apply(Op::Mul, {r, r}), {1}, false);
  Result diagonal = build.apply(Op::Mul, {build.reshape(squares, {rows, classes, 1}), matrix(unit)});
  return build.apply(Op::Sub, {diagonal, build.apply(Op::Mul, {r, build.transpose(r, {0, 2, 1})})});
}

/// The descent: a step for each class of each round, which moves the probability of this class alone.
class Descent {
 public:
  Descent(int64_t rows, int64_t classes) : rows_(rows), classes_(classes), b_("couple_probabilities") {}

  tensor::Kernel write() {
    form_ = b_.input("form", {rows_, classes_, classes_});
    const int result = b_.output("result", {rows_, classes_});
    p_ = b_.temporary("p", {rows_, classes_});
    product_ = b_.temporary("product", {rows_, classes_});
    energy_ = b_.temporary("energy", {rows_});
    moves_ = b_.temporary("moves", {rows_});
    start();
    beginRound();
    moveOne();
    b_.begin("result", {tensor::parallel("row", rows_), tensor::parallel("class", classes_)});
    b_.put(b_.get(p_, {tensor::dim(0), tensor::dim(1)}), result, {tensor::dim(0), tensor::dim(1)});
    return b_.finish();
  }

 private:
  static Scalar number(double value) { return tensor::f32(value); }
  static Index row() { return tensor::dim(1); }
  static Index column() { return tensor::dim(2); }
  Index current() const { return tensor::mod(tensor::dim(0), classes_); }
  Scalar isFirst() const { return tensor::isIndex(current(), 0); }

  void stage(const char *name, const std::vector<tensor::Dim> &further = {}) {
    std::vector<tensor::Dim> dims = {tensor::scan("step", kRounds * classes_), tensor::parallel("row", rows_)};
    dims.insert(dims.end(), further.begin(), further.end());
    b_.begin(name, dims);
  }
  tensor::Dim each() const { return tensor::parallel("class", classes_); }
  tensor::Dim summed() const { return tensor::reduce("other", classes_); }

  void start() {
    b_.begin("start", {tensor::parallel("row", rows_), tensor::parallel("class", classes_)});
    b_.put(number(1.0 / static_cast<double>(classes_)), p_, {tensor::dim(0), tensor::dim(1)});
    b_.begin("start_product", {tensor::parallel("row", rows_), tensor::parallel("class", classes_)});
    b_.put(number(0), product_, {tensor::dim(0), tensor::dim(1)});
    for (const auto &[name, buffer, value] :
         {std::tuple("start_energy", energy_, 0), std::tuple("start_moves", moves_, 1)}) {
      b_.begin(name, {tensor::parallel("row", rows_)});
      b_.put(number(value), buffer, {tensor::dim(0)});
    }
  }

  /// At the first class of a round: Q p and p Q p anew, and whether the row is done.
  void beginRound() {
    const int fresh = b_.temporary("fresh", {rows_, classes_}), total = b_.temporary("total", {rows_});
    const int error = b_.temporary("error", {rows_});
    stage("multiply", {each(), summed()});
    b_.fold(tensor::CombinerKind::Sum);
    b_.put(b_.get(form_, {row(), column(), tensor::dim(3)}) * b_.get(p_, {row(), tensor::dim(3)}), fresh,
           {row(), column()});
    stage("add_up", {summed()});
    b_.fold(tensor::CombinerKind::Sum);
    b_.put(b_.get(fresh, {row(), column()}) * b_.get(p_, {row(), column()}), total, {row()});
    stage("compare", {summed()});
    b_.fold(tensor::CombinerKind::Max);
    const Scalar difference = b_.get(fresh, {row(), column()}) - b_.get(total, {row()});
    b_.put(tensor::apply(Op::Abs, {difference}), error, {row()});
    stage("take_product", {each()});
    b_.put(tensor::select(isFirst(), b_.get(fresh, {row(), column()}), b_.get(product_, {row(), column()})), product_,
           {row(), column()});
    stage("take_energy");
    b_.put(tensor::select(isFirst(), b_.get(total, {row()}), b_.get(energy_, {row()})), energy_, {row()});
    stage("decide");
    const Scalar isDone = tensor::less(b_.get(error, {row()}), number(0.005 / static_cast<double>(classes_)));
    b_.put(tensor::select(tensor::both(isFirst(), isDone), number(0), b_.get(moves_, {row()})), moves_, {row()});
  }

  void moveOne() {
    const int change = b_.temporary("change", {rows_});
    stage("choose");
    const Scalar own = b_.get(form_, {row(), current(), current()});
    const Scalar wanted = (b_.get(energy_, {row()}) - b_.get(product_, {row(), current()})) / own;
    b_.put(tensor::select(tensor::equal(b_.get(moves_, {row()}), number(0)), number(0), wanted), change, {row()});
    stage("move", {each()});
    const Scalar isOwn = tensor::equal(tensor::indexValue(column()), tensor::indexValue(current()));
    const Scalar added = tensor::select(isOwn, b_.get(change, {row()}), number(0));
    b_.put((b_.get(p_, {row(), column()}) + added) / (number(1) + b_.get(change, {row()})), p_, {row(), column()});
    stage("follow_energy");
    const Scalar by = b_.get(change, {row()}), scale = number(1) + by;
    const Scalar gain =
        by * b_.get(form_, {row(), current(), current()}) + number(2) * b_.get(product_, {row(), current()});
    b_.put((b_.get(energy_, {row()}) + by * gain) / scale / scale, energy_, {row()});
    stage("follow_product", {each()});
    const Scalar step = b_.get(change, {row()});
    b_.put(
        (b_.get(product_, {row(), column()}) + step * b_.get(form_, {row(), current(), column()})) / (number(1) + step),
        product_, {row(), column()});
  }

  int64_t rows_, classes_;
  tensor::KernelBuilder b_;
  int form_ = -1, p_ = -1, product_ = -1, energy_ = -1, moves_ = -1;
};

}  // namespace

Result coupledProbabilities(Builder &build, const Result &pairs, int64_t classes) {
  HONE_ASSIGN_OR_RETURN(ValueId form, quadraticForm(build, pairs, classes));
  return build.compute(Descent(build.shape(form)[0], classes).write(), {form});
}

}  // namespace hone::frontend
