// Reads the fleet for the tracker's thread: all pages, one read at a time and a few in a second however many ask,
// answers brought over from whatever thread gives them.
//
// Used by one thread, which is woken through the descriptor. An answer that comes after this object's end is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "server/tracker/tracker.h"

namespace hone::server {

class FleetReads {
 public:
  /// What a read found; empty: it failed or took too long.
  using Fleet = std::optional<v1::ListWorkersResponse>;

  FleetReads(FleetReader reader, absl::Duration most);
  ~FleetReads();
  /// Becomes readable when take() has something to do.
  int descriptor() const;
  /// Asks for a read that begins from now on; its answer comes in take(). Returns the read's number.
  uint64_t ask(absl::Duration now);
  struct Answer {
    uint64_t number;  ///< of the read: everybody who asked for it
    Fleet fleet;
  };
  std::vector<Answer> take(absl::Duration now);
  absl::Duration deadline() const;  ///< when take() has something to do in any case
  /// Thread-safe: makes the descriptor readable.
  void wake() const;

 private:
  struct Mailbox;
  struct Walk;
  static void readPage(const std::shared_ptr<Walk> &walk);
  void beginIfDue(absl::Duration now);

  FleetReader reader_;
  absl::Duration most_;
  std::shared_ptr<Mailbox> mailbox_;
  uint64_t running_ = 0, wanted_ = 0, last_ = 0;  // numbers of reads; 0: none
  absl::Duration began_ = -absl::InfiniteDuration();
};

}  // namespace hone::server
