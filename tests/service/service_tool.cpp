// What the Python tests of the service cannot do themselves:
//   service_tool models FOLDER COUNT        writes tiny-0.onnx, tiny-1.onnx, …
//   service_tool hostile FOLDER             writes models that want to do harm, NAME.onnx
//   service_tool target WORKER FILE         this machine's TargetDescription, serialized
//   service_tool show-target FILE           the same as JSON
//   service_tool compile WORKER TARGET      reads lines "MODEL OPT_LEVEL", answers each with "MODEL OPT_LEVEL SHA256":
//                                           the artifact that a local compilation gives
//   service_tool compile-file WORKER TARGET MODEL ARTIFACT    what `hone-worker --once` alone needs for one model
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "CLI/CLI.hpp"
#include "google/protobuf/util/json_util.h"
#include "tests/service/local_work.h"
#include "tests/service/models.h"

namespace {

using namespace hone;

int fail(const absl::Status &status) {
  fprintf(stderr, "error: %s\n", status.ToString().c_str());
  return 1;
}

int writeModels(const std::string &folder, uint32_t count) {
  for (uint32_t number = 0; number < count; ++number)
    std::ofstream(folder + "/tiny-" + std::to_string(number) + ".onnx", std::ios::binary) << test::tinyModel(number);
  return 0;
}

int writeHostileModels(const std::string &folder) {
  for (const auto &[name, bytes] : test::hostileModels())
    std::ofstream(folder + "/" + name + ".onnx", std::ios::binary) << bytes;
  return 0;
}

int writeTarget(const std::string &worker, const std::string &file) {
  auto target = test::describeTarget(worker, "llvm");
  if (!target.ok()) return fail(target.status());
  std::ofstream(file, std::ios::binary) << target->SerializeAsString();
  return 0;
}

std::string contentOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int showTarget(const std::string &path) {
  v1::TargetDescription target;
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!target.ParseFromString(contentOf(path)) ||
      !google::protobuf::util::MessageToJsonString(target, &text, options).ok())
    return fail(absl::InvalidArgumentError("no target description in " + path));
  puts(text.c_str());
  return 0;
}

int compileFile(const std::string &worker, const std::string &targetFile, const std::string &model,
                const std::string &artifact) {
  v1::Work work;
  if (!work.mutable_compile()->mutable_target_description()->ParseFromString(contentOf(targetFile)))
    return fail(absl::InvalidArgumentError("no target description in " + targetFile));
  work.mutable_compile()->set_opt_level(3);
  auto end = test::workLocally(worker, work, contentOf(model));
  if (!end.ok()) return fail(end.status());
  if (end->result.outcome() != v1::Result::DONE) return fail(absl::InternalError(end->result.sentence()));
  std::ofstream(artifact, std::ios::binary) << end->output;
  return 0;
}

int compileLines(const std::string &worker, const std::string &targetFile) {
  const std::string bytes = contentOf(targetFile);
  v1::Work work;
  if (!work.mutable_compile()->mutable_target_description()->ParseFromString(bytes) || bytes.empty())
    return fail(absl::InvalidArgumentError("no target description in " + targetFile));
  uint32_t model = 0;
  int optLevel = 0;
  while (std::cin >> model >> optLevel) {
    work.mutable_compile()->set_opt_level(optLevel);
    auto end = test::workLocally(worker, work, test::tinyModel(model));
    if (!end.ok()) return fail(end.status());
    if (end->result.outcome() != v1::Result::DONE) return fail(absl::InternalError(end->result.sentence()));
    printf("%u %d %s\n", model, optLevel, test::sha256(end->output).c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  CLI::App app("help of the service's tests");
  app.require_subcommand(1);
  std::string worker, path, model, artifact;
  uint32_t count = 0;
  CLI::App *models = app.add_subcommand("models");
  models->add_option("folder", path)->required();
  models->add_option("count", count)->required();
  CLI::App *hostile = app.add_subcommand("hostile");
  hostile->add_option("folder", path)->required();
  CLI::App *target = app.add_subcommand("target");
  CLI::App *show = app.add_subcommand("show-target");
  show->add_option("file", path)->required();
  CLI::App *compile = app.add_subcommand("compile");
  CLI::App *compileOne = app.add_subcommand("compile-file");
  for (CLI::App *command : {target, compile, compileOne}) {
    command->add_option("worker", worker)->required();
    command->add_option("file", path)->required();
  }
  compileOne->add_option("model", model)->required();
  compileOne->add_option("artifact", artifact)->required();
  CLI11_PARSE(app, argc, argv);
  if (models->parsed()) return writeModels(path, count);
  if (hostile->parsed()) return writeHostileModels(path);
  if (target->parsed()) return writeTarget(worker, path);
  if (show->parsed()) return showTarget(path);
  if (compileOne->parsed()) return compileFile(worker, path, model, artifact);
  return compileLines(worker, path);
}
