#include "worker/child/limits.h"

#include <signal.h>
#include <sys/resource.h>

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

// Lowers both limits: code that is not ours must not raise the soft one again. The system's own, where it is lower,
// stays. \p grace: between the signal that the soft limit brings and the one that the hard limit brings.
absl::Status limit(__rlimit_resource resource, rlim_t value, rlim_t grace, const char *what) {
  rlimit limits{};
  if (getrlimit(resource, &limits) != 0)
    return absl::InternalError(absl::StrCat("cannot read the limit of ", what, ": ", strerror(errno)));
  limits.rlim_cur = std::min({value, limits.rlim_cur, limits.rlim_max});
  limits.rlim_max = std::min(value + grace, limits.rlim_max);
  if (setrlimit(resource, &limits) != 0)
    return absl::InternalError(absl::StrCat("cannot limit ", what, ": ", strerror(errno)));
  return absl::OkStatus();
}

}  // namespace

absl::Status applyLimits(const v1::Limits &limits) {
  constexpr rlim_t kOpenFiles = 256;
  constexpr rlim_t kCpuGraceSeconds = 2;
  absl::Status status = limit(RLIMIT_CORE, 0, 0, "core files");
  if (status.ok()) status = limit(RLIMIT_NOFILE, kOpenFiles, 0, "open files");
  if (status.ok() && limits.cpu_seconds() > 0)
    status = limit(RLIMIT_CPU, limits.cpu_seconds(), kCpuGraceSeconds, "CPU time");
  if (status.ok() && kLimitAddressSpace && limits.address_space_bytes() > 0)
    status = limit(RLIMIT_AS, limits.address_space_bytes(), 0, "address space");
  if (status.ok() && limits.file_bytes() > 0) status = limit(RLIMIT_FSIZE, limits.file_bytes(), 0, "file size");
  // A file that grows too long is an error to report, not a signal that ends this process.
  signal(SIGXFSZ, SIG_IGN);
  return status;
}

}  // namespace hone::worker
