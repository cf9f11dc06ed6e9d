// Which moves there are, which can follow which, and how to come to where they are possible.
#include <set>

#include "absl/strings/match.h"
#include "tests/server/engine/fleet_moves.h"

namespace hone::server::testing::model {

using Kind = Event::Kind;

const std::vector<std::string> &Moves::names() {
  static const std::vector<std::string> names{"submit new",
                                              "submit equal to leased",
                                              "submit equal to waiting",
                                              "submit kept",
                                              "submit again",
                                              "submit fresh",
                                              "submit with deadline",
                                              "submit many",
                                              "cancel queued",
                                              "cancel paused",
                                              "cancel parked",
                                              "cancel leased",
                                              "cancel leased with parked",
                                              "cancel ended",
                                              "cancel begun",
                                              "attach idle",
                                              "attach holding",
                                              "attach without lease",
                                              "attach with stale lease",
                                              "attach twice",
                                              "detach holding",
                                              "detach idle",
                                              "goodbye holding",
                                              "goodbye idle",
                                              "heartbeat",
                                              "heartbeat stale",
                                              "progress",
                                              "progress stale",
                                              "items",
                                              "items stale",
                                              "done",
                                              "done with parked",
                                              "done after own fault",
                                              "done after other's fault",
                                              "done of many",
                                              "failed",
                                              "failed with parked",
                                              "failed of many",
                                              "given back",
                                              "given back with parked",
                                              "given back last",
                                              "given back of many",
                                              "without blob",
                                              "result stale",
                                              "result of another",
                                              "drain",
                                              "undrain",
                                              "undrain held back",
                                              "undrain quarantined",
                                              "a second",
                                              "pause ends",
                                              "lease silent",
                                              "lease of gone worker",
                                              "work too long",
                                              "deadline of leased",
                                              "deadline of leased with parked",
                                              "deadline of waiting",
                                              "silence",
                                              "holding ends",
                                              "retention",
                                              "restart",
                                              "undone submit",
                                              "undone cancel",
                                              "undone cancel with parked",
                                              "undone done",
                                              "undone given back",
                                              "undone attach holding",
                                              "undone attach without lease",
                                              "undone items",
                                              "undone drain",
                                              "undone undrain held back",
                                              "undone lease silent",
                                              "undone lease of gone worker"};
  return names;
}

std::vector<std::string> Moves::before(const std::string &name) {
  using Names = std::vector<std::string>;
  const Names leased{"submit new"}, parked{"submit new", "submit equal to leased"},
      gone{"submit new", "detach holding"};
  const Names fault{"submit new", "given back", "pause ends"}, many{"submit many"};
  const Names ended{"submit new", "done"};
  // One worker alone, and it gives back.
  const Names alone{"submit new", "detach idle", "detach idle", "given back",
                    "pause ends", "attach idle", "attach idle"};
  const Names heldBack{"submit new", "detach idle", "detach idle", "given back",
                       "pause ends", "given back",  "attach idle", "attach idle"};
  Names last = fault, quarantined{"detach idle"};
  last.insert(last.end(), {"given back", "pause ends"});
  for (int strike = 0; strike < 2; ++strike) {
    quarantined.insert(quarantined.end(), fault.begin(), fault.end());
    quarantined.emplace_back("done after other's fault");
  }
  static const std::map<std::string, Names> recipes{
      {"submit equal to waiting", {"submit new", "submit new", "submit new", "submit new"}},
      {"submit kept", ended},
      {"submit again", ended},
      {"cancel ended", ended},
      {"retention", ended},
      {"cancel queued", {"submit new", "submit new", "submit new", "submit new"}},
      {"cancel paused", {"submit new", "given back"}},
      {"pause ends", {"submit new", "given back"}},
      {"cancel parked", parked},
      {"cancel leased with parked", parked},
      {"done with parked", parked},
      {"failed with parked", parked},
      {"given back with parked", parked},
      {"undone cancel with parked", parked},
      {"cancel begun", many},
      {"done of many", many},
      {"failed of many", many},
      {"given back of many", many},
      {"items", many},
      {"undone items", many},
      {"attach idle", {"detach idle"}},
      {"attach holding", gone},
      {"attach without lease", gone},
      {"undone attach holding", gone},
      {"undone attach without lease", gone},
      {"lease of gone worker", gone},
      {"undone lease of gone worker", gone},
      {"attach with stale lease", {"submit new", "given back", "detach idle", "detach idle"}},
      {"heartbeat stale", ended},
      {"progress stale", ended},
      {"result stale", ended},
      {"items stale", ended},
      {"done after own fault", alone},
      {"done after other's fault", fault},
      {"given back last", last},
      {"undrain", {"drain"}},
      {"undrain held back", heldBack},
      {"holding ends", heldBack},
      {"undone undrain held back", heldBack},
      {"undrain quarantined", quarantined},
      {"deadline of leased", {"submit with deadline"}},
      {"deadline of leased with parked", {"submit with deadline", "submit equal to leased"}},
      {"deadline of waiting", {"submit new", "submit new", "submit new", "submit with deadline"}}};
  const auto found = recipes.find(name);
  return found == recipes.end() ? leased : found->second;
}

bool Moves::mayFollow(const std::string &first, const std::string &second) {
  const auto isOneOf = [](const std::string &name, const std::set<std::string> &names) { return names.contains(name); };
  const bool isRebuilt = absl::StartsWith(first, "undone") || first == "restart";
  // Why a task waits is forgotten.
  if (isRebuilt && (absl::StrContains(second, "parked") || isOneOf(second, {"cancel paused", "pause ends"})))
    return false;
  // Nobody is attached, and held back is nobody.
  if (first == "restart") {
    return absl::StartsWith(second, "submit") || absl::StartsWith(second, "cancel") || second == "retention" ||
           absl::StartsWith(second, "deadline") ||
           isOneOf(second, {"attach idle", "attach holding", "attach without lease", "attach with stale lease", "drain",
                            "undrain", "undrain quarantined", "a second", "lease of gone worker", "restart",
                            "undone submit", "undone cancel", "undone attach holding", "undone attach without lease",
                            "undone drain", "undone lease of gone worker"});
  }
  // Nobody is attached any more; but for who had said something that a pause held up.
  static const std::set<std::string> needAWorker{"attach twice",
                                                 "detach idle",
                                                 "detach holding",
                                                 "goodbye idle",
                                                 "goodbye holding",
                                                 "heartbeat",
                                                 "progress",
                                                 "items",
                                                 "heartbeat stale",
                                                 "progress stale",
                                                 "items stale",
                                                 "result stale",
                                                 "result of another",
                                                 "without blob",
                                                 "silence",
                                                 "lease silent",
                                                 "work too long",
                                                 "undone done",
                                                 "undone given back",
                                                 "undone items",
                                                 "undone lease silent",
                                                 "done",
                                                 "done of many",
                                                 "done after own fault",
                                                 "done after other's fault",
                                                 "failed",
                                                 "failed of many",
                                                 "given back",
                                                 "given back last",
                                                 "given back of many",
                                                 "cancel paused",
                                                 "pause ends"};
  const bool areAllGone = first == "silence" || first == "retention";
  if (areAllGone && (needAWorker.contains(second) || absl::StrContains(second, "parked"))) return false;
  // All jobs that there were have ended.
  static const std::set<std::string> needAJob{"attach holding",         "attach without lease",
                                              "undone attach holding",  "undone attach without lease",
                                              "lease of gone worker",   "deadline of leased",
                                              "deadline of waiting",    "undone lease of gone worker",
                                              "submit equal to leased", "submit equal to waiting",
                                              "cancel queued",          "cancel leased",
                                              "cancel begun",           "undone cancel"};
  if (first == "retention" && needAJob.contains(second)) return false;
  // It was one worker's only.
  const bool endsHolding = first == "undrain held back";
  return !(endsHolding && absl::StrContains(second, "held back")) && !(first == second && second == "holding ends");
}

Events Moves::tidy(const Model &model) const {
  Events events;
  const auto add = [&](Kind kind, const std::string &worker, const std::string &job) {
    Event event{.kind = kind};
    event.worker = worker;
    event.job = job;
    events.push_back(event);
  };
  if (model.isPaused()) {
    add(Kind::Advance, "", "");
    events.back().millis = kSecond;
  }
  for (const auto &[id, job] : model.jobs) {
    if (!job.isOver()) add(Kind::Cancel, "", id);
  }
  for (const std::string &name : workers_) {
    add(Kind::Attach, name, "");
    add(Kind::Undrain, name, "");
  }
  return events;
}

}  // namespace hone::server::testing::model
