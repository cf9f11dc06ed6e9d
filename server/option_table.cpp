// The table itself: what hone-server can be told, in the order of the manual.
#include "server/options.h"

namespace hone::server {

namespace {

constexpr int64_t kSecond = 1000, kHour = 3600 * kSecond;
constexpr int64_t kPorts = 65535;

void addPlaces(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Addresses and files";
  table.push_back(
      {group, "listen",
       "Where clients and workers connect: `HOST:PORT` on loopback, or `unix:/path`. Repeat it (a list in the "
       "file) for several. Port 0: any that is free",
       &settings.listen});
  table.push_back(
      {group, "port-file", "A file to write the address to, once it listens there: `HOST:PORT`", &settings.portFile});
  table.push_back(
      {group, "data",
       "The data folder, on a local disk. Default: `$XDG_DATA_HOME/hone-server` (`~/.local/share/hone-server`)",
       &settings.data});
  table.push_back({group, "admin", "`HOST:PORT` on loopback of `/metrics`, `/healthz` and `/readyz`. Empty: none",
                   &settings.admin});
  table.push_back({group, "admin-port-file", "A file to write that address to", &settings.adminPortFile});
  table.push_back(
      {group, "tvm-tracker-port",
       "Port on 127.0.0.1 that speaks the protocol of TVM's tracker, by convention 9191. 0: any that is free; "
       "-1: none",
       &settings.tvmTrackerPort, -1, kPorts});
  table.push_back({group, "tvm-tracker-port-file", "A file to write that address to", &settings.tvmTrackerPortFile});
}

void addLog(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Log";
  table.push_back({group,
                   "log-format",
                   "Lines for people, or one JSON object a line",
                   &settings.logFormat,
                   0,
                   0,
                   Option::Unit::None,
                   {"text", "json"}});
  table.push_back({group,
                   "log-level",
                   "The least that is logged. debug: also every call that reads",
                   &settings.logLevel,
                   0,
                   0,
                   Option::Unit::None,
                   {"debug", "info", "warning", "error"}});
  table.push_back({group, "log-file", "A file to append the log to. Empty: the standard error", &settings.logFile});
}

void addWorkers(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Workers and leases";
  Policy &policy = settings.policy;
  table.push_back({group, "heartbeat", "How often a worker is to be heard", &policy.heartbeat, 50, kHour});
  table.push_back({group, "silence", "After so long without a message a worker's connection is closed", &policy.silence,
                   100, kHour});
  table.push_back({group, "lease", "A lease ends when no heartbeat names it for so long, and its work is queued again",
                   &policy.lease, 100, 24 * kHour});
  table.push_back({group, "max-work", "The longest that one attempt at a job's work may take", &policy.maxWork, 100});
  table.push_back(
      {group, "max-attempts", "Leases of one piece of work, before its job fails", &policy.maxAttempts, 1, 1000});
  table.push_back({group, "strikes-to-quarantine",
                   "After so many failures at work that others then complete, a worker gets no more",
                   &policy.strikesToQuarantine, 1, 1000});
  table.push_back({group, "max-workers",
                   "Workers that are known, attached or not; another one is refused until one is forgotten, after "
                   "`keep-jobs` without it",
                   &policy.maxWorkers, 1});
  table.push_back({group, "drain-timeout",
                   "How long SIGTERM waits for leases to end. Those that are left then go on with their workers, which "
                   "come back after the restart",
                   &settings.drainTimeout, 0});
}

void addQuotas(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Limits and quotas";
  Policy &policy = settings.policy;
  RpcLimits &limits = settings.limits;
  const auto bytes = Option::Unit::Bytes;
  table.push_back({group, "max-job", "The longest from a job's submission to its end", &policy.maxJob, 100});
  table.push_back({group, "max-queued-jobs", "Jobs of one user that wait", &policy.maxQueuedJobs, 1});
  table.push_back(
      {group, "max-running-jobs", "Jobs of one user that hold a lease; more of them wait", &policy.maxRunningJobs, 1});
  table.push_back({group, "max-user-bytes", "Stored blobs of one user", &policy.maxUserBytes, 0, INT64_MAX, bytes});
  table.push_back({group, "max-blob-bytes", "The largest blob: model, its data files, artifact, inputs or outputs",
                   &limits.maxBlobBytes, 1, int64_t{1} << 40, bytes});
  table.push_back({group, "max-records", "Records of measurements; more are refused", &policy.maxRecords, 0});
  table.push_back({group, "disk-reserve",
                   "Uploads, submissions and records are refused when less would stay free on the disk. Default: "
                   "`1GiB`; of a private coordinator "
                   "a 64th of the disk, at most `64MiB`",
                   &settings.diskReserve, 0, INT64_MAX, bytes});
  table.push_back({group, "uploads-per-user", "Uploads of one user at once", &limits.uploadsPerUser, 1, 10000});
  table.push_back({group, "least-upload-rate",
                   "Bytes per second; an upload that is slower for the grace is cut off and can be resumed",
                   &limits.leastUploadRate, 0, INT64_MAX, bytes});
  table.push_back({group, "upload-grace",
                   "How long an upload may be slower than that; one message may take as long as it takes at that rate",
                   &limits.uploadGrace, 100});
  table.push_back({group, "downloads-per-user", "Downloads of one user at once", &limits.downloadsPerUser, 1, 10000});
  table.push_back({group, "least-download-rate",
                   "Bytes per second; a download that is slower for the grace is cut off and can be resumed",
                   &limits.leastDownloadRate, 0, INT64_MAX, bytes});
  table.push_back({group, "download-grace", "How long a download may be slower than that", &limits.downloadGrace, 100});
  table.push_back({group, "max-digests", "Digests in one FindMissing", &limits.maxDigests, 1, 10000});
  table.push_back({group, "disk-threads", "Threads that read, write and hash blobs", &limits.diskThreads, 1, 64});
  table.push_back({group, "read-threads", "Threads that look things up in the database", &limits.readThreads, 1, 64});
  table.push_back({group, "list-threads", "Threads that read the database for listings", &limits.listThreads, 1, 64});
  table.push_back({group, "rpc-memory", "Memory that gRPC may use for what is under way", &limits.memoryBytes,
                   int64_t{64} << 20, int64_t{1} << 40, bytes});
}

void addRetention(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Retention";
  Policy &policy = settings.policy;
  table.push_back({group, "keep-jobs", "Ended jobs are forgotten after so long", &policy.keepJobs, 0});
  table.push_back(
      {group, "keep-cache", "Cached results are dropped when nobody has used them for so long", &policy.keepCache, 0});
  table.push_back({group, "blob-grace", "Blobs that nothing refers to go when nobody has used them for so long",
                   &policy.blobGrace, 0});
}

void addPrivate(std::vector<Option> &table, Settings &settings) {
  const std::string group = "Private coordinator";
  table.push_back(
      {group, "private",
       "Serve one user of this machine on a Unix socket, with a worker of its own, until idle; `hone` starts "
       "this by itself",
       &settings.isPrivate});
  table.push_back({group, "socket", "The private coordinator's socket", &settings.socket});
  table.push_back(
      {group, "idle", "The private coordinator ends when nobody has used it for so long", &settings.idle, 100});
  table.push_back({group, "ready-fd", "A descriptor to write `ready` to, once it serves. -1: none",
                   &settings.readyDescriptor, -1, 1 << 20});
  table.push_back({group, "programs",
                   "Which files its programs are, in the words of who starts it: a `hone` that finds others in their "
                   "places ends it when it is idle",
                   &settings.programs});
}

}  // namespace

std::vector<Option> optionTable(Settings &settings) {
  std::vector<Option> table;
  addPlaces(table, settings);
  addLog(table, settings);
  addWorkers(table, settings);
  addQuotas(table, settings);
  addRetention(table, settings);
  addPrivate(table, settings);
  return table;
}

}  // namespace hone::server
