// Names of jobs: "j-" and 12 characters of base32, different from each other within a process and, by the time that is
// mixed in, over restarts. Not thread-safe; a plain value.
#pragma once

#include <cstdint>
#include <string>

namespace hone::server {

class JobIds {
 public:
  explicit JobIds(uint64_t seed) : seed_(seed) {}

  std::string next(int64_t wallMicros) {
    constexpr char kDigits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t bits = mix(mix(seed_ + static_cast<uint64_t>(wallMicros)) + ++counter_);
    std::string id = "j-";
    for (int i = 0; i < 12; ++i, bits >>= 5) id += kDigits[bits & 31];
    return id;
  }

 private:
  static uint64_t mix(uint64_t value) {  // SplitMix64: different values stay different
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }

  uint64_t seed_;
  uint64_t counter_ = 0;
};

}  // namespace hone::server
