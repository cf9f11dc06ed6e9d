#include "bench/fleet/jobs.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"

namespace hone::bench {
namespace {

constexpr char kUser[] = "simulation";
constexpr char kContent[] = "hone";  // and its digest; the coordinator compares them
constexpr char kDigest[] = "6528f84b7b8653d76da038054bd4338080d5f616981c99b5bc602a17db492b41";
constexpr int kPageSize = 1000;
constexpr int64_t kTasksPerJob = 4000;  // a job may have 4,096
constexpr std::chrono::seconds kPatience(120);

absl::Status toStatus(const grpc::Status &status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

void prepare(grpc::ClientContext &context) {
  context.AddMetadata("hone-user", kUser);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
}

/// One Submit under way.
struct Submission {
  grpc::ClientContext context;
  v1::Job job;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::Job>> reader;
};

class GrpcClient : public Client {
 public:
  explicit GrpcClient(const std::string &address)
      : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        blobs_(v1::Blobs::NewStub(channel_)),
        jobs_(v1::Jobs::NewStub(channel_)),
        fleet_(v1::Fleet::NewStub(channel_)) {
    artifact_.set_sha256(kDigest);
    artifact_.set_size_bytes(sizeof kContent - 1);
  }

  absl::Status upload() override;
  absl::Status submit(const std::string &key, int64_t first, int64_t count, int atOnce) override;
  absl::Status submitProbes(int64_t tasks, int32_t items) override;
  absl::StatusOr<Outcome> outcome() override;
  absl::Status waitUntilGone(const std::string &worker) override;

 private:
  void begin(grpc::CompletionQueue &events, const std::string &key, int64_t number);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Blobs::Stub> blobs_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
  std::unique_ptr<v1::Fleet::Stub> fleet_;
  v1::Digest artifact_;
};

absl::Status GrpcClient::upload() {
  grpc::ClientContext context;
  prepare(context);
  context.set_wait_for_ready(true);
  v1::UploadResponse response;
  const auto writer = blobs_->Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = artifact_;
  request.mutable_header()->set_upload_id("simulation");
  request.set_data(kContent);
  writer->Write(request);
  writer->WritesDone();
  return toStatus(writer->Finish());
}

void GrpcClient::begin(grpc::CompletionQueue &events, const std::string &key, int64_t number) {
  auto submission = std::make_unique<Submission>();
  prepare(submission->context);
  v1::SubmitRequest request;
  request.set_request_id(absl::StrCat("item-", number));
  v1::RunJob &run = *request.mutable_spec()->mutable_run();
  *run.mutable_artifact() = artifact_;
  run.set_key(key);
  run.mutable_options()->set_seed(static_cast<uint64_t>(number));
  run.mutable_options()->set_print_time(true);
  submission->reader = jobs_->AsyncSubmit(&submission->context, request, &events);
  Submission *const tag = submission.release();  // the event gives it back
  tag->reader->Finish(&tag->job, &tag->status, tag);
}

absl::Status GrpcClient::submit(const std::string &key, int64_t first, int64_t count, int atOnce) {
  grpc::CompletionQueue events;
  int64_t begun = 0, underWay = 0;
  absl::Status worst;
  while (underWay > 0 || (begun < count && worst.ok())) {
    while (begun < count && underWay < atOnce && worst.ok()) {
      begin(events, key, first + begun++);
      ++underWay;
    }
    void *tag = nullptr;
    bool ok = false;
    if (!events.Next(&tag, &ok)) break;
    const std::unique_ptr<Submission> submission(static_cast<Submission *>(tag));
    --underWay;
    worst.Update(toStatus(submission->status));
  }
  events.Shutdown();
  return worst;
}

absl::Status GrpcClient::submitProbes(int64_t tasks, int32_t items) {
  for (int64_t first = 0; first < tasks; first += kTasksPerJob) {
    grpc::ClientContext context;
    prepare(context);
    v1::SubmitRequest request;
    request.set_request_id(absl::StrCat("probe-", first));
    v1::ProbeJob &probe = *request.mutable_spec()->mutable_probe();
    probe.set_tasks(static_cast<int32_t>(std::min(kTasksPerJob, tasks - first)));
    probe.set_rounds(1);
    probe.set_items(items);
    probe.set_seed(static_cast<uint64_t>(first));
    v1::Job job;
    if (absl::Status status = toStatus(jobs_->Submit(&context, request, &job)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Outcome> GrpcClient::outcome() {
  Outcome outcome;
  std::set<std::string> ids;
  std::string token;
  do {
    grpc::ClientContext context;
    prepare(context);
    v1::ListJobsRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    v1::ListJobsResponse response;
    if (absl::Status status = toStatus(jobs_->List(&context, request, &response)); !status.ok()) return status;
    for (const v1::Job &job : response.jobs()) {
      if (!ids.insert(job.id()).second) ++outcome.repeated;
      ++outcome.jobs;
      outcome.succeeded += job.state() == v1::JOB_SUCCEEDED ? 1 : 0;
      outcome.attempts += job.attempts();
    }
    token = response.next_page_token();
  } while (!token.empty());
  return outcome;
}

absl::Status GrpcClient::waitUntilGone(const std::string &worker) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    grpc::ClientContext context;
    prepare(context);
    v1::ListWorkersRequest request;
    request.set_page_size(kPageSize);
    v1::ListWorkersResponse response;
    if (absl::Status status = toStatus(fleet_->List(&context, request, &response)); !status.ok()) return status;
    const bool isGone = std::none_of(
        response.workers().begin(), response.workers().end(),
        [&](const v1::Worker &known) { return known.name() == worker && known.state() != v1::WORKER_GONE; });
    if (isGone) return absl::OkStatus();
    if (std::chrono::steady_clock::now() > end)
      return absl::DeadlineExceededError(absl::StrCat("worker ", worker, " is still attached"));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

std::unique_ptr<Client> Client::connect(const std::string &address) { return std::make_unique<GrpcClient>(address); }

}  // namespace hone::bench
