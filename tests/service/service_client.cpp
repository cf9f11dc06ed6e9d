#include "tests/service/service_client.h"

#include <random>
#include <thread>

#include "hone/v1/server.pb.h"
#include "tests/service/models.h"

namespace hone::test {

namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr size_t kChunkBytes = 64 << 10;
constexpr seconds kUnaryDeadline{15};
constexpr seconds kStreamDeadline{60};

v1::ErrorDetail detailOf(const grpc::Status &status) {
  v1::ErrorDetail detail;
  if (!detail.ParseFromString(status.error_details())) detail.Clear();
  return detail;
}

// Broken lines have many names. What the server itself refused has details with a reason.
bool mayRepeat(const grpc::Status &status) {
  switch (status.error_code()) {
    case grpc::UNAVAILABLE:
    case grpc::DEADLINE_EXCEEDED:
    case grpc::ABORTED:
      return true;
    case grpc::UNKNOWN:
    case grpc::CANCELLED:
    case grpc::INTERNAL:
      return status.error_details().empty();
    default:
      return detailOf(status).retry_seconds() > 0;
  }
}

// Not only a sleep: a connection comes about while somebody waits for it, or when gRPC looks, every 5 seconds.
void pauseALittle(grpc::Channel &channel) {
  thread_local std::minstd_rand random(std::random_device{}());
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  channel.WaitForConnected(std::chrono::system_clock::now() + std::chrono::milliseconds(random() % 120));
}

json digestJson(const v1::Digest &digest) { return digest.sha256() + ":" + std::to_string(digest.size_bytes()); }

json jobJson(const v1::Job &job) {
  json text{{"job", job.id()},
            {"state", v1::JobState_Name(job.state())},
            {"last_sequence", job.last_sequence()},
            {"attempts", job.attempts()}};
  if (!job.has_result()) return text;
  text["outcome"] = v1::Result::Outcome_Name(job.result().result().outcome());
  text["sentence"] = job.result().result().sentence();
  text["from_cache"] = job.result().from_cache();
  if (job.result().has_artifact()) text["artifact"] = digestJson(job.result().artifact());
  if (job.result().has_outputs()) text["outputs"] = digestJson(job.result().outputs());
  return text;
}

grpc::Status sendBlob(v1::Blobs::Stub &stub, grpc::ClientContext &context, const v1::UploadHeader &header,
                      const std::string &bytes) {
  v1::UploadResponse response;
  auto writer = stub.Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header() = header;
  size_t at = static_cast<size_t>(header.offset());
  bool isOpen = writer->Write(request);
  for (; isOpen && at < bytes.size(); at += kChunkBytes) {
    request.Clear();
    request.set_data(bytes.substr(at, kChunkBytes));
    isOpen = writer->Write(request);
  }
  if (isOpen) writer->WritesDone();
  grpc::Status status = writer->Finish();
  if (status.ok() && response.size_bytes() != header.digest().size_bytes())
    return {grpc::FAILED_PRECONDITION, "the acknowledged size is " + std::to_string(response.size_bytes())};
  return status;
}

}  // namespace

std::string reasonOf(const grpc::Status &status) { return detailOf(status).reason(); }

std::shared_ptr<grpc::Channel> impatientChannel(const std::string &server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // every attempt is to be in the history
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

ServiceClient::ServiceClient(const std::string &server, std::string user, seconds patience, History &history)
    : user_(std::move(user)), patience_(patience), history_(history) {
  channel_ = impatientChannel(server);
  blobs_ = v1::Blobs::NewStub(channel_);
  jobs_ = v1::Jobs::NewStub(channel_);
}

grpc::Status ServiceClient::repeat(const json &about, seconds deadline, const Call &call) {
  const auto end = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    json line = about;
    line["type"] = "invoke";
    const int64_t begun = history_.write(line);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    context.AddMetadata("hone-user", user_);
    json answer = json::object();
    const grpc::Status status = call(context, answer);
    line = about;
    line.update(answer);
    line["begun"] = begun;
    if (status.ok()) {
      line["type"] = "ok";
      history_.write(line);
      return status;
    }
    line["code"] = static_cast<int>(status.error_code());
    line["reason"] = reasonOf(status);
    line["sentence"] = status.error_message();
    const bool isFinal = !mayRepeat(status);
    line["type"] = isFinal ? "fail" : "unknown";
    history_.write(line);
    if (isFinal) return status;
    if (std::chrono::steady_clock::now() > end) {
      line["type"] = "stuck";
      history_.write(line);
      gaveUp_ = true;
      return status;
    }
    pauseALittle(*channel_);
  }
}

bool ServiceClient::isMissing(const v1::Digest &digest, bool &missing) {
  return repeat({{"op", "find"}, {"digest", digestJson(digest)}}, kUnaryDeadline,
                [&](grpc::ClientContext &context, json &answer) {
                  v1::FindMissingRequest request;
                  *request.add_digests() = digest;
                  v1::FindMissingResponse response;
                  const grpc::Status status = blobs_->FindMissing(&context, request, &response);
                  missing = response.missing_size() > 0;
                  answer["missing"] = missing;
                  return status;
                })
      .ok();
}

bool ServiceClient::provide(const std::string &bytes, const std::string &uploadId) {
  const v1::Digest digest = digestOf(bytes);
  bool missing = false;
  if (!isMissing(digest, missing)) return false;
  if (!missing) return true;
  v1::UploadHeader header;
  *header.mutable_digest() = digest;
  header.set_upload_id(uploadId);
  return repeat({{"op", "upload"}, {"digest", digestJson(digest)}}, kStreamDeadline,
                [&](grpc::ClientContext &context, json &answer) {
                  grpc::ClientContext ask;
                  ask.set_deadline(std::chrono::system_clock::now() + kUnaryDeadline);
                  ask.AddMetadata("hone-user", user_);
                  v1::QueryUploadRequest request;
                  *request.mutable_digest() = digest;
                  request.set_upload_id(uploadId);
                  v1::QueryUploadResponse response;
                  const grpc::Status status = blobs_->QueryUpload(&ask, request, &response);
                  if (!status.ok()) return status;
                  header.set_offset(response.complete() ? 0 : response.committed_bytes());
                  answer["offset"] = header.offset();
                  return sendBlob(*blobs_, context, header, bytes);
                })
      .ok();
}

std::optional<v1::Job> ServiceClient::submit(const v1::SubmitRequest &request, const json &about) {
  v1::Job job;
  json fields = about;
  fields["op"] = "submit";
  fields["request"] = request.request_id();
  fields["user"] = user_;
  const grpc::Status status = repeat(fields, kUnaryDeadline, [&](grpc::ClientContext &context, json &answer) {
    const grpc::Status submitted = jobs_->Submit(&context, request, &job);
    if (submitted.ok()) answer = jobJson(job);
    return submitted;
  });
  if (!status.ok()) return std::nullopt;
  return job;
}

std::optional<v1::Job> ServiceClient::watch(const std::string &id) {
  std::optional<v1::Job> final;
  int64_t seen = 0;
  const grpc::Status status =
      repeat({{"op", "watch"}, {"job", id}}, kStreamDeadline, [&](grpc::ClientContext &context, json &answer) {
        v1::WatchRequest request;
        request.set_id(id);
        request.set_after_sequence(seen);
        auto reader = jobs_->Watch(&context, request);
        v1::WatchResponse response;
        while (reader->Read(&response)) {
          if (response.has_event()) {
            const v1::JobEvent &event = response.event();
            seen = event.sequence();
            history_.write({{"type", "event"},
                            {"job", id},
                            {"sequence", event.sequence()},
                            {"from", v1::JobState_Name(event.from())},
                            {"to", v1::JobState_Name(event.to())}});
          }
          if (response.has_final()) final = response.final();
        }
        const grpc::Status ended = reader->Finish();
        if (ended.ok() && !final.has_value()) return grpc::Status(grpc::ABORTED, "the watch ended without a final job");
        if (final.has_value()) answer = jobJson(*final);
        return ended;
      });
  if (!status.ok()) return std::nullopt;
  return final;
}

bool ServiceClient::cancel(const std::string &id) {
  return repeat({{"op", "cancel"}, {"job", id}}, kUnaryDeadline,
                [&](grpc::ClientContext &context, json &answer) {
                  v1::CancelJobRequest request;
                  request.set_id(id);
                  v1::Job job;
                  const grpc::Status status = jobs_->Cancel(&context, request, &job);
                  if (status.ok()) answer = jobJson(job);
                  return status;
                })
      .ok();
}

std::optional<std::string> ServiceClient::download(const v1::Digest &digest) {
  std::string bytes;
  const grpc::Status status = repeat({{"op", "download"}, {"digest", digestJson(digest)}}, kStreamDeadline,
                                     [&](grpc::ClientContext &context, json &answer) {
                                       v1::DownloadRequest request;
                                       *request.mutable_digest() = digest;
                                       request.set_offset(static_cast<int64_t>(bytes.size()));
                                       answer["offset"] = request.offset();
                                       auto reader = blobs_->Download(&context, request);
                                       v1::DownloadResponse response;
                                       while (reader->Read(&response)) bytes += response.data();
                                       const grpc::Status ended = reader->Finish();
                                       if (ended.ok()) answer["received"] = digestJson(digestOf(bytes));
                                       return ended;
                                     });
  if (!status.ok()) return std::nullopt;
  return bytes;
}

}  // namespace hone::test
