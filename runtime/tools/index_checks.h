// What a run found of indices outside of their axes, as one sentence. A function without state.
#pragma once

#include <hone/runtime.hpp>
#include <string>

namespace hone::runtime {

/// Empty when all that the model checks were inside in the last run, or it was compiled without checks.
std::string indicesOutside(const Model &model, const Session &session);

}  // namespace hone::runtime
