// hone-server as a process: what it refuses, how it ends, what it shows.
#include "tests/server/rpc/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using Words = std::vector<std::string>;

// A server on a port of its own, with short times.
class Coordinator {
 public:
  explicit Coordinator(const Words &more = {}, const Words &environment = {}) {
    Words words = {"--data",     data(),    "--listen",    "127.0.0.1:0",       "--port-file",
                   file("port"), "--admin", "127.0.0.1:0", "--admin-port-file", file("admin")};
    words.insert(words.end(), more.begin(), more.end());
    program = std::make_unique<Program>(HONE_SERVER_PROGRAM, words, file("log"), environment);
    EXPECT_TRUE(eventually([&] { return !address().empty() || !program->isRunning(); })) << program->log();
  }

  std::string file(const std::string &name) const { return (folder.path() / name).string(); }
  std::string data() const { return file("data"); }
  std::string address() const { return line(file("port")); }
  std::string admin() const { return line(file("admin")); }
  std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
  }

  Scratch folder = Scratch::inMemory();
  std::unique_ptr<Program> program;

 private:
  static std::string line(const std::string &path) {
    std::string text = readFile(path);
    return text.ends_with('\n') ? text.substr(0, text.size() - 1) : "";
  }
};

// Runs to its end: the exit code and what it wrote.
std::pair<int, std::string> run(const Scratch &folder, const Words &words) {
  static int number = 0;
  const std::string log = (folder.path() / ("out-" + std::to_string(number++))).string();
  Program program(HONE_SERVER_PROGRAM, words, log);
  return {program.wait().value_or(-1), program.log()};
}

// The whole sentence is the last line.
std::string lastLine(const std::string &text) {
  const size_t end = text.find_last_not_of('\n');
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
}

TEST(Program, RefusesWrongUsageAndAddresses) {
  const Scratch folder = Scratch::inMemory();
  const std::string data = (folder.path() / "data").string();
  struct Case {
    Words words;
    int code;
    std::string has;
  };
  for (const auto &[words, code, has] :
       {Case{{"--listen", "0.0.0.0:9190"}, 6, "ssh -L"}, Case{{"--listen", "[::]:9190"}, 6, "unix socket"},
        Case{{"--listen", "example.org:9190"}, 6, "loopback"}, Case{{"--admin", "0.0.0.0:9100"}, 6, "loopback"},
        Case{{"--listen", "nonsense"}, 2, "HOST:PORT"}, Case{{"--heartbeat", "soon"}, 2, "--heartbeat"},
        Case{{"--no-such-flag"}, 2, "--no-such-flag"}, Case{{"--config", "/nonexistent/file"}, 2, "/nonexistent/file"},
        Case{{"--private"}, 2, "--socket"}}) {
    Words all = {"--data", data};
    all.insert(all.end(), words.begin(), words.end());
    const auto [ended, text] = run(folder, all);
    EXPECT_EQ(ended, code) << words[0] << ": " << text;
    EXPECT_TRUE(lastLine(text).starts_with("error: ")) << text;
    EXPECT_NE(lastLine(text).find(has), std::string::npos) << text;
  }
  EXPECT_FALSE(std::filesystem::exists(data)) << "what is refused leaves no trace";
}

TEST(Program, RefusesAPortAndAFolderInUse) {
  Coordinator one;
  const Scratch folder = Scratch::inMemory();
  auto [code, text] = run(folder, {"--data", (folder.path() / "d").string(), "--listen", one.address()});
  EXPECT_EQ(code, 5) << text;
  EXPECT_NE(text.find("in use"), std::string::npos) << text;
  std::tie(code, text) = run(folder, {"--data", one.data(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(code, 5) << text;
  EXPECT_NE(text.find(std::to_string(one.program->pid())), std::string::npos) << text;
}

TEST(Program, ReadsFileEnvironmentAndFlagsInThatOrder) {
  const Scratch folder = Scratch::inMemory();
  const std::string config = (folder.path() / "config").string();
  std::ofstream(config) << "# a comment\nmax-blob-bytes = \"1MiB\"\nmax-queued-jobs = 11\nheartbeat = \"7s\"\n"
                        << "uploads-per-user = 3\n";
  Coordinator one({"--config", config, "--max-queued-jobs", "33"},
                  {"HONE_SERVER_MAX_QUEUED_JOBS=22", "HONE_SERVER_MAX_RUNNING_JOBS=44"});
  v1::Capabilities capabilities;
  ASSERT_TRUE(v1::Server::NewStub(one.channel())
                  ->GetCapabilities(newCall().get(), v1::GetCapabilitiesRequest(), &capabilities)
                  .ok())
      << one.program->log();
  EXPECT_EQ(capabilities.max_blob_bytes(), 1 << 20);
  EXPECT_EQ(capabilities.quota().max_queued_jobs(), 33);
  EXPECT_EQ(capabilities.quota().max_running_jobs(), 44);
  EXPECT_EQ(capabilities.user(), "ann");
  EXPECT_FALSE(capabilities.is_private());
  EXPECT_TRUE(capabilities.staging_folder().empty());
  std::ofstream(config) << "no-such-option = 1\n";
  const auto [code, text] = run(folder, {"--config", config, "--data", (folder.path() / "d").string()});
  EXPECT_EQ(code, 2);
  EXPECT_NE(text.find("no-such-option"), std::string::npos) << text;
}

TEST(Program, ShowsMetricsHealthAndReadiness) {
  Coordinator one;
  EXPECT_EQ(get(one.admin(), "/healthz").first, 200);
  EXPECT_EQ(get(one.admin(), "/readyz").first, 200);
  EXPECT_EQ(get(one.admin(), "/etc/passwd").first, 404);
  const auto stub = v1::Blobs::NewStub(one.channel());
  ASSERT_TRUE(upload(*stub, digestOf("model"), "model", "u").ok());
  v1::Job job;
  ASSERT_TRUE(v1::Jobs::NewStub(one.channel())->Submit(newCall().get(), compileOf(digestOf("model"), "r"), &job).ok());
  const std::string page = get(one.admin(), "/metrics").second;
  for (const char *line : {"hone_jobs_submitted_total{kind=\"compile\"} 1", "hone_blob_bytes_written_total 5",
                           "hone_tasks_pending 1", "hone_workers{state=\"ready\"} 0", "hone_queue_depth{key=\"\"} 1",
                           "hone_build_info{version=", "hone_calls_total{code=\"OK\",method=\"Jobs.Submit\"} 1",
                           "process_resident_memory_bytes "})
    EXPECT_NE(page.find(line), std::string::npos) << line << "\n" << page;
  // No label with an id, a digest or a user.
  EXPECT_EQ(page.find(job.id()), std::string::npos);
  EXPECT_EQ(page.find(digestOf("model").sha256()), std::string::npos);
  EXPECT_EQ(page.find("ann"), std::string::npos);
}

TEST(Program, NamesRequestAndJobInItsLog) {
  Coordinator one({"--log-format", "json"});
  const auto stub = v1::Blobs::NewStub(one.channel());
  ASSERT_TRUE(upload(*stub, digestOf("model"), "model", "u").ok());
  v1::Job job;
  ASSERT_TRUE(v1::Jobs::NewStub(one.channel())
                  ->Submit(newCall("ann", "request-1").get(), compileOf(digestOf("model"), "r"), &job)
                  .ok());
  EXPECT_TRUE(eventually([&] {
    const std::string log = one.program->log();
    const size_t at = log.find("\"request\":\"request-1\"");
    if (at == std::string::npos) return false;
    const size_t end = log.find('\n', at);
    const std::string line = log.substr(log.rfind('\n', at) + 1, end - log.rfind('\n', at) - 1);
    return line.starts_with("{\"time\":\"") && line.ends_with("}") && line.find(job.id()) != std::string::npos;
  })) << one.program->log();
}

TEST(Program, AnswersHealthAndReflection) {
  Coordinator one;
  const auto channel = one.channel();
  std::string answer;
  // HealthCheckRequest{} -> HealthCheckResponse{status: SERVING}.
  grpc::Status status = sendBytes(channel, "/grpc.health.v1.Health/Check", "", &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer, "\x08\x01");
  answer.clear();
  // ServerReflectionRequest{list_services: ""}.
  status = sendBytes(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                     std::string("\x3a\0", 2), &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const char *service : {"hone.v1.Blobs", "hone.v1.Jobs", "hone.v1.Fleet", "hone.v1.Records", "hone.v1.Server"})
    EXPECT_NE(answer.find(service), std::string::npos) << service;
}

TEST(Program, DrainsBeforeItEnds) {
  Coordinator one({"--drain-timeout", "60s", "--heartbeat", "200ms"});
  const auto stub = v1::Blobs::NewStub(one.channel());
  ASSERT_TRUE(upload(*stub, digestOf("model"), "model", "u").ok());
  ASSERT_TRUE(upload(*stub, digestOf("artifact"), "artifact", "u").ok());
  const auto jobs = v1::Jobs::NewStub(one.channel());
  v1::Job job, second;
  ASSERT_TRUE(jobs->Submit(newCall().get(), compileOf(digestOf("model"), "r"), &job).ok());
  const auto fleet = v1::Fleet::NewStub(one.channel());
  const auto context = newCall("");
  const auto stream = fleet->Attach(context.get());
  v1::WorkerMessage message;
  *message.mutable_hello() = helloOf("builder", v1::ROLE_BUILDER);
  stream->Write(message);
  v1::CoordinatorMessage answer;
  while (!answer.has_lease()) ASSERT_TRUE(stream->Read(&answer));
  const v1::Lease lease = answer.lease();

  one.program->signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return get(one.admin(), "/readyz").first == 503; }));
  EXPECT_EQ(get(one.admin(), "/healthz").first, 200);
  std::string health;
  ASSERT_TRUE(sendBytes(one.channel(), "/grpc.health.v1.Health/Check", "", &health).ok());
  EXPECT_EQ(health, "\x08\x02") << "NOT_SERVING";
  EXPECT_TRUE(one.program->isRunning());
  // What is new is taken, and waits for the next start.
  v1::SubmitRequest other = compileOf(digestOf("artifact"), "r2");
  ASSERT_TRUE(jobs->Submit(newCall().get(), other, &second).ok());
  message.mutable_result()->set_task(lease.task());
  message.mutable_result()->set_epoch(lease.epoch());
  message.mutable_result()->mutable_result()->set_outcome(v1::Result::DONE);
  *message.mutable_result()->mutable_artifact() = digestOf("artifact");
  stream->Write(message);
  bool isAcknowledged = false;
  while (stream->Read(&answer)) {
    isAcknowledged = isAcknowledged || answer.has_ack();
    EXPECT_FALSE(answer.has_lease()) << "a lease while draining";
  }
  EXPECT_TRUE(isAcknowledged);
  EXPECT_EQ(one.program->wait(), 0) << one.program->log();
  stream->Finish();
}

TEST(Program, EndsAtOnceAtASecondSignal) {
  Coordinator one({"--drain-timeout", "10m"});
  const auto stub = v1::Blobs::NewStub(one.channel());
  ASSERT_TRUE(upload(*stub, digestOf("model"), "model", "u").ok());
  v1::Job job;
  ASSERT_TRUE(v1::Jobs::NewStub(one.channel())->Submit(newCall().get(), compileOf(digestOf("model"), "r"), &job).ok());
  const auto fleet = v1::Fleet::NewStub(one.channel());
  const auto context = newCall("");
  const auto stream = fleet->Attach(context.get());
  v1::WorkerMessage message;
  *message.mutable_hello() = helloOf("builder", v1::ROLE_BUILDER);
  stream->Write(message);
  v1::CoordinatorMessage answer;
  while (!answer.has_lease()) ASSERT_TRUE(stream->Read(&answer));
  one.program->signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return get(one.admin(), "/readyz").first == 503; }));
  EXPECT_TRUE(one.program->isRunning());
  one.program->signal(SIGINT);
  EXPECT_EQ(one.program->wait(), 130) << one.program->log();
  context->TryCancel();
  stream->Finish();
}

TEST(Program, ReplacesTheSocketOfADeadServer) {
  const Scratch folder = Scratch::inMemory();
  const std::string socket = (folder.path() / "s").string();
  const Words words = {"--data",      (folder.path() / "data").string(), "--listen", "unix:" + socket,
                       "--port-file", (folder.path() / "port").string()};
  for (int round = 0; round < 2; ++round) {
    std::filesystem::remove(folder.path() / "port");
    Program program(HONE_SERVER_PROGRAM, words, (folder.path() / "log").string());
    ASSERT_TRUE(eventually([&] { return !readFile((folder.path() / "port").string()).empty(); })) << program.log();
    if (round == 0) {
      const auto [code, text] = run(folder, {"--data", (folder.path() / "d2").string(), "--listen", "unix:" + socket});
      EXPECT_EQ(code, 5) << text;
    }
    program.signal(SIGKILL);
    EXPECT_EQ(program.wait(), 1000 + SIGKILL);
    EXPECT_TRUE(std::filesystem::exists(socket));
  }
}

TEST(Program, IsPrivateUntilIdle) {
  const Scratch folder = Scratch::inMemory();
  const std::string socket = (folder.path() / "s").string();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  // A hone-worker that does nothing stands beside a copy of the program.
  std::filesystem::create_directories(folder.path() / "bin");
  std::filesystem::copy_file(HONE_SERVER_PROGRAM, folder.path() / "bin/hone-server");
  std::ofstream(folder.path() / "bin/hone-worker")
      << "#!/bin/sh\necho \"$@\" >> " << (folder.path() / "started").string() << "\nexec sleep 600\n";
  std::filesystem::permissions(folder.path() / "bin/hone-worker", std::filesystem::perms::owner_all);
  Program program(
      (folder.path() / "bin/hone-server").string(),
      {"--private", "--data", (folder.path() / "data").string(), "--socket", socket, "--ready-fd", "3", "--idle", "3s"},
      (folder.path() / "log").string(), {}, ends[1]);
  close(ends[1]);
  char said[16] = {};
  ASSERT_EQ(read(ends[0], said, sizeof said), 6) << program.log();
  EXPECT_EQ(std::string(said), "ready\n");
  struct stat status{};
  ASSERT_EQ(stat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  v1::Capabilities capabilities;
  const auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
  ASSERT_TRUE(v1::Server::NewStub(channel)
                  ->GetCapabilities(newCall("somebody-else").get(), v1::GetCapabilitiesRequest(), &capabilities)
                  .ok());
  EXPECT_TRUE(capabilities.is_private());
  EXPECT_NE(capabilities.user(), "somebody-else");
  EXPECT_FALSE(capabilities.staging_folder().empty());
  EXPECT_TRUE(eventually([&] {
    return readFile((folder.path() / "started").string()).find("--server unix:" + socket) != std::string::npos;
  }));
  EXPECT_EQ(program.wait(), 0) << program.log();
  EXPECT_FALSE(std::filesystem::exists(socket));
  close(ends[0]);
}

}  // namespace
}  // namespace hone::server::testing
