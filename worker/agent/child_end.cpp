#include "worker/agent/child_end.h"

#include <signal.h>
#include <sys/wait.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {

v1::Result failed(v1::Result::Outcome outcome, std::string sentence) {
  v1::Result result;
  result.set_outcome(outcome);
  result.set_sentence(std::move(sentence));
  return result;
}

v1::Result ofSignal(int signal, const std::string &where, const v1::Work &work) {
  const v1::Limits &limits = work.limits();
  if (signal == SIGXCPU)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("given up after ", limits.cpu_seconds(), " seconds of CPU time", where));
  if (signal == SIGKILL)
    return failed(v1::Result::WORK_FAILED, absl::StrCat("the work's process was killed", where, " (signal ", signal,
                                                        "), perhaps because memory ran out; it may use ",
                                                        limits.address_space_bytes() >> 20, " MiB"));
  return failed(v1::Result::DEFECT,
                absl::StrCat(work.has_run() ? "the artifact's code crashed" : "the compiler crashed", where,
                             " (signal ", signal, ", ", strsignal(signal), ")"));
}

// Bytes of the UTF-8 sequence at \p at; 0: there is none.
size_t sequenceLength(const std::string &text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const size_t length = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  // Overlong forms, surrogates, and what lies above the last character.
  if (first == 0xE0 && byte(at + 1) < 0xA0) return 0;
  if (first == 0xED && byte(at + 1) > 0x9F) return 0;
  if (first == 0xF0 && byte(at + 1) < 0x90) return 0;
  if (first == 0xF4 && byte(at + 1) > 0x8F) return 0;
  return length;
}

}  // namespace

v1::Result resultOf(ChildEnd &end, const v1::Work &work, double deadlineSeconds) {
  const std::string where = end.phase.empty() ? "" : absl::StrCat(" in phase ", asUtf8(end.phase));
  if (end.reason == ChildEnd::Reason::Deadline)
    return failed(v1::Result::WORK_FAILED,
                  absl::StrCat("the work took longer than its deadline of ", deadlineSeconds, " seconds", where));
  if (end.reason == ChildEnd::Reason::Nonsense)
    return failed(v1::Result::DEFECT, absl::StrCat("the work's process sent what is no report", where));
  if (end.result.has_value()) {
    if (!v1::Result::Outcome_IsValid(end.result->outcome()))
      return failed(v1::Result::DEFECT, absl::StrCat("the work's process ended with an unknown outcome", where));
    return *std::move(end.result);
  }
  if (WIFSIGNALED(end.waitStatus)) return ofSignal(WTERMSIG(end.waitStatus), where, work);
  return failed(v1::Result::DEFECT, absl::StrCat("the work's process ended without a result", where, " (status ",
                                                 WEXITSTATUS(end.waitStatus), ")"));
}

std::string asUtf8(std::string text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = sequenceLength(text, i);
    if (length == 0) text[i] = '?';
    i += length == 0 ? 1 : length;
  }
  return text;
}

}  // namespace hone::worker
