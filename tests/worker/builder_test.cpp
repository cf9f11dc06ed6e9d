// Builders: a lease gives the bytes that a local compile gives; targets are described alike with and without LLVM.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/frontend/model_builder.h"
#include "tests/worker/agent_fixture.h"
#include "tests/worker/child_process.h"
#include "worker/agent/quiet_lock.h"

namespace hone::test {
namespace {

v1::TargetDescription describe(const std::string &program, const std::string &text) {
  v1::Work work;
  work.mutable_describe_target()->set_target(text);
  const OnceResult end = once(program, work, "");
  EXPECT_EQ(end.result.outcome(), v1::Result::DONE) << end.result.sentence();
  return end.result.target_description();
}

/// The smallest of the sample networks, from the program itself.
std::string sampleModel() {
  v1::Work work;
  work.mutable_sample()->set_name("mobilenet-v2");
  work.mutable_sample()->set_model_descriptor(kOnceOutput);
  const OnceResult end = once(HONE_TEST_WORKER, work, "");
  EXPECT_EQ(end.result.outcome(), v1::Result::DONE) << end.result.sentence();
  return end.output;
}

v1::Work localCompile() {
  v1::Work work;
  work.mutable_compile()->set_model_descriptor(kOnceInput);
  work.mutable_compile()->set_artifact_descriptor(kOnceOutput);
  work.mutable_compile()->set_opt_level(3);
  return work;
}

TEST(Describe, TheLightWorkerSeesTheMachineThatLlvmSees) {
  const v1::TargetDescription full = describe(HONE_TEST_WORKER, "llvm");
  v1::TargetDescription light = describe(HONE_TEST_LIGHT_WORKER, "llvm");
  // It cannot know the CPU's name.
  light.set_cpu(full.cpu());
  EXPECT_EQ(full.DebugString(), light.DebugString());
}

TEST(Describe, AWrongTargetIsWrongUsage) {
  v1::Work work;
  work.mutable_describe_target()->set_target("llvm -mcpu=nonsense");
  EXPECT_EQ(once(HONE_TEST_WORKER, work, "").result.outcome(), v1::Result::WRONG_USAGE);
  EXPECT_EQ(once(HONE_TEST_LIGHT_WORKER, work, "").result.outcome(), v1::Result::WRONG_USAGE);
}

TEST(Describe, ADescriptionThatCannotBeIsRefused) {
  v1::Work work = localCompile();
  v1::TargetDescription target = describe(HONE_TEST_WORKER, "llvm");
  target.set_vector_bytes(-1);
  *work.mutable_compile()->mutable_target_description() = target;
  EXPECT_EQ(once(HONE_TEST_WORKER, work, "").result.outcome(), v1::Result::WRONG_USAGE);
  // A machine that there is, but no code for it.
  target = describe(HONE_TEST_WORKER, "llvm");
  target.set_triple("riscv64-unknown-linux-gnu");
  *work.mutable_compile()->mutable_target_description() = target;
  const v1::Result refused = once(HONE_TEST_WORKER, work, "").result;
  EXPECT_EQ(refused.outcome(), v1::Result::WRONG_USAGE);
  EXPECT_NE(refused.sentence().find("the architecture 'riscv64'"), std::string::npos) << refused.sentence();
}

class BuilderTest : public AgentTest {
 protected:
  void startBuilder() {
    startCoordinator();
    startWorker({"--roles", "builder", "--slots", "2"}, HONE_TEST_WORKER);
  }
  v1::TaskSpec compileOf(const std::string &model, const std::string &target) {
    v1::TaskSpec spec;
    *spec.mutable_compile()->mutable_model() = coordinator_->putBlob(model);
    spec.mutable_compile()->mutable_options()->set_opt_level(3);
    *spec.mutable_compile()->mutable_options()->mutable_target_description() = describe(HONE_TEST_WORKER, target);
    return spec;
  }
};

TEST_F(BuilderTest, ALeaseGivesTheBytesOfALocalCompile) {
  startBuilder();
  EXPECT_EQ(coordinator_->hello(1).build_id().size(), 16u);
  EXPECT_EQ(coordinator_->hello(1).builder_slots(), 2);
  EXPECT_EQ(coordinator_->hello(1).target().DebugString(), describe(HONE_TEST_WORKER, "llvm").DebugString());
  const std::string model = sampleModel();
  int64_t task = 0;
  for (const std::string target : {"llvm", "llvm -mcpu=x86-64-v3 -num-cores=3"}) {
    v1::Work work = localCompile();
    work.mutable_compile()->set_target(target);
    const OnceResult local = once(HONE_TEST_WORKER, work, model);
    ASSERT_EQ(local.result.outcome(), v1::Result::DONE) << local.result.sentence();
    coordinator_->grant(++task, 1, compileOf(model, target));
    const auto leased = coordinator_->result(task);
    ASSERT_TRUE(leased.has_value());
    ASSERT_EQ(leased->result().outcome(), v1::Result::DONE) << leased->result().sentence();
    EXPECT_EQ(coordinator_->blob(leased->artifact()), local.output);
    EXPECT_GT(leased->result().timings_size(), 0);
  }
  expectCleanEnd();
}

// The time that it stood still is not the work's.
TEST_F(BuilderTest, MeasurementsWithoutAPauseDoNotFailACompilation) {
  startBuilder();
  worker::QuietLock lock(folder_ + "/quiet.lock");
  const worker::Cancellation never;
  std::atomic<bool> isEnding = false;
  std::thread measuring([&] {
    while (!isEnding) {
      const auto quiet = lock.measure(never);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  coordinator_->grant(1, 1, compileOf(sampleModel(), "llvm"), 60, 60);
  const auto result = coordinator_->result(1);
  isEnding = true;
  measuring.join();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_TRUE(coordinator_
                  ->await([](const v1::WorkerMessage &one) {
                    return one.has_progress() && one.progress().progress().phase() == "waits for a measurement";
                  })
                  .has_value());
}

// It would be too long everywhere: nobody else is to try.
TEST_F(BuilderTest, AnArtifactThatIsTooLongIsAFailureOfTheWork) {
  startCoordinator();
  startWorker({"--roles", "builder", "--slots", "1", "--child-disk", "4MiB"}, HONE_TEST_WORKER);
  coordinator_->grant(1, 1, compileOf(sampleModel(), "llvm"));
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::WORK_FAILED) << result->result().sentence();
  EXPECT_FALSE(result->is_workers_fault());
  EXPECT_NE(result->result().sentence().find("--child-disk"), std::string::npos) << result->result().sentence();
}

TEST_F(BuilderTest, AGarbageModelIsRefused) {
  startBuilder();
  coordinator_->grant(1, 1, compileOf("this is no model", "llvm"));
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_FALSE(result->is_workers_fault());
  EXPECT_FALSE(result->has_artifact());
  expectCleanEnd();
}

/// y = (x + w) and matrices of many sizes after it, so that compiling takes a while; w are \p elements in the file "w".
std::string modelWithData(int64_t elements) {
  ModelBuilder model(13);
  model.input("x", DType::F32, {1});
  onnx::TensorProto &tensor = *model.model.mutable_graph()->add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(elements);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  auto &entry = *tensor.add_external_data();
  entry.set_key("location");
  entry.set_value("w");
  model.node("Add", {"x", "w"}, {"sum"});
  model.output("sum");
  constexpr int64_t kFirst = 8, kLast = 40;
  model.input("m", DType::F32, {4, kFirst});
  std::string last = "m";
  for (int64_t n = kFirst; n < kLast; ++n) {
    const std::string weight = absl::StrCat("weight", n), product = absl::StrCat("product", n);
    model.floats(weight, {n, n + 1}, std::vector<float>(static_cast<size_t>(n * (n + 1)), static_cast<float>(n)));
    model.node("MatMul", {last, weight}, {product});
    last = product;
  }
  model.output(last);
  return model.bytes();
}

TEST_F(BuilderTest, ADataFileThatIsCutShortMeanwhileEndsInASentence) {
  startBuilder();
  constexpr int64_t kElements = int64_t{4} << 20;
  v1::TaskSpec spec = compileOf(modelWithData(kElements), "llvm");
  spec.mutable_compile()->mutable_options()->set_threads(1);
  v1::DataBlob &file = *spec.mutable_compile()->add_data_files();
  file.set_location("w");
  *file.mutable_digest() = coordinator_->putBlob(std::string(kElements * sizeof(float), '\1'));
  coordinator_->grant(1, 1, spec);
  awaitBusy(1);
  ASSERT_EQ(truncate((folder_ + "/data/blobs/" + file.digest().sha256()).c_str(), 1000), 0);
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::WORK_FAILED);
  EXPECT_NE(result->result().sentence().find("a data file of the model became shorter"), std::string::npos)
      << result->result().sentence();
  // What was cut is noticed and fetched again.
  coordinator_->grant(2, 1, spec);
  const auto again = coordinator_->result(2);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->result().outcome(), v1::Result::DONE) << again->result().sentence();
  expectCleanEnd();
}

TEST_F(BuilderTest, TextInsteadOfAnArtifact) {
  startBuilder();
  v1::TaskSpec spec = compileOf(sampleModel(), "llvm");
  spec.mutable_compile()->mutable_options()->set_stop_after("graph");
  coordinator_->grant(1, 1, spec);
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_FALSE(result->has_artifact());
  EXPECT_FALSE(result->result().printed().empty());
  expectCleanEnd();
}

}  // namespace
}  // namespace hone::test
