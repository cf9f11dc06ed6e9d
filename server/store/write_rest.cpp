#include "server/store/write_rest.h"

#include <algorithm>

#include "server/store/rows.h"

namespace hone::server::sqlite {

absl::Status RestWriter::putWorker(const WorkerRow &worker) {
  const auto has = [&](v1::Role role) { return std::ranges::find(worker.roles, role) != worker.roles.end(); };
  const std::string target = worker.target.SerializeAsString();
  return Use(putWorker_, worker.name, worker.key, worker.version, worker.reason, has(v1::ROLE_BUILDER),
             has(v1::ROLE_DEVICE), Bytes{target}, worker.isDraining, worker.isQuarantined, worker.completed,
             worker.failures, worker.strikes, worker.seenMicros)
      .run();
}

absl::Status RestWriter::putCacheEntry(const std::string &cacheKey, const v1::TaskResult &result,
                                       const std::vector<v1::Digest> &blobs, int64_t nowMicros) {
  absl::Status status = removeCacheEntry(cacheKey);
  const std::string message = result.SerializeAsString();
  if (status.ok()) status = Use(insertCache_, cacheKey, Bytes{message}, nowMicros).run();
  for (const v1::Digest &digest : blobs) {
    if (status.ok()) status = Use(insertCacheBlob_, cacheKey, digest.sha256()).run();
  }
  return status;
}

absl::Status RestWriter::useCacheEntry(const std::string &cacheKey, int64_t nowMicros) {
  return Use(useCache_, nowMicros, cacheKey).run();
}

absl::Status RestWriter::removeCacheEntry(const std::string &cacheKey) {
  return Use(removeCacheEntry_, cacheKey).run();
}

absl::Status RestWriter::putBlob(const BlobRow &blob) {
  return Use(putBlob_, blob.digest.sha256(), blob.digest.size_bytes(), blob.user, blob.createdMicros, blob.usedMicros)
      .run();
}

absl::Status RestWriter::touchBlobs(const std::vector<v1::Digest> &digests, int64_t nowMicros) {
  for (const v1::Digest &digest : digests) {
    if (absl::Status status = Use(touchBlob_, nowMicros, digest.sha256(), digest.size_bytes()).run(); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status RestWriter::removeBlob(const v1::Digest &digest) {
  absl::Status status = Use(removeCacheOfBlob_, digest.sha256()).run();
  if (status.ok()) status = Use(removeBlob_, digest.sha256()).run();
  return status;
}

absl::StatusOr<Store::AddedRecords> RestWriter::putRecords(const std::vector<v1::Record> &records, int64_t nowMicros) {
  Store::AddedRecords counts;
  for (const v1::Record &record : records) {
    absl::StatusOr<bool> isNew = putRecord(record, nowMicros);
    if (!isNew.ok()) return isNew.status();
    ++(*isNew ? counts.added : counts.known);
  }
  return counts;
}

absl::StatusOr<bool> RestWriter::putRecord(const v1::Record &record, int64_t nowMicros) {
  const std::string target = targetText(record.target());
  const std::string message = record.target().SerializeAsString();
  const std::string identity = recordIdentity(record);
  const std::string samples = samplesToBytes(record);
  absl::Status status = Use(insertTask_, record.task()).run();
  if (status.ok()) status = Use(insertTarget_, target, Bytes{message}).run();
  if (status.ok()) {
    status = Use(insertRecord_, Bytes{identity}, record.task(), target, record.threads(), record.schedule(),
                 Bytes{samples}, record.error(), record.origin(), record.micros() != 0 ? record.micros() : nowMicros)
                 .run();
  }
  if (!status.ok()) return status;
  return connection_->changes() == 1;
}

}  // namespace hone::server::sqlite
