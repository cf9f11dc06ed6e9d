#include "compiler/schedule/space.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/schedule/expand.h"

namespace hone::schedule {
namespace {

// std::uniform_int_distribution differs between libraries.
int pick(std::mt19937_64 &rng, size_t count) { return static_cast<int>(rng() % count); }

}  // namespace

Schedule plainSchedule(const tensor::Kernel &kernel) {
  Schedule schedule;
  for (const tensor::TensorOp &op : kernel.stages) {
    schedule.stages.emplace_back();
    schedule.stages.back().stage = op.name;
  }
  return schedule;
}

int64_t Space::Form::size() const {
  constexpr int64_t kMost = int64_t{1} << 54;
  int64_t size = 1;
  for (const Knob &knob : knobs) size = std::min(kMost, size * static_cast<int64_t>(knob.values.size()));
  return size;
}

Space::Space(const tensor::Kernel &kernel, const TargetDescription &target, const std::vector<std::string> &algorithms)
    : kernel_(kernel), target_(target) {
  for (const std::string &algorithm : algorithms) {
    absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, algorithm);
    assert(rewrite.ok() && "the caller knows that the algorithm fits");
    rewritten_.push_back({algorithm, *std::move(rewrite)});
    addForms(rewritten_.size() - 1);
  }
}

void Space::addForms(size_t rewritten) {
  const Rewritten &way = rewritten_[rewritten];
  // Like the digits of a number whose length and bases show only while it is read.
  std::vector<int> answers;
  for (;;) {
    Choices choices(answers, {});
    expandKernel(way.rewrite, target_, way.algorithm, choices);
    Form form{way.algorithm, {}, choices.knobs()};
    answers.resize(choices.forms().size(), 0);
    for (size_t i = 0; i < answers.size(); ++i) {
      const Knob &asked = choices.forms()[i];
      form.choices.push_back(absl::StrCat(asked.name, " ", asked.values[static_cast<size_t>(answers[i])]));
    }
    forms_.push_back(std::move(form));
    origins_.emplace_back(rewritten, answers);
    while (!answers.empty() &&
           answers.back() + 1 == static_cast<int>(choices.forms()[answers.size() - 1].values.size()))
      answers.pop_back();
    if (answers.empty()) return;
    ++answers.back();
  }
}

int64_t Space::size() const {
  int64_t size = 0;
  for (const Form &form : forms_) size += form.size();
  return size;
}

Point Space::at(int64_t position) const {
  Point point;
  while (position >= forms_[static_cast<size_t>(point.form)].size())
    position -= forms_[static_cast<size_t>(point.form++)].size();
  for (const Knob &knob : forms_[static_cast<size_t>(point.form)].knobs) {
    const auto count = static_cast<int64_t>(knob.values.size());
    point.knobs.push_back(static_cast<int>(position % count));
    position /= count;
  }
  return point;
}

Point Space::random(std::mt19937_64 &rng) const {
  Point point{pick(rng, forms_.size()), {}};
  for (const Knob &knob : forms_[static_cast<size_t>(point.form)].knobs)
    point.knobs.push_back(pick(rng, knob.values.size()));
  return point;
}

std::vector<Point> Space::neighbours(const Point &point) const {
  std::vector<Point> found;
  const Form &form = forms_[static_cast<size_t>(point.form)];
  for (size_t k = 0; k < form.knobs.size(); ++k) {
    for (int value = 0; value < static_cast<int>(form.knobs[k].values.size()); ++value) {
      if (value == point.knobs[k]) continue;
      found.push_back(point);
      found.back().knobs[k] = value;
    }
  }
  return found;
}

Point Space::crossover(const Point &a, const Point &b, std::mt19937_64 &rng) const {
  if (a.form != b.form) return pick(rng, 2) == 0 ? a : b;
  Point child = a;
  for (size_t k = 0; k < child.knobs.size(); ++k)
    if (pick(rng, 2) == 1) child.knobs[k] = b.knobs[k];
  return child;
}

absl::StatusOr<Schedule> Space::expand(const Point &point) const {
  const auto &[rewritten, forms] = origins_[static_cast<size_t>(point.form)];
  const Rewritten &way = rewritten_[rewritten];
  Choices choices(forms, point.knobs);
  Schedule schedule = expandKernel(way.rewrite, target_, way.algorithm, choices);
  if (absl::Status status = legal(kernel_, schedule, target_); !status.ok()) return status;
  return schedule;
}

const tensor::Kernel &Space::rewritten(const Point &point) const {
  return rewritten_[origins_[static_cast<size_t>(point.form)].first].rewrite.kernel;
}

std::string Space::text(const Point &point) const {
  const Form &form = forms_[static_cast<size_t>(point.form)];
  std::vector<std::string> parts = {form.algorithm};
  parts.insert(parts.end(), form.choices.begin(), form.choices.end());
  for (size_t k = 0; k < form.knobs.size(); ++k)
    parts.push_back(absl::StrCat(form.knobs[k].name, " ", form.knobs[k].values[static_cast<size_t>(point.knobs[k])]));
  return absl::StrJoin(parts, ", ");
}

}  // namespace hone::schedule
