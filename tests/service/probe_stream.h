// One call of any method of the service, step by step, with messages as JSON (bytes in base64) or as raw bytes: a
// client that may do what no honest client does. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "nlohmann/json.hpp"

namespace hone::test {

class ProbeStream {
 public:
  struct Settings {
    std::string method;  ///< "Jobs/Submit"
    std::map<std::string, std::string> metadata;
    double deadlineSeconds = 60;
  };
  static absl::StatusOr<std::unique_ptr<ProbeStream>> open(const std::shared_ptr<grpc::Channel> &channel,
                                                           const Settings &settings);
  ~ProbeStream();
  ProbeStream(const ProbeStream &) = delete;
  ProbeStream &operator=(const ProbeStream &) = delete;

  /// True once the message is on its way; false: the call has ended, or \p seconds have passed.
  absl::StatusOr<bool> send(const nlohmann::json &message, double seconds);
  bool sendRaw(const std::string &bytes, double seconds);
  void sendNoMore();
  /// {"message": …}, {"waiting": true} when \p seconds have passed, or {"code": …, "sentence": …, "detail": …} at the
  /// end of the call.
  nlohmann::json receive(double seconds);
  void cancel() { context_.TryCancel(); }

 private:
  enum Step { kStart, kWrite, kWritesDone, kRead, kFinish, kSteps };
  ProbeStream() = default;
  bool waitFor(Step step, double seconds);
  void *tag(Step step) { return &states_[step]; }
  nlohmann::json end();

  struct State {
    bool isPending = false;
    bool isGood = false;
  };
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  const google::protobuf::MethodDescriptor *method_ = nullptr;
  State states_[kSteps];
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  bool isReadOpen_ = false;
  bool isFinished_ = false;
};

}  // namespace hone::test
