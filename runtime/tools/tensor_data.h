// Where inputs come from and outputs go to: fill modes and npz files. Functions without state.
#pragma once

#include <hone/runtime.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "runtime/tools/run_options.h"

namespace hone::runtime {

/// TVMC's rule for random: integers from 0 to 127, floats from -1 to 1, bools of both kinds. \p index is the input's.
std::string fillTensor(const TensorInfo &info, int32_t index, FillMode mode, uint64_t seed);

/// One string of bytes per input of \p model: from the npz file of the options where it has them, else filled (and then
/// named in \p filled). Arrays that are not inputs, or have another shape or dtype, are refused.
Result<std::vector<std::string>> makeInputs(const Model &model, const RunOptions &options,
                                            std::vector<std::string> &filled);

struct OutputData {
  TensorInfo info;
  const void *data;
};

/// An npz with output_0, output_1, …, and each output under its own name too. Who calls checks whether \p file took it.
Status writeNpz(std::ostream &file, const std::vector<OutputData> &outputs);

/// The same as a file. Written aside and renamed: \p path is either as it was or complete.
Status writeOutputs(const std::string &path, const std::vector<OutputData> &outputs);

}  // namespace hone::runtime
