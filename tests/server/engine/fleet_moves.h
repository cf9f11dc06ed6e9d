// What may happen next in a fleet: moves by their name, which says what happens to what in which state. Each is a few
// events, made up for a state of the model. Not thread-safe; a plain value, so that moves can be rehearsed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/server/engine/fleet_model.h"
#include "tests/support/random.h"

namespace hone::server::testing::model {

using Events = std::vector<Event>;

class Moves {
 public:
  Moves(std::vector<std::string> workers, uint64_t seed) : workers_(std::move(workers)), random_(seed) {}

  /// All that are possible now, each with one choice of its objects.
  std::map<std::string, Events> of(const Model &model);

  /// Every name there is.
  static const std::vector<std::string> &names();
  /// Moves that make \p name possible in a fleet that is tidy, as far as they are possible themselves.
  static std::vector<std::string> before(const std::string &name);
  /// Whether \p second can come next after \p first in some fleet of three workers.
  static bool mayFollow(const std::string &first, const std::string &second);
  /// No job is left, everybody is there and well.
  Events tidy(const Model &model) const;

 private:
  struct Held {
    std::string worker;
    const Job *job;
    const Task *task;
    Name name() const { return {task->id, task->epoch}; }
  };
  void submissions();
  void cancellations();
  void connections();
  void signs();
  void results();
  void decisions();
  void time();
  void undone();

  void add(const std::string &name, Events events);
  void offer(const std::string &name, Event event) { add(name, {std::move(event)}); }
  void undo(const std::string &name, const std::string &of);
  Event submission(const std::string &work);
  Event ofWorker(Event::Kind kind, const std::string &worker, std::vector<Name> leases = {});
  Event resultOf(const Held &held, Event::Outcome outcome);
  Events alive(int64_t millis, Name except = {});
  bool hasParked(const Job &job) const;
  template <typename T>
  const T *pick(const std::vector<T> &all);

  std::vector<std::string> workers_;
  hone::testing::Random random_;
  int works_ = 0;
  const Model *model_ = nullptr;
  std::vector<Held> held_;                           ///< by workers that are attached
  std::vector<std::pair<std::string, Name>> stale_;  ///< what they held once
  std::map<std::string, Events> moves_;
};

}  // namespace hone::server::testing::model
