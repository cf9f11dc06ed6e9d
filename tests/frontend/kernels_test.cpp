// Operators that are written as kernels: random shapes, attributes and dtypes, imported, planned, compiled and run,
// against plain loops over the operators' definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/frontend/compiled_node.h"
#include "tests/support/random.h"
#include "tests/support/rounds.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::forEachIndex;
using Shape = std::vector<int64_t>;
using testing::Random;

int64_t integerAt(const Array &array, const Shape &index) { return static_cast<int64_t>(array.at(index)); }
int64_t wrapped(int64_t place, int64_t extent) { return place < 0 ? place + extent : place; }

constexpr DType kNumbers[] = {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I8,  DType::I16,
                              DType::I32, DType::I64, DType::U8,  DType::U16,  DType::U32, DType::U64};

class Kernels : public ::testing::Test {
 protected:
  /// Calls \p check a few times; its random numbers are the seed's.
  void repeat(const std::function<void()> &check) {
    testing::inRounds(5, 60, [&](const Random &ofRound) {
      random = ofRound;
      check();
    });
  }

  Shape shape(int64_t least, int64_t most, int64_t largest = 6) {
    Shape result(static_cast<size_t>(random.between(least, most)));
    for (int64_t &extent : result) extent = random.between(1, largest);
    return result;
  }
  DType number() { return random.chance(20) ? DType::F32 : kNumbers[random.between(0, std::size(kNumbers) - 1)]; }
  /// Small whole numbers, halves for floats: all dtypes hold them, and their sums, exactly; many are equal.
  Array array(const Shape &extents, DType dtype, int64_t low = 0, int64_t high = 5) {
    Array result(extents, dtype);
    for (double &value : result.values) {
      value = static_cast<double>(random.between(low, high));
      if (isFloat(dtype)) value = value / 2 - 1;
    }
    return result;
  }
  Array places(const Shape &extents, int64_t extent) {
    return array(extents, random.chance(50) ? DType::I64 : DType::I32, -extent, extent - 1);
  }
  int64_t axisOf(const Shape &extents) { return random.between(0, std::ssize(extents) - 1); }
  /// The same axis, sometimes counted from the end.
  int64_t spelled(int64_t axis, const Shape &extents) { return random.chance(50) ? axis : axis - std::ssize(extents); }

  Random random{0};
};

Shape with(Shape index, int64_t axis, int64_t value) {
  index[static_cast<size_t>(axis)] = value;
  return index;
}
Shape without(Shape index, int64_t axis) {
  index.erase(index.begin() + axis);
  return index;
}

TEST_F(Kernels, CumSum) {
  repeat([&] {
    const Array x = array(shape(1, 4), number());
    const int64_t axis = axisOf(x.shape), n = x.shape[static_cast<size_t>(axis)];
    const bool exclusive = random.chance(50), reverse = random.chance(50);
    Array y(x.shape, x.dtype);
    forEachIndex(x.shape, [&](const Shape &i) {
      const int64_t own = i[static_cast<size_t>(axis)];
      for (int64_t k = 0; k < n; ++k) {
        const bool isBefore = reverse ? k > own : k < own;
        if (isBefore || (k == own && !exclusive)) y.at(i) += x.at(with(i, axis, k));
      }
    });
    if (!isSigned(x.dtype) || x.dtype == DType::I8) {
      for (double v : y.values) ASSERT_LT(std::fabs(v), 120);
    }
    CompiledNode(14, "CumSum", {x})
        .constant("axis", std::vector<int64_t>{spelled(axis, x.shape)})
        .with("exclusive", exclusive ? 1 : 0)
        .with("reverse", reverse ? 1 : 0)
        .gives({y});
  });
}

TEST_F(Kernels, CumSumAlongAnAxisFromRunTime) {
  repeat([&] {
    const Array x = array(shape(1, 3), DType::F32);
    const int64_t axis = axisOf(x.shape);
    Array place({}, DType::I32), y = x;
    place.values = {static_cast<double>(spelled(axis, x.shape))};
    forEachIndex(x.shape, [&](const Shape &i) {
      const int64_t own = i[static_cast<size_t>(axis)];
      if (own > 0) y.at(i) += y.at(with(i, axis, own - 1));
    });
    CompiledNode(11, "CumSum", {x, place}).gives({y});
  });
}

TEST_F(Kernels, ArgMaxAndArgMin) {
  repeat([&] {
    const bool isMax = random.chance(50), isLast = random.chance(50), keeps = random.chance(50);
    Array x = array(shape(1, 4, 20), number());
    if (isFloat(x.dtype) && random.chance(30)) x.values[x.values.size() / 2] = std::nan("");
    if (isFloat(x.dtype) && random.chance(30))
      std::fill(x.values.begin(), x.values.end(), isMax ? -INFINITY : INFINITY);
    const int64_t axis = axisOf(x.shape), n = x.shape[static_cast<size_t>(axis)];
    Array y(with(x.shape, axis, 1), DType::I64);
    forEachIndex(y.shape, [&](const Shape &i) {
      int64_t best = 0;
      for (int64_t k = 1; k < n; ++k) {
        const double a = x.at(with(i, axis, k)), b = x.at(with(i, axis, best));
        const bool ties = a == b || (std::isnan(a) && std::isnan(b));
        const bool wins = !std::isnan(b) && (std::isnan(a) || (isMax ? a > b : a < b));
        if (wins || (ties && isLast)) best = k;
      }
      y.at(i) = static_cast<double>(best);
    });
    if (!keeps) y.shape = without(y.shape, axis);
    CompiledNode(13, isMax ? "ArgMax" : "ArgMin", {x})
        .with("axis", spelled(axis, x.shape))
        .with("keepdims", keeps ? 1 : 0)
        .with("select_last_index", isLast ? 1 : 0)
        .gives({y});
  });
}

TEST_F(Kernels, Hardmax) {
  repeat([&] {
    const Array x = array(shape(1, 3), random.chance(50) ? DType::F32 : DType::F64);
    const int64_t axis = axisOf(x.shape), n = x.shape[static_cast<size_t>(axis)];
    Array y(x.shape, x.dtype);
    forEachIndex(with(x.shape, axis, 1), [&](const Shape &i) {
      int64_t best = 0;
      for (int64_t k = 1; k < n; ++k) best = x.at(with(i, axis, k)) > x.at(with(i, axis, best)) ? k : best;
      y.at(with(i, axis, best)) = 1;
    });
    CompiledNode(13, "Hardmax", {x}).with("axis", spelled(axis, x.shape)).gives({y});
  });
}

TEST_F(Kernels, TopK) {
  repeat([&] {
    // Rows of all lengths around the blocks that are sorted first, and long ones that are merged several times.
    const int64_t lengths[] = {1, 2, 31, 33, 64, 65, 96, 97, 200, 300};
    Shape extents = shape(1, 3, 3);
    const int64_t axis = axisOf(extents), n = lengths[random.between(0, std::size(lengths) - 1)];
    extents[static_cast<size_t>(axis)] = n;
    const int64_t k = random.chance(30) ? n : random.between(1, n);
    const bool isLargest = random.chance(50);
    Array x = array(extents, number(), 0, random.chance(50) ? 5 : 120);
    if (isFloat(x.dtype) && random.chance(30)) x.values[x.values.size() / 2] = std::nan("");
    if (isFloat(x.dtype) && random.chance(30)) x.values[x.values.size() / 3] = isLargest ? -INFINITY : INFINITY;
    Array values(with(extents, axis, k), x.dtype), indices(values.shape, DType::I64);
    forEachIndex(with(extents, axis, 1), [&](const Shape &i) {
      std::vector<int64_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](int64_t p, int64_t q) {
        const double a = x.at(with(i, axis, p)), b = x.at(with(i, axis, q));
        if (std::isnan(a) != std::isnan(b)) return std::isnan(a);
        if (a == b || std::isnan(a)) return p < q;
        return isLargest ? a > b : a < b;
      });
      for (int64_t j = 0; j < k; ++j) {
        values.at(with(i, axis, j)) = x.at(with(i, axis, order[static_cast<size_t>(j)]));
        indices.at(with(i, axis, j)) = static_cast<double>(order[static_cast<size_t>(j)]);
      }
    });
    SCOPED_TRACE(absl::StrCat("n ", n, ", k ", k));
    CompiledNode(11, "TopK", {x}, 2)
        .constant("k", std::vector<int64_t>{k})
        .with("axis", spelled(axis, extents))
        .with("largest", isLargest ? 1 : 0)
        .gives({values, indices});
  });
}

TEST_F(Kernels, GatherElements) {
  repeat([&] {
    const Array x = array(shape(1, 4), number());
    const int64_t axis = axisOf(x.shape), n = x.shape[static_cast<size_t>(axis)];
    Shape extents = x.shape;
    for (int64_t &extent : extents) extent = random.between(1, extent);
    extents[static_cast<size_t>(axis)] = random.between(1, 9);
    const Array indices = places(extents, n);
    Array y(extents, x.dtype);
    forEachIndex(extents, [&](const Shape &i) { y.at(i) = x.at(with(i, axis, wrapped(integerAt(indices, i), n))); });
    CompiledNode(13, "GatherElements", {x, indices}).with("axis", spelled(axis, x.shape)).gives({y});
  });
}

TEST_F(Kernels, GatherND) {
  repeat([&] {
    const Array x = array(shape(1, 4), number());
    const int64_t rank = std::ssize(x.shape), batches = random.between(0, rank - 1);
    const int64_t depth = random.between(1, rank - batches);
    Shape tuples(x.shape.begin(), x.shape.begin() + batches);
    for (int64_t extra = random.between(0, 2); extra > 0; --extra) tuples.push_back(random.between(1, 4));
    Shape extents = tuples;
    extents.push_back(depth);
    Array indices(extents, DType::I64);
    forEachIndex(extents, [&](const Shape &i) {
      const int64_t n = x.shape[static_cast<size_t>(batches + i.back())];
      indices.at(i) = static_cast<double>(random.between(-n, n - 1));
    });
    Shape result = tuples;
    result.insert(result.end(), x.shape.begin() + batches + depth, x.shape.end());
    Array y(result, x.dtype);
    forEachIndex(result, [&](const Shape &i) {
      Shape tuple(i.begin(), i.begin() + std::ssize(tuples)), from(i.begin(), i.begin() + batches);
      for (int64_t d = 0; d < depth; ++d) {
        Shape at = tuple;
        at.push_back(d);
        from.push_back(wrapped(integerAt(indices, at), x.shape[static_cast<size_t>(batches + d)]));
      }
      from.insert(from.end(), i.begin() + std::ssize(tuples), i.end());
      y.at(i) = x.at(from);
    });
    CompiledNode(13, "GatherND", {x, indices}).with("batch_dims", batches).gives({y});
  });
}

struct Reduction {
  const char *name;
  double (*apply)(double, double);
};
const Reduction kReductions[] = {
    {"none", [](double, double b) { return b; }},
    {"add", [](double a, double b) { return a + b; }},
    {"mul", [](double a, double b) { return a * b; }},
    {"max", [](double a, double b) { return std::max(a, b); }},
    {"min", [](double a, double b) { return std::min(a, b); }},
};

TEST_F(Kernels, ScatterElements) {
  repeat([&] {
    const Reduction &reduction = kReductions[random.between(0, 4)];
    const Array x = array(shape(1, 4), number(), 0, 2);
    const int64_t axis = axisOf(x.shape), n = x.shape[static_cast<size_t>(axis)];
    Shape extents = x.shape;
    for (int64_t &extent : extents) extent = random.between(1, extent);
    extents[static_cast<size_t>(axis)] = random.between(1, 4);
    const Array indices = places(extents, n), updates = array(extents, x.dtype, 0, 2);
    Array y = x;
    forEachIndex(extents, [&](const Shape &i) {
      double &target = y.at(with(i, axis, wrapped(integerAt(indices, i), n)));
      target = reduction.apply(target, updates.at(i));
    });
    CompiledNode(18, "ScatterElements", {x, indices, updates})
        .with("axis", spelled(axis, x.shape))
        .with("reduction", reduction.name)
        .gives({y});
  });
}

TEST_F(Kernels, ScatterND) {
  repeat([&] {
    const Reduction &reduction = kReductions[random.between(0, 4)];
    const Array x = array(shape(1, 4), number(), 0, 2);
    const int64_t depth = random.between(1, std::ssize(x.shape));
    Shape tuples = shape(0, 2, 3), extents = tuples, result = tuples;
    extents.push_back(depth);
    result.insert(result.end(), x.shape.begin() + depth, x.shape.end());
    Array indices(extents, DType::I64), updates = array(result, x.dtype, 0, 2), y = x;
    forEachIndex(extents, [&](const Shape &i) {
      const int64_t n = x.shape[static_cast<size_t>(i.back())];
      indices.at(i) = static_cast<double>(random.between(-n, n - 1));
    });
    forEachIndex(result, [&](const Shape &i) {
      Shape to;
      for (int64_t d = 0; d < depth; ++d) {
        Shape at(i.begin(), i.begin() + std::ssize(tuples));
        at.push_back(d);
        to.push_back(wrapped(integerAt(indices, at), x.shape[static_cast<size_t>(d)]));
      }
      to.insert(to.end(), i.begin() + std::ssize(tuples), i.end());
      y.at(to) = reduction.apply(y.at(to), updates.at(i));
    });
    CompiledNode(18, "ScatterND", {x, indices, updates}).with("reduction", reduction.name).gives({y});
  });
}

TEST_F(Kernels, ReverseSequence) {
  repeat([&] {
    const Array x = array(shape(2, 4), number());
    int64_t time = axisOf(x.shape), batch = axisOf(x.shape);
    if (batch == time) batch = (time + 1) % std::ssize(x.shape);
    const int64_t n = x.shape[static_cast<size_t>(time)], sequences = x.shape[static_cast<size_t>(batch)];
    Array lengths({sequences}, DType::I64), y(x.shape, x.dtype);
    for (double &length : lengths.values) length = static_cast<double>(random.between(0, n));
    forEachIndex(x.shape, [&](const Shape &i) {
      const int64_t length = integerAt(lengths, {i[static_cast<size_t>(batch)]}), t = i[static_cast<size_t>(time)];
      y.at(i) = x.at(with(i, time, t < length ? length - 1 - t : t));
    });
    CompiledNode(10, "ReverseSequence", {x, lengths}).with("time_axis", time).with("batch_axis", batch).gives({y});
  });
}

TEST_F(Kernels, OneHot) {
  repeat([&] {
    const int64_t depth = random.between(1, 6);
    const Array indices = array(shape(0, 3, 4), random.chance(50) ? DType::I64 : DType::I8, -depth - 2, depth + 2);
    const DType dtype = number();
    Array values({2}, dtype);
    values.values = {3, 7};
    const int64_t axis = random.between(0, std::ssize(indices.shape));
    Shape extents = indices.shape;
    extents.insert(extents.begin() + axis, depth);
    Array y(extents, dtype);
    forEachIndex(extents, [&](const Shape &i) {
      const int64_t hot = wrapped(integerAt(indices, without(i, axis)), depth);
      y.at(i) = hot == i[static_cast<size_t>(axis)] ? 7 : 3;
    });
    CompiledNode model(11, "OneHot", {indices, values});
    model.model.integers("depth", {depth});
    *model.node().mutable_input()->Add() = model.node().input(1);
    model.node().set_input(1, "depth");
    model.with("axis", random.chance(50) ? axis : axis - std::ssize(extents)).gives({y});
  });
}

TEST_F(Kernels, TriluAtRunTime) {
  repeat([&] {
    const bool isUpper = random.chance(50);
    Array x = array(shape(2, 4), number(), 1, 6), k({}, DType::I64), y(x.shape, x.dtype);
    k.values = {static_cast<double>(random.chance(10) ? INT64_MIN : random.between(-7, 7))};
    forEachIndex(x.shape, [&](const Shape &i) {
      const auto distance = static_cast<double>(i.back() - i[i.size() - 2]);
      y.at(i) = (isUpper ? distance >= k.values[0] : distance <= k.values[0]) ? x.at(i) : 0;
    });
    CompiledNode(14, "Trilu", {x, k}).with("upper", isUpper ? 1 : 0).gives({y});
  });
}

TEST_F(Kernels, EyeLike) {
  repeat([&] {
    const Array x = array(shape(2, 2), number());
    const int64_t k = random.between(-3, 3);
    Array y(x.shape, x.dtype);
    forEachIndex(x.shape, [&](const Shape &i) { y.at(i) = i[1] - i[0] == k ? 1 : 0; });
    CompiledNode(9, "EyeLike", {x}).with("k", k).gives({y});
  });
}

/// By cofactors of the first row.
double determinant(const Array &x, const Shape &batch, std::vector<int64_t> columns, int64_t row = 0) {
  if (columns.empty()) return 1;
  double sum = 0;
  for (size_t c = 0; c < columns.size(); ++c) {
    std::vector<int64_t> others = columns;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(c));
    Shape at = batch;
    at.insert(at.end(), {row, columns[c]});
    sum += (c % 2 == 0 ? 1 : -1) * x.at(at) * determinant(x, batch, others, row + 1);
  }
  return sum;
}

TEST_F(Kernels, Det) {
  repeat([&] {
    const Shape batch = shape(0, 2, 4);
    const int64_t n = random.between(1, 5);
    Shape extents = batch;
    extents.insert(extents.end(), {n, n});
    const Array x = array(extents, random.chance(50) ? DType::F32 : DType::F64);
    std::vector<int64_t> columns(static_cast<size_t>(n));
    std::iota(columns.begin(), columns.end(), 0);
    Array y(batch, x.dtype);
    forEachIndex(batch, [&](const Shape &i) { y.at(i) = determinant(x, i, columns); });
    CompiledNode(11, "Det", {x}).gives({y});
  });
}

TEST_F(Kernels, CompressByConstants) {
  Array x({2, 3}, DType::F32), rows({1, 3}, DType::F32), flat({2}, DType::F32);
  x.values = {1, 2, 3, 4, 5, 6};
  rows.values = {4, 5, 6};
  flat.values = {2, 5};
  const auto condition = [](CompiledNode &model, const std::string &bytes) {
    onnx::TensorProto &tensor = *model.model.model.mutable_graph()->add_initializer();
    tensor.set_name("condition");
    tensor.set_data_type(onnx::TensorProto::BOOL);
    tensor.add_dims(static_cast<int64_t>(bytes.size()));
    tensor.set_raw_data(bytes);
    model.node().add_input("condition");
  };
  CompiledNode byAxis(11, "Compress", {x});
  condition(byAxis, std::string("\0\1", 2));
  byAxis.with("axis", -2).gives({rows});
  CompiledNode ofAll(11, "Compress", {x});
  condition(ofAll, std::string("\0\1\0\0\1", 5));
  ofAll.gives({flat});
}

TEST_F(Kernels, NonZeroOfConstants) {
  // The mask is constant, as in what exporters make of index arithmetic; its places address data from run time.
  Array x({2, 2}, DType::F32), y({2}, DType::F32);
  x.values = {1, 2, 3, 4};
  y.values = {2, 3};
  CompiledNode gather(13, "GatherND", {x});
  gather.model.floats("mask", {2, 2}, {0, 5, -1, 0});
  gather.model.node("NonZero", {"mask"}, {"places"});
  test::setAttribute(gather.model.node("Transpose", {"places"}, {"tuples"}), "perm", std::vector<int64_t>{1, 0});
  gather.node().add_input("tuples");
  gather.gives({y});
}

// Indices outside are wrong, and nothing can be said at run time; they must not touch other memory.
TEST_F(Kernels, IndicesOutsideStayInside) {
  Array x = array({3, 2}, DType::F32), indices({2, 2}, DType::I64), updates({2, 2}, DType::F32),
        lengths({2}, DType::I64);
  for (const double outside : {3.0, -4.0, 1e18, -1e18}) {
    std::fill(indices.values.begin(), indices.values.end(), outside);
    std::fill(lengths.values.begin(), lengths.values.end(), outside);
    for (const auto &[op, operands] : std::map<std::string, std::vector<Array>>{
             {"GatherElements", {x, indices}},
             {"ScatterElements", {x, indices, updates}},
             {"GatherND", {x, indices}},
             {"ReverseSequence", {x, lengths}},
         }) {
      SCOPED_TRACE(op);
      const auto outputs = CompiledNode(13, op, operands).run();
      EXPECT_TRUE(outputs.ok()) << outputs.status();
    }
  }
}

/// Whether \p pad, which puts 'value' before and twice behind its two elements, does so to the last bit: the comparison
/// is the model's own, as arrays of tests hold doubles.
void expectPaddedWithValue(CompiledNode &pad) {
  pad.node().set_output(0, "padded");
  pad.model.node("Equal", {"padded", "value"}, {"y0"});
  pad.gives({Array({5}, {1, 0, 0, 1, 1}, DType::Bool)});
}

TEST(Pad, KeepsIntegersThatNoDoubleHolds) {
  for (const int64_t value : {INT64_MAX, INT64_MIN, INT64_MIN + 1, (int64_t{1} << 53) + 1, int64_t{-7}}) {
    SCOPED_TRACE(value);
    CompiledNode node(13, "Pad", {Array({2}, {5, 6}, DType::I64)});
    node.constant("pads", std::vector<int64_t>{1, 2}).constant("value", std::vector<int64_t>{value});
    expectPaddedWithValue(node);
  }
  CompiledNode highest(13, "Pad", {Array({2}, {5, 6}, DType::U64)});
  highest.constant("pads", std::vector<int64_t>{1, 2});
  onnx::TensorProto &value = *highest.model.model.mutable_graph()->add_initializer();
  value.set_name("value");
  value.set_data_type(onnx::TensorProto::UINT64);
  value.add_uint64_data(UINT64_MAX);
  expectPaddedWithValue(highest.operand("value"));
}

}  // namespace
}  // namespace hone
