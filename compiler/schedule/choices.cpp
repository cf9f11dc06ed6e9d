#include "compiler/schedule/choices.h"

#include <cassert>
#include <utility>

namespace hone::schedule {

size_t Choices::ask(const std::vector<int> &answers, std::vector<Knob> &asked, std::string name,
                    std::vector<std::string> values) {
  assert(!values.empty());
  const size_t answer = asked.size() < answers.size() ? static_cast<size_t>(answers[asked.size()]) : 0;
  assert(answer < values.size());
  asked.push_back({std::move(name), std::move(values)});
  return answer;
}

}  // namespace hone::schedule
