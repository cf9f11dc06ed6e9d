#include "server/rpc/call.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/name.h"
#include "server/base/error_detail.h"

namespace hone::server {

namespace {

constexpr char kUserKey[] = "hone-user";
constexpr char kRequestIdKey[] = "hone-request-id";
constexpr char kNobody[] = "anonymous";
constexpr size_t kMostSentence = 4096;  // a status travels in headers, which are limited

Log::Level levelOf(const absl::Status &status, Call::Kind kind) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kind == Call::Kind::Read ? Log::Level::Debug : Log::Level::Info;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
      return Log::Level::Error;
    default:
      return Log::Level::Info;
  }
}

// What a header may hold: the sentence goes through percent encoding, but not beyond the limit of its size.
std::string shorten(std::string_view sentence) { return std::string(sentence.substr(0, kMostSentence)); }

}  // namespace

Call::Call(Site &site, const grpc::CallbackServerContext &context, std::string_view method, Kind kind)
    : site_(site), method_(method), kind_(kind), begun_(site.clock.monotonic()), peer_(context.peer()) {
  if (kind_ != Kind::Worker) site_.activity.begin();
  const auto &metadata = context.client_metadata();
  if (const auto found = metadata.find(kRequestIdKey); found != metadata.end()) {
    requestId_.assign(found->second.data(), found->second.size());
    if (!isName(requestId_, "-_.:")) {
      requestId_.clear();
      opened_ = absl::InvalidArgumentError("the metadata hone-request-id is not 1 to 64 letters, digits and -_.:");
    }
  }
  if (requestId_.empty()) requestId_ = site.requestIds.next();
  user_ = site.isPrivate() ? site.privateUser : kNobody;
  if (const auto found = metadata.find(kUserKey); found != metadata.end() && !site.isPrivate()) {
    user_.assign(found->second.data(), found->second.size());
    if (!isName(user_)) {
      user_ = kNobody;
      opened_ = absl::InvalidArgumentError("the metadata hone-user is not 1 to 64 letters, digits and -_.@+");
    }
  }
}

grpc::Status Call::close(const absl::Status &status) {
  const absl::Duration duration = site_.clock.monotonic() - begun_;
  const std::string code = absl::StatusCodeToString(status.code());
  site_.traffic.called(method_, code, duration);
  const std::string sentence(status.message());
  site_.log.write(levelOf(status, kind_), "call",
                  {{"method", method_},
                   {"request", requestId_},
                   {"job", job_},
                   {"blob", blob_},
                   {"user", user_},
                   {"peer", peer_},
                   {"code", code},
                   {"ms", absl::StrCat(absl::ToInt64Milliseconds(duration))},
                   {"error", sentence}});
  if (kind_ != Kind::Worker) site_.activity.end();
  if (status.ok()) return grpc::Status::OK;
  v1::ErrorDetail detail = detailOf(status);
  detail.set_request_id(requestId_);
  return {static_cast<grpc::StatusCode>(status.code()), shorten(sentence), detail.SerializeAsString()};
}

}  // namespace hone::server
