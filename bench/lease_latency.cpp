// How long a job without work in it takes from its submission to its durable result: N run jobs of one small artifact,
// one after the other, and when each step was seen. Prints a JSON object for each job: instants in microseconds of the
// wall clock, which client, coordinator and worker on one machine share. bench/overhead.py makes a table of them.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "common/sha256.h"
#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"
#include "nlohmann/json.hpp"

namespace hone::bench {
namespace {

constexpr std::chrono::seconds kPatience(60);

int64_t nowMicros() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

[[noreturn]] void fail(const std::string &sentence) {
  fprintf(stderr, "error: %s\n", sentence.c_str());
  exit(1);
}

void check(const char *call, const grpc::Status &status) {
  if (!status.ok()) fail(std::string(call) + ": " + status.error_message());
}

void prepare(grpc::ClientContext &context) {
  context.AddMetadata("hone-user", "latency");
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  context.set_wait_for_ready(true);
}

class Client {
 public:
  explicit Client(const std::string &address)
      : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        blobs_(v1::Blobs::NewStub(channel_)),
        jobs_(v1::Jobs::NewStub(channel_)) {}

  v1::Digest upload(const std::string &bytes) {
    v1::UploadRequest request;
    v1::Digest &digest = *request.mutable_header()->mutable_digest();
    digest.set_sha256(sha256Hex(bytes));
    digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
    request.mutable_header()->set_upload_id("latency");
    request.set_data(bytes);
    grpc::ClientContext context;
    prepare(context);
    v1::UploadResponse response;
    const auto writer = blobs_->Upload(&context, &response);
    writer->Write(request);
    writer->WritesDone();
    check("Upload", writer->Finish());
    return digest;
  }

  nlohmann::json run(const v1::SubmitRequest &request) {
    nlohmann::json seen{{"sent", nowMicros()}};
    v1::Job job;
    {
      grpc::ClientContext context;
      prepare(context);
      check("Submit", jobs_->Submit(&context, request, &job));
    }
    seen["answered"] = nowMicros();
    watch(job, seen);
    seen["told"] = nowMicros();
    const v1::Result &result = job.result().result();
    if (job.state() != v1::JOB_SUCCEEDED) fail("a job did not succeed: " + result.sentence());
    addAttempt(job, seen);
    return seen;
  }

 private:
  void watch(v1::Job &job, nlohmann::json &seen) {
    grpc::ClientContext context;
    prepare(context);
    v1::WatchRequest request;
    request.set_id(job.id());
    const auto reader = jobs_->Watch(&context, request);
    for (v1::WatchResponse message; reader->Read(&message);) {
      if (!message.has_final()) continue;
      job = message.final();
      return context.TryCancel();
    }
    check("Watch", reader->Finish());
    fail("a watch ended before its job");
  }

  // By the coordinator's clock: when it decided to grant the lease, and that the result counts.
  void addAttempt(const v1::Job &job, nlohmann::json &seen) {
    grpc::ClientContext context;
    prepare(context);
    v1::AttemptsRequest request;
    request.set_id(job.id());
    v1::AttemptsResponse response;
    check("Attempts", jobs_->Attempts(&context, request, &response));
    if (response.attempts_size() != 1) fail("a job was attempted more than once");
    seen["task"] = response.attempts(0).task();
    seen["granted"] = response.attempts(0).granted_micros();
    seen["ended"] = response.attempts(0).ended_micros();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Blobs::Stub> blobs_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
};

}  // namespace
}  // namespace hone::bench

int main(int argc, char **argv) {
  using namespace hone;
  std::string server, key, artifact;
  int rounds = 50, pauseMs = 300;
  CLI::App app("How long jobs without work in them take, one after the other");
  app.add_option("--server", server, "the coordinator's address")->required();
  app.add_option("--key", key, "of the device")->required();
  app.add_option("--artifact", artifact, "what is run")->required();
  app.add_option("--rounds", rounds, "jobs");
  app.add_option("--pause-ms", pauseMs, "before each job");
  CLI11_PARSE(app, argc, argv);
  std::ifstream file(artifact, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (bytes.empty()) bench::fail("cannot read '" + artifact + "'");
  bench::Client client(server);
  v1::SubmitRequest request;
  v1::RunJob &run = *request.mutable_spec()->mutable_run();
  *run.mutable_artifact() = client.upload(bytes);
  run.set_key(key);
  for (int round = 0; round < rounds; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pauseMs));
    request.set_request_id("latency-" + std::to_string(bench::nowMicros()) + "-" + std::to_string(round));
    // Other inputs, other outputs: a result that is stored already would cost less.
    run.mutable_options()->set_seed(static_cast<uint64_t>(round));
    puts(client.run(request).dump().c_str());
  }
  return 0;
}
