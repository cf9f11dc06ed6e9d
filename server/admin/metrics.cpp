#include "server/admin/metrics.h"

#include <chrono>
#include <future>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "server/admin/process.h"

namespace hone::server {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::Registry;

constexpr std::chrono::seconds kAskEngine(1);

using Buckets = Histogram::BucketBoundaries;
Buckets fromMillisecond() { return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}; }
Buckets fromTenth() { return {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}; }

const char *nameOf(v1::JobState state) {
  switch (state) {
    case v1::JOB_SUCCEEDED:
      return "succeeded";
    case v1::JOB_FAILED:
      return "failed";
    case v1::JOB_CANCELLED:
      return "cancelled";
    default:
      return "other";
  }
}

const char *nameOf(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_READY:
      return "ready";
    case v1::WORKER_DRAINING:
      return "draining";
    case v1::WORKER_QUARANTINED:
      return "quarantined";
    case v1::WORKER_HELD_BACK:
      return "held back";
    default:
      return "gone";
  }
}

class MetricsImpl : public Metrics {
 public:
  MetricsImpl();

  void submitted(const std::string &kind) override { submitted_.Add({{"kind", kind}}).Increment(); }
  void ended(const std::string &kind, const v1::Job &job) override {
    completed_.Add({{"kind", kind}, {"state", nameOf(job.state())}}).Increment();
  }
  void queued(absl::Duration wait) override { queueSeconds_.Observe(absl::ToDoubleSeconds(wait)); }
  void leased(absl::Duration sinceFree) override { leaseLatency_.Observe(absl::ToDoubleSeconds(sinceFree)); }
  void expired() override { expired_.Increment(); }
  void stale() override { stale_.Increment(); }
  void cacheHit() override { cacheHits_.Increment(); }
  void cacheMiss() override { cacheMisses_.Increment(); }
  void committed(absl::Duration duration, int64_t changes) override {
    commitSeconds_.Observe(absl::ToDoubleSeconds(duration));
    changes_.Increment(static_cast<double>(changes));
  }
  void commitFailed() override { commitFailures_.Increment(); }

  void called(std::string_view method, std::string_view code, absl::Duration duration) override {
    calls_.Add({{"method", std::string(method)}, {"code", std::string(code)}}).Increment();
  }
  void blobBytesWritten(int64_t bytes) override { bytesWritten_.Increment(static_cast<double>(bytes)); }
  void blobBytesRead(int64_t bytes) override { bytesRead_.Increment(static_cast<double>(bytes)); }
  void blobCorrupt() override { corrupt_.Increment(); }

  std::string page(const Sources &sources) override;

 private:
  Counter &counter(const char *name, const char *help) {
    return BuildCounter().Name(name).Help(help).Register(registry_).Add({});
  }
  Histogram &histogram(const char *name, const char *help, Buckets buckets) {
    return BuildHistogram().Name(name).Help(help).Register(registry_).Add({}, std::move(buckets));
  }

  Registry registry_;
  Family<Counter> &submitted_ =
      BuildCounter().Name("hone_jobs_submitted_total").Help("Jobs accepted, by kind.").Register(registry_);
  Family<Counter> &completed_ = BuildCounter()
                                    .Name("hone_jobs_completed_total")
                                    .Help("Jobs that ended, by kind and final state.")
                                    .Register(registry_);
  Family<Counter> &calls_ =
      BuildCounter().Name("hone_calls_total").Help("Calls that ended, by method and gRPC code.").Register(registry_);
  Histogram &queueSeconds_ =
      histogram("hone_job_queue_seconds", "From submission, or from being queued again, to the lease.", fromTenth());
  Histogram &leaseLatency_ =
      histogram("hone_lease_latency_seconds", "From a worker's slot being free to a lease, while work waited.",
                fromMillisecond());
  Counter &expired_ = counter("hone_leases_expired_total", "Leases that ended because their worker was silent.");
  Counter &stale_ =
      counter("hone_stale_results_total", "Results that came after their lease was over, and were dropped.");
  Counter &cacheHits_ = counter("hone_cache_hits_total", "Jobs answered with the result of an equal job.");
  Counter &cacheMisses_ = counter("hone_cache_misses_total", "Jobs that could have been, and had to be done.");
  Histogram &commitSeconds_ =
      histogram("hone_db_commit_seconds", "Duration of a commit of the database.", fromMillisecond());
  Counter &changes_ = counter("hone_db_changes_total", "Changes that were committed.");
  Counter &commitFailures_ = counter("hone_commit_failures_total", "Commits that failed; nothing of them happened.");
  Counter &bytesWritten_ = counter("hone_blob_bytes_written_total", "Bytes of blobs received.");
  Counter &bytesRead_ = counter("hone_blob_bytes_read_total", "Bytes of blobs sent.");
  Counter &corrupt_ = counter("hone_blob_corrupt_total", "Blobs that were found damaged and set aside.");
};

MetricsImpl::MetricsImpl() {
  BuildGauge()
      .Name("hone_build_info")
      .Help("1; the version is in the label.")
      .Register(registry_)
      .Add({{"version", HONE_VERSION}})
      .Set(1);
  for (const char *kind : {"compile", "run"}) {
    submitted_.Add({{"kind", kind}});
    for (const char *state : {"succeeded", "failed", "cancelled"}) completed_.Add({{"kind", kind}, {"state", state}});
  }
}

struct Fleet {
  std::map<std::string, int64_t> workers;  // by state
  std::vector<v1::KeyQueue> queues;
};

// Page by page; nothing when the engine does not answer in time.
Fleet readFleet(Engine &engine) {
  const auto end = std::chrono::steady_clock::now() + kAskEngine;
  Fleet fleet;
  for (const char *state : {"ready", "draining", "held back", "quarantined", "gone"}) fleet.workers[state] = 0;
  v1::ListWorkersRequest request;
  request.set_page_size(1000);
  for (;;) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<v1::ListWorkersResponse>>>();
    auto answer = promise->get_future();
    engine.listWorkers(request, [promise](absl::StatusOr<v1::ListWorkersResponse> response) {
      promise->set_value(std::move(response));
    });
    if (answer.wait_until(end) != std::future_status::ready) return fleet;
    const absl::StatusOr<v1::ListWorkersResponse> page = answer.get();
    if (!page.ok()) return fleet;
    for (const v1::Worker &worker : page->workers()) ++fleet.workers[nameOf(worker.state())];
    if (fleet.queues.empty()) fleet.queues.assign(page->queues().begin(), page->queues().end());
    if (page->next_page_token().empty()) return fleet;
    request.set_page_token(page->next_page_token());
  }
}

// What is now, in a registry of its own: keys that are gone leave no value behind.
void addState(Registry &registry, const Metrics::Sources &sources) {
  const auto gauge = [&registry](const char *name, const char *help, double value) {
    BuildGauge().Name(name).Help(help).Register(registry).Add({}).Set(value);
  };
  const EngineState state = sources.engine->state();
  gauge("hone_tasks_pending", "Tasks that wait for a worker.", static_cast<double>(state.pending));
  gauge("hone_tasks_leased", "Tasks that a worker holds a lease on.", static_cast<double>(state.leased));
  gauge("hone_sessions", "Workers attached.", static_cast<double>(state.sessions));
  gauge("hone_draining", "1 while no leases are given out because the coordinator is to end.", state.isDraining);
  gauge("hone_disk_free_bytes", "Free space on the disk of the blobs.",
        static_cast<double>(sources.blobs->freeBytes()));
  gauge("hone_disk_reserve_bytes", "Below this much free space, uploads are refused.",
        static_cast<double>(sources.blobs->reserveBytes()));
  const Fleet fleet = readFleet(*sources.engine);
  auto &workers =
      BuildGauge().Name("hone_workers").Help("Workers known, by state; gone: not attached.").Register(registry);
  for (const auto &[name, count] : fleet.workers) workers.Add({{"state", name}}).Set(static_cast<double>(count));
  auto &depth = BuildGauge()
                    .Name("hone_queue_depth")
                    .Help("Tasks that wait, by the devices' key; the empty key is the builders'.")
                    .Register(registry);
  auto &age = BuildGauge()
                  .Name("hone_queue_oldest_age_seconds")
                  .Help("How long the oldest waiting task has waited, by the devices' key.")
                  .Register(registry);
  depth.Add({{"key", ""}});  // 0 also before the first builder has come
  for (const v1::KeyQueue &queue : fleet.queues) {
    depth.Add({{"key", queue.key()}}).Set(queue.pending());
    age.Add({{"key", queue.key()}}).Set(queue.oldest_seconds());
  }
}

void addProcess(std::ostream &out, const ProcessUse &use) {
  Registry registry;
  BuildCounter()
      .Name("process_cpu_seconds_total")
      .Help("User and system time of the coordinator.")
      .Register(registry)
      .Add({})
      .Increment(use.cpuSeconds);
  BuildGauge()
      .Name("process_resident_memory_bytes")
      .Help("Resident memory of the coordinator.")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(use.residentBytes));
  BuildGauge()
      .Name("process_open_fds")
      .Help("Open file descriptors of the coordinator.")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(use.openFiles));
  prometheus::TextSerializer().Serialize(out, registry.Collect());
}

std::string MetricsImpl::page(const Sources &sources) {
  std::ostringstream out;
  const prometheus::TextSerializer serializer;
  serializer.Serialize(out, registry_.Collect());
  Registry state;
  addState(state, sources);
  serializer.Serialize(out, state.Collect());
  addProcess(out, readProcessUse());
  return out.str();
}

}  // namespace

std::unique_ptr<Metrics> Metrics::make() { return std::make_unique<MetricsImpl>(); }

}  // namespace hone::server
