#include "common/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace hone {

Failpoints::Failpoints(std::string_view text) {
  const size_t colon = text.find(':');
  name_ = text.substr(0, colon);
  int count = 1;
  if (colon != std::string_view::npos) {
    const std::string_view number = text.substr(colon + 1);
    if (!absl::SimpleAtoi(absl::string_view(number.data(), number.size()), &count)) count = 1;
  }
  left_ = count;
}

void Failpoints::visit(std::string_view name) {
  if (name != name_ || --left_ != 0) return;
  kill(getpid(), SIGKILL);
}

}  // namespace hone
