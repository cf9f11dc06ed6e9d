// Intents about workers, the cache, blobs and records, on the writer's connection inside a transaction. One thread at a
// time. Does not own the connection.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace hone::server::sqlite {

class RestWriter {
 public:
  explicit RestWriter(Connection &connection) : connection_(&connection) {}

  absl::Status putWorker(const WorkerRow &worker);
  absl::Status removeWorkers(int64_t beforeMicros) { return Use(removeWorkers_, beforeMicros).run(); }
  absl::Status putCacheEntry(const std::string &cacheKey, const v1::TaskResult &result,
                             const std::vector<v1::Digest> &blobs, int64_t nowMicros);
  absl::Status useCacheEntry(const std::string &cacheKey, int64_t nowMicros);
  absl::Status removeCacheEntry(const std::string &cacheKey);
  absl::Status putBlob(const BlobRow &blob);
  absl::Status touchBlobs(const std::vector<v1::Digest> &digests, int64_t nowMicros);
  absl::Status removeBlob(const v1::Digest &digest);
  absl::StatusOr<Store::AddedRecords> putRecords(const std::vector<v1::Record> &records, int64_t nowMicros);

 private:
  absl::StatusOr<bool> putRecord(const v1::Record &record, int64_t nowMicros);

  Connection *connection_;
  Statement putWorker_{*connection_, "INSERT OR REPLACE INTO worker VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement removeWorkers_{*connection_,
                           "DELETE FROM worker WHERE seen < ? AND is_draining = 0 AND is_quarantined = 0"};
  Statement insertCache_{*connection_, "INSERT INTO cache VALUES(?1, ?2, ?3, ?3)"};
  Statement insertCacheBlob_{*connection_, "INSERT OR IGNORE INTO cache_blob VALUES(?, ?)"};
  Statement useCache_{*connection_, "UPDATE cache SET used = max(used, ?) WHERE cache_key = ?"};
  Statement removeCacheEntry_{*connection_, "DELETE FROM cache WHERE cache_key = ?"};
  // Not REPLACE: that would not fire the trigger that takes the bytes off the account.
  Statement putBlob_{*connection_,
                     "INSERT INTO blob VALUES(?, ?, ?, ?, ?) "
                     "ON CONFLICT(sha256) DO UPDATE SET used = max(used, excluded.used)"};
  Statement touchBlob_{*connection_, "UPDATE blob SET used = max(used, ?) WHERE sha256 = ? AND size = ?"};
  Statement removeBlob_{*connection_, "DELETE FROM blob WHERE sha256 = ?"};
  Statement removeCacheOfBlob_{
      *connection_, "DELETE FROM cache WHERE cache_key IN (SELECT cache_key FROM cache_blob WHERE sha256 = ?)"};
  Statement insertTask_{*connection_, "INSERT OR IGNORE INTO record_task(text) VALUES(?)"};
  Statement insertTarget_{*connection_, "INSERT OR IGNORE INTO record_target(text, message) VALUES(?, ?)"};
  Statement insertRecord_{
      *connection_,
      "INSERT INTO record(identity, task, target, threads, schedule, samples, error, origin, micros) "
      "VALUES(?, (SELECT id FROM record_task WHERE text = ?), "
      "(SELECT id FROM record_target WHERE text = ?), ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT(identity) DO NOTHING"};
};

}  // namespace hone::server::sqlite
