// What equal work is known by, and under which key its result is kept. Pure functions.
//
// A task carries the key of its specification. What is cached is kept under that key and the build of the compiler
// that did the work: which builder that will be is known only when its lease is granted.
#pragma once

#include <string>
#include <string_view>

namespace hone::server {

/// Of work that \p canonicalText says all about. Begins with "fresh:" if the work is to be done again, whatever is
/// known.
std::string specificationKey(std::string_view canonicalText, bool wantsFresh);
bool wantsFresh(std::string_view specificationKey);

/// Under which a result is kept: \p specificationKey (with or without "fresh:"), done by a builder of \p build.
std::string cacheKey(std::string_view specificationKey, std::string_view build);

}  // namespace hone::server
