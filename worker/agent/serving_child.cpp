#include "worker/agent/serving_child.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/agent/child_end.h"

namespace hone::worker {

namespace {

// Gone, or out of step, before it had read the work.
bool isNotTheWorks(const ChildEnd &end) {
  return !end.hasBegun && (end.reason == ChildEnd::Reason::Ended || end.reason == ChildEnd::Reason::Nonsense);
}

// One whose work failed by a defect or for want of something is left with what that work made of it.
bool isAsGoodAsNew(const v1::Result &result) {
  return result.outcome() != v1::Result::DEFECT && result.outcome() != v1::Result::WORK_FAILED &&
         v1::Result::Outcome_IsValid(result.outcome());
}

}  // namespace

absl::StatusOr<ChildEnd> ServingChild::work(const v1::Work &work, bool isLast, Deadline &deadline) {
  auto end = attempt(work, isLast, deadline);
  // The work before may have left it dying, or somebody has killed it while it waited in reserve.
  if (end.ok() && isNotTheWorks(*end)) end = attempt(work, isLast, deadline);
  if (end.ok() && isNotTheWorks(*end))
    return absl::InternalError(absl::StrCat("two processes in a row were gone before they had begun their work: ",
                                            resultOf(*end, work, "the worker", 0).sentence()));
  return end;
}

absl::StatusOr<ChildEnd> ServingChild::attempt(const v1::Work &work, bool isLast, Deadline &deadline) {
  if (child_) {
    child_->next(work, isLast);
  } else {
    auto child = children_.take();
    if (!child.ok()) return absl::InternalError(child.status().message());
    child_ = *std::move(child);
    if (terms_.isBuilder) builder_.emplace(quiet_, child_->pid());
    terms_.failpoints->pass("worker.child.before");
    child_->begin(work, terms_.files, isLast);
    terms_.failpoints->pass("worker.child.begun");
  }
  const auto stoodStill = [this] { return builder_.has_value() ? builder_->lost() : Deadline::duration(); };
  const Deadline::duration before = stoodStill();
  const auto lost = [&] { return stoodStill() - before; };
  child_->converse({deadline, terms_.cancellation, terms_.progress, lost, terms_.most});
  deadline += lost();
  ChildEnd end = child_->hasResult() && !isLast ? child_->pause() : finish();
  appendToLog(log_, end.log);
  if (child_ && !isAsGoodAsNew(*end.result)) appendToLog(log_, finish().log);
  return end;
}

ChildEnd ServingChild::finish() {
  // Before the child is waited for: then its number may soon be another's.
  builder_.reset();
  ChildEnd end = child_->finish();
  child_.reset();
  return end;
}

}  // namespace hone::worker
