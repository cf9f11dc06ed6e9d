// Jobs and workers over the wire, with the real engine and a worker that the test plays.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/engine/failing_store.h"
#include "tests/server/passing_blobs.h"
#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using grpc::StatusCode;

v1::Job submit(const TestServer &server, const std::string &requestId, const std::string &model = "model") {
  v1::Job job;
  const grpc::Status status = server.jobs()->Submit(newCall().get(), compileOf(server.put(model), requestId), &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return job;
}

v1::CoordinatorMessage takeLease(FakeWorker &worker) {
  v1::CoordinatorMessage lease;
  EXPECT_TRUE(worker.receive(v1::CoordinatorMessage::kLease, lease));
  return lease;
}

v1::WorkerMessage resultOf(const v1::CoordinatorMessage &lease, const v1::Digest &artifact) {
  v1::WorkerMessage message;
  v1::LeaseResult &result = *message.mutable_result();
  result.set_task(lease.lease().task());
  result.set_epoch(lease.lease().epoch());
  result.mutable_result()->set_outcome(v1::Result::DONE);
  *result.mutable_artifact() = artifact;
  return message;
}

struct Watched {
  std::vector<v1::JobEvent> events;
  std::vector<v1::Progress> progress;
  v1::Job final;
  grpc::Status status;
};

// Until the end, or until so many events have come.
Watched watch(const TestServer &server, const std::string &id, int64_t after, size_t mostEvents = 1000) {
  Watched watched;
  const auto context = newCall();
  v1::WatchRequest request;
  request.set_id(id);
  request.set_after_sequence(after);
  const auto stub = server.jobs();
  const auto reader = stub->Watch(context.get(), request);
  v1::WatchResponse response;
  while (reader->Read(&response)) {
    if (response.has_event()) watched.events.push_back(response.event());
    if (response.has_progress()) watched.progress.push_back(response.progress());
    if (response.has_final()) watched.final = response.final();
    if (watched.events.size() >= mostEvents) context->TryCancel();
  }
  watched.status = reader->Finish();
  return watched;
}

TEST(Jobs, NamesTheRequestInErrors) {
  const TestServer server;
  v1::GetJobRequest request;
  request.set_id("j-aaaaaaaaaaaa");
  v1::Job job;
  grpc::Status status = server.jobs()->Get(newCall("ann", "my-request-7").get(), request, &job);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(detailOf(status).request_id(), "my-request-7");
  std::set<std::string> made;
  for (int i = 0; i < 3; ++i) {
    status = server.jobs()->Get(newCall().get(), request, &job);
    made.insert(detailOf(status).request_id());
  }
  EXPECT_EQ(made.size(), 3U);
  status = server.jobs()->Get(newCall("ann", std::string(65, 'x')).get(), request, &job);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(detailOf(status).request_id().empty());
  status = server.jobs()->Get(newCall("ann\"; drop").get(), request, &job);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST(Jobs, SaysWhatIsMissing) {
  const TestServer server;
  v1::Job job;
  grpc::Status status = server.jobs()->Submit(newCall().get(), compileOf(digestOf("never uploaded"), "r"), &job);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(detailOf(status).reason(), "MISSING_BLOB");
  v1::SubmitRequest run;
  run.set_request_id("r2");
  *run.mutable_spec()->mutable_run()->mutable_artifact() = server.put("artifact");
  run.mutable_spec()->mutable_run()->set_key("nosuch");
  status = server.jobs()->Submit(newCall().get(), run, &job);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(detailOf(status).reason(), "UNKNOWN_KEY");
}

TEST(Jobs, IsOnePerRequestId) {
  const TestServer server;
  const v1::Job first = submit(server, "once");
  const v1::Job again = submit(server, "once");
  EXPECT_EQ(first.id(), again.id());
  EXPECT_NE(first.id(), submit(server, "twice").id());
}

TEST(Jobs, TellsEverythingToWhoeverWatches) {
  const TestServer server;
  const v1::Job job = submit(server, "r");
  Watched all;
  std::thread watcher([&] { all = watch(server, job.id(), 0); });
  FakeWorker worker(server, "builder-1");
  const v1::CoordinatorMessage lease = takeLease(worker);
  EXPECT_EQ(lease.lease().job(), job.id());
  v1::WorkerMessage progress;
  progress.mutable_progress()->set_task(lease.lease().task());
  progress.mutable_progress()->set_epoch(lease.lease().epoch());
  progress.mutable_progress()->mutable_progress()->set_phase("kernels");
  progress.mutable_progress()->mutable_progress()->set_total(9);
  // Repeated, since whoever watches may not have begun: progress is not kept.
  for (int i = 1; i <= 20; ++i) {
    progress.mutable_progress()->mutable_progress()->set_done(std::min(i, 9));
    worker.send(progress);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  worker.send(resultOf(lease, server.put("artifact")));
  v1::CoordinatorMessage ack;
  ASSERT_TRUE(worker.receive(v1::CoordinatorMessage::kAck, ack));
  EXPECT_TRUE(ack.ack().accepted());
  watcher.join();
  EXPECT_TRUE(all.status.ok()) << all.status.error_message();
  EXPECT_EQ(all.final.state(), v1::JOB_SUCCEEDED);
  EXPECT_EQ(all.final.result().artifact().sha256(), digestOf("artifact").sha256());
  ASSERT_GE(all.events.size(), 3U);
  for (size_t i = 0; i < all.events.size(); ++i) EXPECT_EQ(all.events[i].sequence(), static_cast<int64_t>(i + 1));
  EXPECT_EQ(all.final.last_sequence(), all.events.back().sequence());
  ASSERT_FALSE(all.progress.empty());
  EXPECT_EQ(all.progress.back().phase(), "kernels");
  // The same again, in pieces: nothing twice, nothing left out.
  for (int64_t after = 0; after < all.final.last_sequence(); ++after) {
    const Watched rest = watch(server, job.id(), after);
    ASSERT_EQ(rest.events.size(), all.events.size() - static_cast<size_t>(after));
    EXPECT_EQ(rest.events.front().sequence(), after + 1);
    EXPECT_EQ(rest.final.state(), v1::JOB_SUCCEEDED);
  }
  const Watched nothing = watch(server, job.id(), all.final.last_sequence());
  EXPECT_TRUE(nothing.events.empty());
  EXPECT_EQ(nothing.final.id(), job.id());
  EXPECT_EQ(watch(server, job.id(), all.final.last_sequence() + 1).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(watch(server, "j-aaaaaaaaaaaa", 0).status.error_code(), StatusCode::NOT_FOUND);
}

TEST(Jobs, ListsEveryJobOnceInPages) {
  const TestServer server;
  std::set<std::string> submitted;
  for (int i = 0; i < 23; ++i) submitted.insert(submit(server, "r" + std::to_string(i)).id());
  std::set<std::string> listed;
  v1::ListJobsRequest request;
  request.set_page_size(5);
  int pages = 0;
  do {
    v1::ListJobsResponse response;
    const grpc::Status status = server.jobs()->List(newCall().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_LE(response.jobs_size(), 5);
    for (const v1::Job &job : response.jobs()) EXPECT_TRUE(listed.insert(job.id()).second);
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, submitted);
  EXPECT_EQ(pages, 5);
  for (const char *forged : {"x", "99999999999999999999", "-1", "../../etc", "'; drop table job"}) {
    request.set_page_token(forged);
    v1::ListJobsResponse response;
    EXPECT_EQ(server.jobs()->List(newCall().get(), request, &response).error_code(), StatusCode::INVALID_ARGUMENT)
        << forged;
  }
  request.clear_page_token();
  request.set_page_size(1000000);
  v1::ListJobsResponse response;
  EXPECT_TRUE(server.jobs()->List(newCall().get(), request, &response).ok());
  EXPECT_EQ(response.jobs_size(), 23);
}

TEST(Jobs, CancelsAndTellsTheWorker) {
  const TestServer server;
  const v1::Job job = submit(server, "r");
  FakeWorker worker(server, "builder-1");
  const v1::CoordinatorMessage lease = takeLease(worker);
  v1::CancelJobRequest request;
  request.set_id(job.id());
  v1::Job cancelled;
  ASSERT_TRUE(server.jobs()->Cancel(newCall().get(), request, &cancelled).ok());
  EXPECT_EQ(cancelled.state(), v1::JOB_CANCELLED);
  v1::CoordinatorMessage revoke;
  ASSERT_TRUE(worker.receive(v1::CoordinatorMessage::kRevoke, revoke));
  EXPECT_EQ(revoke.revoke().task(), lease.lease().task());
  EXPECT_EQ(watch(server, job.id(), 0).final.state(), v1::JOB_CANCELLED);
}

TEST(Fleet, ClosesTheConnectionOfASilentWorker) {
  ServerOptions options;
  options.policy.heartbeat = absl::Milliseconds(100);
  options.policy.silence = absl::Seconds(1);
  const TestServer server(options);
  FakeWorker worker(server, "mute");
  v1::CoordinatorMessage message;
  while (worker.receive(v1::CoordinatorMessage::kLease, message)) continue;
  EXPECT_TRUE(eventually([&] { return server.engine->state().sessions == 0; }));
}

TEST(Fleet, KeepsAWorkerThatBeats) {
  ServerOptions options;
  options.policy.heartbeat = absl::Milliseconds(100);
  options.policy.silence = absl::Seconds(2);
  const TestServer server(options);
  FakeWorker worker(server, "alive");
  v1::WorkerMessage beat;
  beat.mutable_heartbeat();
  for (int i = 0; i < 30; ++i) {
    worker.send(beat);
    v1::CoordinatorMessage reply;
    ASSERT_TRUE(worker.receive(v1::CoordinatorMessage::kHeartbeat, reply));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(server.engine->state().sessions, 1);
}

TEST(Fleet, TellsWorkersAndWatchersToComeBack) {
  TestServer server;
  const v1::Job job = submit(server, "r");
  FakeWorker worker(server, "builder-1");
  takeLease(worker);
  Watched watched;
  std::thread watcher([&] { watched = watch(server, job.id(), 0); });
  // A call that has not arrived yet is cancelled by gRPC, and told nothing.
  EXPECT_TRUE(eventually([&] { return server.rpc->idle() == absl::ZeroDuration(); }));
  v1::CoordinatorMessage farewell;
  std::thread closer([&] { server.rpc->close(absl::Seconds(30)); });
  EXPECT_TRUE(worker.receive(v1::CoordinatorMessage::kFarewell, farewell));
  EXPECT_TRUE(farewell.farewell().come_back());
  closer.join();
  watcher.join();
  EXPECT_EQ(watched.status.error_code(), StatusCode::UNAVAILABLE);
}

/// A folder on a disk that is as full as the test says.
class FullBlobs : public PassingBlobs {
 public:
  FullBlobs(BlobFolder *blobs, const std::atomic<bool> &isFull) : PassingBlobs(blobs), isFull_(isFull) {}
  int64_t freeBytes() const override { return isFull_ ? reserveBytes() + 10 : PassingBlobs::freeBytes(); }

 private:
  const std::atomic<bool> &isFull_;
};

TEST(Reserve, IsLeftByWhatIsWrittenIntoTheDatabase) {
  std::atomic<bool> isFull{false};
  ServerOptions options;
  options.wrapBlobs = [&](BlobFolder *blobs) { return std::make_unique<FullBlobs>(blobs, isFull); };
  const TestServer server(options);
  const auto jobs = server.jobs();
  const auto records = v1::Records::NewStub(server.channel());
  const v1::SubmitRequest early = compileOf(server.put("model"), "early"), late = compileOf(digestOf("model"), "late");
  v1::ImportRecordsRequest import;
  import.set_request_id("r");
  v1::Record &record = *import.add_records();
  record.set_task("task");
  *record.mutable_target() = someTarget();
  record.set_threads(1);
  record.add_sample_seconds(1);
  v1::Job first, job;
  ASSERT_TRUE(jobs->Submit(newCall().get(), early, &first).ok());
  isFull = true;
  grpc::Status status = jobs->Submit(newCall().get(), late, &job);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "DISK_FULL");
  v1::ImportRecordsResponse imported;
  status = records->Import(newCall().get(), import, &imported);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "DISK_FULL");
  // Whoever repeats a call that was answered hears the answer; what makes room goes on.
  status = jobs->Submit(newCall().get(), early, &job);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.id(), first.id());
  v1::CancelJobRequest cancel;
  cancel.set_id(first.id());
  EXPECT_TRUE(jobs->Cancel(newCall().get(), cancel, &job).ok());
  isFull = false;
  EXPECT_TRUE(jobs->Submit(newCall().get(), late, &job).ok());
  EXPECT_TRUE(records->Import(newCall().get(), import, &imported).ok());
}

/// A store whose listings take as long as the test wants.
class SlowListings : public FailingStore {
 public:
  SlowListings(Store *store, Faults &faults, std::shared_future<void> mayEnd, std::atomic<int> &begun)
      : FailingStore(store, faults), mayEnd_(std::move(mayEnd)), begun_(begun) {}
  absl::StatusOr<v1::ListJobsResponse> jobs(const v1::ListJobsRequest &request, const Shorten &shorten) const override {
    ++begun_;
    mayEnd_.wait();
    return FailingStore::jobs(request, shorten);
  }

 private:
  std::shared_future<void> mayEnd_;
  std::atomic<int> &begun_;
};

TEST(Listings, KeepNobodyElseWaiting) {
  FailingStore::Faults faults;
  std::promise<void> end;
  std::atomic<int> begun{0};
  ServerOptions options;
  options.wrapStore = [&, mayEnd = end.get_future().share()](Store *store) {
    return std::make_unique<SlowListings>(store, faults, mayEnd, begun);
  };
  const TestServer server(options);
  const v1::Job job = submit(server, "r");
  std::vector<std::thread> listings;
  for (int i = 0; i < 8; ++i) {
    listings.emplace_back([&] {
      v1::ListJobsResponse page;
      EXPECT_TRUE(server.jobs()->List(newCall().get(), v1::ListJobsRequest(), &page).ok());
    });
  }
  EXPECT_TRUE(eventually([&] { return begun > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // for the others
  const auto soon = [] {
    auto call = newCall();
    call->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return call;
  };
  v1::FindMissingResponse missing;
  grpc::Status status = server.blobs()->FindMissing(soon().get(), v1::FindMissingRequest(), &missing);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::GetJobRequest get;
  get.set_id(job.id());
  v1::Job found;
  status = server.jobs()->Get(soon().get(), get, &found);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::WatchRequest watch;
  watch.set_id(job.id());
  const auto call = soon();
  const auto stub = server.jobs();
  const auto events = stub->Watch(call.get(), watch);
  v1::WatchResponse event;
  EXPECT_TRUE(events->Read(&event)) << "a watch hears of its job";
  call->TryCancel();
  events->Finish();
  end.set_value();
  for (std::thread &listing : listings) listing.join();
}

}  // namespace
}  // namespace hone::server::testing
