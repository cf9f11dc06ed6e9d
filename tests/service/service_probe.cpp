// The hands of the Python tests on the wire: commands as JSON lines on the standard input, one answer line for each.
//   {"do": "open", "stream": NAME, "method": "Jobs/Submit", "metadata": {…}, "deadline": SECONDS}
//   {"do": "send", "stream": NAME, "message": {…} | "raw": BASE64, "seconds": S}    -> {"sent": BOOL}
//   {"do": "close", "stream": NAME}                                                 no more messages from here
//   {"do": "receive", "stream": NAME, "seconds": S}                                 -> see ProbeStream::receive
//   {"do": "drop", "stream": NAME}                                                  cancels the call
// Ends at the end of its input.
#include <iostream>
#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/escaping.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"
#include "hone/v1/records.grpc.pb.h"
#include "hone/v1/server.grpc.pb.h"
#include "tests/service/probe_stream.h"

namespace {

using hone::test::ProbeStream;
using nlohmann::json;
using Streams = std::map<std::string, std::unique_ptr<ProbeStream>>;

constexpr double kPatience = 60;

json problem(const std::string &text) { return {{"problem", text}}; }

json openStream(Streams &streams, const std::shared_ptr<grpc::Channel> &channel, const json &command) {
  ProbeStream::Settings settings;
  settings.method = command["method"];
  settings.deadlineSeconds = command.value("deadline", kPatience);
  settings.metadata = command.value("metadata", settings.metadata);
  auto stream = ProbeStream::open(channel, settings);
  if (!stream.ok()) return problem(stream.status().ToString());
  streams[command["stream"]] = *std::move(stream);
  return {{"opened", true}};
}

json send(ProbeStream &stream, const json &command) {
  const double seconds = command.value("seconds", kPatience);
  if (command.contains("raw")) {
    std::string bytes;
    if (!absl::Base64Unescape(command["raw"].get<std::string>(), &bytes)) return problem("raw is not base64");
    return {{"sent", stream.sendRaw(bytes, seconds)}};
  }
  const absl::StatusOr<bool> sent = stream.send(command["message"], seconds);
  if (!sent.ok()) return problem(sent.status().ToString());
  return {{"sent", *sent}};
}

json obey(Streams &streams, const std::shared_ptr<grpc::Channel> &channel, const json &command) {
  const std::string what = command["do"];
  if (what == "open") return openStream(streams, channel, command);
  const auto found = streams.find(command["stream"]);
  if (found == streams.end()) return problem("no such stream");
  if (what == "send") return send(*found->second, command);
  if (what == "receive") return found->second->receive(command.value("seconds", kPatience));
  if (what == "close") {
    found->second->sendNoMore();
  } else if (what == "drop") {
    streams.erase(found);
  } else {
    return problem("unknown command " + what);
  }
  return json::object();
}

// Linked in, so that their descriptors are known.
void touchServices() {
  for (const auto *descriptor : {hone::v1::Digest::descriptor()->file(), hone::v1::Hello::descriptor()->file(),
                                 hone::v1::Job::descriptor()->file(), hone::v1::Record::descriptor()->file(),
                                 hone::v1::Capabilities::descriptor()->file()})
    if (descriptor == nullptr) abort();
}

std::shared_ptr<grpc::Channel> channelTo(const std::string &server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 250);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

int main(int argc, char **argv) {
  std::string server;
  CLI::App app("speaks to a coordinator for a test");
  app.add_option("--server", server)->required();
  CLI11_PARSE(app, argc, argv);
  touchServices();
  const auto channel = channelTo(server);
  Streams streams;
  std::string line;
  while (std::getline(std::cin, line)) {
    const json command = json::parse(line, nullptr, false);
    const json answer = command.is_object() ? obey(streams, channel, command) : problem("not an object");
    std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  }
  return 0;
}
