// hone test-model: a folder with a model, inputs and expected outputs -> whether hone computes what is expected.
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/bound_inputs.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/compile_flags.h"
#include "client/compile_job.h"
#include "client/failure.h"
#include "client/listing.h"
#include "client/service/job_run.h"
#include "client/service/target.h"
#include "client/test_data.h"

namespace hone::client {

namespace {

namespace fs = std::filesystem;

constexpr char kExamples[] =
    "The folder holds model.onnx and test_data_set_0, 1, … with input_0.pb, …, output_0.pb, …: one ONNX TensorProto "
    "each.\n"
    "Floats agree when |actual - expected| <= atol + rtol * |expected|; everything else when it is equal.\n\n"
    "Examples:\n"
    "  hone test-model ./my_model                        compiles, runs, compares\n"
    "  hone test-model ./my_model --bind axes            the input 'axes' of each set is a constant\n"
    "  hone test-model ./my_model --output-format json   for programs\n"
    "\nexit codes: 0 all outputs agree, 3 the model or the data are refused, 4 an output differs, or an index "
    "is outside with --check-indices\n";

struct TestModelFlags {
  std::string folder, format;
  CompileFlags compile;
  runtime::Tolerance tolerance;
  int threads = 0;
};

void declareFlags(CommandLine &line, TestModelFlags &flags) {
  line.option("FOLDER", flags.folder, "the folder with model.onnx and its test data").required();
  line.option("--rtol", flags.tolerance.relative, "relative tolerance of floats").showsDefault().notNegative();
  line.option("--atol", flags.tolerance.absolute, "absolute tolerance of floats").showsDefault().notNegative();
  line.option("--bind", flags.compile.bind,
              "makes an input a constant: NAME (its value in each data set), NAME=VALUE[,VALUE…] or NAME=FILE.npy; may "
              "be repeated")
      .onePerUse();
  line.option("--input-shapes", flags.compile.inputShapes,
              "shapes of inputs whose data have no names: \"name:[1,3,224,224] name2:[1,10]\"");
  line.option("--target", flags.compile.target, "as for hone compile; it has to run here").showsDefault();
  line.option("-O,--opt-level", flags.compile.optLevel, "as for hone compile").showsDefault().between(0, 3);
  line.flag("--check-indices", flags.compile.checkIndices,
            "an index in the data that is outside of its axis ends the test with code 4");
  line.option("--threads", flags.threads, "threads of the run (default: what this machine allows)").between(0, 1024);
  declareFormat(line, flags.format);
  declareServerFlags(line, flags.compile.server);
}

void setTensor(const runtime::Array &array, v1::BoundInput &input) {
  v1::Tensor &tensor = *input.mutable_tensor();
  tensor.set_dtype(hone_dtype_name(array.dtype));
  for (const int64_t extent : array.shape) tensor.add_shape(extent);
  tensor.set_data(array.bytes);
}

/// The options of a compilation for one data set: inputs that take their constant from it, and the others' shapes.
absl::StatusOr<v1::Compile> optionsFor(v1::Compile options, const std::set<std::string> &fromData,
                                       const std::set<std::string> &bound, const TestSet &set) {
  std::set<std::string> missing = fromData, shaped;
  for (const v1::InputShape &shape : options.input_shapes()) shaped.insert(shape.name());
  for (const runtime::NamedArray &input : set.inputs) {
    if (missing.erase(input.name) > 0) {
      v1::BoundInput &message = *options.add_bound_inputs();
      message.set_name(input.name);
      setTensor(input.array, message);
    } else if (set.isNamed() && !bound.contains(input.name) && !shaped.contains(input.name)) {
      v1::InputShape &shape = *options.add_input_shapes();
      shape.set_name(input.name);
      for (const int64_t extent : input.array.shape) shape.add_dims(extent);
    }
  }
  if (missing.empty()) return options;
  return absl::InvalidArgumentError(absl::StrCat("--bind names '", *missing.begin(), "', for which ", set.name,
                                                 " has no data of that name; give the value: --bind ", *missing.begin(),
                                                 "=VALUE"));
}

/// One test of a folder, step by step.
class ModelTest {
 public:
  ModelTest(const TestModelFlags &flags, const Invocation &invocation, std::vector<TestSet> sets, InputFile model)
      : flags_(flags),
        invocation_(invocation),
        modelPath_((fs::path(flags.folder) / "model.onnx").string()),
        sets_(std::move(sets)),
        model_(std::move(model)) {}

  absl::Status run() {
    if (absl::Status status = readOptions(); !status.ok()) return status;
    auto endpoint = chooseEndpoint(flags_.compile.server);
    if (!endpoint.ok()) return endpoint.status();
    auto target = describeTarget(options_.target());
    if (!target.ok()) return target.status();
    options_.clear_target();
    *options_.mutable_target_description() = *std::move(target);
    Interrupts interrupts;
    auto connection = Connection::open(*std::move(endpoint), interrupts);
    if (!connection.ok()) return connection.status();
    for (const TestSet &set : sets_)
      if (absl::Status status = testSet(set, **connection); !status.ok()) return status;
    print(listing_, flags_.format);
    if (differing_ == 0) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(differing_, " of ", listing_.rows.size(), " outputs ",
                                           differing_ == 1 ? "differs" : "differ",
                                           " by more than --rtol and --atol allow"));
  }

 private:
  /// Splits --bind into values that are given and names whose values are in the data.
  absl::Status readOptions() {
    CompileFlags compile = flags_.compile;
    std::erase_if(compile.bind, [&](const std::string &text) {
      return text.find('=') == std::string::npos && !text.empty() && (fromData_.insert(text), true);
    });
    auto options = compileMessage(compile);
    if (!options.ok()) return options.status();
    options_ = *std::move(options);
    bound_ = fromData_;
    for (const v1::BoundInput &input : options_.bound_inputs()) {
      if (bound_.insert(input.name()).second) continue;
      return absl::InvalidArgumentError(absl::StrCat("--bind gives '", input.name(), "' twice"));
    }
    return absl::OkStatus();
  }

  absl::Status testSet(const TestSet &set, Connection &connection) {
    auto options = optionsFor(options_, fromData_, bound_, set);
    if (!options.ok()) return options.status();
    auto artifact = compile(*options, connection);
    if (!artifact.ok()) return artifact.status();
    auto outputs = runTestSet(*artifact, set, bound_, flags_.threads, flags_.tolerance);
    if (!outputs.ok()) return outputs.status();
    for (const TestedOutput &output : *outputs) add(set, output);
    return absl::OkStatus();
  }

  /// The artifact of these options: sets of equal shapes share one.
  absl::StatusOr<fs::path> compile(const v1::Compile &options, Connection &connection) {
    const std::string key = options.SerializeAsString();
    auto known = artifacts_.find(key);
    if (known == artifacts_.end()) {
      auto file = OutputFile::createTemporary();
      if (!file.ok()) return file.status();
      const CompileJob job{modelPath_, model_, options, invocation_.commandLine};
      const JobPlan plan{
          [&](Transfer &transfer) { return job.specify(transfer); },
          [&](const v1::Job &done, Transfer &transfer) { return transfer.get(done.result().artifact(), *file); },
          [&](const v1::Job &failed) { return job.explain(failed, connection); }};
      if (absl::Status status = runJob(connection, plan, {}); !status.ok()) return status;
      known = artifacts_.emplace(key, *std::move(file)).first;
    }
    return known->second.openPath();
  }

  void add(const TestSet &set, const TestedOutput &output) {
    const runtime::Difference &difference = output.difference;
    if (!difference.agrees) ++differing_;
    listing_.rows.push_back({set.name, output.name, output.type, difference.agrees ? "yes" : "no",
                             absl::StrFormat("%.3g", difference.largestAbsolute),
                             absl::StrFormat("%.3g", difference.largestRelative), difference.sentence});
    listing_.json.push_back({{"data_set", set.name},
                             {"output", output.name},
                             {"type", output.type},
                             {"agrees", difference.agrees},
                             {"differing_elements", difference.elements},
                             {"max_absolute_difference", difference.largestAbsolute},
                             {"max_relative_difference", difference.largestRelative},
                             {"difference", difference.sentence}});
  }

  const TestModelFlags &flags_;
  const Invocation &invocation_;
  const std::string modelPath_;
  std::vector<TestSet> sets_;
  InputFile model_;
  v1::Compile options_;
  std::set<std::string> fromData_, bound_;  // names: bound to what the data sets hold; bound at all
  std::map<std::string, OutputFile> artifacts_;
  Listing listing_{{"DATA SET", "OUTPUT", "TYPE", "AGREES", "MAX ABS", "MAX REL", "DIFFERENCE"}, {}, Json::array()};
  int differing_ = 0;
};

absl::Status testModel(const TestModelFlags &flags, const Invocation &invocation) {
  auto model = InputFile::open(fs::path(flags.folder) / "model.onnx");
  if (!model.ok()) return model.status();
  auto sets = readTestSets(flags.folder);
  if (!sets.ok()) return sets.status();
  return ModelTest(flags, invocation, *std::move(sets), *std::move(model)).run();
}

}  // namespace

int testModelCommand(const Invocation &invocation) {
  CommandLine line{"compare what hone computes with the expected outputs of a folder of test data", "hone test-model"};
  TestModelFlags flags;
  declareFlags(line, flags);
  line.footer(kExamples);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(testModel(flags, invocation));
}

}  // namespace hone::client
