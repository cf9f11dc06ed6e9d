#include "tests/frontend/run_model.h"

#include <gtest/gtest.h>

#include <hone/runtime.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/compile.h"
#include "tests/frontend/evaluated_model.h"

namespace hone::test {
namespace {

DType dtypeOf(hone_dtype dtype) { return parseDType(hone_dtype_name(dtype)).value(); }

Array arrayOf(DType dtype, const std::vector<int64_t> &shape, const void *data) {
  graph::ConstantData constant{{dtype, shape}, {}};
  const char *bytes = static_cast<const char *>(data);
  constant.bytes.assign(bytes, bytes + constant.type.elements() * sizeOf(dtype));
  Array array(shape, dtype);
  for (size_t i = 0; i < array.values.size(); ++i) {
    array.values[i] = graph::elementAsDouble(constant, static_cast<int64_t>(i));
  }
  return array;
}

}  // namespace

absl::StatusOr<std::string> compileToArtifact(const ModelBuilder &model, bool checkIndices) {
  driver::CompileOptions options;
  HONE_ASSIGN_OR_RETURN(options.target, codegen::parseTarget("llvm"));
  options.threads = 1;
  options.checkIndices = checkIndices;
  HONE_ASSIGN_OR_RETURN(driver::CompileResult result, driver::compileModel(model.bytes(), options));
  return std::move(result.artifact);
}

std::map<std::string, Array> runArtifact(const std::string &artifact, const std::map<std::string, Array> &inputs,
                                         int threads) {
  const Model model = Model::fromMemory(artifact.data(), artifact.size());
  const Context context(threads);
  Session session(context, model);
  for (const auto &[name, array] : inputs) {
    const graph::Constant data = array.constant();
    session.setInput(model.findInput(name), data->bytes.data(), data->bytes.size());
  }
  session.run();
  session.run();
  std::map<std::string, Array> outputs;
  for (int32_t i = 0; i < model.outputCount(); ++i) {
    const TensorInfo info = model.output(i);
    outputs[info.name] = arrayOf(dtypeOf(info.dtype), session.outputShape(i), session.output<char>(i));
  }
  return outputs;
}

void expectRuns(const ModelBuilder &model, const std::map<std::string, Array> &inputs,
                const std::map<std::string, Array> &expected, double tolerance) {
  const auto expectAll = [&](const std::map<std::string, Array> &outputs) {
    for (const auto &[name, array] : expected) {
      SCOPED_TRACE(name);
      ASSERT_EQ(outputs.count(name), 1U);
      expectArray(outputs.at(name), array, tolerance);
    }
  };
  {
    SCOPED_TRACE("the graph's evaluation");
    expectAll(evaluateModel(model, inputs));
  }
  const absl::StatusOr<std::string> artifact = compileToArtifact(model);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  for (const int threads : {1, 2}) {
    SCOPED_TRACE(absl::StrCat(threads, " threads"));
    expectAll(runArtifact(*artifact, inputs, threads));
  }
}

}  // namespace hone::test
