// Where sums of products of integers may be computed in float32: as long as none can be beyond 2^24, 16,777,216.
#include "compiler/frontend/onnx/exact_sums.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/graph/constants.h"
#include "tests/frontend/evaluated_model.h"

namespace hone::frontend {
namespace {

using test::Array;
using test::evaluateModel;
using test::ModelBuilder;
using Values = std::vector<double>;

class Product {
 public:
  Product(DType data, Shape weight, double element) : build_(graph_, limits_) {
    product_.data = graph_.addValue("data", {data, {1, 1}});
    const auto count = static_cast<size_t>(graph::TensorType{DType::I8, weight}.elements());
    product_.weight = constant({std::move(weight), Values(count, element), DType::I8});
  }
  Product &dataZero() {
    product_.dataZero = graph_.addValue("zero", {DType::U8, {}});
    return *this;
  }
  Product &weightZero(const Array &zero) {
    product_.weightZero = constant(zero);
    return *this;
  }
  Product &bias(const Values &values) {
    product_.bias = constant({{static_cast<int64_t>(values.size())}, values, DType::I32});
    return *this;
  }
  Product &unknownBias() {
    product_.bias = graph_.addValue("bias", {DType::I32, {2}});
    return *this;
  }
  Product &unknownWeight() {
    product_.weight = graph_.addValue("weight", {DType::I8, {2, 1}});
    return *this;
  }
  Product &alongLast() {
    product_.isAlongFirst = false;
    return *this;
  }
  bool isExact() const { return isExactInFloat(build_, product_); }

 private:
  ValueId constant(const Array &array) { return *build_.constant(array.constant()); }

  graph::Graph graph_;
  ImportLimits limits_;
  Builder build_;
  IntegerProduct product_;
};

TEST(ExactSums, EndAtTheLargestProducts) {
  // 255 x 128 x 514 is 16,776,960.
  EXPECT_TRUE(Product(DType::U8, {2, 514}, -128).isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 515}, -128).isExact());
  EXPECT_TRUE(Product(DType::U8, {514, 2}, -128).alongLast().isExact());
  EXPECT_FALSE(Product(DType::U8, {515, 2}, -128).alongLast().isExact());
  // 128 x 128 x 1024 is 2^24; with a zero point, data may be as far as 255 from it.
  EXPECT_TRUE(Product(DType::I8, {2, 1024}, -128).isExact());
  EXPECT_FALSE(Product(DType::I8, {2, 1025}, -128).isExact());
  EXPECT_FALSE(Product(DType::I8, {2, 1024}, -128).dataZero().isExact());
  EXPECT_FALSE(Product(DType::U16, {2, 514}, -128).isExact());
  EXPECT_TRUE(Product(DType::U16, {2, 2}, -128).isExact());
}

TEST(ExactSums, CountZeroPointsAndBias) {
  // 1 - -127 is 128.
  EXPECT_TRUE(Product(DType::U8, {2, 514}, 1).weightZero({{}, {-127}, DType::I8}).isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 515}, 1).weightZero({{}, {-127}, DType::I8}).isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 515}, 1).weightZero({{2}, {0, -127}, DType::I8}).isExact());
  EXPECT_FALSE(Product(DType::U8, {515, 2}, 1).weightZero({{2}, {0, -127}, DType::I8}).alongLast().isExact());
  EXPECT_TRUE(Product(DType::U8, {2, 514}, -128).bias({0, -256}).isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 514}, -128).bias({0, -257}).isExact());
}

TEST(ExactSums, AreNotOfWhatIsNotKnown) {
  EXPECT_FALSE(Product(DType::U8, {2, 1}, 1).unknownBias().isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 1}, 1).unknownWeight().isExact());
  EXPECT_FALSE(Product(DType::U8, {2, 3}, 1).weightZero({{3}, {0, 0, 0}, DType::I8}).isExact());
  // Of a list all elements are in one sum.
  EXPECT_FALSE(Product(DType::U8, {3}, 1).alongLast().isExact());
}

TEST(ExactSums, GiveTheSameIntegersOnEitherSide) {
  for (const int64_t count : {514, 515, 700}) {
    ModelBuilder model(13);
    model.input("x", DType::U8, {1, count});
    onnx::TensorProto &weight = *model.model.mutable_graph()->add_initializer();
    weight.set_name("w");
    weight.set_data_type(test::elementType(DType::I8));
    weight.add_dims(count);
    weight.add_dims(1);
    weight.set_raw_data(std::string(static_cast<size_t>(count), static_cast<char>(-127)));
    model.node("MatMulInteger", {"x", "w"}, {"y"});
    model.output("y");
    Array data({1, count}, Values(static_cast<size_t>(count), 255), DType::U8);
    data.values[0] = 254;
    // Odd numbers beyond 2^24 are none of float32.
    EXPECT_EQ(evaluateModel(model, {{"x", data}})["y"].values[0], static_cast<double>(-127 * (255 * count - 1)));
  }
}

}  // namespace
}  // namespace hone::frontend
