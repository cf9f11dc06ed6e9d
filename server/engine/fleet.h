// Who is there: workers as the store knows them, sessions of those that are attached, their free slots, their standing
// (draining, quarantined). A worker has slots by key: "" for builds, its own key for runs. Taking a free slot is
// O(log n), the longest free first. Not thread-safe; a plain value, but for the links, which sessions share.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hone/v1/fleet.pb.h"
#include "server/engine/engine.h"
#include "server/store/store.h"

namespace hone::server {

/// INVALID_ARGUMENT if a worker that says this cannot be used, with what to do.
absl::Status checkHello(const v1::Hello &hello);

struct Session {
  SessionId id = 0;
  v1::Hello hello;
  std::string peer;
  std::shared_ptr<WorkerLink> link;
  absl::Duration heard;  ///< the last message of any kind
  int64_t attachedMicros = 0;
  bool isLeaving = false;  ///< it said goodbye

  const std::string &name() const { return hello.name(); }
};

class Fleet {
 public:
  explicit Fleet(const Kinds *kinds) : kinds_(kinds) {}

  // ------------------------------------------------------------------------------------------------------ as stored
  void load(const std::vector<WorkerRow> &rows);
  WorkerRow *row(const std::string &name);
  const std::map<std::string, WorkerRow> &rows() const { return rows_; }
  /// The worker's row after \p hello: what a person or a strike has decided about it stays.
  const WorkerRow &introduce(const v1::Hello &hello, int64_t nowMicros);
  /// As Store::removeWorkers(); true: there was one.
  bool forgetUnseen(int64_t beforeMicros);
  /// After a change of the row's standing: with or without leases from now on.
  void standingChanged(const std::string &name);

  /// Some device that was seen since \p sinceMicros has \p key, or is attached.
  bool knowsKey(const std::string &key, int64_t sinceMicros) const;
  std::vector<std::string> knownKeys(int64_t sinceMicros) const;

  // -------------------------------------------------------------------------------------------------------- sessions
  Session &attach(Session session, absl::Duration now);
  std::optional<Session> detach(SessionId id);
  Session *find(SessionId id);
  Session *find(const std::string &name);
  const Session *find(const std::string &name) const;
  std::vector<Session *> sessions();
  int64_t size() const { return static_cast<int64_t>(sessions_.size()); }
  /// The builds of the compilers attached now, sorted; the number grows when there is one that was not there just
  /// before.
  std::vector<std::string> builds() const;
  int64_t buildsGeneration() const { return buildsGeneration_; }

  // ----------------------------------------------------------------------------------------------------------- slots
  struct FreeSlot {
    Session *session = nullptr;
    absl::Duration since;
  };
  /// Of a worker that can do \p kind and is not \p avoided.
  std::optional<FreeSlot> free(const std::string &key, const std::string &kind, const std::string &avoided);
  bool hasFree(const std::string &key, const std::string &kind) const;
  /// Whether another worker than \p name, free or not, gets leases of \p kind.
  bool hasOther(const std::string &key, const std::string &kind, const std::string &name) const;
  /// Whether somebody attached can do \p kind, and whether anybody is attached for \p key.
  bool canDo(const std::string &key, const std::string &kind) const;
  bool isServed(const std::string &key) const;
  /// Leases of workers that are not attached change nothing.
  void occupy(const std::string &worker, const std::string &key);
  void release(const std::string &worker, const std::string &key, absl::Duration now);
  void releaseAll(absl::Duration now);

  // --------------------------------------------------------------------------------------------------------- setbacks
  /// It gave work back; after several in a row it gets none for a while. \p reason: of the last time.
  void gaveBack(const std::string &worker, const std::string &reason, absl::Duration now);
  /// It is well: it has completed work, or a person says so.
  void completed(const std::string &worker);
  /// The group in which they happened is durable; was undone, and most of it comes again.
  void keepSetbacks() { setbacksBefore_.clear(); }
  void undoSetbacks();
  void endHoldings(absl::Duration now);
  std::optional<absl::Duration> nextHoldingEnd() const;
  struct Setbacks {
    int32_t inARow = 0;
    std::optional<absl::Duration> heldUntil;
    std::string reason;
  };
  const Setbacks *setbacksOf(const std::string &worker) const;

  struct KeyCount {
    int32_t workers = 0, free = 0;
  };
  std::map<std::string, KeyCount> counts() const;
  int32_t slotsOf(const std::string &worker) const;  ///< 0: not attached

 private:
  struct Slots {
    int total = 0, used = 0;
    std::deque<absl::Duration> freed;        ///< one per free slot, the oldest first
    std::optional<absl::Duration> listedAs;  ///< in free_
  };
  struct Attached {
    Session session;
    std::map<std::string, Slots> slots;
    std::map<std::string, std::set<std::string>> kinds;  ///< by key
  };

  bool mayWork(const Session &session) const;
  void rememberSetbacks(const std::string &worker);
  void list(Attached &attached, const std::string &key, bool wanted);
  void relist(Attached &attached);

  std::map<std::string, WorkerRow> rows_;
  std::map<SessionId, Attached> sessions_;
  absl::flat_hash_map<std::string, SessionId> byName_;
  using Free = std::set<std::pair<absl::Duration, SessionId>>;
  const Kinds *kinds_;
  std::map<std::pair<std::string, std::string>, Free> free_;                 ///< by key and kind
  std::map<std::pair<std::string, std::string>, std::set<SessionId>> able_;  ///< attached, free or not
  std::map<std::string, Setbacks> setbacks_;                                 ///< by worker
  std::map<std::string, std::optional<Setbacks>> setbacksBefore_;            ///< those that this group has changed
  std::map<std::string, int> builds_;                                        ///< attached builders of each
  std::map<std::string, int> devices_;                                       ///< attached devices of each key
  int64_t buildsGeneration_ = 0;
};

}  // namespace hone::server
