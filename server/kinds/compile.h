// Compile: model -> artifact. On a builder; pure, and so kept for equal jobs. Here: which compilations are the same. A
// pure function.
#pragma once

#include <string>

#include "hone/v1/jobs.pb.h"

namespace hone::server {

/// Everything that \p compile's artifact depends on but the compiler's build, as text: a line per field, every string
/// with its length before it, sets sorted.
std::string canonicalText(const v1::CompileJob &compile);

}  // namespace hone::server
