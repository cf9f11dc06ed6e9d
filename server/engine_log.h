// What the engine tells, into the log and on to the metrics. Called on the engine's thread. Log and next outlive it.
#pragma once

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/engine/engine.h"

namespace hone::server {

class EngineLog : public EngineObserver {
 public:
  EngineLog(const Log &log, EngineObserver &next) : log_(log), next_(next) {}

  void submitted(const std::string &kind) override { next_.submitted(kind); }
  void ended(const std::string &kind, const v1::Job &job) override {
    log_.info("job ended", {{"job", job.id()},
                            {"kind", kind},
                            {"user", job.user()},
                            {"state", v1::JobState_Name(job.state())},
                            {"worker", job.worker()},
                            {"attempts", absl::StrCat(job.attempts())},
                            {"cached", job.result().from_cache() ? "true" : ""},
                            {"error", job.result().result().sentence()}});
    next_.ended(kind, job);
  }
  void queued(absl::Duration wait) override { next_.queued(wait); }
  void leased(absl::Duration sinceFree) override { next_.leased(sinceFree); }
  void nameTaken(const std::string &name, const std::string &peer) override {
    log_.warning("worker refused: its name is taken",
                 {{"worker", name}, {"peer", peer}, {"remedy", "give it another --name"}});
    next_.nameTaken(name, peer);
  }
  void expired() override {
    log_.warning("lease expired", {});
    next_.expired();
  }
  void stale() override {
    log_.info("stale result dropped", {});
    next_.stale();
  }
  void cacheHit() override { next_.cacheHit(); }
  void cacheMiss() override { next_.cacheMiss(); }
  void committed(absl::Duration duration, int64_t changes) override { next_.committed(duration, changes); }
  void commitFailed() override {
    log_.error("commit failed", {});
    next_.commitFailed();
  }

 private:
  const Log &log_;
  EngineObserver &next_;
};

}  // namespace hone::server
