#include "worker/agent/child_end.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "text/printable.h"

namespace hone::worker {

namespace {

v1::Result failed(v1::Result::Outcome outcome, std::string sentence) {
  v1::Result result;
  result.set_outcome(outcome);
  result.set_sentence(std::move(sentence));
  return result;
}

v1::Result ofSignal(int signal, const std::string &where, const v1::Work &work, const char *code,
                    uint64_t memoryBytes) {
  const v1::Limits &limits = work.limits();
  if (signal == SIGXCPU)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("given up after ", limits.cpu_seconds(), " seconds of CPU time", where));
  if (signal == SIGKILL)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("the work's process was killed", where, " (signal ", signal,
                               "), perhaps because memory ran out; it may use ", memoryBytes >> 20, " MiB"));
  if (signal == SIGBUS && work.compile().data_files_size() > 0)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("a data file of the model became shorter, or could not be read any more, while it was "
                               "compiled",
                               where, " (signal ", signal, ", ", strsignal(signal), "); repeat the command"));
  return failed(v1::Result::DEFECT,
                absl::StrCat(code, " crashed", where, " (signal ", signal, ", ", strsignal(signal), ")"));
}

}  // namespace

v1::Result resultOf(ChildEnd &end, const v1::Work &work, const char *code, double deadlineSeconds) {
  const std::string where = end.phase.empty() ? "" : absl::StrCat(" in phase ", text::asUtf8(end.phase));
  if (end.reason == ChildEnd::Reason::Deadline)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("the work took longer than its deadline of ", deadlineSeconds, " seconds", where));
  if (end.reason == ChildEnd::Reason::Disk)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("the work put more than ", end.diskBytes >> 20, " MiB into its folder", where,
                               "; the worker's --child-disk allows it more"));
  if (end.reason == ChildEnd::Reason::Nonsense)
    return failed(v1::Result::DEFECT, absl::StrCat("the work's process sent what is no report", where));
  if (end.result.has_value()) {
    if (!v1::Result::Outcome_IsValid(end.result->outcome()))
      return failed(v1::Result::DEFECT, absl::StrCat("the work's process ended with an unknown outcome", where));
    return *std::move(end.result);
  }
  if (WIFSIGNALED(end.waitStatus)) return ofSignal(WTERMSIG(end.waitStatus), where, work, code, end.memoryBytes);
  return failed(v1::Result::DEFECT, absl::StrCat("the work's process ended without a result", where, " (status ",
                                                 WEXITSTATUS(end.waitStatus), ")"));
}

std::string logOf(const std::string &written) {
  std::string log = text::asUtf8(written);
  // Bytes that are no UTF-8 are shown as four each. Cut between two characters.
  size_t begin = log.size() - std::min(log.size(), written.size());
  while (begin < log.size() && (static_cast<unsigned char>(log[begin]) & 0xC0) == 0x80) ++begin;
  return log.substr(begin);
}

}  // namespace hone::worker
