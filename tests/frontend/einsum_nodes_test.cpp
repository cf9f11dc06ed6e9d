// Einsum with random equations, as generated code against the sum over all values of all labels.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/compiled_node.h"
#include "tests/support/rounds.h"

namespace hone::test {
namespace {

using Shape = std::vector<int64_t>;
using testing::Random;

/// The definition, for operands whose dims have the letters of \p terms.
Array sumOverAll(const std::vector<std::string> &terms, const std::string &result, const std::vector<Array> &operands) {
  std::map<char, int64_t> extents;
  for (size_t i = 0; i < terms.size(); ++i) {
    for (size_t d = 0; d < terms[i].size(); ++d) extents[terms[i][d]] = operands[i].shape[d];
  }
  std::string letters;
  Shape all, shape;
  for (const auto &[letter, extent] : extents) {
    letters += letter;
    all.push_back(extent);
  }
  for (char letter : result) shape.push_back(extents.at(letter));
  Array sum(shape);
  forEachIndex(all, [&](const Shape &index) {
    const auto place = [&](const std::string &term) {
      Shape at;
      for (char letter : term) at.push_back(index[letters.find(letter)]);
      return at;
    };
    double product = 1;
    for (size_t i = 0; i < terms.size(); ++i) product *= operands[i].at(place(terms[i]));
    sum.at(place(result)) += product;
  });
  return sum;
}

TEST(EinsumNodes, RandomEquations) {
  testing::inRounds(6, 300, [](Random &random) {
    std::map<char, int64_t> extents;
    const std::string letters = "aBcdE";
    for (char letter : letters) extents[letter] = random.between(1, 4);
    std::vector<std::string> terms;
    std::vector<Array> operands;
    std::string used;
    for (int64_t i = random.between(1, 3); i > 0; --i) {
      std::string term;
      Shape shape;
      for (int64_t d = random.between(0, 4); d > 0; --d) {
        term += letters[static_cast<size_t>(random.between(0, 4))];
        shape.push_back(extents[term.back()]);
      }
      used += term;
      terms.push_back(term);
      operands.push_back(Array::random(shape, random));
    }
    std::string result;
    for (char letter : used) {
      if (result.find(letter) == std::string::npos && random.chance(50)) result += letter;
    }
    if (random.chance(50)) std::reverse(result.begin(), result.end());
    std::string equation;
    for (const std::string &term : terms)
      absl::StrAppend(&equation, equation.empty() && &term == &terms[0] ? "" : ", ", term);
    absl::StrAppend(&equation, " -> ", result);
    SCOPED_TRACE(equation);
    CompiledNode(12, "Einsum", operands)
        .with("equation", equation.c_str())
        .gives({sumOverAll(terms, result, operands)}, 1e-4);
  });
}

TEST(EinsumNodes, EllipsesBroadcast) {
  Random random(1);
  const Array a = Array::random({1, 3, 2, 4}, random), b = Array::random({5, 1, 4, 3}, random);
  const Array y = [&] {
    Array wide({5, 3, 2, 3});
    forEachIndex(wide.shape, [&](const Shape &i) {
      for (int64_t k = 0; k < 4; ++k) wide.at(i) += a.at({0, i[1], i[2], k}) * b.at({i[0], 0, k, i[3]});
    });
    return wide;
  }();
  CompiledNode(12, "Einsum", {a, b}).with("equation", "...ij,...jk->...ik").gives({y});
}

TEST(EinsumNodes, WithoutAResultsListItIsWhatOccursOnceInOrder) {
  Random random(2);
  const Array a = Array::random({2, 3}, random), b = Array::random({3, 4}, random);
  CompiledNode(12, "Einsum", {a, b}).with("equation", "zb,ba").gives({sumOverAll({"zb", "ba"}, "az", {a, b})}, 1e-4);
}

TEST(EinsumNodes, BadEquationsAreRefused) {
  const Array matrix({2, 3});
  for (const char *equation :
       {"ij", "ijk,jk->i", "ij,jk->ii", "ij,jk->q", "i1,jk->i", "i.j,jk->k", "ij,,jk", "......,jk->k"}) {
    const auto result = CompiledNode(12, "Einsum", {matrix, Array({3, 2})}).with("equation", equation).run();
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << equation << ": " << result.status();
  }
}

}  // namespace
}  // namespace hone::test
