// hone-worker: does work for others, each piece in a process of its own. `hone-worker --server ADDRESS` attaches to a
// coordinator and takes leases (worker/agent). `hone-worker --once --fd N` is such a process (worker/child): it does
// the one Work that arrives on the socket N, answers with Reports (proto/hone/v1/work.proto) and ends. Not for people.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "worker/agent/program.h"
#include "worker/child/serve.h"

namespace {

constexpr int kWrongUsage = 2;

std::vector<hone::worker::Kind> allKinds() {
#ifdef HONE_WORKER_HAS_COMPILER
  std::vector<hone::worker::Kind> kinds = hone::worker::builderKinds();
  for (const hone::worker::Kind &kind : hone::worker::deviceKinds()) kinds.push_back(kind);
  return kinds;
#else
  return hone::worker::deviceKinds();
#endif
}

#ifdef HONE_WORKER_HAS_COMPILER
constexpr bool kHasCompiler = true;
#else
constexpr bool kHasCompiler = false;
#endif

template <typename Number>
Number toNumber(std::string_view text, Number otherwise) {
  Number number = otherwise;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && rest == text.data() + text.size() ? number : otherwise;
}

}  // namespace

int main(int argc, char **argv) {
  hone::worker::ChildOptions options;
  bool isChild = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool hasNext = i + 1 < argc;
    if (argument == "--once") isChild = true;
    if (argument == "--fd" && hasNext) options.socket = toNumber(argv[++i], -1);
    if (argument == "--scratch" && hasNext) options.scratch = argv[++i];
    if (argument == "--receive-files") options.receivesFiles = true;
    if (argument == "--talkative") options.isTalkative = true;
    if (argument == "--strict") options.isStrict = true;
    if (argument == "--memory" && hasNext) options.memoryBytes = toNumber(argv[++i], uint64_t{0});
  }
  if (!isChild) return hone::worker::runAgent(argc, argv, kHasCompiler);
  if (options.socket < 0) {
    fprintf(stderr, "error: expected --once --fd NUMBER; hone starts this program so by itself\n");
    return kWrongUsage;
  }
  const int code = hone::worker::serveOnce(options, allKinds());
  fflush(nullptr);
  // The work is done and told: what the libraries would still tear down is of no use to anyone.
  _Exit(code);
}
