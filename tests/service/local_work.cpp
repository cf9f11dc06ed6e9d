#include "tests/service/local_work.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/frames.h"

namespace hone::test {

namespace {

constexpr int kSocket = 3;
constexpr int kInput = 4;
constexpr int kOutput = 5;
constexpr int kAbove = 16;  // copies go here first, so that none is overwritten before it has moved

// In the child, after fork: only calls that are safe there.
[[noreturn]] void becomeWorker(const char *worker, int socket, int input, int output) {
  const int high[] = {dup2(socket, kAbove), dup2(input, kAbove + 1), dup2(output, kAbove + 2)};
  dup2(high[0], kSocket);
  dup2(high[1], kInput);
  dup2(high[2], kOutput);
  for (int descriptor : high) close(descriptor);
  execl(worker, worker, "--once", "--fd", "3", static_cast<char *>(nullptr));
  _exit(127);
}

int fileOf(const std::string &bytes) {
  const int file = memfd_create("work", MFD_CLOEXEC);
  size_t written = 0;
  while (file >= 0 && written < bytes.size()) {
    const ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  lseek(file, 0, SEEK_SET);
  return file;
}

std::string contentOf(int file) {
  struct stat status{};
  fstat(file, &status);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  const ssize_t count = pread(file, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return bytes;
}

absl::StatusOr<v1::Result> converse(int socket, const v1::Work &work) {
  if (absl::Status sent = proto::writeFrame(socket, work); !sent.ok()) return sent;
  proto::FrameReader reader(socket);
  for (;;) {
    v1::Report report;
    if (absl::Status status = reader.read(report); !status.ok()) return status;
    if (report.has_result()) return report.result();
  }
}

}  // namespace

absl::StatusOr<LocalEnd> workLocally(const std::string &worker, v1::Work work, const std::string &input) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return absl::UnavailableError(absl::StrCat("cannot make a socket pair: ", strerror(errno)));
  const int in = fileOf(input);
  const int out = fileOf("");
  if (work.has_compile()) {
    work.mutable_compile()->set_model_descriptor(kInput);
    work.mutable_compile()->set_artifact_descriptor(kOutput);
  } else if (work.has_run()) {
    work.mutable_run()->set_artifact_descriptor(kInput);
    work.mutable_run()->set_outputs_descriptor(kOutput);
  }
  const pid_t child = fork();
  if (child == 0) becomeWorker(worker.c_str(), ends[1], in, out);
  close(ends[1]);
  absl::StatusOr<v1::Result> result = converse(ends[0], work);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  LocalEnd end;
  end.output = contentOf(out);
  close(in);
  close(out);
  if (!result.ok()) return absl::InternalError(absl::StrCat(worker, " died: ", result.status().ToString()));
  end.result = *std::move(result);
  return end;
}

absl::StatusOr<v1::TargetDescription> describeTarget(const std::string &worker, const std::string &target) {
  v1::Work work;
  work.mutable_describe_target()->set_target(target);
  auto end = workLocally(worker, work, "");
  if (!end.ok()) return end.status();
  if (end->result.outcome() != v1::Result::DONE) return absl::InternalError(end->result.sentence());
  return end->result.target_description();
}

}  // namespace hone::test
