// Every rule of simplify() with a graph where it applies and one where it must not.
#include <functional>
#include <string>

#include "compiler/graph/passes.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

struct Case {
  std::string name;
  std::function<ValueId(Builder &)> build;
  std::string expected;  ///< lines of nodes and outputs afterwards
};

void PrintTo(const Case &test, std::ostream *stream) { *stream << test.name; }

class Simplify : public testing::TestWithParam<Case> {};

TEST_P(Simplify, GivesTheExpectedText) {
  Builder builder;
  Graph before = builder.output(GetParam().build(builder));
  Graph after = before;
  ASSERT_TRUE(verify(before).ok()) << verify(before);
  ASSERT_TRUE(simplify(after).ok());
  ASSERT_TRUE(verify(after).ok()) << verify(after);
  EXPECT_EQ(nodeLines(after), GetParam().expected) << "before:\n" << print(before) << "after:\n" << print(after);
  expectSameResults(before, after);
}

// Operands that make inputs are listed in braces, which are evaluated from left to right.
const std::string kUnchanged = "output \"out\" = %0\n";
using B = Builder;
using S = ScalarOp;

ValueId x(B &b) { return b.input("x", {2, 3}); }

const Case kOrder[] = {
    {"ConstantMovesRight", [](B &b) { return b.add(b.weights("c", {3}), x(b)); },
     "%1 = add(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"ConstantMinuendStays", [](B &b) { return b.sub(b.weights("c", {3}), x(b)); },
     "%1 = sub(const@c, %0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"UniformOperandShrinks", [](B &b) { return b.add(x(b), b.constant("c", {3}, {4, 4, 4})); },
     "%1 = add(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"BroadcastOperandIsDropped",
     [](B &b) { return b.apply(S::Add, {b.input("y", {2, 3}), b.broadcast(b.input("z", {3}), {2, 3})}); },
     "%2 = add(%0, %1) : f32[2,3]\noutput \"out\" = %2\n"},
    {"BroadcastThatGivesTheShapeStays", [](B &b) { return b.add(b.broadcast(b.input("z", {3}), {2, 3}), b.number(2)); },
     "%1 = broadcast(%0) : f32[2,3]\n%2 = add(%1, const@#1) : f32[2,3]\noutput \"out\" = %2\n"},
};

const Case kNeutral[] = {
    {"PlusZero", [](B &b) { return b.add(x(b), b.number(0)); }, kUnchanged},
    {"ZeroPlus", [](B &b) { return b.add(b.number(0), x(b)); }, kUnchanged},
    {"MinusZero", [](B &b) { return b.sub(x(b), b.constant("c", {3}, {0, 0, 0})); }, kUnchanged},
    {"TimesOne", [](B &b) { return b.mul(x(b), b.number(1)); }, kUnchanged},
    {"DividedByOne", [](B &b) { return b.div(x(b), b.number(1)); }, kUnchanged},
    {"ToThePowerOfOne", [](B &b) { return b.apply(S::Pow, {x(b), b.number(1)}); }, kUnchanged},
    {"IntegerDividedByOne", [](B &b) { return b.div(b.input("i", {2}, DType::I64), b.number(1, DType::I64)); },
     kUnchanged},
    {"MaximumWithNothing",
     [](B &b) { return b.apply(S::Max, {x(b), b.number(-std::numeric_limits<double>::infinity())}); }, kUnchanged},
    {"AndTrue", [](B &b) { return b.apply(S::And, {b.input("m", {2}, DType::Bool), b.number(1, DType::Bool)}); },
     kUnchanged},
    {"PlusZerosThatBroadcastStays",
     [](B &b) { return b.add(b.input("y", {3}), b.constant("c", {2, 3}, {0, 0, 0, 0, 0, 0})); },
     "%1 = add(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"PlusOneStays", [](B &b) { return b.add(x(b), b.number(1)); },
     "%1 = add(%0, const@#1) : f32[2,3]\noutput \"out\" = %1\n"},
    {"OneDividedByStays", [](B &b) { return b.div(b.number(1), x(b)); },
     "%1 = div(const@#1, %0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"AndFalseStays", [](B &b) { return b.apply(S::And, {b.input("m", {2}, DType::Bool), b.number(0, DType::Bool)}); },
     "%1 = and(%0, const@#1) : bool[2]\noutput \"out\" = %1\n"},
    {"SelectByTrue",
     [](B &b) { return b.apply(S::Select, {b.number(1, DType::Bool), b.input("y", {3}), b.input("z", {3})}); },
     "output \"out\" = %0\n"},
    {"SelectByFalse",
     [](B &b) { return b.apply(S::Select, {b.number(0, DType::Bool), b.input("y", {3}), b.input("z", {3})}); },
     "output \"out\" = %1\n"},
    {"SelectByMaskStays",
     [](B &b) { return b.apply(S::Select, {b.input("m", {3}, DType::Bool), b.input("y", {3}), b.input("z", {3})}); },
     "%3 = select(%0, %1, %2) : f32[3]\noutput \"out\" = %3\n"},
    {"ZeroMinus", [](B &b) { return b.sub(b.number(0), x(b)); }, "%1 = neg(%0) : f32[2,3]\noutput \"out\" = %1\n"},
};

const Case kSigns[] = {
    {"DoubleNegation", [](B &b) { return b.apply(S::Neg, {b.apply(S::Neg, {x(b)})}); }, kUnchanged},
    {"SingleNegationStays", [](B &b) { return b.apply(S::Neg, {x(b)}); },
     "%1 = neg(%0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"NegationOfAbsoluteStays", [](B &b) { return b.apply(S::Neg, {b.apply(S::Abs, {x(b)})}); },
     "%1 = abs(%0) : f32[2,3]\n%2 = neg(%1) : f32[2,3]\noutput \"out\" = %2\n"},
    {"PlusNegated", [](B &b) { return b.apply(S::Add, {x(b), b.apply(S::Neg, {b.input("y", {3})})}); },
     "%2 = sub(%0, %1) : f32[2,3]\noutput \"out\" = %2\n"},
    {"NegatedPlus", [](B &b) { return b.apply(S::Add, {b.apply(S::Neg, {b.input("y", {3})}), x(b)}); },
     "%2 = sub(%1, %0) : f32[2,3]\noutput \"out\" = %2\n"},
    {"MinusNegated", [](B &b) { return b.apply(S::Sub, {x(b), b.apply(S::Neg, {b.input("y", {3})})}); },
     "%2 = add(%0, %1) : f32[2,3]\noutput \"out\" = %2\n"},
};

const Case kConstants[] = {
    {"SubtractionIsAddition", [](B &b) { return b.sub(x(b), b.weights("c", {3})); },
     "%1 = add(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"DivisionIsMultiplication", [](B &b) { return b.div(x(b), b.weights("c", {3})); },
     "%1 = mul(%0, const@#1) : f32[2,3]\noutput \"out\" = %1\n"},
    {"SingleDivisionStays", [](B &b) { return b.div(b.input("i", {1}), b.constant("c", {1}, {255})); },
     "%1 = div(%0, const@c) : f32[1]\noutput \"out\" = %1\n"},
    {"DivisionByZeroStays", [](B &b) { return b.div(x(b), b.constant("c", {3}, {1, 0, 2})); },
     "%1 = div(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"DivisionByDenormalStays", [](B &b) { return b.div(x(b), b.constant("c", {3}, {1, 1e-40, 2})); },
     "%1 = div(%0, const@c) : f32[2,3]\noutput \"out\" = %1\n"},
    {"IntegerDivisionStays",
     [](B &b) { return b.div(b.input("i", {2}, DType::I32), b.constant("c", {2}, {3, 5}, DType::I32)); },
     "%1 = div(%0, const@c) : i32[2]\noutput \"out\" = %1\n"},
    {"FactorsMerge", [](B &b) { return b.mul(b.mul(x(b), b.weights("a", {3})), b.weights("b", {2, 3})); },
     "%1 = mul(%0, const@a) : f32[2,3]\noutput \"out\" = %1\n"},
    {"TermsMerge", [](B &b) { return b.add(b.number(2), b.add(x(b), b.number(3))); },
     "%1 = add(%0, const@#1) : f32[2,3]\noutput \"out\" = %1\n"},
    {"MixedTermsAndFactorsStay", [](B &b) { return b.add(b.mul(x(b), b.number(2)), b.number(3)); },
     "%1 = mul(%0, const@#1) : f32[2,3]\n%2 = add(%1, const@#2) : f32[2,3]\noutput \"out\" = %2\n"},
    {"RowTimesColumnStays", [](B &b) { return b.mul(b.mul(x(b), b.weights("a", {3})), b.weights("b", {2, 1})); },
     "%1 = mul(%0, const@a) : f32[2,3]\n%2 = mul(%1, const@b) : f32[2,3]\noutput \"out\" = %2\n"},
    {"FactorOfSharedProductStays",
     [](B &b) {
       ValueId product = b.mul(x(b), b.weights("a", {3}));
       return b.apply(S::Pow, {b.mul(product, b.weights("b", {3})), product});
     },
     "%1 = mul(%0, const@a) : f32[2,3]\n%2 = mul(%1, const@b) : f32[2,3]\n%3 = pow(%2, %1) : f32[2,3]\n"
     "output \"out\" = %3\n"},
};

const Case kPowers[] = {
    {"Square", [](B &b) { return b.apply(S::Pow, {x(b), b.number(2)}); },
     "%1 = mul(%0, %0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"Cube", [](B &b) { return b.apply(S::Pow, {x(b), b.number(3)}); },
     "%1 = mul(%0, %0) : f32[2,3]\n%2 = mul(%1, %0) : f32[2,3]\noutput \"out\" = %2\n"},
    {"Root", [](B &b) { return b.apply(S::Pow, {x(b), b.number(0.5)}); },
     "%1 = sqrt(%0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"InverseRoot", [](B &b) { return b.apply(S::Pow, {x(b), b.number(-0.5)}); },
     "%1 = sqrt(%0) : f32[2,3]\n%2 = div(const@#1, %1) : f32[2,3]\noutput \"out\" = %2\n"},
    {"Inverse", [](B &b) { return b.apply(S::Pow, {x(b), b.number(-1)}); },
     "%1 = div(const@#1, %0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"OtherPowerStays", [](B &b) { return b.apply(S::Pow, {x(b), b.number(2.5)}); },
     "%1 = pow(%0, const@#1) : f32[2,3]\noutput \"out\" = %1\n"},
    {"IntegerSquareStays",
     [](B &b) { return b.apply(S::Pow, {b.input("i", {2}, DType::I32), b.number(2, DType::I32)}); },
     "%1 = pow(%0, const@#1) : i32[2]\noutput \"out\" = %1\n"},
};

const Case kClip[] = {
    {"ClipIsOrdered", [](B &b) { return b.apply(S::Max, {b.apply(S::Min, {x(b), b.number(1.5)}), b.number(0)}); },
     "%1 = max(%0, const@#1) : f32[2,3]\n%2 = min(%1, const@#2) : f32[2,3]\noutput \"out\" = %2\n"},
    {"CrossedClipStays", [](B &b) { return b.apply(S::Max, {b.apply(S::Min, {x(b), b.number(0)}), b.number(1)}); },
     "%1 = min(%0, const@#1) : f32[2,3]\n%2 = max(%1, const@#2) : f32[2,3]\noutput \"out\" = %2\n"},
    {"ClipAfterRelu",
     [](B &b) {
       ValueId relu = b.apply(S::Max, {x(b), b.number(0)});
       return b.apply(S::Min, {b.apply(S::Max, {relu, b.number(0)}), b.number(6)});
     },
     "%1 = max(%0, const@#1) : f32[2,3]\n%2 = min(%1, const@#2) : f32[2,3]\noutput \"out\" = %2\n"},
};

SliceAttributes slice(Shape starts, Shape steps) { return {std::move(starts), std::move(steps)}; }

const Case kMovement[] = {
    {"SameReshape", [](B &b) { return b.reshape(x(b), {2, 3}); }, kUnchanged},
    {"SameBroadcast", [](B &b) { return b.broadcast(x(b), {2, 3}); }, kUnchanged},
    {"SameCast", [](B &b) { return b.cast(x(b), DType::F32); }, kUnchanged},
    {"SameTranspose", [](B &b) { return b.transpose(x(b), {0, 1}); }, kUnchanged},
    {"SameSlice",
     [](B &b) { return b.graph.add(Op::Slice, {x(b)}, slice({0, 0}, {1, 1}), "", TensorType{DType::F32, {2, 3}}); },
     kUnchanged},
    {"ReversingSliceStays",
     [](B &b) { return b.graph.add(Op::Slice, {x(b)}, slice({0, 2}, {1, -1}), "", TensorType{DType::F32, {2, 3}}); },
     "%1 = slice(%0) {starts [0,2], steps [1,-1]} : f32[2,3]\noutput \"out\" = %1\n"},
    {"EmptyPad", [](B &b) { return b.graph.add(Op::Pad, {x(b)}, PadAttributes{{0, 0, 0, 0}}, ""); }, kUnchanged},
    {"ConcatOfOne", [](B &b) { return b.graph.add(Op::Concat, {x(b)}, AxisAttributes{1}, ""); }, kUnchanged},
    {"PoolOfOne",
     [](B &b) {
       PoolAttributes pool{PoolKind::Max, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, false};
       return b.graph.add(Op::Pool, {b.input("y", {1, 2, 3, 3})}, pool, "");
     },
     kUnchanged},
    {"ReshapesMerge", [](B &b) { return b.reshape(b.reshape(x(b), {6}), {3, 2}); },
     "%1 = reshape(%0) : f32[3,2]\noutput \"out\" = %1\n"},
    {"ReshapeThereAndBack", [](B &b) { return b.reshape(b.reshape(x(b), {6}), {2, 3}); }, kUnchanged},
    {"TransposesMerge", [](B &b) { return b.transpose(b.transpose(b.input("y", {2, 3, 4}), {1, 2, 0}), {1, 2, 0}); },
     "%1 = transpose(%0) {[2,0,1]} : f32[4,2,3]\noutput \"out\" = %1\n"},
    {"TransposeThereAndBack", [](B &b) { return b.transpose(b.transpose(x(b), {1, 0}), {1, 0}); }, kUnchanged},
    {"BroadcastsMerge", [](B &b) { return b.broadcast(b.broadcast(b.input("y", {3}), {2, 3}), {4, 2, 3}); },
     "%1 = broadcast(%0) : f32[4,2,3]\noutput \"out\" = %1\n"},
    {"TransposeOfOnesIsReshape", [](B &b) { return b.transpose(b.input("y", {2, 1, 3}), {1, 0, 2}); },
     "%1 = reshape(%0) : f32[1,2,3]\noutput \"out\" = %1\n"},
    {"TransposeStays", [](B &b) { return b.transpose(x(b), {1, 0}); },
     "%1 = transpose(%0) {[1,0]} : f32[3,2]\noutput \"out\" = %1\n"},
    {"CastThereAndBack", [](B &b) { return b.cast(b.cast(x(b), DType::F64), DType::F32); }, kUnchanged},
    {"CastThroughNarrowerStays", [](B &b) { return b.cast(b.cast(x(b), DType::F16), DType::F32); },
     "%1 = cast(%0) : f16[2,3]\n%2 = cast(%1) : f32[2,3]\noutput \"out\" = %2\n"},
    {"CastOfBoolsMerges", [](B &b) { return b.cast(b.cast(b.input("m", {2}, DType::Bool), DType::F32), DType::I64); },
     "%1 = cast(%0) : i64[2]\noutput \"out\" = %1\n"},
    {"IntegerThroughFloatStays",
     [](B &b) { return b.cast(b.cast(b.input("i", {2}, DType::I16), DType::F32), DType::I8); },
     "%1 = cast(%0) : f32[2]\n%2 = cast(%1) : i8[2]\noutput \"out\" = %2\n"},
};

ValueId padded(B &b, Shape pads, double value) {
  return b.graph.add(Op::Pad, {b.input("y", {1, 2, 4, 4})}, PadAttributes{std::move(pads), PadMode::Constant, value},
                     "");
}

const Case kConvAndReduce[] = {
    {"PadBeforeConv",
     [](B &b) { return b.conv(padded(b, {0, 0, 0, 1, 0, 0, 2, 1}, 0), b.weights("w", {1, 2, 3, 3}), 1); },
     "%1 = conv(%0, const@w) {strides [1,1], pads [1,2,3,2], groups 1} : f32[1,1,6,6]\noutput \"out\" = %1\n"},
    {"PadWithOnesStays",
     [](B &b) { return b.conv(padded(b, {0, 0, 0, 1, 0, 0, 2, 1}, 1), b.weights("w", {1, 2, 3, 3})); },
     "%1 = pad(%0) {pads [0,0,0,1,0,0,2,1], value 1} : f32[1,2,6,6]\n"
     "%2 = conv(%1, const@w) {strides [1,1], pads [0,0,0,0], groups 1} : f32[1,1,4,4]\noutput \"out\" = %2\n"},
    {"PadOfChannelsStays",
     [](B &b) { return b.conv(padded(b, {0, 1, 0, 0, 0, 0, 0, 0}, 0), b.weights("w", {1, 3, 3, 3})); },
     "%1 = pad(%0) {pads [0,1,0,0,0,0,0,0], value 0} : f32[1,3,4,4]\n"
     "%2 = conv(%1, const@w) {strides [1,1], pads [0,0,0,0], groups 1} : f32[1,1,2,2]\noutput \"out\" = %2\n"},
    {"ReduceOfOnes", [](B &b) { return b.reduce(ReduceKind::Max, b.input("y", {2, 1, 3}), {1}, false); },
     "%1 = reshape(%0) : f32[2,3]\noutput \"out\" = %1\n"},
    {"ReduceKeepsDims", [](B &b) { return b.reshape(b.reduce(ReduceKind::Sum, x(b), {1}, false), {2, 1}); },
     "%1 = reduce(%0) {sum, axes [1], keep dims} : f32[2,1]\noutput \"out\" = %1\n"},
    {"ReshapeElsewhereStays", [](B &b) { return b.reshape(b.reduce(ReduceKind::Sum, x(b), {1}, false), {1, 2}); },
     "%1 = reduce(%0) {sum, axes [1]} : f32[2]\n%2 = reshape(%1) : f32[1,2]\noutput \"out\" = %2\n"},
    {"SumIsMean", [](B &b) { return b.div(b.reduce(ReduceKind::Sum, x(b), {1}), b.number(3)); },
     "%1 = reduce(%0) {mean, axes [1], keep dims} : f32[2,1]\noutput \"out\" = %1\n"},
    {"SumByOtherNumberStays", [](B &b) { return b.mul(b.reduce(ReduceKind::Sum, x(b), {1}), b.number(0.5)); },
     "%1 = reduce(%0) {sum, axes [1], keep dims} : f32[2,1]\n%2 = mul(%1, const@#1) : f32[2,1]\noutput \"out\" = %2\n"},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Order, Simplify, testing::ValuesIn(kOrder), nameOf);
INSTANTIATE_TEST_SUITE_P(Neutral, Simplify, testing::ValuesIn(kNeutral), nameOf);
INSTANTIATE_TEST_SUITE_P(Signs, Simplify, testing::ValuesIn(kSigns), nameOf);
INSTANTIATE_TEST_SUITE_P(Constants, Simplify, testing::ValuesIn(kConstants), nameOf);
INSTANTIATE_TEST_SUITE_P(Powers, Simplify, testing::ValuesIn(kPowers), nameOf);
INSTANTIATE_TEST_SUITE_P(Clip, Simplify, testing::ValuesIn(kClip), nameOf);
INSTANTIATE_TEST_SUITE_P(Movement, Simplify, testing::ValuesIn(kMovement), nameOf);
INSTANTIATE_TEST_SUITE_P(ConvAndReduce, Simplify, testing::ValuesIn(kConvAndReduce), nameOf);

TEST(Simplify, MergedConstantsHoldTheProduct) {
  Builder b;
  Graph &graph = b.output(b.mul(b.mul(b.input("x", {2}), b.constant("a", {2}, {2, 3})), b.constant("c", {2}, {5, 7})));
  ASSERT_TRUE(simplify(graph).ok());
  EXPECT_EQ(print(graph),
            "graph test\ninput %0 \"x\" : f32[2]\nconst@a : f32[2] = [10, 21]\n%1 = mul(%0, const@a) : f32[2]\n"
            "output \"out\" = %1\n");
}

TEST(Simplify, KeepsTheNameOfTheValueThatIsReplaced) {
  Builder b;
  ValueId sum = b.add(b.number(3), b.input("x", {2}));
  b.graph.values[static_cast<size_t>(sum)].name = "sum";
  Graph &graph = b.output(sum);
  ASSERT_TRUE(simplify(graph).ok());
  EXPECT_EQ(graph.values[static_cast<size_t>(graph.outputs[0].value)].name, "sum");
}

}  // namespace
}  // namespace hone::graph
