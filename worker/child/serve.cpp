#include "worker/child/serve.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/frames.h"
#include "worker/child/confine.h"
#include "worker/child/limits.h"

namespace hone::worker {

namespace {

constexpr int kNobodyListens = 5;

// One message; true when another one follows.
absl::StatusOr<bool> receiveSome(int socket, std::vector<int> &files) {
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kFilesAtOnce)];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = 0;
  do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count < 0) return absl::UnavailableError(absl::StrCat("cannot receive files: ", strerror(errno)));
  if (count == 0) return absl::UnavailableError("the other process ended the conversation");
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return absl::UnavailableError("cannot receive files: this process may not have so many open");
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t old = files.size();
    files.resize(old + (part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(files.data() + old, CMSG_DATA(part), (files.size() - old) * sizeof(int));
  }
  return byte != 0;
}

absl::StatusOr<std::vector<int>> receiveFiles(int socket) {
  std::vector<int> received;
  for (bool isMore = true; isMore;) {
    const auto more = receiveSome(socket, received);
    if (!more.ok()) return more.status();
    isMore = *more;
  }
  // The kernel gives the lowest numbers that are free, in order: none of those that are still to move is in the way.
  for (size_t i = 0; i < received.size(); ++i) {
    const int place = kFirstFile + static_cast<int>(i);
    if (received[i] == place) continue;
    if (dup2(received[i], place) < 0)
      return absl::UnavailableError(absl::StrCat("cannot take a file: ", strerror(errno)));
    close(received[i]);
    received[i] = place;
  }
  return received;
}

std::vector<int> inheritedFiles() {
  std::vector<int> files;
  for (int file = kFirstFile; file < kFirstFile + kMostInherited; ++file)
    if (fcntl(file, F_GETFD) >= 0) files.push_back(file);
  return files;
}

// Linking needs a place for files. Who starts the child may name one, which it empties; else the child makes its own
// beside other programs' and takes it away at its end.
class Scratch {
 public:
  explicit Scratch(const std::string &given) : path_(given), isOwn_(given.empty()) {
    if (!isOwn_) return;
    const char *root = getenv("TMPDIR");
    parent_ = root != nullptr && *root != '\0' ? root : "/tmp";
    path_ = parent_ + "/hone-worker-XXXXXX";
    // Without one, what needs it says so.
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
    setenv("TMPDIR", path_.empty() ? parent_.c_str() : path_.c_str(), 1);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() {
    if (!isOwn_ || path_.empty()) return;
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    // That tries to remove the folder as if it were a file first, which is not allowed above it.
    rmdir(path_.c_str());
  }
  Scope scope() const { return {path_, parent_, {}}; }

 private:
  std::string path_, parent_;
  bool isOwn_;
};

int fail(const absl::Status &status) {
  fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return kNobodyListens;
}

// Puts up all walls. The result that says which one is missing, if that matters.
absl::StatusOr<std::optional<v1::Result>> confine(const ChildOptions &options, Scope scope) {
  std::vector<Wall> walls = confineProcess();
  walls.push_back(confineMemory(options.memoryBytes));
  auto files = options.isServing ? receiveFiles(options.socket) : inheritedFiles();
  if (!files.ok()) return files.status();
  scope.descriptors = *std::move(files);
  walls.push_back(confineFiles(scope));
  if (options.isTalkative) fprintf(stderr, "%s\n", describeWalls(walls).c_str());
  const absl::Status status = checkWalls(walls);
  if (!options.isStrict || status.ok()) return std::nullopt;
  v1::Result refusal;
  refusal.set_outcome(v1::Result::UNAVAILABLE);
  refusal.set_sentence(std::string(status.message()));
  return refusal;
}

bool answer(int socket, v1::Result result) {
  v1::Report end;
  *end.mutable_result() = std::move(result);
  return proto::writeFrame(socket, end).ok();
}

v1::Result limitAndDo(const v1::Work &work, bool isFirst, int socket, const std::vector<Kind> &kinds, Kept &kept) {
  if (absl::Status status = applyLimits(work, isFirst); !status.ok()) {
    v1::Result result;
    result.set_outcome(v1::Result::DEFECT);
    result.set_sentence(std::string(status.message()));
    return result;
  }
  // Who is gone is noticed when the result is sent.
  const auto progress = [socket](const v1::Progress &now) {
    v1::Report report;
    *report.mutable_progress() = now;
    proto::writeFrame(socket, report).IgnoreError();
  };
  return doWork(work, kinds, progress, kept);
}

}  // namespace

int serve(const ChildOptions &options, const std::vector<Kind> &kinds) {
  const Scratch scratch(options.scratch);
  auto refusal = confine(options, scratch.scope());
  if (!refusal.ok()) return fail(refusal.status());
  if (refusal->has_value()) return answer(options.socket, **std::move(refusal)) ? 0 : kNobodyListens;
  proto::FrameReader reader(options.socket);
  Kept kept;
  for (bool isFirst = true;; isFirst = false) {
    v1::Work work;
    if (absl::Status status = reader.read(work); !status.ok())
      return !isFirst && absl::IsUnavailable(status) ? 0 : fail(status);
    // Who serves says that it has its work: one that dies before that has not touched it.
    if (options.isServing) {
      v1::Report begun;
      begun.mutable_progress();
      if (!proto::writeFrame(options.socket, begun).ok()) return kNobodyListens;
    }
    if (!answer(options.socket, limitAndDo(work, isFirst, options.socket, kinds, kept))) return kNobodyListens;
    if (!options.isServing) return 0;
  }
}

}  // namespace hone::worker
