#include "client/nearest.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace hone::client {

namespace {

// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other.
size_t distance(std::string_view one, std::string_view other) {
  std::vector<size_t> before, last(other.size() + 1), now(other.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= one.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= other.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = last;
    std::swap(last, now);
  }
  return last[other.size()];
}

}  // namespace

std::string nearestOf(std::string_view given, const std::vector<std::string> &known) {
  const std::string *nearest = nullptr;
  // A third of the letters may be wrong, and two of a short word.
  size_t least = std::max<size_t>(2, given.size() / 3) + 1;
  for (const std::string &word : known) {
    const size_t away = distance(given, word);
    if (away >= least || away >= word.size()) continue;
    least = away;
    nearest = &word;
  }
  return nearest == nullptr ? "" : absl::StrCat("; the nearest is ", *nearest);
}

}  // namespace hone::client
