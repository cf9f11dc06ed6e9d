// Damaged and hostile artifacts: each is refused with its sentence, and nothing of it is executed.
#include <gtest/gtest.h>

#include <filesystem>
#include <hone/runtime.hpp>

#include "runtime/cpu.h"
#include "runtime/json.h"
#include "tests/runtime/sample_artifact.h"

namespace hone {
namespace {

/// The sentence with which \p tar is refused; empty (and a failed test) when it is not.
std::string refusal(const std::string &tar) {
  hone_model *model = nullptr;
  const hone_status status = hone_model_load_memory(tar.data(), tar.size(), 0, &model);
  EXPECT_EQ(status, HONE_REFUSED) << hone_last_error();
  if (status != HONE_OK) return hone_last_error();
  hone_model_destroy(model);
  return "";
}

class Refusal : public testing::Test {
 protected:
  const std::string module_ = test::moduleBytes("sample"), parameters_ = test::sampleParameters();
  const std::string plain_ = test::sampleJson(module_, parameters_), json_ = test::seal(plain_);

  std::string refusalOf(const std::string &from, const std::string &to) {
    return refusal(test::sampleTar(test::edited(plain_, from, to)));
  }
  void expectRefusal(const std::string &from, const std::string &to, const std::string &part) {
    const std::string sentence = refusalOf(from, to);
    EXPECT_NE(sentence.find(part), std::string::npos) << from << " -> " << to << ": " << sentence;
  }
};

TEST_F(Refusal, FlippedByteAnywhereInAMember) {
  const std::string good = test::sampleTar();
  ASSERT_EQ(good.size() % 512, 0u);
  size_t refused = 0;
  // Every byte of mod.json and mod.params, and a sample of mod.so: their digests cover all.
  const size_t json = good.find("{\n \"xxh3\""), parameters = good.size() - 1024 - 512;
  const auto tryAt = [&](size_t at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_NE(refusal(bad), "") << "byte " << at;
    ++refused;
  };
  for (size_t at = 512; at < 512 + module_.size(); at += 97) tryAt(at);
  for (size_t at = json; at < json + json_.size(); at += 3) tryAt(at);
  for (size_t at = parameters; at < parameters + parameters_.size(); ++at) tryAt(at);
  EXPECT_GT(refused, 500u);
}

TEST_F(Refusal, TruncatedAnywhere) {
  const std::string good = test::sampleTar();
  for (size_t length = 0; length < good.size(); length += 101) EXPECT_NE(refusal(good.substr(0, length)), "") << length;
  EXPECT_NE(refusal(good.substr(0, good.size() - 1)), "");
  EXPECT_NE(refusal(good.substr(0, good.size() - 512)), "");
  EXPECT_NE(refusal(good + "x"), "");
}

TEST_F(Refusal, MembersThatDoNotBelong) {
  const test::Entry module{"mod.so", module_}, json{"mod.json", json_}, parameters{"mod.params", parameters_};
  EXPECT_EQ(refusal(test::tarOf({module, json, parameters, {"../evil", "x"}})),
            "the file is not a hone artifact: it holds '../evil'; expected mod.so, mod.json and mod.params");
  EXPECT_NE(refusal(test::tarOf({module, json, {"../mod.params", parameters_}})), "");
  EXPECT_NE(refusal(test::tarOf({module, json, {"./mod.params", parameters_}})), "");
  EXPECT_NE(refusal(test::tarOf({module, json, {"/mod.params", parameters_}})), "");
  EXPECT_EQ(refusal(test::tarOf({module, json, parameters, parameters})),
            "the file is not a hone artifact: it holds 'mod.params' twice");
  EXPECT_EQ(refusal(test::tarOf({module, json})), "the file is not a hone artifact: it holds no 'mod.params'");
  EXPECT_EQ(refusal(test::tarOf({})), "the file is not a hone artifact: it holds no 'mod.so'");
  for (const char type : {'1', '2', '3', '5', '6', 'L', 'x', 'g'}) {
    test::Entry link = parameters;
    link.type = type;
    EXPECT_NE(refusal(test::tarOf({module, json, link})).find("is not a regular file"), std::string::npos) << type;
  }
  // ustar puts the folders of a long path into a field of its own.
  for (const std::string prefix : {"..", "folder", "/", "."}) {
    test::Entry elsewhere = parameters;
    elsewhere.prefix = prefix;
    EXPECT_EQ(refusal(test::tarOf({module, json, elsewhere})),
              "the file is not a hone artifact: member 'mod.params' lies in a folder");
  }
  EXPECT_NE(refusal(std::string(10240, 'x')), "");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("PK\x03\x04 something else"), "");
}

TEST_F(Refusal, ControlCharactersDoNotReachTheSentence) {
  const std::string sentence = refusal(test::tarOf({{"\x1b[31mred", "x"}}));
  EXPECT_EQ(sentence.find('\x1b'), std::string::npos) << sentence;
}

TEST_F(Refusal, HeadersThatLie) {
  std::string tar = test::sampleTar();
  // The largest octal size: must not overflow into acceptance. The checksum is made right again.
  tar.replace(124, 11, "77777777777");
  tar.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[i]);
  char text[8];
  std::snprintf(text, sizeof(text), "%06o", sum);
  tar.replace(148, 7, std::string(text, 7));
  EXPECT_EQ(refusal(tar), "the file is not a hone artifact: member 'mod.so' is longer than what is left of the file");
}

TEST_F(Refusal, Versions) {
  expectRefusal("\"abi\": 1", "\"abi\": 2", "built for ABI version 2, but this runtime has 1; compile the model again");
  expectRefusal("\"format\": 1", "\"format\": 99", "has format 99, but this runtime reads formats up to 3");
  const std::string newer = test::moduleBytes("newer_abi");
  EXPECT_NE(refusal(test::tarOf({{"mod.so", newer},
                                 {"mod.json", test::seal(test::sampleJson(newer, parameters_))},
                                 {"mod.params", parameters_}}))
                .find("built for another ABI version"),
            std::string::npos);
}

TEST_F(Refusal, ModulesThatAreNone) {
  const auto sentence = [&](const std::string &module) {
    return refusal(test::tarOf({{"mod.so", module},
                                {"mod.json", test::seal(test::sampleJson(module, parameters_))},
                                {"mod.params", parameters_}}));
  };
  EXPECT_EQ(sentence(test::moduleBytes("no_query")), "the artifact's mod.so does not export hone_module_query");
  EXPECT_NE(sentence(test::moduleBytes("bad_table")).find("phase 0 of kernel 'scale_add'"), std::string::npos);
  EXPECT_NE(sentence("not a library").find("mod.so cannot be loaded"), std::string::npos);
  EXPECT_NE(sentence("").find("mod.so cannot be loaded"), std::string::npos);
}

TEST_F(Refusal, CpuFeatures) {
  expectRefusal("\"required_features\": []", "\"required_features\": [\"avx512_does_not_exist\"]",
                "needs the CPU feature 'avx512_does_not_exist', which this runtime does not know");
  bool tried = false;
  for (const runtime::CpuFeature &feature : runtime::cpuFeatures()) {
    const std::string json = test::edited(plain_, "\"required_features\": []",
                                          "\"required_features\": [\"" + std::string(feature.name) + "\"]");
    const std::string tar = test::sampleTar(json);
    if (feature.available) {
      EXPECT_EQ(Model::fromMemory(tar.data(), tar.size()).name(), "sample") << feature.name;
      continue;
    }
    tried = true;
    EXPECT_NE(refusal(tar).find("needs CPU features that this machine lacks: " + std::string(feature.name)),
              std::string::npos);
  }
#if defined(__x86_64__)
  EXPECT_TRUE(tried) << "no CPU has all of Intel's and AMD's extensions";
  expectRefusal("x86_64-pc-linux-gnu", "aarch64-linux-gnu", "the artifact is for aarch64, but this machine is x86_64");
#endif
}

TEST_F(Refusal, ArgumentsOutOfRange) {
  expectRefusal("\"arguments\": [0, 1, 2]", "\"arguments\": [0, 1, 5]", "call 'first' takes buffer 5 of 5");
  const auto conditioned = [&](const std::string &conditions) {
    return "\"conditions\": " + conditions + ", \"arguments\": [0, 1, 2]";
  };
  expectRefusal("\"arguments\": [0, 1, 2]", conditioned("[{\"buffer\": 5, \"value\": 1}]"),
                "call 'first' depends on buffer 5 of 5");
  expectRefusal("\"arguments\": [0, 1, 2]", conditioned("[{\"buffer\": 0, \"value\": 2}]"), "'value'");
  expectRefusal("\"arguments\": [0, 1, 2]", conditioned("[{\"buffer\": 0}]"), "'value' is missing");
  expectRefusal("\"arguments\": [0, 1, 2]", conditioned("1"), "'conditions' has a wrong type");
  expectRefusal("\"arguments\": [0, 1, 2]", "\"arguments\": [0, 1]",
                "kernel 'scale_add' takes 3 buffers, but call 'first' gives 2");
  expectRefusal("\"arguments\": [0, 1, 2]", "\"arguments\": [0, 1, 2, 3]", "takes 3 buffers, but call 'first' gives 4");
  expectRefusal("\"arguments\": [0, 1, 2]", "\"arguments\": [0, -1, 2]", "'arguments' is -1");
  expectRefusal("{\"kernel\": 2", "{\"kernel\": 3", "call 'third' is of kernel 3 of 3");
  expectRefusal(", {\"name\": \"copy\"}", "", "call 'third' is of kernel 2 of 2");
  expectRefusal("{\"name\": \"copy\"}", "{\"name\": \"copy\"}, {\"name\": \"more\"}",
                "mod.so has 3 kernels, but mod.json 4");
  expectRefusal("\"arena\", \"offset\": 0", "\"arena\", \"offset\": 64",
                "takes 64000 bytes from 64 of the arena, which has 64000");
  expectRefusal("\"arena\", \"offset\": 0", "\"arena\", \"offset\": 7", "not a multiple of 64");
  expectRefusal("\"arena_bytes\": 64000", "\"arena_bytes\": 63999", "of the arena, which has 63999");
  // Beyond the end, where what is left of the area is less than nothing; also of a buffer of no bytes.
  expectRefusal("\"arena\", \"offset\": 0", "\"arena\", \"offset\": 64064",
                "takes 64000 bytes from 64064 of the arena, which has 64000");
  expectRefusal("\"arena\", \"offset\": 0", "\"arena\", \"offset\": 70368744177600", "of the arena, which has 64000");
  expectRefusal("\"arena\", \"offset\": 0, \"bytes\": 64000", "\"arena\", \"offset\": 64064, \"bytes\": 0",
                "takes 0 bytes from 64064 of the arena, which has 64000");
  expectRefusal("\"parameter\", \"offset\": 0", "\"parameter\", \"offset\": 64", "of mod.params, which has 64");
  expectRefusal("\"parameter\", \"offset\": 0", "\"parameter\", \"offset\": 128",
                "takes 64 bytes from 128 of mod.params, which has 64");
  expectRefusal("\"parameter\", \"offset\": 0, \"bytes\": 64", "\"parameter\", \"offset\": 128, \"bytes\": 0",
                "takes 0 bytes from 128 of mod.params, which has 64");
  expectRefusal("\"parameter\", \"offset\": 0, \"bytes\": 64", "\"parameter\", \"offset\": 0, \"bytes\": 65",
                "of mod.params, which has 64");
  expectRefusal("\"input\", \"index\": 0", "\"input\", \"index\": 1", "input or output 1 of 1");
  expectRefusal("\"output\", \"index\": 1", "\"output\", \"index\": 0", "but its buffer");
  expectRefusal("\"output\", \"index\": 1, \"bytes\": 4", "\"output\", \"index\": 0, \"bytes\": 64000",
                "has two buffers");
  expectRefusal("\"input\", \"index\": 0, \"bytes\": 64000", "\"input\", \"index\": 0, \"bytes\": 64",
                "'data' has 64000 bytes, but its buffer 64");
  expectRefusal("\"kind\": \"arena\"", "\"kind\": \"heap\"", "unknown kind 'heap'");
  expectRefusal("\"shape\": [1000, 16]},\n", "\"shape\": [1000, 16], \"extents\": [{\"dim\": 0, \"output\": 1}]},\n",
                "is in output 1, which holds none");
  const auto checked = [&](const std::string &checks) { return "\"index_checks\": " + checks + ", \"arena_bytes\""; };
  expectRefusal("\"arena_bytes\"",
                checked("[{\"node\": \"g\", \"operator\": \"Gather\", \"axis\": 0, \"count\": 0, "
                        "\"example\": 0, \"extent\": 0}]"),
                "the index check of 'g' is in output 0, which holds none");
  expectRefusal("\"arena_bytes\"", checked("[{\"node\": \"g\"}]"), "'operator' is missing");
  expectRefusal("\"arena_bytes\"", checked("7"), "'index_checks' has a wrong type");
  expectRefusal("\"name\": \"nested/total\"", "\"name\": \"scaled\"", "two of its outputs are named 'scaled'");
}

TEST_F(Refusal, LoopsOutOfPlace) {
  // The sample has three calls; buffers 0 and 1 are an input and the parameters, buffer 5 is added here.
  const auto looping = [&](const std::string &loops, const std::string &sentence) {
    const std::string withByte = test::edited(plain_, "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}",
                                              "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}, "
                                              "{\"kind\": \"arena\", \"offset\": 64, \"bytes\": 1}");
    const std::string json = test::edited(withByte, "\"format\": 1", "\"format\": 3, \"loops\": " + loops);
    EXPECT_NE(refusal(test::sampleTar(json)).find(sentence), std::string::npos) << refusal(test::sampleTar(json));
  };
  const auto loop = [](const std::string &first, const std::string &count, const std::string &condition = "5") {
    return "{\"first\": " + first + ", \"count\": " + count + ", \"condition\": " + condition + "}";
  };
  looping("1", "'loops' has a wrong type");
  looping("[1]", "'first' is missing");
  looping("[" + loop("0", "0") + "]", "a loop has 0 calls from call 0, of 3");
  looping("[" + loop("3", "1") + "]", "a loop has 1 calls from call 3, of 3");
  looping("[" + loop("1", "3") + "]", "a loop has 3 calls from call 1, of 3");
  looping("[" + loop("2147483647", "2147483647") + "]", "of 3");
  looping("[" + loop("-1", "2") + "]", "'first' is -1");
  looping("[" + loop("0", "9223372036854775807") + "]", "'count' is 9223372036854775807");
  looping("[" + loop("1", "1") + ", " + loop("0", "1") + "]", "the loop from call 0 comes behind one from call 1");
  looping("[" + loop("0", "2") + ", " + loop("1", "2") + "]", "the loop from call 1 ends behind the one around it");
  looping("[" + loop("0", "1") + ", " + loop("0", "2") + "]", "the loop from call 0 ends behind the one around it");
  std::string deep = loop("0", "1");
  for (int i = 0; i < 64; ++i) deep += ", " + loop("0", "1");
  looping("[" + deep + "]", "the loop from call 0 lies within 64 others");
  looping("[" + loop("0", "1", "6") + "]", "a loop goes by buffer 6 of 6");
  looping("[" + loop("0", "1", "0") + "]", "a loop goes by buffer 0, which is not one byte of the arena");
  looping("[" + loop("0", "1", "1") + "]", "a loop goes by buffer 1, which is not one byte of the arena");
  looping("[" + loop("0", "1", "2") + "]", "a loop goes by buffer 2, which is not one byte of the arena");
  looping("[{\"first\": 0, \"count\": 1}]", "'condition' is missing");
  looping("[{\"first\": 0, \"count\": 1, \"condition\": 5, \"conditions\": [{\"buffer\": 9, \"value\": 1}]}]",
          "a loop depends on buffer 9 of 6");
}

TEST_F(Refusal, HugeNumbers) {
  expectRefusal("\"arena_bytes\": 64000", "\"arena_bytes\": 99999999999999999999", "'arena_bytes' has a wrong type");
  expectRefusal("\"arena_bytes\": 64000", "\"arena_bytes\": 9223372036854775807",
                "'arena_bytes' is 9223372036854775807");
  expectRefusal("\"arena_bytes\": 64000", "\"arena_bytes\": 1e400", "out of range");
  expectRefusal("\"arena_bytes\": 64000", "\"arena_bytes\": -1", "'arena_bytes' is -1");
  expectRefusal("\"shape\": [1000, 16]", "\"shape\": [4294967296, 4294967296]", "is larger than");
  expectRefusal("\"arena\", \"offset\": 0", "\"arena\", \"offset\": 9223372036854775744", "'offset' is");
  // Allowed by the format, but no machine has it: said, not crashed.
  const std::string tar =
      test::sampleTar(test::edited(plain_, "\"arena_bytes\": 64000", "\"arena_bytes\": 70368744177664"));
  const Model model = Model::fromMemory(tar.data(), tar.size());
  try {
    Session session(Context(1), model);
    SUCCEED() << "the system overcommits";
  } catch (const RuntimeError &error) {
    EXPECT_EQ(error.status(), HONE_UNAVAILABLE);
  }
}

TEST_F(Refusal, JsonThatIsNone) {
  const std::string opening = plain_.substr(0, 12 + 16 + 1);
  for (const std::string &rest : std::vector<std::string>{
           "", "}", ", ", ",}", ", \"format\": }", ", \"format\": 1", ", \"format\": 1}", ", \"format\": \"1\"}",
           ", \"format\": null}", ", \"xxh3\": \"\"}", ", \"a\": \"\xff\"}", ", \"a\": \"\\ud800\"}", ", \"a\": 01}",
           ", \"a\": tru}", "} trailing", ", \"a\": \"\n\"}"})
    EXPECT_NE(refusal(test::sampleTar(test::seal(opening + rest))), "") << rest;
  EXPECT_NE(refusal(test::sampleTar("[]")).find("does not open with its digest"), std::string::npos);
  EXPECT_NE(refusal(test::sampleTar("")), "");
  const std::string deep = opening + ", \"a\": " + std::string(1000000, '[') + std::string(1000000, ']') + "}";
  EXPECT_NE(refusal(test::sampleTar(test::seal(deep))).find("nested deeper than 32"), std::string::npos);
  for (const char *field : {"\"calls\"", "\"buffers\"", "\"inputs\"", "\"members\"", "\"target\"",
                            "\"required_features\"", "\"kernels\"", "\"triple\"", "\"flops\""})
    expectRefusal(field, "\"other\"", "is missing");
  for (const auto &[estimate, problem] : std::vector<std::pair<std::string, std::string>>{
           {"1", "'estimate' has a wrong type"},
           {"{\"limit\": \"L2\", \"threads\": 1}", "'cycles' is missing"},
           {"{\"cycles\": -1, \"limit\": \"L2\", \"threads\": 1}", "'cycles' is -1"},
           {"{\"cycles\": 1, \"limit\": 2, \"threads\": 1}", "'limit' has a wrong type"},
           {"{\"cycles\": 1, \"limit\": \"L2\", \"threads\": 4294967297}", "'threads' is 4294967297"}})
    expectRefusal("{\"name\": \"total\"}", "{\"name\": \"total\", \"estimate\": " + estimate + "}", problem);
  // Its own digest with a capital letter or a sign is not the digest.
  std::string capital = json_;
  capital[12] = '+';
  EXPECT_NE(refusal(test::sampleTar(capital)), "");
}

TEST_F(Refusal, FilesThatCannotBeRead) {
  hone_model *model = nullptr;
  EXPECT_EQ(hone_model_load("/nowhere/model.tar", 0, &model), HONE_UNAVAILABLE);
  EXPECT_STREQ(hone_last_error(), "cannot open '/nowhere/model.tar': No such file or directory");
  const std::string folder = test::temporaryFolder();
  EXPECT_EQ(hone_model_load(folder.c_str(), 0, &model), HONE_UNAVAILABLE);
  EXPECT_EQ(std::string(hone_last_error()), "cannot open '" + folder + "/mod.so': No such file or directory");
  EXPECT_EQ(hone_model_load("/dev/null", 0, &model), HONE_UNAVAILABLE);
  EXPECT_EQ(hone_model_load(nullptr, 0, &model), HONE_USAGE);
  test::writeFile(folder + "/empty.tar", "");
  EXPECT_EQ(hone_model_load((folder + "/empty.tar").c_str(), 0, &model), HONE_REFUSED);
  EXPECT_EQ(model, nullptr);
}

TEST(Json, ReadsWhatItShould) {
  auto value = runtime::parseJson(
      " {\"a\": [1, -2, 3.5, 1e3, true, false, null], \"b\\n\\u00e9\\ud83d\\ude00\": \"\\\"\\\\\\/\"} ");
  ASSERT_TRUE(value.ok()) << value.status().message;
  const runtime::JsonValue *list = value->find("a");
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->elements.size(), 7u);
  EXPECT_EQ(list->elements[1].integer, -2);
  EXPECT_EQ(list->elements[2].number, 3.5);
  EXPECT_EQ(list->elements[3].kind, runtime::JsonValue::Kind::Number);
  EXPECT_TRUE(list->elements[4].boolean);
  const runtime::JsonValue *text = value->find("b\n\xc3\xa9\xf0\x9f\x98\x80");
  ASSERT_NE(text, nullptr);
  EXPECT_EQ(text->string, "\"\\/");
}

}  // namespace
}  // namespace hone
