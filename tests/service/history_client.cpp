// A client that keeps a dense stream of jobs going and writes down all that it is told. Killed and started again with
// the same history it first ends what it had begun. Ends with 0 when there is nothing left to do: after --chains, or
// once the file --stop-file is there; with 4 when a call was in vain for --patience seconds.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "tests/service/history.h"
#include "tests/service/job_chain.h"

namespace {

using namespace hone;

// Hands out indices: first those left over, then new ones until told to stop.
class Indices {
 public:
  Indices(const test::History &history, int64_t most, std::string stopFile)
      : left_(history.unfinished().begin(), history.unfinished().end()),
        next_(history.nextIndex()),
        most_(most),
        stopFile_(std::move(stopFile)) {}

  std::optional<int64_t> take() {
    const std::lock_guard lock(mutex_);
    if (!left_.empty()) {
      const int64_t index = left_.front();
      left_.pop_front();
      return index;
    }
    const bool isToStop = !stopFile_.empty() && access(stopFile_.c_str(), F_OK) == 0;
    if (next_ >= most_ || isToStop) return std::nullopt;
    return next_++;
  }

 private:
  std::mutex mutex_;
  std::deque<int64_t> left_;
  int64_t next_;
  const int64_t most_;
  const std::string stopFile_;
};

struct Settings {
  test::ChainSettings chain;
  std::string server, user, historyFile, targetFile, stopFile;
  int64_t chains = 1000000000;
  int threads = 6;
  int patience = 60;
};

bool readTarget(Settings &settings) {
  std::ifstream file(settings.targetFile, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return !bytes.empty() && settings.chain.target.ParseFromString(bytes);
}

int work(const Settings &settings) {
  auto history = test::History::open(settings.historyFile);
  if (!history.ok()) {
    fprintf(stderr, "error: %s\n", history.status().ToString().c_str());
    return 1;
  }
  test::ServiceClient client(settings.server, settings.user, std::chrono::seconds(settings.patience), **history);
  Indices indices(**history, settings.chains, settings.stopFile);
  std::vector<std::thread> threads;
  for (int i = 0; i < settings.threads; ++i)
    threads.emplace_back([&] {
      while (!client.gaveUp()) {
        const std::optional<int64_t> index = indices.take();
        if (!index.has_value()) return;
        runChain(client, **history, settings.chain, *index);
      }
    });
  for (std::thread &thread : threads) thread.join();
  (*history)->write({{"type", "end"}});
  return client.gaveUp() ? 4 : 0;
}

}  // namespace

int main(int argc, char **argv) {
  Settings settings;
  CLI::App app("keeps a stream of jobs going and writes down what it is told");
  app.add_option("--server", settings.server)->required();
  app.add_option("--user", settings.user)->required();
  app.add_option("--name", settings.chain.name)->required();
  app.add_option("--history", settings.historyFile)->required();
  app.add_option("--target", settings.targetFile)->required();
  app.add_option("--key", settings.chain.key)->required();
  app.add_option("--seed", settings.chain.seed)->required();
  app.add_option("--chains", settings.chains);
  app.add_option("--stop-file", settings.stopFile);
  app.add_option("--threads", settings.threads);
  app.add_option("--patience", settings.patience);
  CLI11_PARSE(app, argc, argv);
  if (!readTarget(settings)) {
    fprintf(stderr, "error: no target description in '%s'\n", settings.targetFile.c_str());
    return 2;
  }
  return work(settings);
}
