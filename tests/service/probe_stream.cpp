#include "tests/service/probe_stream.h"

#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/support/byte_buffer.h"
#include "hone/v1/server.pb.h"

namespace hone::test {

namespace {

namespace pb = google::protobuf;
using nlohmann::json;

constexpr double kLong = 600;

std::chrono::system_clock::time_point after(double seconds) {
  return std::chrono::system_clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

grpc::ByteBuffer bufferOf(const std::string &bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string bytesOf(const grpc::ByteBuffer &buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice &slice : slices) bytes.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
  return bytes;
}

std::unique_ptr<pb::Message> newMessage(const pb::Descriptor *type) {
  return std::unique_ptr<pb::Message>(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

json jsonOf(const pb::Message &message) {
  std::string text;
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!pb::util::MessageToJsonString(message, &text, options).ok()) return {{"unprintable", true}};
  return json::parse(text, nullptr, false);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProbeStream>> ProbeStream::open(const std::shared_ptr<grpc::Channel> &channel,
                                                               const Settings &settings) {
  std::string name = "hone.v1." + settings.method;
  name[name.find('/') == std::string::npos ? 0 : name.find('/')] = '.';
  std::unique_ptr<ProbeStream> stream(new ProbeStream());
  stream->method_ = pb::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (stream->method_ == nullptr) return absl::NotFoundError(absl::StrCat("no method ", settings.method));
  stream->context_.set_deadline(after(settings.deadlineSeconds));
  for (const auto &[key, value] : settings.metadata) stream->context_.AddMetadata(key, value);
  grpc::GenericStub stub(channel);
  stream->call_ = stub.PrepareCall(&stream->context_, "/hone.v1." + settings.method, &stream->queue_);
  stream->states_[kStart].isPending = true;
  stream->call_->StartCall(stream->tag(kStart));
  // Writing to a call that could not start is not allowed; its status tells.
  stream->isReadOpen_ = stream->waitFor(kStart, kLong);
  return stream;
}

ProbeStream::~ProbeStream() {
  context_.TryCancel();
  if (!isFinished_) end();
  queue_.Shutdown();
  void *tag = nullptr;
  bool good = false;
  while (queue_.Next(&tag, &good)) continue;
}

bool ProbeStream::waitFor(Step step, double seconds) {
  const auto deadline = after(seconds);
  while (states_[step].isPending) {
    void *tag = nullptr;
    bool good = false;
    if (queue_.AsyncNext(&tag, &good, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
    auto &state = *static_cast<State *>(tag);
    state.isPending = false;
    state.isGood = good;
  }
  return states_[step].isGood;
}

absl::StatusOr<bool> ProbeStream::send(const json &message, double seconds) {
  auto request = newMessage(method_->input_type());
  if (const auto status = pb::util::JsonStringToMessage(message.dump(), request.get()); !status.ok())
    return absl::InvalidArgumentError(status.ToString());
  return sendRaw(request->SerializeAsString(), seconds);
}

bool ProbeStream::sendRaw(const std::string &bytes, double seconds) {
  if (isFinished_ || !isReadOpen_) return false;
  if (states_[kWrite].isPending && !waitFor(kWrite, seconds)) return false;
  states_[kWrite].isPending = true;
  call_->Write(bufferOf(bytes), tag(kWrite));
  return waitFor(kWrite, seconds);
}

void ProbeStream::sendNoMore() {
  if (isFinished_ || !isReadOpen_ || states_[kWritesDone].isPending) return;
  if (states_[kWrite].isPending && !waitFor(kWrite, kLong)) return;
  states_[kWritesDone].isPending = true;
  call_->WritesDone(tag(kWritesDone));
}

json ProbeStream::receive(double seconds) {
  if (!isReadOpen_) return end();
  if (!states_[kRead].isPending) {
    states_[kRead].isPending = true;
    call_->Read(&incoming_, tag(kRead));
  }
  if (!waitFor(kRead, seconds)) {
    if (states_[kRead].isPending) return {{"waiting", true}};
    return end();
  }
  auto response = newMessage(method_->output_type());
  if (!response->ParseFromString(bytesOf(incoming_))) return {{"damaged", true}};
  return {{"message", jsonOf(*response)}};
}

json ProbeStream::end() {
  if (!isFinished_) {
    states_[kFinish].isPending = true;
    call_->Finish(&status_, tag(kFinish));
    waitFor(kFinish, kLong);
    isFinished_ = true;
    isReadOpen_ = false;
  }
  v1::ErrorDetail detail;
  json line{{"code", static_cast<int>(status_.error_code())}, {"sentence", status_.error_message()}};
  if (!status_.error_details().empty() && detail.ParseFromString(status_.error_details()))
    line["detail"] = jsonOf(detail);
  return line;
}

}  // namespace hone::test
