#include "worker/agent/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/spawn.h"
#include "proto/frames.h"
#include "worker/child/serve.h"

namespace hone::worker {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kSocket = 3;
// A result holds text that a person asked for; more is a child gone mad.
constexpr uint32_t kLongestReport = 64u << 20;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);
constexpr auto kPatience = std::chrono::seconds(5);
constexpr auto kLongPause = std::chrono::seconds(1);
constexpr auto kLookInterval = std::chrono::milliseconds(500);

// What a child says goes on to the coordinator, which takes only what makes sense.
void tame(v1::Progress &progress) {
  constexpr size_t kLongestPhase = 64;
  if (progress.phase().size() > kLongestPhase) progress.set_phase("?");
  progress.set_done(std::max(progress.done(), 0));
  progress.set_total(std::max(progress.total(), 0));
}

// The child's whole environment: nothing of ours but what the loader and sanitizers need.
std::vector<std::string> environmentOf(const std::string &folder) {
  std::vector<std::string> environment = {absl::StrCat("TMPDIR=", folder), "LC_ALL=C"};
  for (const char *name : {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"})
    if (const char *value = getenv(name)) environment.push_back(absl::StrCat(name, "=", value));
  return environment;
}

absl::StatusOr<pid_t> start(const ChildProgram &program, const std::string &folder, int socket, int log,
                            bool isTalkative) {
  SpawnSettings settings{.command = {program.path, "--serve", "--fd", std::to_string(kSocket), "--scratch", folder},
                         .descriptors = {{log, STDOUT_FILENO}, {log, STDERR_FILENO}, {socket, kSocket}},
                         .environment = environmentOf(folder),
                         .folder = folder};
  if (isTalkative) settings.command.emplace_back("--talkative");
  if (program.isStrict) settings.command.emplace_back("--strict");
  if (program.memoryBytes > 0)
    settings.command.insert(settings.command.end(), {"--memory", std::to_string(program.memoryBytes)});
  return hone::spawn(std::move(settings));
}

// False for a child that is dead by now, which is found so by who converses with it.
bool sendFiles(int socket, std::span<const int> files, bool isMore) {
  char byte = isMore ? 1 : 0;
  iovec data = {&byte, 1};
  std::vector<char> control(CMSG_SPACE(sizeof(int) * files.size()), '\0');
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!files.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
    memcpy(CMSG_DATA(part), files.data(), sizeof(int) * files.size());
  }
  ssize_t count = 0;
  do count = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count == 1;
}

}  // namespace

void appendToLog(std::string &log, std::string_view more) {
  log.append(more);
  if (log.size() > kLogBytes) log.erase(0, log.size() - kLogBytes);
}

void removeFolder(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return;
  // Folders without rights, which their maker took away.
  for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored))
      fs::permissions(entry->path(), fs::perms::owner_all, ignored);
  }
  fs::remove_all(path, error);
}

namespace {

// Of a child that lives: it may put a link where a folder was, at any moment. Removing follows none; giving rights
// back, as removeFolder() does, would. What cannot be removed so goes with the child.
void emptyFolder(const std::string &path) {
  std::error_code error;
  std::vector<fs::path> left;
  for (auto entry = fs::directory_iterator(path, error); !error && entry != fs::directory_iterator();
       entry.increment(error))
    left.push_back(entry->path());
  for (const fs::path &entry : left) fs::remove_all(entry, error);
}

}  // namespace

class Child::Reader {
 public:
  explicit Reader(int socket) : frames(socket, kLongestReport) {}
  proto::FrameReader frames;
};

absl::StatusOr<std::unique_ptr<Child>> Child::spawn(const ChildProgram &program, bool isTalkative) {
  std::string folder = absl::StrCat(program.folders, "/child-XXXXXX");
  if (mkdtemp(folder.data()) == nullptr)
    return absl::UnavailableError(absl::StrCat("cannot make a folder in '", program.folders, "': ", strerror(errno)));
  auto sockets = makeSocketPair();
  auto pipe = makePipe();
  auto pid = sockets.ok() && pipe.ok() ? start(program, folder, sockets->second.get(), pipe->second.get(), isTalkative)
                                       : absl::StatusOr<pid_t>(sockets.ok() ? pipe.status() : sockets.status());
  if (!pid.ok()) {
    removeFolder(folder);
    return pid.status();
  }
  fcntl(pipe->first.get(), F_SETFL, O_NONBLOCK);
  return std::unique_ptr<Child>(
      new Child(*pid, program, std::move(folder), std::move(sockets->first), std::move(pipe->first)));
}

Child::Child(pid_t pid, const ChildProgram &program, std::string folder, Descriptor socket, Descriptor log)
    : pid_(pid),
      folder_(std::move(folder)),
      socket_(std::move(socket)),
      log_(std::move(log)),
      reader_(std::make_unique<Reader>(socket_.get())) {
  end_.memoryBytes = program.memoryBytes;
  end_.diskBytes = program.diskBytes;
}

Child::~Child() {
  if (pid_ > 0) wait(false);
  removeFolder(folder_);
}

bool Child::isAlive() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void Child::begin(const v1::Work &work, const std::vector<int> &files, bool isLast) {
  const std::span<const int> all(files);
  for (size_t sent = 0, next = 0;; sent = next) {
    next = std::min(sent + kFilesAtOnce, all.size());
    if (!sendFiles(socket_.get(), all.subspan(sent, next - sent), next < all.size())) return;
    if (next == all.size()) break;
  }
  ask(work, isLast);
}

void Child::next(const v1::Work &work, bool isLast) {
  emptyFolder(folder_);
  isFirst_ = false;
  begun_.reset();
  ask(work, isLast);
}

void Child::ask(const v1::Work &work, bool isLast) {
  proto::writeFrame(socket_.get(), work).IgnoreError();
  // So it ends by itself as soon as it has answered.
  if (isLast) shutdown(socket_.get(), SHUT_WR);
}

void Child::converse(const Terms &terms) {
  Deadline::duration told{};
  for (;;) {
    const Deadline::duration lost = terms.lost();
    if (lost - told >= kLongPause) {
      v1::Progress waits;
      waits.set_phase("waits for a measurement");
      terms.progress(waits);
      told = lost;
    }
    Deadline deadline = terms.deadline;
    if (begun_.has_value() && terms.most < deadline - *begun_) deadline = *begun_ + terms.most;
    deadline += lost;
    if (isOver(terms, deadline)) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    constexpr int64_t kLongest = std::chrono::milliseconds(kLookInterval).count();
    pollfd waiting[] = {
        {socket_.get(), POLLIN, 0}, {terms.cancellation.descriptor(), POLLIN, 0}, {log_.get(), POLLIN, 0}};
    poll(waiting, 3, static_cast<int>(std::clamp<int64_t>(left, 0, kLongest)));
    if (terms.cancellation.isCancelled()) continue;
    if (waiting[2].revents != 0) readLog();
    if (waiting[0].revents != 0 && takeReports(terms)) return;
  }
}

// True when nothing more is waited for, whatever the child says.
bool Child::isOver(const Terms &terms, Deadline deadline) {
  if (terms.cancellation.isCancelled())
    end_.reason = ChildEnd::Reason::Cancelled;
  else if (Clock::now() >= deadline)
    end_.reason = ChildEnd::Reason::Deadline;
  else if (isFolderFull())
    end_.reason = ChildEnd::Reason::Disk;
  else
    return false;
  return true;
}

// Looks now and then: what a child writes between two looks is little, beside what a machine has.
bool Child::isFolderFull() {
  constexpr uint64_t kLeastBytes = 4096;  // a file without a byte has its place, too
  const auto now = Clock::now();
  if (end_.diskBytes == 0 || now - lastLook_ < kLookInterval) return false;
  lastLook_ = now;
  uint64_t bytes = 0;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder_, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    struct stat status{};
    if (lstat(entry->path().c_str(), &status) == 0)
      bytes += std::max<uint64_t>(static_cast<uint64_t>(status.st_blocks) * 512, kLeastBytes);
    if (bytes > end_.diskBytes) return true;
  }
  return false;
}

// True when the conversation is over.
bool Child::takeReports(const Terms &terms) {
  auto more = reader_->frames.fill();
  if (!more.ok()) return true;
  for (;;) {
    auto frame = reader_->frames.next();
    if (!frame.ok()) break;
    if (!frame->has_value()) return !*more || end_.result.has_value();
    v1::Report report;
    // Nothing follows a result until it is asked for more.
    if (end_.result.has_value() || !report.ParseFromString(**frame) || !takeReport(std::move(report), terms)) break;
  }
  end_.reason = ChildEnd::Reason::Nonsense;
  return true;
}

// False for what cannot be meant.
bool Child::takeReport(v1::Report report, const Terms &terms) {
  const bool isBegin = report.has_progress() && report.progress().ByteSizeLong() == 0;
  if (!begun_.has_value()) {
    // The first may be a refusal, which says that it is not confined.
    if (!isFirst_ && !isBegin) return false;
    begun_ = Clock::now();
    end_.hasBegun = true;
  }
  if (report.has_result()) {
    end_.result = std::move(*report.mutable_result());
    return true;
  }
  if (isBegin) return true;
  if (!report.has_progress()) return false;
  tame(*report.mutable_progress());
  end_.phase = report.progress().phase();
  const auto now = Clock::now();
  if (now - lastProgress_ < kProgressInterval) return true;
  lastProgress_ = now;
  terms.progress(report.progress());
  return true;
}

void Child::readLog() {
  if (!log_.isOpen()) return;
  char buffer[16 << 10];
  // As much as is there, but a child that writes without pause must not keep us.
  for (int round = 0; round < 16; ++round) {
    const ssize_t count = read(log_.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) log_.reset();
    if (count <= 0) break;
    appendToLog(end_.log, {buffer, static_cast<size_t>(count)});
  }
}

ChildEnd Child::pause() {
  readLog();
  ChildEnd next;
  next.memoryBytes = end_.memoryBytes;
  next.diskBytes = end_.diskBytes;
  next.log = std::exchange(end_.log, {});
  return std::exchange(end_, std::move(next));
}

std::string Child::takeLog() {
  readLog();
  return std::exchange(end_.log, {});
}

ChildEnd Child::finish() {
  wait(end_.reason == ChildEnd::Reason::Ended);
  readLog();
  return std::move(end_);
}

// Ended by itself: it has sent its result, or its socket was closed; what is left is its exit.
void Child::wait(bool isPatient) {
  socket_.reset();
  const auto deadline = Clock::now() + kPatience;
  // The end of the log comes a little before that of the process, and nothing else would be waited for in between.
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  while (isPatient && isAlive() && Clock::now() < deadline) {
    pollfd waiting[] = {{process.get(), POLLIN, 0}, {log_.get(), POLLIN, 0}};
    poll(waiting, 2, 10);
    readLog();
  }
  if (isAlive()) kill(pid_, SIGKILL);
  while (waitpid(pid_, &end_.waitStatus, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

}  // namespace hone::worker
