// The engine and a model of it side by side, over every ordered pair of moves, and then on and on by the day's seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/server/engine/fleet_world.h"
#include "tests/support/effort.h"

namespace hone::server::testing {
namespace {

using model::Event;
using model::Events;
using Kind = Event::Kind;
using Texts = std::vector<std::string>;

/// What a rehearsal does without an engine.
void rehearse(model::Model &model, const Events &events) {
  for (Event event : events) {
    event.isUndone = event.isUndone && model.mayBeUndone();
    if (event.kind == Kind::Submit && event.job.empty()) {
      event.submitted.id = "rehearsed";
      event.submitted.number = model::kUnseen;
      for (model::Task &task : event.submitted.tasks) task.id = model::kUnseen;
    }
    model.apply(event, nullptr);
  }
}

class Walk {
 public:
  explicit Walk(uint64_t seed) : random_(seed), moves_(fleetNames(), seed + 1) {}

  /// Steps that take a new pair wherever there is one.
  void explore(int64_t steps) {
    std::string last;
    for (int64_t step = 0; step < steps; ++step) {
      if (++steps_ % kStepsPerWorld == 1) begin(last);
      const std::string next = choose(last);
      if (!this->step(last, next)) return;
      last = next;
    }
    world_->fsck();
  }
  /// Makes the state in which \p first and then \p second are possible, and takes them. False: it comes to nothing.
  bool take(const std::string &first, const std::string &second) {
    if (++steps_ % kPairsPerWorld == 1) {
      std::string none;
      begin(none);
    }
    story_.clear();
    if (!world_->perform(moves_.tidy(world_->model()))) return false;
    Texts names = model::Moves::before(second);
    const Texts more = model::Moves::before(first);
    names.insert(random_.chance(50) ? names.end() : names.begin(), more.begin(), more.end());
    names.push_back(first);
    names.push_back(second);
    std::string last;
    for (const std::string &name : names) {
      options_ = moves_.of(world_->model());
      if (!options_.contains(name)) continue;
      if (!step(last, name)) return false;
      last = name;
    }
    world_->fsck();
    return taken_.contains({first, second});
  }
  void wander(int64_t steps) {
    std::string last;
    for (int64_t step = 0; step < steps; ++step) {
      if (++steps_ % kStepsPerWorld == 1) begin(last);
      options_ = moves_.of(world_->model());
      auto at = options_.begin();
      std::advance(at, random_.between(0, static_cast<int64_t>(options_.size()) - 1));
      const std::string next = at->first;
      if (!this->step(last, next)) return;
      if (steps_ % kStepsPerFsck == 0) world_->fsck();
      last = next;
    }
    world_->fsck();
  }
  std::set<std::pair<std::string, std::string>> left() const {
    std::set<std::pair<std::string, std::string>> left;
    for (const std::string &first : model::Moves::names()) {
      for (const std::string &second : model::Moves::names()) {
        const bool isTaken = taken_.contains({first, second});
        if (!isTaken && model::Moves::mayFollow(first, second)) left.insert({first, second});
      }
    }
    return left;
  }
  int64_t steps() const { return steps_; }

 private:
  static constexpr int64_t kStepsPerWorld = 300, kPairsPerWorld = 40, kStepsPerFsck = 10;

  void begin(std::string &last) {
    if (world_) world_->fsck();
    world_ = std::make_unique<World>();
    last.clear();
    story_.clear();
  }

  bool step(const std::string &last, const std::string &next) {
    story_.push_back(next);
    if (!last.empty()) taken_.insert({last, next});
    if (world_->perform(options_.at(next))) return true;
    if (story_.size() > 12) story_.erase(story_.begin(), story_.end() - 12);
    ADD_FAILURE() << "after " << absl::StrJoin(story_, ", ");
    return false;
  }

  /// The move that makes a new pair; else the one after which most new pairs can be had; else any.
  std::string choose(const std::string &last) {
    options_ = moves_.of(world_->model());
    Texts fresh, best, any;
    size_t most = 1;
    for (const auto &[name, events] : options_) {
      any.push_back(name);
      if (!last.empty() && !taken_.contains({last, name})) fresh.push_back(name);
    }
    if (fresh.empty()) {
      for (const auto &[name, events] : options_) {
        model::Model after = world_->model();
        rehearse(after, events);
        size_t count = 0;
        for (const auto &[second, ignored] : model::Moves(moves_).of(after)) count += !taken_.contains({name, second});
        if (count > most) best.clear();
        if (count >= most) best.push_back(name);
        most = std::max(most, count);
      }
    }
    const Texts &from = !fresh.empty() ? fresh : !best.empty() ? best : any;
    return from[static_cast<size_t>(random_.between(0, static_cast<int64_t>(from.size()) - 1))];
  }

  hone::testing::Random random_;
  model::Moves moves_;
  std::map<std::string, Events> options_;
  std::unique_ptr<World> world_;
  std::set<std::pair<std::string, std::string>> taken_;
  Texts story_;
  int64_t steps_ = 0;
};

/// Each day an eighth of the pairs that exploring does not come to.
TEST(Walks, takeEveryPairOfMoves) {
  const uint64_t seed = hone::testing::testSeed();
  const auto parts = static_cast<uint64_t>(hone::testing::effort(8, 1));
  Walk walk(seed);
  walk.explore(2000);
  size_t tried = 0, missed = 0, number = 0;
  for (const auto &[first, second] : walk.left()) {
    if (++number % parts != seed % parts) continue;
    bool isTaken = false;
    for (int attempt = 0; attempt < 8 && !isTaken && !::testing::Test::HasFailure(); ++attempt) {
      isTaken = walk.take(first, second);
    }
    if (::testing::Test::HasFailure()) return;
    ++tried;
    missed += isTaken ? 0 : 1;
    if (!isTaken) std::cout << "  not met: " << first << ", then " << second << "\n";
  }
  std::cout << walk.steps() << " steps; " << walk.left().size() << " pairs left, of " << tried << " that were made up "
            << missed << " not met\n";
  EXPECT_LE(missed, tried / 8) << "those need more luck than there is in eight attempts";
}

TEST(Walks, goOnAsTheModelSays) {
  const uint64_t seed = hone::testing::testSeed();
  const int64_t walks = hone::testing::effort(4, 50);
  for (int64_t i = 0; i < walks && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, " walk ", i));
    Walk(seed + static_cast<uint64_t>(i)).wander(300);
  }
}

}  // namespace
}  // namespace hone::server::testing
