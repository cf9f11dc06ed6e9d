// Choices: what is left open while a kernel is given a schedule. Whoever writes the schedule asks for one value after
// the other; a point of the space answers. Forms come first in meaning: they decide what else is asked. Knobs are
// independent of each other: within one form the same ones are asked with the same values, whatever the answers are.
// Values; not thread-safe.
#pragma once

#include <string>
#include <vector>

namespace hone::schedule {

struct Knob {
  std::string name;                 ///< "conv.registers"
  std::vector<std::string> values;  ///< at least one
  bool isEstimated = true;          ///< false: no estimate sees what it changes, so the default has the first value
  bool operator==(const Knob &) const = default;
};

class Choices {
 public:
  /// Answers with positions of values in the order in which they are asked for, and with the first value beyond the
  /// end.
  Choices(std::vector<int> forms, std::vector<int> knobs)
      : formAnswers_(std::move(forms)), knobAnswers_(std::move(knobs)) {}

  /// The position of the value that was chosen.
  size_t form(std::string name, std::vector<std::string> values) {
    return ask(formAnswers_, forms_, {std::move(name), std::move(values)});
  }
  size_t knob(std::string name, std::vector<std::string> values) {
    return ask(knobAnswers_, knobs_, {std::move(name), std::move(values)});
  }
  /// A knob for whoever measures.
  size_t unestimated(std::string name, std::vector<std::string> values) {
    return ask(knobAnswers_, knobs_, {std::move(name), std::move(values), false});
  }

  /// What was asked for until now.
  const std::vector<Knob> &forms() const { return forms_; }
  const std::vector<Knob> &knobs() const { return knobs_; }

 private:
  static size_t ask(const std::vector<int> &answers, std::vector<Knob> &asked, Knob knob);

  std::vector<int> formAnswers_, knobAnswers_;
  std::vector<Knob> forms_, knobs_;
};

}  // namespace hone::schedule
