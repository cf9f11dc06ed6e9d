// What the tests send through the service: tiny models, each number another one, and bytes of any length. Pure
// functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "hone/v1/blobs.pb.h"

namespace hone::test {

/// A small dense network as ONNX, compiled in a fraction of a second. Other numbers, other weights.
std::string tinyModel(uint32_t number);

/// Models that want to do harm, by name: shapes of more bytes than there are, a constant of such a shape, subgraphs
/// nested without end, weights in a file of the user's.
std::map<std::string, std::string> hostileModels();

/// Bytes that no compressor and no accident makes equal for two seeds.
std::string randomBytes(uint64_t seed, size_t size);

std::string sha256(const std::string &bytes);  ///< 64 hexadecimal digits
v1::Digest digestOf(const std::string &bytes);

}  // namespace hone::test
