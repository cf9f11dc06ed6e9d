// Bytes and requests as nobody should send them: each is answered with INVALID_ARGUMENT and a sentence, and the server
// lives on.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using grpc::StatusCode;

constexpr std::pair<const char *, bool> kMethods[] = {
    // Path, and whether any bytes at all are a wrong request.
    {"/hone.v1.Blobs/FindMissing", false}, {"/hone.v1.Blobs/Upload", true},   {"/hone.v1.Blobs/QueryUpload", true},
    {"/hone.v1.Blobs/Download", true},     {"/hone.v1.Blobs/Import", true},   {"/hone.v1.Blobs/Locate", true},
    {"/hone.v1.Jobs/Submit", true},        {"/hone.v1.Jobs/Get", true},       {"/hone.v1.Jobs/List", false},
    {"/hone.v1.Jobs/Watch", true},         {"/hone.v1.Jobs/Cancel", true},    {"/hone.v1.Jobs/Attempts", true},
    {"/hone.v1.Fleet/Attach", true},       {"/hone.v1.Fleet/List", false},    {"/hone.v1.Fleet/Drain", true},
    {"/hone.v1.Records/Query", false},     {"/hone.v1.Records/Import", true}, {"/hone.v1.Records/Export", false},
};

bool isAlive(const TestServer &server) {
  v1::Capabilities capabilities;
  return v1::Server::NewStub(server.channel())
      ->GetCapabilities(newCall().get(), v1::GetCapabilitiesRequest(), &capabilities)
      .ok();
}

TEST(Abuse, AnswersBytesThatAreNoMessage) {
  const TestServer server;
  const auto channel = server.channel();
  std::string nested;
  for (int i = 0; i < 300; ++i) nested = std::string("\x0b") + nested + "\x0c";
  const std::string samples[] = {"\xff\xff\xff\xff", std::string("\x0a\x7f") + "short", "\x0a\x02\xc3\x28",
                                 "\x12\x02\xc3\x28", std::string(100, '\x0b'),          nested};
  for (const auto &[method, isAlwaysWrong] : kMethods)
    for (const std::string &bytes : samples) {
      const grpc::Status status = sendBytes(channel, method, bytes);
      if (status.ok() && !isAlwaysWrong) continue;  // what is not known is skipped, and the rest is a request
      EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT)
          << method << ": " << status.error_code() << " " << status.error_message();
      EXPECT_FALSE(status.error_message().empty()) << method;
      EXPECT_FALSE(detailOf(status).request_id().empty()) << method;
    }
  EXPECT_TRUE(isAlive(server));
}

TEST(Abuse, SurvivesRandomBytes) {
  const TestServer server;
  const auto channel = server.channel();
  const char *text = getenv("HONE_TEST_SEED");
  const unsigned seed = text != nullptr ? static_cast<unsigned>(atoi(text)) : std::random_device{}();
  const char *mode = getenv("HONE_TEST_MODE");
  const int rounds = mode != nullptr && std::string(mode) == "full" ? 500 : 20;
  printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string submit = compileOf(digestOf("x"), "r").SerializeAsString();
  for (int round = 0; round < rounds; ++round)
    for (const auto &[method, isAlwaysWrong] : kMethods) {
      std::string bytes = round % 2 == 0 ? submit : std::string(random() % 200, '\0');
      for (char &c : bytes)
        if (round % 2 == 1 || random() % 30 == 0) c = static_cast<char>(random());
      const grpc::Status status = sendBytes(channel, method, bytes);
      EXPECT_TRUE(status.ok() || status.error_code() == StatusCode::INVALID_ARGUMENT ||
                  status.error_code() == StatusCode::FAILED_PRECONDITION ||
                  status.error_code() == StatusCode::NOT_FOUND || status.error_code() == StatusCode::UNIMPLEMENTED ||
                  status.error_code() == StatusCode::RESOURCE_EXHAUSTED)
          << method << ": " << status.error_code() << " " << status.error_message();
    }
  EXPECT_TRUE(isAlive(server));
}

TEST(Abuse, RefusesAMessageBeyondTheLimit) {
  const TestServer server;
  const grpc::Status status = sendBytes(server.channel(), "/hone.v1.Jobs/Submit", std::string((4 << 20) + 100, '\0'));
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(isAlive(server));
}

using Change = std::function<void(v1::SubmitRequest &)>;

TEST(Abuse, ChecksEveryFieldOfASubmission) {
  const TestServer server;
  const v1::SubmitRequest good = compileOf(server.put("model"), "r");
  const auto stub = server.jobs();
  const std::vector<std::pair<const char *, Change>> changes = {
      {"request_id", [](auto &r) { r.clear_request_id(); }},
      {"request_id", [](auto &r) { r.set_request_id(std::string(65, 'a')); }},
      {"request_id", [](auto &r) { r.set_request_id("a b"); }},
      {"spec", [](auto &r) { r.clear_spec(); }},
      {"spec", [](auto &r) { r.mutable_spec()->clear_kind(); }},
      {"priority", [](auto &r) { r.set_priority(101); }},
      {"priority", [](auto &r) { r.set_priority(INT32_MIN); }},
      {"deadline_seconds", [](auto &r) { r.set_deadline_seconds(UINT32_MAX); }},
      {"label", [](auto &r) { r.set_label(std::string(257, 'x')); }},
      {"model", [](auto &r) { r.mutable_spec()->mutable_compile()->clear_model(); }},
      {"", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_model()->set_size_bytes(-1); }},
      {"", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_model()->set_sha256(std::string(64, 'A')); }},
      {"", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_model()->set_sha256("../../../etc/passwd"); }},
      {"data file",
       [](auto &r) { r.mutable_spec()->mutable_compile()->add_data_files()->set_location(std::string(1025, 'x')); }},
      {"data_files", [](auto &r) { r.mutable_spec()->mutable_compile()->add_data_files()->set_location("w"); }},
      {"given twice",
       [](auto &r) {
         v1::CompileJob &job = *r.mutable_spec()->mutable_compile();
         for (int i = 0; i < 2; ++i) *job.add_data_files()->mutable_digest() = job.model();
       }},
      {"the number of data_files",
       [](auto &r) {
         for (int i = 0; i < 1001; ++i) r.mutable_spec()->mutable_compile()->add_data_files();
       }},
      {"target_description",
       [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->clear_target_description(); }},
      {"opt_level", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->set_opt_level(4); }},
      {"opt_level", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->set_opt_level(-1); }},
      {"threads", [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->set_threads(-1); }},
      {"dimension",
       [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->add_input_shapes()->add_dims(-7); }},
      {"'axes'",
       [](auto &r) { r.mutable_spec()->mutable_compile()->mutable_options()->add_bound_inputs()->set_name("axes"); }},
      {"bound inputs",
       [](auto &r) {
         auto &input = *r.mutable_spec()->mutable_compile()->mutable_options()->add_bound_inputs();
         input.mutable_tensor()->set_data(std::string((1 << 20) + 1, 'x'));
       }},
      {"cores",
       [](auto &r) {
         r.mutable_spec()->mutable_compile()->mutable_options()->mutable_target_description()->set_cores(-1);
       }},
      {"artifact", [](auto &r) { r.mutable_spec()->mutable_run()->set_key("board"); }},
      {"key", [](auto &r) { *r.mutable_spec()->mutable_run()->mutable_artifact() = digestOf("x"); }},
      {"fill_mode",
       [](auto &r) {
         *r.mutable_spec()->mutable_run()->mutable_artifact() = digestOf("x");
         r.mutable_spec()->mutable_run()->set_key("board");
         r.mutable_spec()->mutable_run()->mutable_options()->set_fill_mode(static_cast<v1::Run::FillMode>(77));
       }},
      {"repeat",
       [](auto &r) {
         *r.mutable_spec()->mutable_run()->mutable_artifact() = digestOf("x");
         r.mutable_spec()->mutable_run()->set_key("board");
         r.mutable_spec()->mutable_run()->mutable_options()->set_repeat(-1);
       }},
  };
  for (const auto &[word, change] : changes) {
    v1::SubmitRequest request = good;
    change(request);
    v1::Job job;
    const grpc::Status status = stub->Submit(newCall().get(), request, &job);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << word << ": " << status.error_message();
    EXPECT_NE(status.error_message().find(word), std::string::npos) << word << ": " << status.error_message();
  }
  v1::Job job;
  EXPECT_TRUE(stub->Submit(newCall().get(), good, &job).ok());
}

TEST(Abuse, ChecksEveryWordOfAWorker) {
  const TestServer server;
  const auto stub = server.fleet();
  const auto endOf = [&](const std::vector<v1::WorkerMessage> &messages) {
    const auto context = newCall("");
    const auto stream = stub->Attach(context.get());
    for (const v1::WorkerMessage &message : messages) stream->Write(message);
    v1::CoordinatorMessage answer;
    while (stream->Read(&answer)) continue;
    return stream->Finish();
  };
  v1::WorkerMessage hello;
  *hello.mutable_hello() = helloOf("one", v1::ROLE_BUILDER);
  v1::WorkerMessage beat;
  beat.mutable_heartbeat();
  EXPECT_EQ(endOf({beat}).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(endOf({v1::WorkerMessage()}).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(endOf({hello, hello}).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(endOf({hello, v1::WorkerMessage()}).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::WorkerMessage wrong;
  wrong.mutable_result()->set_task(-1);
  EXPECT_EQ(endOf({hello, wrong}).error_code(), StatusCode::INVALID_ARGUMENT);
  wrong.mutable_result()->set_task(1);
  wrong.mutable_result()->set_epoch(1);
  wrong.mutable_result()->mutable_result()->set_outcome(static_cast<v1::Result::Outcome>(99));
  EXPECT_EQ(endOf({hello, wrong}).error_code(), StatusCode::INVALID_ARGUMENT);
  wrong.mutable_result()->mutable_result()->set_outcome(v1::Result::DONE);
  wrong.mutable_result()->set_log(std::string(1 << 20, 'x'));
  EXPECT_EQ(endOf({hello, wrong}).error_code(), StatusCode::INVALID_ARGUMENT);
  for (const auto &change : std::vector<std::function<void(v1::Hello &)>>{
           [](auto &h) { h.clear_name(); }, [](auto &h) { h.set_name("a\nb"); }, [](auto &h) { h.clear_roles(); },
           [](auto &h) { h.add_roles(static_cast<v1::Role>(9)); }, [](auto &h) { h.add_roles(v1::ROLE_BUILDER); },
           [](auto &h) { h.add_roles(v1::ROLE_DEVICE); }, [](auto &h) { h.set_builder_slots(-1); },
           [](auto &h) { h.set_builder_slots(1 << 30); }, [](auto &h) { h.clear_target(); },
           [](auto &h) { h.set_memory_bytes(-1); }, [](auto &h) { h.add_held()->set_task(-5); }}) {
    v1::WorkerMessage changed = hello;
    change(*changed.mutable_hello());
    EXPECT_EQ(endOf({changed}).error_code(), StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_TRUE(eventually([&] { return server.engine->state().sessions == 0; }));
}

TEST(Abuse, ChecksPagesListsAndRecords) {
  const TestServer server;
  v1::ListJobsRequest jobs;
  v1::ListJobsResponse jobsResponse;
  jobs.set_page_size(-1);
  EXPECT_EQ(server.jobs()->List(newCall().get(), jobs, &jobsResponse).error_code(), StatusCode::INVALID_ARGUMENT);
  jobs.set_page_size(0);
  jobs.add_states(static_cast<v1::JobState>(42));
  EXPECT_EQ(server.jobs()->List(newCall().get(), jobs, &jobsResponse).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::ListWorkersRequest workers;
  v1::ListWorkersResponse workersResponse;
  workers.set_page_token("forged");
  EXPECT_EQ(server.fleet()->List(newCall().get(), workers, &workersResponse).error_code(),
            StatusCode::INVALID_ARGUMENT);
  v1::FindMissingRequest missing;
  v1::FindMissingResponse missingResponse;
  for (int i = 0; i < 1001; ++i) *missing.add_digests() = digestOf("x");
  EXPECT_EQ(server.blobs()->FindMissing(newCall().get(), missing, &missingResponse).error_code(),
            StatusCode::INVALID_ARGUMENT);
  const auto records = v1::Records::NewStub(server.channel());
  v1::ImportRecordsRequest import;
  v1::ImportRecordsResponse imported;
  import.set_request_id("r");
  v1::Record &record = *import.add_records();
  record.set_task("task");
  *record.mutable_target() = someTarget();
  record.set_threads(1);
  record.add_sample_seconds(-1);
  EXPECT_EQ(records->Import(newCall().get(), import, &imported).error_code(), StatusCode::INVALID_ARGUMENT);
  record.set_sample_seconds(0, 0.5);
  EXPECT_TRUE(records->Import(newCall().get(), import, &imported).ok());
  EXPECT_EQ(imported.added(), 1);
  EXPECT_TRUE(records->Import(newCall().get(), import, &imported).ok());
  EXPECT_EQ(imported.known(), 1);
  v1::StopResponse stopped;
  EXPECT_EQ(v1::Server::NewStub(server.channel())->Stop(newCall().get(), v1::StopRequest(), &stopped).error_code(),
            StatusCode::PERMISSION_DENIED);
  EXPECT_FALSE(server.stopAsked);
}

}  // namespace
}  // namespace hone::server::testing
