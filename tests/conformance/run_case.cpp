#include "tests/conformance/run_case.h"

#include <algorithm>
#include <hone/runtime.hpp>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/kernels.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/pipeline.h"
#include "compiler/plan/plan.h"
#include "tests/support/random_schedule.h"

namespace hone::conformance {
namespace {

bool isRefusal(const absl::Status &status) { return absl::IsInvalidArgument(status) || absl::IsUnimplemented(status); }

CaseResult refusedOrFailed(const absl::Status &status) {
  return {isRefusal(status) ? Outcome::Refused : Outcome::Failed, std::string(status.message())};
}

/// A text of random legal schedules, one per kernel of the plan that the driver will make.
absl::StatusOr<std::string> randomSchedules(const std::string &model, const driver::CompileOptions &options,
                                            uint64_t seed) {
  frontend::ImportOptions import;
  import.inputShapes = options.inputShapes;
  import.boundInputs = options.boundInputs;
  HONE_ASSIGN_OR_RETURN(graph::Graph graph, frontend::importModel(model, import));
  HONE_RETURN_IF_ERROR(graph::runPasses(graph).status());
  HONE_ASSIGN_OR_RETURN(plan::Plan plan, plan::makePlan(graph, options.target));
  driver::nameBuffersByRole(plan);
  std::string text;
  for (const plan::PlanKernel &planned : plan.kernels) {
    const schedule::Schedule chosen = testing::randomSchedule(planned.kernel, options.target, seed++);
    absl::StrAppend(&text, driver::schedulesFileSection(planned.kernel.name, schedule::print(chosen)), "\n");
  }
  return text;
}

/// The inputs of \p set by name, and which of them are bound.
driver::CompileOptions optionsFor(const Interface &interface, const DataSet &set, const std::set<std::string> &bound,
                                  const Setting &setting) {
  driver::CompileOptions options;
  options.target = setting.target;
  options.disabledPasses = setting.disabledPasses;
  options.optLevel = setting.optLevel;
  options.threads = 1;
  for (size_t i = 0; i < interface.inputs.size() && i < set.inputs.size(); ++i) {
    const runtime::Array &array = set.inputs[i].array;
    if (bound.count(interface.inputs[i]) != 0) {
      options.boundInputs[interface.inputs[i]] = asConstant(array);
    } else {
      options.inputShapes[interface.inputs[i]] = array.shape;
    }
  }
  return options;
}

/// numpy has no bfloat16: data of that type were written as the bits, in uint16.
runtime::Array asDeclared(runtime::Array array, hone_dtype declared) {
  if (declared == HONE_BFLOAT16 && array.dtype == HONE_UINT16) array.dtype = HONE_BFLOAT16;
  return array;
}

/// The result of a run whose inputs are set: what differs, or nothing.
std::string differences(Session &session, const Model &model, const DataSet &set, const runtime::Tolerance &wanted) {
  for (int32_t i = 0; i < model.outputCount(); ++i) {
    const TensorInfo info = model.output(i);
    runtime::Tolerance tolerance = wanted;
    // Two steps of the short floats, as ONNX's own runner allows for bfloat16: a formula of several nodes rounds at
    // each.
    if (info.dtype == HONE_BFLOAT16) tolerance.relative = std::max(tolerance.relative, 0x1p-6);
    if (info.dtype == HONE_FLOAT16) tolerance.relative = std::max(tolerance.relative, 0x1p-9);
    const runtime::Array expected = asDeclared(set.outputs[static_cast<size_t>(i)].array, info.dtype);
    const runtime::Difference difference =
        runtime::compareArrays(info.dtype, session.outputShape(i), session.output(i), expected, tolerance);
    if (!difference.agrees) return absl::StrCat("output '", info.name, "': ", difference.sentence);
  }
  return "";
}

/// Runs \p model twice, for the second run meets the memory that the first has left.
CaseResult runTwice(const Model &model, const Interface &interface, const DataSet &set,
                    const std::set<std::string> &bound, const Setting &setting) {
  if (static_cast<size_t>(model.outputCount()) != set.outputs.size()) {
    return {Outcome::Wrong, absl::StrCat("has ", model.outputCount(), " outputs instead of ", set.outputs.size())};
  }
  const Context context(setting.threads);
  Session session(context, model);
  for (size_t i = 0; i < interface.inputs.size(); ++i) {
    if (bound.count(interface.inputs[i]) != 0) continue;
    if (i >= set.inputs.size()) return {Outcome::Failed, "the data set has fewer inputs than the model"};
    const int32_t index = model.findInput(interface.inputs[i]);
    const TensorInfo info = model.input(index);
    const runtime::Array array = asDeclared(set.inputs[i].array, info.dtype);
    if (info.dtype != array.dtype || info.shape != array.shape) {
      return {Outcome::Wrong, absl::StrCat("input '", info.name, "' has another dtype or shape than its data")};
    }
    session.setInput(index, array.bytes.data(), array.bytes.size());
  }
  for (int repeat = 0; repeat < 2; ++repeat) {
    session.run();
    std::string reason = differences(session, model, set, setting.tolerance);
    if (!reason.empty()) return {Outcome::Wrong, std::move(reason)};
  }
  return {Outcome::Passed, ""};
}

}  // namespace

graph::Constant asConstant(const runtime::Array &array) {
  auto constant = std::make_shared<graph::ConstantData>();
  constant->type = {parseDType(hone_dtype_name(array.dtype)).value_or(DType::F32), array.shape};
  constant->bytes.assign(array.bytes.begin(), array.bytes.end());
  return constant;
}

CaseResult runModel(const std::string &bytes, const Interface &interface, const DataSet &set,
                    const std::set<std::string> &bound, const Setting &setting) {
  driver::CompileOptions options = optionsFor(interface, set, bound, setting);
  if (setting.scheduleSeed) {
    auto schedules = randomSchedules(bytes, options, *setting.scheduleSeed);
    if (!schedules.ok()) return refusedOrFailed(schedules.status());
    options.schedules = *std::move(schedules);
  }
  const auto compiled = driver::compileModel(bytes, options);
  if (!compiled.ok()) {
    // A random schedule that is refused is a defect of ours, whatever the status says.
    CaseResult result = refusedOrFailed(compiled.status());
    if (setting.scheduleSeed) result.outcome = Outcome::Failed;
    return result;
  }
  try {
    const Model model = Model::fromMemory(compiled->artifact.data(), compiled->artifact.size());
    return runTwice(model, interface, set, bound, setting);
  } catch (const RuntimeError &error) {
    return {Outcome::Failed, error.what()};
  }
}

CaseResult runCase(const Case &item, const std::set<std::string> &bound, const Setting &setting) {
  const auto model = readFile(item.folder / "model.onnx");
  if (!model.ok()) return refusedOrFailed(model.status());
  const auto interface = readInterface(*model);
  if (!interface.ok()) return refusedOrFailed(interface.status());
  const auto sets = readDataSets(item.folder);
  if (!sets.ok()) {
    // The model's own reason, where there is one, says more than that its data is no tensor.
    const auto compiled = driver::compileModel(*model, optionsFor(*interface, {}, {}, setting));
    return refusedOrFailed(compiled.ok() ? sets.status() : compiled.status());
  }
  if (sets->empty()) return {Outcome::Failed, "there is no test data"};
  for (const DataSet &set : *sets) {
    CaseResult result = runModel(*model, *interface, set, bound, setting);
    if (result.outcome != Outcome::Passed) return result;
  }
  return {Outcome::Passed, ""};
}

}  // namespace hone::conformance
