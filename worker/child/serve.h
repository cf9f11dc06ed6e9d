// The child's life: confine itself, take one Work from a socket, answer with Reports, end. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/child/work.h"

namespace hone::worker {

struct ChildOptions {
  int socket = -1;
  /// The files of the work arrive over the socket, before the Work: messages of one byte (1: another follows; 0: the
  /// last) with at most kFilesAtOnce descriptors each, which get the numbers from kFirstFile on, in order. Else they
  /// were inherited.
  bool receivesFiles = false;
  std::string scratch;       ///< folder where it may write; empty: it makes one
  bool isTalkative = false;  ///< says on standard error what confines it
  bool isStrict = false;     ///< does no work when a wall is missing
  uint64_t memoryBytes = 0;  ///< what it may use; 0: what there is
};

inline constexpr int kFirstFile = 4;
inline constexpr int kFilesAtOnce = 250;  // the kernel takes 253
inline constexpr int kMostInherited = 4;

/// Returns the exit code: 0 once a Result was sent, 5 when nobody is there to take it.
int serveOnce(const ChildOptions &options, const std::vector<Kind> &kinds);

}  // namespace hone::worker
