#include "compiler/schedule/choices.h"

#include <cassert>
#include <utility>

namespace hone::schedule {

size_t Choices::ask(const std::vector<int> &answers, std::vector<Knob> &asked, Knob knob) {
  assert(!knob.values.empty());
  const size_t answer = asked.size() < answers.size() ? static_cast<size_t>(answers[asked.size()]) : 0;
  assert(answer < knob.values.size());
  asked.push_back(std::move(knob));
  return answer;
}

}  // namespace hone::schedule
