#include "runtime/tools/index_checks.h"

namespace hone::runtime {
namespace {

/// Whoever has more of them begins with the first: the others often follow from it.
constexpr int32_t kMostListed = 20;

std::string describe(const hone_index_check &check) {
  const std::string axis = std::to_string(check.axis), extent = std::to_string(check.extent);
  const bool isOne = check.count == 1;
  return std::string("node '") + check.node + "' (" + check.op + "): " + std::to_string(check.count) +
         (isOne ? " index lies outside of axis " : " indices lie outside of axis ") + axis + " with " + extent +
         (check.extent == 1 ? " element" : " elements") + (isOne ? ": " : ", for example ") +
         std::to_string(check.example);
}

}  // namespace

std::string indicesOutside(const Model &model, const Session &session) {
  std::string sentence;
  int32_t found = 0;
  for (int32_t i = 0; i < model.indexCheckCount(); ++i) {
    const hone_index_check check = session.indexCheck(i);
    if (check.count == 0 || ++found > kMostListed) continue;
    sentence += (found == 1 ? "" : "; ") + describe(check);
  }
  if (found > kMostListed) sentence += "; and " + std::to_string(found - kMostListed) + " more";
  return sentence;
}

}  // namespace hone::runtime
