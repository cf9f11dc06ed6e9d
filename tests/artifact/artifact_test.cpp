// Artifacts: what is written is read again, always the same bytes, and what is damaged is refused. That the runtime
// reads them too is tested here; what it refuses, in tests/runtime.
#include "compiler/artifact/artifact.h"

#include <gtest/gtest.h>

#include <cstring>
#include <hone/runtime.hpp>

#include "compiler/artifact/digest.h"
#include "compiler/artifact/tar.h"
#include "runtime/cpu.h"
#include "tests/runtime/sample_artifact.h"

namespace hone::artifact {
namespace {

/// Describes tests/runtime/modules/sample.c.
ArtifactDescription sampleDescription() {
  const std::vector<int64_t> matrix = {1000, 16};
  ArtifactDescription description;
  description.name = "sample \"quoted\" \xc3\xa9";
  description.compilerVersion = "0.1.0";
#if defined(__aarch64__)
  description.target.triple = "aarch64-linux-gnu";
#else
  description.target.triple = "x86_64-pc-linux-gnu";
#endif
  description.target.cpu = "generic";
  description.target.cores = 2;
  description.inputs = {{"data", DType::F32, matrix}};
  description.outputs = {{"scaled", DType::F32, matrix}, {"total", DType::F32, {1}}};
  description.arenaBytes = 64000;
  description.buffers = {{BufferKind::Input, 0, 0, 64000, DType::F32, matrix, "[0][1]", "data"},
                         {BufferKind::Parameter, 0, 64, 64, DType::F32, {16}, "[0]", "bias"},
                         {BufferKind::Arena, 0, 0, 64000, DType::F32, matrix, "[0][1]", "middle"},
                         {BufferKind::Output, 0, 0, 64000, DType::F32, matrix, "[0][1]", "scaled"},
                         {BufferKind::Output, 1, 0, 4, DType::F32, {1}, "[0]", "total"}};
  description.kernels = {{"scale_add", "algorithm direct\nscale   vector i 16\n", std::string(64, 'a'),
                          "algorithm direct\ns0   vector d0 16\n"},
                         {"total", ""},
                         {"copy", ""}};
  description.calls = {
      {0, "first", {0, 1, 2}, {"Mul_1", "Add_2"}, 32000}, {1, "second", {2, 4}, {}, 0}, {2, "third", {2, 3}, {}, 0}};
  description.provenance = {{"model_sha256", "abc"}, {"records", "none"}};
  return description;
}

std::string parameters() { return std::string(64, '\0') + test::sampleParameters(); }

absl::StatusOr<std::string> write(const ArtifactDescription &description, std::string_view module) {
  const std::string bytes = parameters();
  std::string tar;
  const absl::Status status =
      writeArtifact(description, module, {digestOf(bytes), [&](const ByteSink &sink) { return sink(bytes); }},
                    [&](std::string_view piece) {
                      tar += piece;
                      return absl::OkStatus();
                    });
  if (!status.ok()) return status;
  return tar;
}

std::string written() { return *write(sampleDescription(), test::moduleBytes("sample")); }

TEST(Artifact, IsReadAsItWasWritten) {
  const std::string tar = written();
  const absl::StatusOr<Artifact> artifact = readArtifact(tar);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_TRUE(artifact->description == sampleDescription());
  EXPECT_EQ(artifact->abiVersion, 1);
  EXPECT_EQ(artifact->moduleBytes, test::moduleBytes("sample"));
  EXPECT_EQ(artifact->parameterBytes, parameters());
  EXPECT_EQ(artifact->parameterSha256, sha256(parameters()));
  EXPECT_EQ(artifact->identity, sha256(artifact->json));
}

/// The sample with a byte of the arena that loops over its two calls go by.
ArtifactDescription loopingDescription() {
  ArtifactDescription description = sampleDescription();
  BufferDescription byte;
  byte.kind = BufferKind::Arena;
  byte.offset = description.arenaBytes;
  byte.bytes = 1;
  byte.dtype = DType::Bool;
  byte.layout = "[0]";
  byte.name = "goes_on";
  description.arenaBytes += 64;
  description.buffers.push_back(byte);
  const int condition = static_cast<int>(description.buffers.size()) - 1;
  description.loops = {{0, 2, condition, {{1, false}}}, {1, 1, condition, {}}};
  return description;
}

TEST(Artifact, KeepsItsLoops) {
  const std::string tar = *write(loopingDescription(), test::moduleBytes("sample"));
  const absl::StatusOr<Artifact> artifact = readArtifact(tar);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_TRUE(artifact->description == loopingDescription());
  EXPECT_NE(artifact->json.find("\"format\": 3"), std::string::npos);
  const std::string without = written();
  EXPECT_NE(readArtifact(without)->json.find("\"format\": 1"), std::string::npos) << "older runtimes read it";
  // The runtime's reader takes what this one writes; nothing sets the byte, so that the loops don't begin.
  Session session(Context(2), Model::fromMemory(tar.data(), tar.size()));
  session.setInput(0, std::vector<float>(test::kElements, 1.5f));
  session.run();
}

TEST(Artifact, KeepsEstimatesAndAsksForNone) {
  ArtifactDescription description = sampleDescription();
  ASSERT_FALSE(description.kernels[0].estimate.has_value());
  EXPECT_EQ(readArtifact(written())->json.find("estimate"), std::string::npos);
  description.kernels[0].estimate = {1230000, "memory", 2};
  const std::string tar = *write(description, test::moduleBytes("sample"));
  const absl::StatusOr<Artifact> artifact = readArtifact(tar);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_TRUE(artifact->description == description);
  EXPECT_NE(artifact->json.find("\"format\": 1"), std::string::npos) << "older runtimes read it";
  const Model model = Model::fromMemory(tar.data(), tar.size());
  hone_call_estimate estimate;
  ASSERT_EQ(hone_model_call_estimate(model.get(), 0, &estimate), HONE_OK);
  EXPECT_EQ(estimate.cycles, 1230000);
  EXPECT_STREQ(estimate.limit, "memory");
  EXPECT_EQ(estimate.threads, 2);
}

TEST(Artifact, IsTheSameBytesForTheSameInput) {
  EXPECT_EQ(written(), written());
  ArtifactDescription other = sampleDescription();
  other.provenance["records"] = "some";
  EXPECT_NE(*write(other, test::moduleBytes("sample")), written());
}

TEST(Artifact, HasThreeMembersInOrderAndParametersAligned) {
  const std::string tar = written();
  const absl::StatusOr<std::vector<TarMember>> members = readTar(tar);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[0].name, "mod.so");
  EXPECT_EQ((*members)[1].name, "mod.json");
  EXPECT_EQ((*members)[2].name, "mod.params");
  EXPECT_EQ(((*members)[2].bytes.data() - tar.data()) % 512, 0);
  // Nothing of the machine, the user or the day: the fields of the first header, as ustar has them.
  EXPECT_EQ(tar.substr(100, 8), std::string("000644 \0", 8));
  EXPECT_EQ(tar.substr(108, 8), std::string("000000 \0", 8));
  EXPECT_EQ(tar.substr(116, 8), std::string("000000 \0", 8));
  EXPECT_EQ(tar.substr(136, 11), "00000000000");
  EXPECT_EQ(tar.substr(265, 80), std::string(80, '\0').replace(64, 16,
                                                               std::string("000000 \0"
                                                                           "000000 \0",
                                                                           16)));
}

TEST(Artifact, MatchesTheTarThatTestsWriteByHand) {
  const std::string tar = written();
  const absl::StatusOr<Artifact> artifact = readArtifact(tar);
  ASSERT_TRUE(artifact.ok());
  const std::string byHand = test::tarOf({{"mod.so", test::moduleBytes("sample")},
                                          {"mod.json", std::string(artifact->json)},
                                          {"mod.params", parameters()}});
  const absl::StatusOr<Artifact> again = readArtifact(byHand);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->identity, artifact->identity) << "the identity does not depend on the tar around the members";
}

TEST(Artifact, IsRunByTheRuntime) {
  const std::string tar = written();
  Session session(Context(2), Model::fromMemory(tar.data(), tar.size()));
  session.setInput(0, std::vector<float>(test::kElements, 1.5f));
  session.run();
  for (int i = 0; i < test::kElements; ++i) ASSERT_EQ(session.output<float>(0)[i], 3.0f + static_cast<float>(i % 16));
}

TEST(Artifact, DigestsAreThePublishedOnes) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(xxh3(""), "2d06800538d394c2");
  // Zeros in front are digits, too.
  EXPECT_EQ(sha256("286"), "00328ce57bbc14b33bd6695bc8eb32cdf2fb5f3a7d89ec14a42825e15d39df60");
  EXPECT_EQ(xxh3("91"), "004901d6d0084f13");
}

TEST(Artifact, RefusesDamage) {
  const std::string good = written();
  for (size_t at = 512; at + 1024 < good.size(); at += 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    const absl::StatusOr<Artifact> artifact = readArtifact(bad);
    // Padding and fields like mtime are not covered; all that is read is.
    if (artifact.ok()) {
      EXPECT_EQ(artifact->identity, readArtifact(good)->identity) << at;
      EXPECT_TRUE(artifact->description == sampleDescription());
    }
  }
  for (size_t length = 0; length < good.size(); length += 211) {
    const absl::Status status = readArtifact(std::string_view(good).substr(0, length)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << length << status;
  }
}

TEST(Artifact, RuntimeAndReaderAgreeOnDamagedTars) {
  const std::string good = written();
  // Every byte of the first two headers, flipped in two ways.
  const size_t second = 512 + (test::moduleBytes("sample").size() + 511) / 512 * 512;
  for (const size_t header : {size_t{0}, second}) {
    for (size_t at = header; at < header + 512; ++at) {
      for (const int flip : {1, 0x80}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        hone_model *model = nullptr;
        const bool loads = hone_model_load_memory(bad.data(), bad.size(), 0, &model) == HONE_OK;
        hone_model_destroy(model);
        EXPECT_EQ(readArtifact(bad).ok(), loads) << "byte " << at;
      }
    }
  }
}

TEST(Artifact, RefusesOtherMembers) {
  const absl::StatusOr<Artifact> good = readArtifact(written());
  const test::Entry module{"mod.so", test::moduleBytes("sample")}, parameterEntry{"mod.params", parameters()};
  const test::Entry json{"mod.json", std::string(readTar(written())->at(1).bytes)};
  const auto sentence = [](const std::vector<test::Entry> &entries) {
    const absl::Status status = readArtifact(test::tarOf(entries)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(sentence({module, json}), "the artifact holds no 'mod.params'");
  EXPECT_EQ(sentence({module, json, parameterEntry, json}), "the artifact holds 'mod.json' twice");
  EXPECT_EQ(sentence({module, json, parameterEntry, {"../evil", ""}}),
            "the artifact holds '../evil', which does not belong there; expected mod.so, mod.json and mod.params");
  test::Entry link = parameterEntry;
  link.type = '2';
  EXPECT_NE(sentence({module, json, link}).find("not a regular file"), std::string::npos);
}

TEST(Artifact, DigestsOfPiecesAreThoseOfTheWhole) {
  const std::string bytes = parameters();
  MemberDigester digester;
  digester.add(std::string_view(bytes).substr(0, 7));
  MemberDigester other = digester;
  other.add("something else");
  other = digester;
  for (MemberDigester *one : {&digester, &other}) one->add(std::string_view(bytes).substr(7));
  EXPECT_EQ(digester.digest(), digestOf(bytes));
  EXPECT_EQ(other.digest(), digestOf(bytes)) << "what was added in vain is forgotten";
}

TEST(Artifact, StopsWhereItIsNotTaken) {
  const std::string bytes = parameters();
  const Parameters content{digestOf(bytes), [&](const ByteSink &sink) { return sink(bytes); }};
  int asked = 0;
  const auto full = [&](std::string_view) {
    ++asked;
    return absl::UnavailableError("no space left");
  };
  EXPECT_EQ(writeArtifact(sampleDescription(), "so", content, full).message(), "no space left");
  EXPECT_EQ(asked, 1) << "whoever refused a piece gets no other";
  Parameters huge = content;
  huge.digest.bytes = int64_t{1} << 33;
  const absl::Status status =
      writeArtifact(sampleDescription(), "so", huge, [](std::string_view) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.message().find("'mod.params' would have 8589934592 bytes"), std::string::npos) << status;
}

TEST(Artifact, KeepsWhichOutputsCountIndices) {
  ArtifactDescription description = sampleDescription();
  EXPECT_EQ(readArtifact(*write(description, "so"))->description.indexChecks, std::nullopt);
  description.indexChecks.emplace();
  EXPECT_EQ(readArtifact(*write(description, "so"))->description, description);
  for (int64_t i = 0; i < 3; ++i) {
    description.outputs.push_back({std::to_string(i), DType::I64, {}, {}, true});
    description.buffers.push_back({BufferKind::Output, 2 + i, 0, 8, DType::I64, {}, "", "count"});
  }
  description.indexChecks->push_back({"reads", "Gather", 1, 2, 3, 4});
  EXPECT_EQ(readArtifact(*write(description, "so"))->description, description);
}

TEST(Artifact, RefusesToWriteNonsense) {
  const auto complaint = [](auto change) {
    ArtifactDescription description = sampleDescription();
    change(description);
    const absl::Status status = write(description, "so").status();
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    return std::string(status.message());
  };
  EXPECT_NE(complaint([](auto &d) { d.calls[0].arguments[1] = 5; }).find("takes buffer 5 of 5"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.calls[0].kernel = 3; }).find("is of kernel 3 of 3"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.buffers[1].offset = 128; }).find("takes bytes [128, 192) of 128"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.buffers[1].offset = 4; }).find("not a multiple of 64"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.buffers[2].bytes = 64001; }).find("of 64000"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) {
              d.buffers.pop_back();
              d.calls[1].arguments[1] = 0;
            }).find("output 'total' has no buffer"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.outputs[1].name = "scaled"; }).find("two outputs are named 'scaled'"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.buffers[0].bytes = 1; }).find("has 64000 bytes, but its buffer has 1"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.outputs[0].extents = {-1, 1}; }).find("in output 1, which holds none"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.outputs[1].isExtent = true; }).find("'total' is not the extent"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) {
              d.indexChecks.emplace().push_back({"reads", "Gather", 0, 1, 1, 1});
            }).find("the check of node 'reads' is in output 1, which holds none"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) {
              d.calls.push_back({0, "again", {0, 1}, {}, 0});
            }).find("called with 3 and with 2 arguments"),
            std::string::npos);
}

TEST(Artifact, RefusesToWriteLoopsOutOfPlace) {
  const auto complaint = [](auto change) {
    ArtifactDescription description = loopingDescription();
    change(description);
    const absl::Status status = write(description, "so").status();
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    return std::string(status.message());
  };
  const auto calls = static_cast<int64_t>(loopingDescription().calls.size());
  EXPECT_NE(complaint([](auto &d) { d.loops[1].count = 0; }).find("over 0 calls from call 1 is not in place"),
            std::string::npos);
  EXPECT_NE(complaint([&](auto &d) { d.loops[1].count = calls; }).find("is not in place"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) {
              d.loops[0].count = 1, d.loops[1].first = 0, d.loops[1].count = 2;
            }).find("begins within another and ends outside"),
            std::string::npos);
  EXPECT_NE(complaint([](auto &d) { std::swap(d.loops[0], d.loops[1]); }).find("is not in place"), std::string::npos);
  EXPECT_NE(
      complaint([](auto &d) { d.loops[0].condition = 0; }).find("goes by buffer 0, which is not one bool in the arena"),
      std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.buffers.back().dtype = DType::U8; }).find("not one bool"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.loops[1].condition = 99; }).find("depends on buffer 99"), std::string::npos);
  EXPECT_NE(complaint([](auto &d) { d.loops[0].conditions[0].buffer = -1; }).find("depends on buffer -1"),
            std::string::npos);
}

TEST(RequiredFeatures, AreThoseThatCodeDependsOn) {
  TargetDescription target;
  target.triple = "x86_64-pc-linux-gnu";
  target.features = {"64bit", "aes", "avx", "avx2", "avx512f", "cmov", "fma", "invpcid", "sse2", "xsave"};
  EXPECT_EQ(requiredFeatures(target), (std::vector<std::string>{"avx", "avx2", "avx512f", "fma"}));
  target.triple = "riscv64-unknown-linux-gnu";
  EXPECT_TRUE(requiredFeatures(target).empty());
}

/// A required feature that the runtime cannot detect would be refused everywhere.
TEST(RequiredFeatures, AreKnownToTheRuntime) {
  TargetDescription target;
#if defined(__x86_64__)
  target.triple = "x86_64-pc-linux-gnu";
  target.features = {"avx",
                     "avx2",
                     "avx512bf16",
                     "avx512bitalg",
                     "avx512bw",
                     "avx512cd",
                     "avx512dq",
                     "avx512f",
                     "avx512fp16",
                     "avx512ifma",
                     "avx512vbmi",
                     "avx512vbmi2",
                     "avx512vl",
                     "avx512vnni",
                     "avx512vp2intersect",
                     "avx512vpopcntdq",
                     "avxifma",
                     "avxneconvert",
                     "avxvnni",
                     "avxvnniint16",
                     "avxvnniint8",
                     "bmi",
                     "bmi2",
                     "cx16",
                     "f16c",
                     "fma",
                     "fma4",
                     "gfni",
                     "lzcnt",
                     "movbe",
                     "popcnt",
                     "sse3",
                     "sse4.1",
                     "sse4.2",
                     "sse4a",
                     "ssse3",
                     "tbm",
                     "vpclmulqdq",
                     "xop"};
#elif defined(__aarch64__)
  target.triple = "aarch64-linux-gnu";
  target.features = {"bf16",   "complxnum", "crc",  "dotprod",   "fp16fml", "fullfp16", "i8mm",
                     "jsconv", "lse",       "rcpc", "rcpc-immo", "rdm",     "sve",      "sve2"};
#endif
  const std::vector<std::string> required = requiredFeatures(target);
  EXPECT_EQ(required, target.features);
  const runtime::Status status = runtime::checkCpu(target.triple, required);
  EXPECT_EQ(status.message.find("does not know"), std::string::npos) << status.message;
}

}  // namespace
}  // namespace hone::artifact
