#include "worker/child/limits.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {

// Sanitizers reserve terabytes of address space.
#ifdef HONE_SANITIZED
constexpr bool kLimitAddressSpace = false;
#else
constexpr bool kLimitAddressSpace = true;
#endif

// Sets the soft limit, and, if \p isFirst, lowers the hard one: code that is not ours must not raise the soft one above
// it. The system's own, where it is lower, stays.
absl::Status limit(__rlimit_resource resource, rlim_t soft, rlim_t hard, bool isFirst, const char *what) {
  rlimit limits{};
  if (getrlimit(resource, &limits) != 0)
    return absl::InternalError(absl::StrCat("cannot read the limit of ", what, ": ", strerror(errno)));
  if (isFirst) limits.rlim_max = std::min({hard, limits.rlim_cur, limits.rlim_max});
  limits.rlim_cur = std::min(soft, limits.rlim_max);
  if (setrlimit(resource, &limits) != 0)
    return absl::InternalError(absl::StrCat("cannot limit ", what, ": ", strerror(errno)));
  return absl::OkStatus();
}

// As messages say it: 0 is no limit. \p more: what comes on top of one.
rlim_t orInfinite(uint64_t value, rlim_t more = 0) {
  static_assert(RLIM_INFINITY == static_cast<rlim_t>(-1), "the largest number");
  return value == 0 || value > RLIM_INFINITY - more ? RLIM_INFINITY : value + more;
}

rlim_t usedCpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<rlim_t>(used.tv_sec);
}

}  // namespace

absl::Status applyLimits(const v1::Work &work, bool isFirst) {
  constexpr rlim_t kOpenFiles = 256;
  // Between the signal that the soft limit brings and the one that the hard limit brings.
  constexpr rlim_t kCpuGraceSeconds = 2;
  const v1::Limits &soft = work.limits();
  const v1::Limits &hard = work.has_process_limits() ? work.process_limits() : soft;
  absl::Status status = limit(RLIMIT_CORE, 0, 0, isFirst, "core files");
  if (status.ok()) status = limit(RLIMIT_NOFILE, kOpenFiles, kOpenFiles, isFirst, "open files");
  if (status.ok())
    status = limit(RLIMIT_CPU, orInfinite(soft.cpu_seconds(), usedCpuSeconds()),
                   orInfinite(hard.cpu_seconds(), kCpuGraceSeconds), isFirst, "CPU time");
  if (status.ok() && kLimitAddressSpace)
    status = limit(RLIMIT_AS, orInfinite(soft.address_space_bytes()), orInfinite(hard.address_space_bytes()), isFirst,
                   "address space");
  if (status.ok())
    status = limit(RLIMIT_FSIZE, orInfinite(soft.file_bytes()), orInfinite(hard.file_bytes()), isFirst, "file size");
  // A file that grows too long is an error to report, not a signal that ends this process.
  signal(SIGXFSZ, SIG_IGN);
  return status;
}

}  // namespace hone::worker
