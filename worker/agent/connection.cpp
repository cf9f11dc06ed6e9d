#include "worker/agent/connection.h"

#include <utility>

#include "worker/agent/channel.h"

namespace hone::worker {

std::shared_ptr<Connection> Connection::dial(v1::Fleet::Stub &stub, const std::string &name, Listener listener) {
  const std::shared_ptr<Connection> connection(new Connection(std::move(listener)));
  connection->self_ = connection;
  identify(connection->context_, name);
  stub.async()->Attach(&connection->context_, connection.get());
  connection->StartRead(&connection->incoming_);
  // Writes may begin from outside at any time until OnDone.
  connection->AddHold();
  connection->StartCall();
  return connection;
}

void Connection::send(v1::WorkerMessage message) {
  const MutexLock lock(mutex_);
  if (isClosed_ || isClosing_) return;
  queue_.push_back(std::move(message));
  writeNext();
}

void Connection::close() {
  const MutexLock lock(mutex_);
  if (isClosed_ || isClosing_) return;
  isClosing_ = true;
  writeNext();
}

void Connection::writeNext() {
  if (isWriting_) return;
  if (!queue_.empty()) {
    isWriting_ = true;
    StartWrite(&queue_.front());
  } else if (isClosing_ && !isClosed_) {
    isClosed_ = true;
    StartWritesDone();
    RemoveHold();
  }
}

void Connection::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  isWriting_ = false;
  queue_.pop_front();
  if (ok && !isClosed_) {
    writeNext();
  } else if (!isClosed_) {
    isClosed_ = true;
    RemoveHold();
  }
}

void Connection::OnReadDone(bool ok) {
  if (ok) {
    listener_.received(std::move(incoming_));
    incoming_.Clear();
    StartRead(&incoming_);
    return;
  }
  // The coordinator has ended the stream, or it broke. A write that is on its way ends by itself.
  const MutexLock lock(mutex_);
  if (isClosed_) return;
  isClosed_ = true;
  RemoveHold();
}

void Connection::OnDone(const grpc::Status &status) {
  const std::shared_ptr<Connection> self = std::move(self_);
  listener_.ended(status);
}

}  // namespace hone::worker
