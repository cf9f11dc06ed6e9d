#include "server/engine/kept_results.h"

#include <utility>
#include <vector>

#include "server/kinds/specification.h"

namespace hone::server {

absl::StatusOr<std::optional<KeptResult>> KeptResults::find(const std::string &specificationKey) const {
  for (const std::string &build : state_.fleet.builds()) {
    const std::string key = cacheKey(specificationKey, build);
    absl::StatusOr<std::optional<CacheEntry>> entry = state_.parts.store->cached(key);
    if (!entry.ok()) return entry.status();
    if (entry->has_value()) return KeptResult{key, std::move((*entry)->result)};
  }
  return std::nullopt;
}

absl::Status KeptResults::forget(const KeptResult &kept, const std::vector<v1::Digest> &damaged) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  for (const v1::Digest &digest : damaged) {
    if (state_.parts.blobs->has(digest)) continue;  // uploaded since
    if (absl::Status status = state_.parts.store->removeBlob(digest); !status.ok()) return status;
  }
  return state_.parts.store->removeCacheEntry(kept.cacheKey);
}

void KeptResults::check(KeptResult kept, std::function<absl::Status(const absl::Status &)> then,
                        std::function<void(const absl::Status &)> undone) {
  checks_.run([this, kept = std::move(kept), then = std::move(then), undone = std::move(undone)] {
    absl::Status whole;
    std::vector<v1::Digest> damaged;
    for (const v1::Digest &digest : blobsOf(kept.result)) {
      const absl::Status status = state_.parts.blobs->verify(digest);
      if (status.ok()) continue;
      whole.Update(status);
      if (absl::IsDataLoss(status) || absl::IsNotFound(status)) damaged.push_back(digest);
    }
    state_.post({.apply =
                     [this, kept, then, whole, damaged] {
                       if (!whole.ok()) {
                         if (absl::Status status = forget(kept, damaged); !status.ok()) return status;
                       }
                       return then(whole);
                     },
                 .undone = undone});
  });
}

}  // namespace hone::server
