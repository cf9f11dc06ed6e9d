// hone-worker: does work for others, each piece in a process of its own. `hone-worker --once --fd N` does the one Work
// that arrives on the socket N, answers with Reports (proto/hone/v1/work.proto) and ends. Not for people.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/frames.h"
#include "worker/limits.h"
#include "worker/work.h"

namespace {

constexpr int kWrongUsage = 2;
constexpr int kNobodyListens = 5;

int serveOnce(int socket) {
  hone::proto::FrameReader reader(socket);
  hone::v1::Work work;
  if (absl::Status status = reader.read(work); !status.ok()) {
    fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return kNobodyListens;
  }
  hone::v1::Report end;
  if (absl::Status status = hone::worker::applyLimits(work.limits()); !status.ok()) {
    end.mutable_result()->set_outcome(hone::v1::Result::DEFECT);
    end.mutable_result()->set_sentence(std::string(status.message()));
  } else {
    // A client that is gone is noticed when the result is sent.
    *end.mutable_result() = hone::worker::doWork(work, [socket](const hone::v1::Progress &progress) {
      hone::v1::Report report;
      *report.mutable_progress() = progress;
      hone::proto::writeFrame(socket, report).IgnoreError();
    });
  }
  return hone::proto::writeFrame(socket, end).ok() ? 0 : kNobodyListens;
}

}  // namespace

int main(int argc, char **argv) {
  int socket = -1;
  bool once = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--once") once = true;
    if (argument == "--fd" && i + 1 < argc) {
      const std::string_view number = argv[++i];
      const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), socket);
      if (error != std::errc() || rest != number.data() + number.size()) socket = -1;
    }
  }
  if (!once || socket < 0) {
    fprintf(stderr, "error: expected --once --fd NUMBER; hone starts this program by itself\n");
    return kWrongUsage;
  }
  const int code = serveOnce(socket);
  fflush(nullptr);
  // The work is done and told: what the libraries would still tear down is of no use to anyone.
  _Exit(code);
}
