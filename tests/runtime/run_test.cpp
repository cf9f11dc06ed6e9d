// The runtime on an undamaged artifact: right results in every way of giving and taking data, by any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <hone/runtime.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <thread>

#include "tests/runtime/sample_artifact.h"

namespace hone {
namespace {

std::vector<float> sampleInput(float seed) {
  std::vector<float> input(test::kElements);
  for (size_t i = 0; i < input.size(); ++i) input[i] = seed + static_cast<float>(i % 37);
  return input;
}

/// What modules/sample.c computes, said another way.
void expectRight(Session &session, const std::vector<float> &input) {
  const float *scaled = session.output<float>(0);
  double total = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    const float expected = 2 * input[i] + static_cast<float>(i % test::kWidth);
    ASSERT_EQ(scaled[i], expected) << "element " << i;
    total += expected;
  }
  EXPECT_EQ(session.output<float>(1)[0], static_cast<float>(total));
}

Model loadSample() {
  const std::string tar = test::sampleTar();
  return Model::fromMemory(tar.data(), tar.size());
}

TEST(Run, TellsTheInterface) {
  const Model model = loadSample();
  EXPECT_EQ(model.name(), "sample");
  ASSERT_EQ(model.inputCount(), 1);
  ASSERT_EQ(model.outputCount(), 2);
  EXPECT_EQ(model.input(0).name, "data");
  EXPECT_EQ(model.input(0).dtype, HONE_FLOAT32);
  EXPECT_EQ(model.input(0).shape, (std::vector<int64_t>{1000, 16}));
  EXPECT_EQ(model.input(0).bytes, 64000u);
  EXPECT_EQ(model.findOutput("nested/total"), 1);
  EXPECT_NE(model.json().find("\"required_features\""), std::string::npos);
  hone_call_info call;
  ASSERT_EQ(hone_model_call(model.get(), 1, &call), HONE_OK);
  EXPECT_STREQ(call.name, "second");
  EXPECT_STREQ(call.kernel, "total");
  EXPECT_EQ(call.flops, 16000);
  try {
    model.findInput("dada");
    FAIL() << "found an input that is not there";
  } catch (const RuntimeError &error) {
    EXPECT_EQ(error.status(), HONE_USAGE);
    EXPECT_STREQ(error.what(), "the model has no input 'dada'; it has 'data'");
  }
}

TEST(Run, TellsWhatTheCompilerExpected) {
  hone_call_estimate estimate;
  const Model without = loadSample();
  ASSERT_EQ(hone_model_call_estimate(without.get(), 1, &estimate), HONE_OK);
  EXPECT_STREQ(estimate.limit, "");
  EXPECT_EQ(estimate.cycles, 0);
  EXPECT_EQ(hone_model_call_estimate(without.get(), 3, &estimate), HONE_USAGE);
  EXPECT_STREQ(hone_last_error(), "there is no call 3; the model has 3");
  const std::string tar = test::sampleTar(
      test::edited(test::sampleJson(test::moduleBytes("sample"), test::sampleParameters()), "{\"name\": \"total\"}",
                   "{\"name\": \"total\", \"estimate\": {\"cycles\": 5000, \"limit\": \"L2\", \"threads\": 4}}"));
  const Model with = Model::fromMemory(tar.data(), tar.size());
  ASSERT_EQ(hone_model_call_estimate(with.get(), 1, &estimate), HONE_OK);
  EXPECT_STREQ(estimate.limit, "L2");
  EXPECT_EQ(estimate.cycles, 5000);
  EXPECT_EQ(estimate.threads, 4);
  EXPECT_EQ(estimate.repeats, 0);
}

TEST(Run, GivesTheSameWithAnyNumberOfThreads) {
  const Model model = loadSample();
  for (int threads : {1, 2, 3, 7, 16}) {
    const Context context(threads);
    EXPECT_EQ(context.threads(), threads);
    Session session(context, model);
    for (int run = 0; run < 20; ++run) {
      const std::vector<float> input = sampleInput(static_cast<float>(run));
      session.setInput(0, input);
      session.run();
      expectRight(session, input);
    }
  }
}

TEST(Run, LoadsFromTarFolderAndMemoryMappedAndCopied) {
  const std::string folder = test::temporaryFolder(), tar = test::sampleTar();
  test::writeFile(folder + "/model.tar", tar);
  std::filesystem::create_directory(folder + "/unpacked");
  test::writeFile(folder + "/unpacked/mod.so", test::moduleBytes("sample"));
  test::writeFile(folder + "/unpacked/mod.params", test::sampleParameters());
  test::writeFile(folder + "/unpacked/mod.json",
                  test::seal(test::sampleJson(test::moduleBytes("sample"), test::sampleParameters())));
  const Context context(2);
  const std::vector<float> input = sampleInput(1);
  for (const uint32_t flags : {0u, static_cast<uint32_t>(HONE_LOAD_COPY_PARAMETERS)}) {
    for (const char *name : {"/model.tar", "/unpacked"}) {
      Session session(context, Model::load(folder + name, flags));
      session.setInput(0, input);
      session.run();
      expectRight(session, input);
    }
  }
}

TEST(Run, AcceptsMembersInAnyOrder) {
  const std::string module = test::moduleBytes("sample"), parameters = test::sampleParameters();
  const std::string json = test::seal(test::sampleJson(module, parameters));
  const std::string tar = test::tarOf({{"mod.params", parameters}, {"mod.json", json}, {"mod.so", module}});
  EXPECT_EQ(Model::fromMemory(tar.data(), tar.size()).name(), "sample");
}

TEST(Run, AcceptsDigestsThatBeginWithZero) {
  // mod.json's own, then both members': by what they hold, one in sixteen digests begins so.
  const std::string module = test::moduleBytes("sample");
  const auto isLoaded = [&](const std::string &json, const std::string &parameters) {
    const std::string tar = test::tarOf({{"mod.so", module}, {"mod.json", json}, {"mod.params", parameters}});
    return Model::fromMemory(tar.data(), tar.size()).name() == "sample";
  };
  const std::string plain = test::sampleJson(module, test::sampleParameters());
  const std::string edge = "\"compiler\": \"0.1.";
  std::string json;
  for (int i = 0; json.find("\"xxh3\": \"0") != 3; ++i) json = test::edited(plain, edge, edge + std::to_string(i));
  EXPECT_TRUE(isLoaded(json, test::sampleParameters())) << json.substr(0, 32);
  // The kernels use less of the parameters than there is.
  std::string parameters;
  for (int i = 0; !test::digest(parameters).starts_with('0'); ++i)
    parameters = test::sampleParameters() + std::to_string(i);
  EXPECT_TRUE(isLoaded(test::seal(test::sampleJson(module, parameters)), parameters)) << test::digest(parameters);
}

TEST(Run, BindsMemoryAlignedOrNot) {
  const Model model = loadSample();
  Session session(Context(2), model);
  const std::vector<float> first = sampleInput(3), second = sampleInput(5);
  for (const size_t shift : {0u, 4u}) {
    std::vector<char> inputMemory(64000 + 128), outputMemory(64000 + 128);
    const auto aligned = [](std::vector<char> &memory) {
      return memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
    };
    char *input = aligned(inputMemory) + shift, *output = aligned(outputMemory) + shift;
    session.bindInput(0, input, 64000);
    session.bindOutput(0, output, 64000);
    // Bound memory is read at each run, not when it is bound.
    for (const std::vector<float> &values : {first, second}) {
      std::memcpy(input, values.data(), 64000);
      session.run();
      expectRight(session, values);
      EXPECT_EQ(std::memcmp(output, session.output(0), 64000), 0);
    }
    EXPECT_EQ(session.output(0) == output, shift == 0);
  }
  session.bindOutput(0, nullptr, 0);
  session.setInput(0, first);
  session.run();
  expectRight(session, first);
}

std::string_view bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

TEST(Run, InputsAreTakenAsTheyWereGivenLast) {
  // In whatever order they are set and bound; bound memory is its owner's, and nothing is written to it.
  alignas(64) static float bound[test::kElements];
  static char memory[64000 + 64 + 4];
  char *shifted = memory + (64 - reinterpret_cast<uintptr_t>(memory) % 64) % 64 + 4;
  const std::vector<float> set = sampleInput(1), inPlace = sampleInput(2), copied = sampleInput(3);
  std::memcpy(bound, inPlace.data(), 64000);
  std::memcpy(shifted, copied.data(), 64000);
  Session session(Context(2), loadSample());
  const auto give = [&](char way) {
    if (way == 's') session.setInput(0, set);
    if (way == 'a') session.bindInput(0, bound, 64000);
    if (way == 'u') session.bindInput(0, shifted, 64000);
    return way == 's' ? set : way == 'a' ? inPlace : copied;
  };
  // Every way after every other one, and after itself; at the end twice between two runs.
  for (const std::string ways :
       {"s", "s", "a", "a", "s", "u", "u", "a", "u", "s", "as", "us", "sa", "su", "au", "ua"}) {
    std::vector<float> last;
    for (const char way : ways) last = give(way);
    for (int run = 0; run < 2; ++run) {
      session.run();
      expectRight(session, last);
      if (HasFatalFailure()) FAIL() << "given as " << ways;
    }
    ASSERT_TRUE(std::equal(inPlace.begin(), inPlace.end(), bound)) << ways;
    ASSERT_EQ(std::string_view(shifted, 64000), bytesOf(copied)) << ways;
  }
}

TEST(Run, BoundOutputsHoldNothingBeforeTheNextRun) {
  Session session(Context(1), loadSample());
  alignas(64) static float memory[test::kElements];
  static char bytes[64000 + 64 + 4];
  char *shifted = bytes + (64 - reinterpret_cast<uintptr_t>(bytes) % 64) % 64 + 4;
  const auto expectNone = [&] {
    const void *data = nullptr;
    const int64_t *shape = nullptr;
    int32_t rank = 0;
    for (const int32_t output : {0, 1}) {
      EXPECT_EQ(hone_session_get_output(session.get(), output, &data, nullptr), HONE_USAGE);
      EXPECT_STREQ(hone_last_error(), "there is no output yet: the session has to run first");
      EXPECT_EQ(hone_session_get_output_shape(session.get(), output, &shape, &rank), HONE_USAGE);
    }
  };
  expectNone();
  session.bindOutput(0, memory, sizeof(memory));
  expectNone();
  const std::vector<float> input = sampleInput(1);
  session.setInput(0, input);
  session.run();
  expectRight(session, input);
  // What the session would show now is memory that no run has written to.
  for (void *next : {static_cast<void *>(shifted), static_cast<void *>(memory), static_cast<void *>(nullptr)}) {
    session.bindOutput(0, next, next != nullptr ? 64000 : 0);
    expectNone();
    session.run();
    expectRight(session, input);
  }
}

TEST(Run, SessionsOutliveWhatTheyWereMadeFrom) {
  std::unique_ptr<Session> session;
  {
    const Context context(3);
    const Model model = loadSample();
    session = std::make_unique<Session>(context, model);
  }
  const std::vector<float> input = sampleInput(9);
  session->setInput(0, input);
  session->run();
  expectRight(*session, input);
}

TEST(Run, SessionsShareModelAndContextFromManyThreads) {
  const Context context(3);
  const Model model = loadSample();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&context, &model, t] {
      Session session(context, model);
      for (int run = 0; run < 200; ++run) {
        const std::vector<float> input = sampleInput(static_cast<float>(100 * t + run));
        session.setInput(0, input);
        session.run();
        expectRight(session, input);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
}

TEST(Run, ModelsInOneProcessDoNotMixUp) {
  // Libraries loaded from descriptors are told apart by names that could repeat.
  std::vector<Model> models;
  for (int i = 0; i < 8; ++i) {
    models.push_back(loadSample());
    if (i % 3 == 0) models.erase(models.begin());
  }
  const Context context(1);
  for (const Model &model : models) {
    Session session(context, model);
    const std::vector<float> input = sampleInput(2);
    session.setInput(0, input);
    session.run();
    expectRight(session, input);
  }
}

TEST(Run, ProfilesEveryCall) {
  Session session(Context(2), loadSample());
  session.setInput(0, sampleInput(0));
  session.run();
  EXPECT_EQ(session.profile(), (std::vector<int64_t>{0, 0, 0}));
  session.setProfiling(true);
  session.run();
  const std::vector<int64_t> profile = session.profile();
  ASSERT_EQ(profile.size(), 3u);
  for (int64_t nanoseconds : profile) EXPECT_GT(nanoseconds, 0);
}

TEST(Run, LeavesOutCallsWhoseConditionsDoNotHold) {
  // The third call copies what the first one computes; it asks for the first byte of the input, then of the parameters,
  // which is 0.
  const std::string plain = test::sampleJson(test::moduleBytes("sample"), test::sampleParameters());
  const std::string tar = test::sampleTar(test::edited(
      plain, "\"name\": \"third\",",
      "\"name\": \"third\", \"conditions\": [{\"buffer\": 0, \"value\": 1}, {\"buffer\": 1, \"value\": 0}],"));
  Session session(Context(2), Model::fromMemory(tar.data(), tar.size()));
  session.setProfiling(true);
  alignas(64) static float scaled[test::kElements];
  session.bindOutput(0, scaled, sizeof(scaled));
  std::vector<float> input = sampleInput(1);
  const uint32_t bits = 0x3f800001;  // just above 1: its first byte is not 0
  for (const bool holds : {false, true, false}) {
    std::fill(std::begin(scaled), std::end(scaled), -1.0F);
    input[0] = 1;
    if (holds) std::memcpy(input.data(), &bits, sizeof(bits));
    session.setInput(0, input);
    session.run();
    EXPECT_EQ(scaled[1], holds ? 2 * input[1] + 1 : -1);
    EXPECT_GT(session.profile()[1], 0);
    EXPECT_EQ(session.profile()[2] > 0, holds);
  }
}

/// The sample with calls first, again (in place, in the arena), second and third, and \p loops. Buffer 5 is the first
/// byte of the arena: that of an element that doubles in each iteration, so that it is 0 when that is infinite.
std::string loopingJson(const std::string &loops) {
  std::string json = test::sampleJson(test::moduleBytes("sample"), test::sampleParameters());
  json = test::edited(json, "\"format\": 1", "\"format\": 3, \"loops\": " + loops);
  json = test::edited(
      json, "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}",
      "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}, {\"kind\": \"arena\", \"offset\": 0, \"bytes\": 1}");
  return test::edited(json, "{\"kernel\": 1, \"name\": \"second\"",
                      "{\"kernel\": 0, \"name\": \"again\", \"arguments\": [2, 1, 2], \"nodes\": [], \"flops\": 0},\n"
                      "  {\"kernel\": 1, \"name\": \"second\"");
}

/// Just above 1: its first byte is not 0, and that of its multiples by powers of 2 is not either.
float aboveOne() {
  const uint32_t bits = 0x3f800001;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

TEST(Run, RepeatsCallsWhileAByteIsNotZero) {
  const std::string tar = test::sampleTar(loopingJson("[{\"first\": 1, \"count\": 1, \"condition\": 5}]"));
  const Model looping = Model::fromMemory(tar.data(), tar.size());
  for (int32_t call = 0; call < 4; ++call) {
    hone_call_estimate estimate;
    ASSERT_EQ(hone_model_call_estimate(looping.get(), call, &estimate), HONE_OK);
    EXPECT_EQ(estimate.repeats != 0, call == 1);
  }
  for (const int threads : {1, 2}) {
    Session session(Context(threads), Model::fromMemory(tar.data(), tar.size()));
    session.setProfiling(true);
    std::vector<float> input(test::kElements, 0);
    input[test::kWidth] = std::ldexp(1.0F, -100);  // counts: 2 * 2^-100, and twice as much each time
    for (const bool repeats : {true, false, true}) {
      input[0] = repeats ? aboveOne() : 1;
      session.setInput(0, input);
      session.run();
      // 2 and a bit is infinite after 127 doublings.
      EXPECT_EQ(session.output<float>(0)[test::kWidth], std::ldexp(1.0F, repeats ? 28 : -99));
      ASSERT_EQ(session.profile().size(), 4U);
      EXPECT_EQ(session.profile()[1] > 0, repeats);
      EXPECT_GT(session.profile()[3], 0);
    }
  }
}

TEST(Run, RepeatsLoopsWithinLoops) {
  // The inner one ends by itself; then the outer one's byte is 0, too.
  const std::string tar = test::sampleTar(
      loopingJson("[{\"first\": 1, \"count\": 2, \"condition\": 5}, {\"first\": 1, \"count\": 1, \"condition\": 5}]"));
  Session session(Context(1), Model::fromMemory(tar.data(), tar.size()));
  std::vector<float> input(test::kElements, 0);
  input[0] = aboveOne();
  input[test::kWidth] = std::ldexp(1.0F, -100);
  session.setInput(0, input);
  session.run();
  EXPECT_EQ(session.output<float>(0)[test::kWidth], std::ldexp(1.0F, 28));
}

TEST(Run, LeavesOutLoopsWhoseConditionsDoNotHold) {
  // It would not end, if the first byte of the parameters, which is 0, were not asked.
  const std::string tar = test::sampleTar(
      loopingJson("[{\"first\": 2, \"count\": 1, \"condition\": 5, \"conditions\": [{\"buffer\": 1, \"value\": 1}]}]"));
  Session session(Context(1), Model::fromMemory(tar.data(), tar.size()));
  session.setProfiling(true);
  std::vector<float> input(test::kElements, 0);
  input[0] = aboveOne();
  session.setInput(0, input);
  session.run();
  EXPECT_EQ(session.profile()[2], 0);
  EXPECT_GT(session.profile()[3], 0);
}

TEST(Run, RefusesWrongUseWithASentence) {
  Session session(Context(1), loadSample());
  const auto sentence = [](hone_status status) {
    EXPECT_EQ(status, HONE_USAGE);
    return std::string(hone_last_error());
  };
  const std::vector<float> input = sampleInput(0);
  const void *data = nullptr;
  size_t bytes = 0;
  EXPECT_EQ(sentence(hone_session_run(session.get())), "input 'data' is not set");
  EXPECT_EQ(sentence(hone_session_set_input(session.get(), 1, input.data(), 64000)),
            "there is no input 1; the model has 1");
  EXPECT_EQ(sentence(hone_session_set_input(session.get(), -1, input.data(), 64000)),
            "there is no input -1; the model has 1");
  EXPECT_EQ(sentence(hone_session_set_input(session.get(), 0, input.data(), 63999)),
            "input 'data' has 64000 bytes, but 63999 were given");
  EXPECT_EQ(sentence(hone_session_bind_input(session.get(), 0, nullptr, 64000)),
            "input 'data' is given as a null pointer");
  EXPECT_EQ(sentence(hone_session_bind_output(session.get(), 5, nullptr, 0)), "there is no output 5; the model has 2");
  EXPECT_EQ(sentence(hone_session_get_output(session.get(), 0, &data, &bytes)),
            "there is no output yet: the session has to run first");
  hone_context *context = nullptr;
  const hone_context_options tooMany = {sizeof(hone_context_options), 5000, 0, -1}, otherSize = {1, 1, 0, -1};
  EXPECT_EQ(sentence(hone_context_create(&tooMany, &context)),
            "cannot use 5000 threads; give a number from 1 to 4096, or 0 for the default");
  EXPECT_NE(sentence(hone_context_create(&otherSize, &context)).find("struct_size is 1"), std::string::npos);
}

TEST(Run, DefaultThreadsAreAtLeastOne) {
  hone_context *context = nullptr;
  ASSERT_EQ(hone_context_create(nullptr, &context), HONE_OK);
  EXPECT_GE(hone_context_threads(context), 1);
  EXPECT_LE(hone_context_threads(context), static_cast<int>(std::thread::hardware_concurrency()));
  hone_context_destroy(context);
  hone_context_destroy(nullptr);
}

}  // namespace
}  // namespace hone
