#include "worker/agent/serving_child.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/agent/child_end.h"

namespace hone::worker {

namespace {

constexpr auto kToldStep = std::chrono::milliseconds(500);

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
  const bool mayBeLeft = isLast && terms_.isIndependent != nullptr;
  const bool endsByItself = isLast && !mayBeLeft;
  if (child_) {
    child_->next(work, endsByItself);
  } else {
    auto child = children_.take();
    if (!child.ok()) return absl::InternalError(child.status().message());
    child_ = *std::move(child);
    if (terms_.isBuilder) builder_.emplace(quiet_, child_->pid());
    terms_.failpoints->pass("worker.child.before");
    child_->begin(work, terms_.files, endsByItself);
    terms_.failpoints->pass("worker.child.begun");
  }
  const auto stoodStill = [this] { return builder_.has_value() ? builder_->lost() : Deadline::duration(); };
  const Deadline::duration before = stoodStill();
  const auto lost = [&] {
    const Deadline::duration now = stoodStill() - before;
    tellStoodStill(stoodStill_ + now);
    return now;
  };
  child_->converse({deadline, terms_.cancellation, terms_.progress, lost, terms_.most});
  const Deadline::duration all = lost();
  deadline += all;
  stoodStill_ += all;
  const bool isLeft = mayBeLeft && child_->hasResult() && terms_.isIndependent();
  ChildEnd end = child_->hasResult() && (!isLast || isLeft) ? child_->pause() : finish();
  appendToLog(log_, end.log);
  if (isLeft)
    leave();
  else if (child_ && !isAsGoodAsNew(*end.result))
    appendToLog(log_, finish().log);
  return end;
}

void ServingChild::leave() {
  builder_.reset();
  appendToLog(log_, child_->takeLog());
  children_.endLater(std::move(child_));
}

void ServingChild::tellStoodStill(Deadline::duration total) {
  if (total < told_ + kToldStep) return;
  told_ = total;
  terms_.stoodStill(total);
}

ChildEnd ServingChild::finish() {
  // Before the child is waited for: then its number may soon be another's.
  builder_.reset();
  ChildEnd end = child_->finish();
  child_.reset();
  return end;
}

}  // namespace hone::worker
