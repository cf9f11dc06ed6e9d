// Simulated workers: each has a TCP connection of its own, says hello as a device, and answers each lease with "done"
// after a time drawn from its seed. Or as a builder that does probe tasks, and sends the results of their items. One
// thread serves all workers of a crew; a simulation may have several crews.
//
// start() and stop() belong to one thread; stats() may be called when stop() has returned, progress() at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hone::bench {

/// "sim-NUMBER"
std::string workerName(int number);

struct CrewOptions {
  std::string address;               ///< HOST:PORT
  std::string key;                   ///< empty: builders, for probe tasks
  int itemsPerMessage = 8;           ///< of probe tasks
  int firstNumber = 0, workers = 1;  ///< of the workers
  absl::Duration shortest, longest;  ///< of an item
  uint64_t seed = 0;
};

struct CrewStats {
  std::vector<int64_t> leased;       ///< tasks, in the order in which they came
  std::vector<float> freeToLease;    ///< seconds from a result sent to the next lease received
  std::vector<absl::Time> accepted;  ///< when each item's acknowledgement came
  int64_t dropped = 0;               ///< results acknowledged as too late
  int64_t revoked = 0;
  int64_t ended = 0;     ///< streams that ended before stop()
  std::string firstEnd;  ///< what the first of them said
};

class Crew {
 public:
  static std::unique_ptr<Crew> start(CrewOptions options);
  virtual ~Crew() = default;
  virtual int64_t attached() const = 0;  ///< workers that were welcomed
  virtual int64_t accepted() const = 0;  ///< items
  virtual int64_t ended() const = 0;
  /// Ends all streams and the thread.
  virtual void stop() = 0;
  virtual const CrewStats &stats() const = 0;
};

}  // namespace hone::bench
