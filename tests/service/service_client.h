// The calls of a stubborn client: each is repeated, the same to the letter, until it succeeds, is refused for good, or
// patience ends; every attempt and its answer goes to the history. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"
#include "tests/service/history.h"

namespace hone::test {

class ServiceClient {
 public:
  ServiceClient(const std::string &server, std::string user, std::chrono::seconds patience, History &history);

  /// True: the blob is durable, by FindMissing or by an upload that was acknowledged.
  bool provide(const std::string &bytes, const std::string &uploadId);
  std::optional<v1::Job> submit(const v1::SubmitRequest &request, const nlohmann::json &about);
  /// Until the job has ended.
  std::optional<v1::Job> watch(const std::string &job);
  bool cancel(const std::string &job);
  std::optional<std::string> download(const v1::Digest &digest);

  /// Some call ran out of patience.
  bool gaveUp() const { return gaveUp_; }

 private:
  using Call = std::function<grpc::Status(grpc::ClientContext &context, nlohmann::json &answer)>;
  grpc::Status repeat(const nlohmann::json &about, std::chrono::seconds deadline, const Call &call);
  bool isMissing(const v1::Digest &digest, bool &missing);

  const std::string user_;
  const std::chrono::seconds patience_;
  History &history_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Blobs::Stub> blobs_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
  std::atomic<bool> gaveUp_{false};
};

/// A channel that dials again soon after a break.
std::shared_ptr<grpc::Channel> impatientChannel(const std::string &server);
/// Of a status that the server made itself; empty when the transport made it.
std::string reasonOf(const grpc::Status &status);

}  // namespace hone::test
