// The digests of an artifact's members, as lower-case hexadecimal text. Functions without state.
#pragma once

#include <string>
#include <string_view>

namespace hone::artifact {

std::string sha256(std::string_view bytes);
/// XXH3, 64 bits, seed 0.
std::string xxh3(std::string_view bytes);

}  // namespace hone::artifact
