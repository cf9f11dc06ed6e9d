// The power fails under a whole coordinator: what it answered over the wire is in its data folder afterwards, blobs
// with their files and rows, jobs with the blobs that they name.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/store/maintenance.h"
#include "server/store/sqlite_store.h"
#include "tests/server/disk/recorded_disk.h"
#include "tests/server/engine/failing_store.h"
#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

/// \p cut is whole and has the blobs and jobs that were promised: "blob SHA256" or "job ID".
std::string lookAt(const RecordedDisk::Cut &cut) {
  const auto report = fsck(cut.folder);
  if (!report.ok()) return std::string(report.status().message());
  if (!report->isWhole()) return absl::StrJoin(report->findings, "; ");
  Failpoints none;
  const auto store = openSqliteStore({.folder = cut.folder}, none);
  const auto blobs = BlobFolder::open({.root = cut.folder, .reserveBytes = 0}, none);
  if (!store.ok()) return std::string(store.status().message());
  if (!blobs.ok()) return std::string(blobs.status().message());
  for (const std::string &promise : cut.promises) {
    const size_t space = promise.find(' ');
    const std::string name = promise.substr(space + 1);
    if (promise.substr(0, space) == "job") {
      const auto job = (*store)->job(name);
      if (!job.ok()) return absl::StrCat(promise, " was promised: ", std::string(job.status().message()));
      if (!(*blobs)->verify(job->spec().compile().model()).ok()) return absl::StrCat(promise, " has lost its model");
      continue;
    }
    v1::Digest digest;
    digest.set_sha256(name);
    digest.set_size_bytes(1000);
    if (const absl::Status status = (*blobs)->verify(digest); !status.ok()) {
      return absl::StrCat(promise, " was promised: ", std::string(status.message()));
    }
    const auto row = (*store)->blob(digest);
    if (!row.ok() || !row->has_value()) return absl::StrCat(promise, " was promised, and has no row");
  }
  return "";
}

/// Takes its time to commit, as a disk does: whoever answers before is found out.
class SlowCommits : public FailingStore {
 public:
  using FailingStore::FailingStore;
  absl::Status commit() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return FailingStore::commit();
  }
};

TEST(PowerCutOfACoordinator, leavesWhatItHasAnswered) {
  const char *text = getenv("HONE_TEST_SEED");
  const unsigned seed = text != nullptr ? static_cast<unsigned>(atoi(text)) : std::random_device{}();
  printf("seed %u\n", seed);
  FailingStore::Faults none;
  ServerOptions options;
  options.wrapStore = [&](Store *store) { return std::make_unique<SlowCommits>(store, none); };
  const TestServer server(options);
  RecordedDisk disk(server.folder.path());
  for (unsigned i = 0; i < 3; ++i) {
    const v1::Digest model = server.put(contentOf(1000, i));
    disk.promise(absl::StrCat("blob ", model.sha256()));
    v1::Job job;
    const grpc::Status status = server.jobs()->Submit(newCall().get(), compileOf(model, absl::StrCat("r", i)), &job);
    ASSERT_TRUE(status.ok()) << status.error_message();
    disk.promise(absl::StrCat("job ", job.id()));
  }
  disk.stop();
  const std::vector<std::string> complaints = disk.replay(seed, lookAt);
  printf("%lld states\n", static_cast<long long>(disk.states()));
  EXPECT_GT(disk.states(), 50);
  EXPECT_TRUE(complaints.empty()) << absl::StrJoin(complaints, "\n");
}

}  // namespace
}  // namespace hone::server::testing
