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
constexpr size_t kLogBytes = 64 << 10;
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
  SpawnSettings settings{
      .command = {program.path, "--once", "--fd", std::to_string(kSocket), "--scratch", folder, "--receive-files"},
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

void Child::begin(const v1::Work &work, const std::vector<int> &files) {
  const std::span<const int> all(files);
  for (size_t sent = 0, next = 0;; sent = next) {
    next = std::min(sent + kFilesAtOnce, all.size());
    if (!sendFiles(socket_.get(), all.subspan(sent, next - sent), next < all.size())) return;
    if (next == all.size()) break;
  }
  proto::writeFrame(socket_.get(), work).IgnoreError();
}

void Child::converse(Deadline deadline, const Cancellation &cancellation,
                     const std::function<void(const v1::Progress &)> &progress,
                     const std::function<Deadline::duration()> &lost) {
  Deadline::duration told{};
  for (;;) {
    const Deadline::duration lostNow = lost();
    if (lostNow - told >= kLongPause) {
      v1::Progress waits;
      waits.set_phase("waits for a measurement");
      progress(waits);
      told = lostNow;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline + lostNow - Clock::now()).count();
    if (left <= 0) {
      end_.reason = ChildEnd::Reason::Deadline;
      return;
    }
    if (isFolderFull()) {
      end_.reason = ChildEnd::Reason::Disk;
      return;
    }
    constexpr int64_t kLongest = std::chrono::milliseconds(kLookInterval).count();
    pollfd waiting[] = {{socket_.get(), POLLIN, 0}, {cancellation.descriptor(), POLLIN, 0}, {log_.get(), POLLIN, 0}};
    poll(waiting, 3, static_cast<int>(std::min<int64_t>(left, kLongest)));
    if (cancellation.isCancelled()) {
      end_.reason = ChildEnd::Reason::Cancelled;
      return;
    }
    if (waiting[2].revents != 0) readLog();
    if (waiting[0].revents != 0 && takeReports(progress)) return;
  }
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
bool Child::takeReports(const std::function<void(const v1::Progress &)> &progress) {
  auto more = reader_->frames.fill();
  if (!more.ok()) return true;
  for (;;) {
    auto frame = reader_->frames.next();
    if (!frame.ok()) break;
    if (!frame->has_value()) return !*more;
    v1::Report report;
    if (!report.ParseFromString(**frame)) break;
    end_.hasBegun = true;
    if (report.has_result()) {
      end_.result = std::move(*report.mutable_result());
      return true;
    }
    if (!report.has_progress()) break;
    if (report.progress().ByteSizeLong() == 0) continue;
    tame(*report.mutable_progress());
    end_.phase = report.progress().phase();
    const auto now = Clock::now();
    if (now - lastProgress_ < kProgressInterval) continue;
    lastProgress_ = now;
    progress(report.progress());
  }
  end_.reason = ChildEnd::Reason::Nonsense;
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
    end_.log.append(buffer, static_cast<size_t>(count));
    if (end_.log.size() > kLogBytes) end_.log.erase(0, end_.log.size() - kLogBytes);
  }
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
