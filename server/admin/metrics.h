// The coordinator's numbers for Prometheus. The engine and the services tell what happens; what merely is (queues,
// workers, disk) is asked when somebody looks. No label takes a value that users choose without a bound: users, jobs
// and digests are for the log. Thread-safe. What Sources holds outlives it.
#pragma once

#include <memory>
#include <string>

#include "server/base/clock.h"
#include "server/base/traffic_observer.h"
#include "server/engine/engine.h"
#include "server/store/blob_folder.h"

namespace hone::server {

class Metrics : public EngineObserver, public TrafficObserver {
 public:
  static std::unique_ptr<Metrics> make();

  struct Sources {
    Engine *engine;
    const BlobFolder *blobs;
  };
  /// The page, in Prometheus' text format. Waits for the engine for at most a second.
  virtual std::string page(const Sources &sources) = 0;
};

}  // namespace hone::server
