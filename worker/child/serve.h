// The child's life: confine itself, take a Work from a socket, answer with Reports, and so on until the socket ends, or
// end after one. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/child/work.h"

namespace hone::worker {

struct ChildOptions {
  int socket = -1;
  /// Works are done until the socket ends, all of one lease: what runs here may be its user's own code. Their files
  /// arrive over the socket, before the first Work: messages of one byte (1: another follows; 0: the last) with at most
  /// kFilesAtOnce descriptors each, which get the numbers from kFirstFile on, in order. Else one Work is done, and its
  /// files were inherited.
  bool isServing = false;
  std::string scratch;       ///< folder where it may write; empty: it makes one
  bool isTalkative = false;  ///< says on standard error what confines it
  bool isStrict = false;     ///< does no work when a wall is missing
  uint64_t memoryBytes = 0;  ///< what it may use; 0: what there is
};

inline constexpr int kFirstFile = 4;
inline constexpr int kFilesAtOnce = 250;  // the kernel takes 253
inline constexpr int kMostInherited = 4;

/// Returns the exit code: 0 once a Result was sent to each Work, 5 when nobody is there to take it.
int serve(const ChildOptions &options, const std::vector<Kind> &kinds);

}  // namespace hone::worker
