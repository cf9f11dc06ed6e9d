#include "tests/worker/probe/probe.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/frames.h"
#include "tests/server/probe/number.h"
#include "tests/worker/probe/fault.h"

namespace hone::test {
namespace {

constexpr int kSocket = 3;

std::vector<v1::Digest> inputs(const v1::TaskSpec &) { return {}; }
bool makesFile(const v1::TaskSpec &) { return false; }
int32_t items(const v1::TaskSpec &spec) { return spec.probe().items(); }
double itemSeconds(const v1::TaskSpec &spec) {
  const bool isHanging = static_cast<ProbeFault>(spec.probe().seed() >> 56) == ProbeFault::Hang;
  return isHanging ? kHangingItemSeconds : kProbeItemSeconds;
}

v1::Work itemWork(const v1::TaskSpec &spec, int32_t item) {
  v1::Work work;
  work.mutable_probe()->set_seed(spec.probe().seed());
  work.mutable_probe()->set_item(item);
  return work;
}

v1::Work work(const v1::TaskSpec &spec) { return itemWork(spec, 0); }

void answer(const v1::Result &result, v1::LeaseResult &lease) { lease.set_probe_number(result.probe_number()); }

v1::ItemResult itemResult(const v1::Result &result) {
  v1::ItemResult item;
  if (result.outcome() == v1::Result::DONE)
    item.set_probe_number(result.probe_number());
  else
    item.set_probe_error(result.sentence());
  return item;
}

bool litter(int number, size_t bytes) {
  const std::string path = std::string(getenv("TMPDIR")) + "/litter-" + std::to_string(number);
  const std::string content(bytes, 'x');
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool isWritten = file >= 0 && write(file, content.data(), bytes) == static_cast<ssize_t>(bytes);
  close(file);
  return isWritten;
}

void fillFolder() {
  for (int number = 0;; ++number)
    if (!litter(number, 1 << 20)) usleep(10'000);
}

void allocate() {
  for (std::vector<std::string> all;;) all.emplace_back(size_t{16} << 20, 'x');
}

absl::Status goWrong(ProbeFault fault, const worker::ReportProgress &progress) {
  v1::Progress begun;
  begun.set_phase("probe");
  progress(begun);
  v1::Report early;
  early.mutable_result()->set_probe_number(1);
  constexpr std::string_view kNonsense = "\xFF\xFF\xFF\xFFnonsense";
  switch (fault) {
    case ProbeFault::None:
      break;
    case ProbeFault::Crash:
      abort();
    case ProbeFault::Quit:
      _exit(7);
    case ProbeFault::Hang:
      for (;;) pause();
    case ProbeFault::Nonsense:
      if (send(kSocket, kNonsense.data(), kNonsense.size(), 0) < 0) abort();
      for (;;) pause();
    case ProbeFault::Chatter:
      return proto::writeFrame(kSocket, early);
    case ProbeFault::Allocate:
      allocate();
      break;
    case ProbeFault::Litter:
      fillFolder();
      break;
    case ProbeFault::Refuse:
      return absl::InvalidArgumentError("this item is refused");
    case ProbeFault::Leave:
      shutdown(kSocket, SHUT_RD);
      break;
    case ProbeFault::Dawdle:
      usleep(static_cast<useconds_t>(kDawdleSeconds * 1e6));
      break;
    case ProbeFault::Forget:
      if (!litter(0, kForgottenBytes)) return absl::InternalError("another item's file is there");
      usleep(static_cast<useconds_t>(kForgetSeconds * 1e6));
      break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status probe(const v1::Work &work, const worker::ReportProgress &progress, worker::Kept &kept,
                   v1::Result &result) {
  if (!kept.has_value()) kept = 0;
  const int count = ++std::any_cast<int &>(kept);
  const int32_t item = work.probe().item();
  rlimit cpu{};
  getrlimit(RLIMIT_CPU, &cpu);
  fprintf(stderr, "process %d work %d item %d cpu %ju of %ju\n", getpid(), count, item, uintmax_t{cpu.rlim_cur},
          uintmax_t{cpu.rlim_max});
  if (const ProbeFault fault = faultOf(work.probe().seed(), item); fault != ProbeFault::None)
    if (absl::Status status = goWrong(fault, progress); !status.ok()) return status;
  result.set_probe_number(probeNumber(work.probe().seed(), item));
  return absl::OkStatus();
}

const worker::WorkKind kProbe = {.which = v1::TaskSpec::kProbe,
                                 .name = "probe",
                                 .version = 1,
                                 .role = v1::ROLE_BUILDER,
                                 .code = "the probe",
                                 .inputs = inputs,
                                 .work = work,
                                 .isTimed = nullptr,
                                 .giveCores = nullptr,
                                 .makesFile = makesFile,
                                 .take = nullptr,
                                 .answer = answer,
                                 .items = items,
                                 .itemWork = itemWork,
                                 .itemSeconds = itemSeconds,
                                 .itemResult = itemResult};

}  // namespace hone::test
