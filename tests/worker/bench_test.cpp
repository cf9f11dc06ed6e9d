// Leases of the kind bench: several artifacts in one child.
#include <nlohmann/json.hpp>

#include "tests/worker/agent_fixture.h"
#include "worker/agent/quiet_lock.h"

namespace hone::test {
namespace {

class BenchTest : public AgentTest {
 protected:
  v1::TaskSpec benchOf(const std::vector<std::string> &tars) {
    v1::TaskSpec spec;
    v1::BenchJob &job = *spec.mutable_bench();
    for (size_t i = 0; i < tars.size(); ++i) {
      *job.add_artifacts() = coordinator_->putBlob(tars[i]);
      job.mutable_options()->add_names("number-" + std::to_string(i) + ".tar");
    }
    job.mutable_options()->set_repeat(6);
    job.mutable_options()->set_number(1);
    job.mutable_options()->set_threads(1);
    return spec;
  }
  v1::LeaseResult resultOf(int64_t task, const v1::TaskSpec &spec) {
    coordinator_->grant(task, 1, spec);
    const auto result = coordinator_->result(task);
    EXPECT_TRUE(result.has_value());
    return result.value_or(v1::LeaseResult());
  }
  /// The sample whose bias is \p bias in all places.
  static std::string tarWithBias(float bias) {
    std::string parameters;
    for (int i = 0; i < kWidth; ++i) parameters.append(reinterpret_cast<const char *>(&bias), sizeof bias);
    const std::string module = moduleBytes("sample");
    return tarOf({{"mod.so", module}, {"mod.json", seal(sampleJson(module, parameters))}, {"mod.params", parameters}});
  }
};

TEST_F(BenchTest, ALeaseGivesSamplesOfAllArtifacts) {
  startBoth();
  v1::TaskSpec spec = benchOf({tarWithBias(4), tarWithBias(5), tarWithBias(4)});
  spec.mutable_bench()->mutable_options()->set_fill_mode(v1::Run::ZEROS);
  const v1::LeaseResult result = resultOf(1, spec);
  ASSERT_EQ(result.result().outcome(), v1::Result::DONE) << result.result().sentence();
  EXPECT_FALSE(result.has_outputs());
  EXPECT_FALSE(result.has_artifact());
  ASSERT_EQ(result.result().bench_samples_size(), 3);
  for (const v1::BenchSamples &samples : result.result().bench_samples()) {
    EXPECT_EQ(samples.seconds_size(), 6);
    EXPECT_EQ(samples.number(), 1);
  }
  // With inputs of zeros all outputs are the bias, and 16000 times the bias.
  EXPECT_DOUBLE_EQ(result.result().bench_samples(1).difference(), 0.25);
  EXPECT_DOUBLE_EQ(result.result().bench_samples(2).difference(), 0);
  EXPECT_NE(result.result().printed().find("number-1.tar"), std::string::npos) << result.result().printed();
  spec.mutable_bench()->mutable_options()->set_json(true);
  const nlohmann::json json = nlohmann::json::parse(resultOf(2, spec).result().printed());
  EXPECT_EQ(json["artifacts"][1]["artifact"], "number-1.tar");
  EXPECT_EQ(json["artifacts"][1]["samples_ms"].size(), 6u);
  expectCleanEnd();
}

TEST_F(BenchTest, InputsThatAreNotTheSameAreAnErrorThatNamesThem) {
  startBoth();
  const std::string other = sampleTar(
      edited(sampleJson(moduleBytes("sample"), sampleParameters()), "\"name\": \"data\"", "\"name\": \"dada\""));
  const v1::Result result = resultOf(1, benchOf({sampleTar(), other})).result();
  EXPECT_EQ(result.outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_EQ(result.sentence(),
            "input 0 of 'number-1.tar' is 'dada', float32[1000,16], but that of 'number-0.tar' is 'data', "
            "float32[1000,16]; only artifacts with the same inputs can be compared");
  v1::TaskSpec spec = benchOf({sampleTar(), sampleTar()});
  *spec.mutable_bench()->mutable_inputs() = coordinator_->putBlob("this is no npz");
  const v1::Result bad = resultOf(2, spec).result();
  EXPECT_EQ(bad.outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_TRUE(bad.sentence().starts_with("the inputs: ")) << bad.sentence();
  const v1::Result garbage = resultOf(3, benchOf({sampleTar(), "this is no artifact"})).result();
  EXPECT_EQ(garbage.outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_TRUE(garbage.sentence().starts_with("'number-1.tar': ")) << garbage.sentence();
  EXPECT_EQ(resultOf(4, benchOf({sampleTar()})).result().outcome(), v1::Result::WRONG_USAGE);
  expectCleanEnd();
}

TEST_F(BenchTest, TheArtifactThatCrashesIsNamed) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, benchOf({sampleTar(), hostileTar("crash"), sampleTar()}));
  EXPECT_EQ(result.result().outcome(), v1::Result::DEFECT);
#ifndef HONE_TEST_SANITIZED
  EXPECT_EQ(result.result().sentence(),
            "an artifact's code crashed in phase load artifact 2 (signal 11, Segmentation fault)");
#endif
  EXPECT_FALSE(result.is_workers_fault());
}

TEST_F(BenchTest, ItWaitsUntilNothingElseIsMeasured) {
  startBoth();
  worker::QuietLock lock(folder_ + "/quiet.lock");
  const worker::Cancellation never;
  {
    const auto quiet = lock.measure(never);
    ASSERT_TRUE(quiet.ok());
    coordinator_->grant(1, 1, benchOf({sampleTar(), sampleTar()}));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_FALSE(coordinator_->hasResult(1));
  }
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  expectCleanEnd();
}

}  // namespace
}  // namespace hone::test
