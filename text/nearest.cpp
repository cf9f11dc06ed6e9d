#include "text/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hone::text {

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

std::string nearestOf(std::string_view given, const std::vector<std::string> &known, size_t most) {
  // A third of the letters may be wrong, and two of a short word.
  const size_t farthest = std::max<size_t>(2, given.size() / 3);
  std::vector<std::pair<size_t, size_t>> near;  // how far away, and which of them
  for (size_t i = 0; i < known.size(); ++i)
    if (const size_t away = distance(given, known[i]); away <= farthest && away < known[i].size())
      near.emplace_back(away, i);
  std::sort(near.begin(), near.end());
  if (near.size() > most) near.resize(most);
  std::string text;
  for (const auto &[away, index] : near) {
    text += text.empty() ? near.size() == 1 ? "; the nearest is " : "; the nearest are " : ", ";
    text += known[index];
  }
  return text;
}

}  // namespace hone::text
