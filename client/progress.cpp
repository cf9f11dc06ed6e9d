#include "client/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::client {

namespace {
constexpr std::chrono::seconds kPatience{1};
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1), start_(std::chrono::steady_clock::now()) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::update(const v1::Progress &progress) {
  std::string text = progress.phase();
  if (progress.total() > 0) absl::StrAppend(&text, " ", progress.done(), "/", progress.total());
  show(std::move(text));
}

void ProgressLine::show(std::string text) {
  text_ = std::move(text);
  tick();
}

void ProgressLine::note(std::string text) {
  if (!terminal_) fprintf(stderr, "%s\n", text.c_str());
  show(std::move(text));
}

void ProgressLine::tick() {
  const auto elapsed = std::chrono::steady_clock::now() - start_;
  if (!terminal_ || elapsed < kPatience) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  fprintf(stderr, "\r\033[K[%llds] %s", static_cast<long long>(seconds), text_.c_str());
  fflush(stderr);
  painted_ = true;
}

void ProgressLine::clear() {
  if (painted_) fprintf(stderr, "\r\033[K");
  painted_ = false;
}

}  // namespace hone::client
