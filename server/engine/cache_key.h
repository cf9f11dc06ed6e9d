// Which compilations are the same: the SHA-256 of a canonical text of what an artifact depends on. Pure functions.
//
// A task carries the key of its specification. What is cached is kept under that key and the build of the compiler
// that did the work: which builder that will be is known only when its lease is granted.
#pragma once

#include <string>

#include "hone/v1/jobs.pb.h"

namespace hone::server {

/// Everything that \p compile's artifact depends on but the compiler's build, as text: a line per field, every string
/// with its length before it, sets sorted.
std::string canonicalText(const v1::CompileJob &compile);

/// What equal work has in common. Empty: the result is not kept, since the job runs something or wants to see inside of
/// its compilation. Begins with "fresh:" if the job wants the work done again, whatever is known.
std::string specificationKey(const v1::JobSpec &spec);
bool wantsFresh(const std::string &specificationKey);

/// Under which a result is kept: \p specificationKey (with or without "fresh:"), done by a builder of \p build.
std::string cacheKey(const std::string &specificationKey, const std::string &build);

}  // namespace hone::server
