#include "server/rpc/attach.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

Attach::Attach(Site &site, grpc::CallbackServerContext *context)
    : site_(site), call_(site, *context, "Fleet.Attach", Call::Kind::Worker), heard_(site.clock.monotonic()) {}

Attach *Attach::start(Site &site, grpc::CallbackServerContext *context) {
  auto attach = std::make_shared<Attach>(site, context);
  attach->self_ = attach;
  if (!attach->call_.opened().ok()) {
    const MutexLock lock(attach->mutex_);
    attach->finish(attach->call_.opened());
  } else {
    site.ticker.add(attach);
    attach->StartRead(&attach->incoming_);
  }
  return attach.get();
}

// One read at a time, so nothing but reads touches incoming_ and the order of messages is kept.
void Attach::OnReadDone(bool ok) {
  absl::Status status = absl::CancelledError("the worker has gone");
  if (ok) status = take();
  const MutexLock lock(mutex_);
  if (isFinished_) return;
  if (!status.ok()) return finish(status);
  heard_ = site_.clock.monotonic();
  StartRead(&incoming_);
}

absl::Status Attach::take() {
  v1::WorkerMessage message;
  if (absl::Status status = decode(incoming_, message); !status.ok()) return status;
  std::optional<SessionId> session;
  {
    const MutexLock lock(mutex_);
    if (isFinished_) return absl::OkStatus();
    session = session_;
  }
  if (absl::Status status = checkMessage(message, !session.has_value()); !status.ok()) return status;
  if (session.has_value()) {
    site_.engine->receive(*session, std::move(message));
    return absl::OkStatus();
  }
  session = site_.engine->attach(std::move(*message.mutable_hello()), call_.peer(), shared_from_this());
  const MutexLock lock(mutex_);
  session_ = session;
  // Ended meanwhile: nobody else knows the session to detach.
  if (isFinished_) site_.engine->detach(*session);
  return absl::OkStatus();
}

void Attach::send(v1::CoordinatorMessage message) {
  const MutexLock lock(mutex_);
  if (isFinished_ || last_.has_value()) return;
  queue(message);
}

void Attach::queue(const v1::CoordinatorMessage &message) {
  if (queue_.size() >= static_cast<size_t>(site_.limits.maxUnsent))
    return finish(withDetail(absl::ResourceExhaustedError(absl::StrCat("the worker does not read: ", queue_.size(),
                                                                       " messages wait for it; attach again")),
                             "TOO_SLOW", {}, absl::Seconds(1)));
  queue_.push_back(encode(message));
  writeNext();
}

void Attach::close() {
  const MutexLock lock(mutex_);
  if (isFinished_ || last_.has_value()) return;
  last_ = absl::OkStatus();
  writeNext();
}

void Attach::writeNext() {
  if (isWriting_ || isFinished_) return;
  if (queue_.empty()) {
    if (last_.has_value()) finish(*last_);
    return;
  }
  outgoing_ = queue_.front();
  queue_.pop_front();
  isWriting_ = true;
  StartWrite(&outgoing_);
}

void Attach::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  isWriting_ = false;
  if (isFinished_) return;
  if (!ok) return finish(absl::CancelledError("the worker has gone"));
  writeNext();
}

void Attach::tick(absl::Duration now) {
  const MutexLock lock(mutex_);
  if (isFinished_) return;
  if (now - heard_ > site_.policy.silence)
    return finish(withDetail(
        absl::DeadlineExceededError(absl::StrCat("nothing was heard from the worker for ",
                                                 absl::FormatDuration(site_.policy.silence), "; attach again")),
        "SILENT", {}, absl::Seconds(1)));
  if (!site_.isClosing || last_.has_value()) return;
  v1::CoordinatorMessage message;
  message.mutable_farewell()->set_reason("the coordinator is ending");
  message.mutable_farewell()->set_come_back(true);
  last_ = withDetail(absl::UnavailableError("the coordinator is ending; attach again"), "SHUTTING_DOWN", {},
                     absl::Seconds(1));
  queue(message);
}

void Attach::OnCancel() {
  const MutexLock lock(mutex_);
  finish(absl::CancelledError("the worker has gone"));
}

void Attach::finish(const absl::Status &status) {
  if (isFinished_) return;
  isFinished_ = true;
  queue_.clear();
  if (session_.has_value()) site_.engine->detach(*session_);
  Finish(call_.close(status));
}

void Attach::OnDone() { self_.reset(); }

}  // namespace hone::server
