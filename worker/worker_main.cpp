#include "worker/worker_main.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "worker/agent/program.h"
#include "worker/child/serve.h"

namespace hone::worker {

namespace {

constexpr int kWrongUsage = 2;

template <typename Number>
Number toNumber(std::string_view text, Number otherwise) {
  Number number = otherwise;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && rest == text.data() + text.size() ? number : otherwise;
}

}  // namespace

int workerMain(int argc, char **argv, const Abilities &abilities) {
  ChildOptions options;
  bool isChild = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool hasNext = i + 1 < argc;
    if (argument == "--once" || argument == "--serve") isChild = true;
    if (argument == "--serve") options.isServing = true;
    if (argument == "--fd" && hasNext) options.socket = toNumber(argv[++i], -1);
    if (argument == "--scratch" && hasNext) options.scratch = argv[++i];
    if (argument == "--talkative") options.isTalkative = true;
    if (argument == "--strict") options.isStrict = true;
    if (argument == "--memory" && hasNext) options.memoryBytes = toNumber(argv[++i], uint64_t{0});
  }
  if (!isChild) return runAgent(argc, argv, abilities.kinds, abilities.hasBuilder);
  if (options.socket < 0) {
    fprintf(stderr, "error: expected --once --fd NUMBER; hone starts this program so by itself\n");
    return kWrongUsage;
  }
  const int code = serve(options, abilities.works);
  fflush(nullptr);
  // The work is done and told: what the libraries would still tear down is of no use to anyone.
  _Exit(code);
}

}  // namespace hone::worker
