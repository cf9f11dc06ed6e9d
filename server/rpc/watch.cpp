#include "server/rpc/watch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

namespace {

bool isFinalState(v1::JobState state) {
  return state == v1::JOB_SUCCEEDED || state == v1::JOB_FAILED || state == v1::JOB_CANCELLED;
}

}  // namespace

Watch::Watch(Site &site, grpc::CallbackServerContext *context)
    : site_(site), call_(site, *context, "Jobs.Watch", Call::Kind::Read) {}

Watch *Watch::start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request) {
  auto watch = std::make_shared<Watch>(site, context);
  watch->self_ = watch;
  absl::Status status = watch->call_.opened();
  if (status.ok()) status = decode(*request, watch->request_);
  if (status.ok()) status = check(watch->request_, site);
  if (status.ok()) {
    site.ticker.add(watch);
    site.reads.run([watch] { watch->begin(); });
  } else {
    const MutexLock lock(watch->mutex_);
    watch->finish(status);
  }
  return watch.get();
}

void Watch::begin() {
  call_.setJob(request_.id());
  const auto job = site_.store->job(request_.id());
  absl::Status status = job.status();
  if (status.ok() && request_.after_sequence() > job->last_sequence())
    status = absl::InvalidArgumentError(absl::StrCat("after_sequence is ", request_.after_sequence(), ", but job '",
                                                     request_.id(), "' has only ", job->last_sequence(), " events"));
  {
    const MutexLock lock(mutex_);
    if (isFinished_) return;
    if (!status.ok()) return finish(status);
    sequence_ = request_.after_sequence();
    isWatching_ = true;
    isReading_ = true;
    // First to watch, then to read: what happens in between is told and read again.
    site_.engine->watch(request_.id(), shared_from_this());
  }
  readStore();
}

void Watch::readStore() {
  for (;;) {
    absl::Status status = readEvents();
    const MutexLock lock(mutex_);
    if (isFinished_) return;
    if (!status.ok()) return finish(std::move(status));
    writeNext();
    if (isFinished_ || isFinal_ || !std::exchange(hasChanged_, false)) {
      isReading_ = false;
      return;
    }
  }
}

absl::Status Watch::readEvents() {
  // The job before its events: if it has ended, they are all there.
  auto job = site_.store->job(request_.id());
  if (!job.ok()) return job.status();
  int64_t after = 0;
  {
    const MutexLock lock(mutex_);
    after = sequence_;
  }
  const auto events = site_.store->events(request_.id(), after);
  if (!events.ok()) return events.status();
  const MutexLock lock(mutex_);
  if (isFinal_) return absl::OkStatus();
  for (const v1::JobEvent &event : *events) {
    v1::WatchResponse response;
    *response.mutable_event() = event;
    queue_.push_back(encode(response));
    sequence_ = event.sequence();
  }
  if (isFinalState(job->state())) {
    v1::WatchResponse response;
    *response.mutable_final() = *std::move(job);
    queue_.push_back(encode(response));
    isFinal_ = true;
    progress_.reset();
  }
  return absl::OkStatus();
}

void Watch::changed() {
  const MutexLock lock(mutex_);
  if (isFinished_ || isFinal_) return;
  if (isReading_) {
    hasChanged_ = true;
    return;
  }
  isReading_ = true;
  site_.reads.run([self = shared_from_this()] { self->readStore(); });
}

void Watch::progress(const v1::Progress &progress) {
  const MutexLock lock(mutex_);
  if (isFinished_ || isFinal_) return;
  progress_ = progress;
  writeNext();
}

void Watch::tick(absl::Duration now) {
  if (!site_.isClosing) return;
  const MutexLock lock(mutex_);
  finish(withDetail(absl::UnavailableError("the coordinator is ending; watch again after the last sequence"),
                    "SHUTTING_DOWN", "the job goes on when the coordinator is back", absl::Seconds(1)));
}

void Watch::writeNext() {
  if (isWriting_ || isFinished_) return;
  if (!queue_.empty()) {
    message_ = queue_.front();
    queue_.pop_front();
  } else if (progress_) {
    v1::WatchResponse response;
    *response.mutable_progress() = *std::exchange(progress_, std::nullopt);
    message_ = encode(response);
  } else {
    if (isFinal_) finish(absl::OkStatus());
    return;
  }
  isWriting_ = true;
  StartWrite(&message_);
}

void Watch::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  isWriting_ = false;
  if (!ok) return finish(absl::CancelledError("the client has gone"));
  writeNext();
}

void Watch::OnCancel() {
  const MutexLock lock(mutex_);
  finish(absl::CancelledError("the client has gone"));
}

void Watch::finish(absl::Status status) {
  if (isFinished_) return;
  isFinished_ = true;
  if (isWatching_) site_.engine->unwatch(request_.id(), this);
  Finish(call_.close(status));
}

void Watch::OnDone() { self_.reset(); }

}  // namespace hone::server
