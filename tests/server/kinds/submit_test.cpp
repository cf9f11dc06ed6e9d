// What a request must look like before anybody looks at the service's state.
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "server/kinds/kinds.h"

namespace hone::server::testing {
namespace {

constexpr int64_t kDay = int64_t{24} * 3600;

v1::SubmitRequest compileRequest() {
  v1::SubmitRequest request;
  request.set_request_id("request-1");
  v1::CompileJob &compile = *request.mutable_spec()->mutable_compile();
  compile.mutable_model()->set_sha256(std::string(64, 'a'));
  compile.mutable_options()->mutable_target_description()->set_triple("x86_64-linux-gnu");
  return request;
}

v1::SubmitRequest runRequest() {
  v1::SubmitRequest request;
  request.set_request_id("request-1");
  v1::RunJob &run = *request.mutable_spec()->mutable_run();
  run.mutable_artifact()->set_sha256(std::string(64, 'a'));
  run.set_key("rpi4");
  return request;
}

v1::SubmitRequest benchRequest() {
  v1::SubmitRequest request;
  request.set_request_id("request-1");
  v1::BenchJob &bench = *request.mutable_spec()->mutable_bench();
  for (const char name : {'a', 'b'}) bench.add_artifacts()->set_sha256(std::string(64, name));
  bench.mutable_options()->set_repeat(20);
  bench.set_key("rpi4");
  return request;
}

void refuses(const v1::SubmitRequest &good, const std::function<void(v1::SubmitRequest &)> &spoil,
             absl::string_view sentence) {
  ASSERT_EQ(checkSubmit(good, serviceKinds(), kDay), absl::OkStatus());
  v1::SubmitRequest bad = good;
  spoil(bad);
  const absl::Status status = checkSubmit(bad, serviceKinds(), kDay);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), sentence)) << status;
}

TEST(CheckSubmit, namesTheFieldTheValueAndWhatIsAllowed) {
  const v1::SubmitRequest good = compileRequest();
  refuses(good, [](auto &r) { r.clear_request_id(); }, "request_id is not 1 to 64 letters, digits and dashes");
  refuses(good, [](auto &r) { r.set_request_id("with space"); }, "letters, digits and dashes");
  refuses(good, [](auto &r) { r.set_request_id(std::string(65, 'a')); }, "1 to 64");
  refuses(good, [](auto &r) { r.set_priority(101); }, "priority is 101, but it lies between -100 and 100");
  refuses(good, [](auto &r) { r.set_label(std::string(257, 'a')); }, "label has 257 bytes, but at most 256");
  refuses(good, [](auto &r) { r.set_deadline_seconds(kDay + 1); }, "deadline_seconds is 86401");
}

TEST(CheckSubmit, refusesWorkThatTheTableDoesNotHave) {
  refuses(compileRequest(), [](auto &r) { r.clear_spec(); }, "no work that this coordinator knows");
  refuses(compileRequest(), [](auto &r) { r.mutable_spec()->mutable_probe(); }, "no work that this coordinator knows");
}

TEST(CheckSubmit, asksTheKind) {
  const v1::SubmitRequest compile = compileRequest();
  const auto spoilCompile = [&](const std::function<void(v1::CompileJob &)> &spoil, absl::string_view sentence) {
    refuses(compile, [&](auto &r) { spoil(*r.mutable_spec()->mutable_compile()); }, sentence);
  };
  spoilCompile([](auto &c) { c.clear_model(); }, "spec.compile.model is missing");
  spoilCompile([](auto &c) { c.mutable_model()->set_size_bytes(-1); }, "digest");
  spoilCompile([](auto &c) { c.add_data_files(); }, "data_files.digest is missing");
  spoilCompile([](auto &c) { c.mutable_options()->clear_target_description(); }, "target_description is missing");
  spoilCompile([](auto &c) { c.mutable_options()->set_opt_level(4); }, "opt_level is 4, but it lies between 0 and 3");
  const v1::SubmitRequest run = runRequest();
  refuses(run, [](auto &r) { r.mutable_spec()->mutable_run()->clear_artifact(); }, "spec.run.artifact is missing");
  refuses(run, [](auto &r) { r.mutable_spec()->mutable_run()->clear_key(); }, "spec.run.key");
  const auto spoilRun = [&](const std::function<void(v1::Run &)> &spoil, absl::string_view sentence) {
    refuses(run, [&](auto &r) { spoil(*r.mutable_spec()->mutable_run()->mutable_options()); }, sentence);
  };
  spoilRun([](auto &o) { o.set_fill_mode(static_cast<v1::Run::FillMode>(77)); }, "fill_mode is 77");
  spoilRun([](auto &o) { o.set_print_top(-1); }, "print_top is -1");
  spoilRun([](auto &o) { o.set_repeat((1 << 20) + 1); }, "repeat is 1048577, but it lies between 0 and 1048576");
  spoilRun([](auto &o) { o.set_number(-1); }, "number is -1");
  spoilRun([](auto &o) { o.set_warmup((1 << 20) + 1); }, "warmup is 1048577, but it lies between 0 and 1048576");
  spoilRun([](auto &o) { o.set_threads((1 << 16) + 1); }, "threads is 65537, but it lies between 0 and 65536");
}

TEST(CheckSubmit, asksBench) {
  const v1::SubmitRequest good = benchRequest();
  const auto spoil = [&](const std::function<void(v1::BenchJob &)> &spoil, absl::string_view sentence) {
    refuses(good, [&](auto &r) { spoil(*r.mutable_spec()->mutable_bench()); }, sentence);
  };
  spoil([](auto &b) { b.mutable_artifacts()->RemoveLast(); },
        "the number of artifacts is 1, but it lies between 2 and 8");
  spoil(
      [](auto &b) {
        for (int i = 0; i < 7; ++i) *b.add_artifacts() = b.artifacts(0);
      },
      "the number of artifacts is 9");
  spoil([](auto &b) { b.mutable_artifacts(1)->clear_sha256(); }, "a digest's sha256");
  spoil([](auto &b) { b.mutable_inputs()->set_sha256("short"); }, "a digest's sha256");
  spoil([](auto &b) { b.clear_key(); }, "spec.bench.key");
  spoil([](auto &b) { b.clear_options(); }, "repeat is 0, but it lies between 6 and 10000");
  spoil([](auto &b) { b.mutable_options()->set_repeat(10001); }, "repeat is 10001");
  spoil([](auto &b) { b.mutable_options()->set_number(-1); }, "number is -1");
  spoil([](auto &b) { b.mutable_options()->set_warmup(-1); }, "warmup is -1");
  spoil([](auto &b) { b.mutable_options()->set_threads(-1); }, "threads is -1");
  spoil([](auto &b) { b.mutable_options()->set_fill_mode(static_cast<v1::Run::FillMode>(77)); }, "fill_mode is 77");
  spoil(
      [](auto &b) {
        for (int i = 0; i < 3; ++i) b.mutable_options()->add_names("x");
      },
      "the number of names is 3");
  spoil([](auto &b) { b.mutable_options()->add_names(std::string(4097, 'x')); }, "an artifact's name has 4097 bytes");
}

TEST(Kinds, benchReadsEachBlobOnce) {
  v1::SubmitRequest request = benchRequest();
  v1::BenchJob &bench = *request.mutable_spec()->mutable_bench();
  *bench.add_artifacts() = bench.artifacts(0);
  const v1::TaskSpec task = taskOf(request.spec());
  EXPECT_EQ(serviceKinds().find(task)->blobs(task).size(), 2u);
  *bench.mutable_inputs() = bench.artifacts(1);
  bench.mutable_inputs()->set_sha256(std::string(64, 'c'));
  const v1::TaskSpec withInputs = taskOf(request.spec());
  EXPECT_EQ(serviceKinds().find(withInputs)->blobs(withInputs).size(), 3u);
}

v1::Hello hello(const std::vector<v1::Role> &roles) {
  v1::Hello hello;
  for (const v1::Role role : roles) hello.add_roles(role);
  return hello;
}

std::string namesOf(const v1::Hello &hello) {
  std::string names;
  for (const TaskKind *kind : serviceKinds().of(hello)) names += std::string(kind->name) + " ";
  return names;
}

TEST(Kinds, ofAWorkerAreThoseThatItSays) {
  EXPECT_EQ(namesOf(hello({v1::ROLE_BUILDER})), "compile ") << "of the first version";
  EXPECT_EQ(namesOf(hello({v1::ROLE_DEVICE})), "run ");
  v1::Hello newer = hello({v1::ROLE_BUILDER, v1::ROLE_DEVICE});
  newer.add_kinds()->set_kind("run");
  newer.add_kinds()->set_kind("dance");
  newer.mutable_kinds(0)->set_version(7);
  newer.mutable_kinds(1)->set_version(1);
  EXPECT_EQ(namesOf(newer), "run ") << "it does not compile, and what it does besides nobody here knows";
  newer.add_kinds()->set_kind("bench");
  newer.mutable_kinds(2)->set_version(1);
  EXPECT_EQ(namesOf(newer), "run bench ");
  newer.mutable_kinds()->RemoveLast();
  newer.mutable_kinds(0)->set_version(0);
  EXPECT_EQ(namesOf(newer), "") << "an older form of it";
}

TEST(Kinds, ofOneTaskAreReadAsTheirJob) {
  const v1::JobSpec compile = compileRequest().spec(), run = runRequest().spec(), bench = benchRequest().spec();
  EXPECT_EQ(taskOf(compile).compile().SerializeAsString(), compile.compile().SerializeAsString());
  EXPECT_EQ(taskOf(run).run().SerializeAsString(), run.run().SerializeAsString());
  EXPECT_EQ(taskOf(bench).bench().SerializeAsString(), bench.bench().SerializeAsString());
}

}  // namespace
}  // namespace hone::server::testing
