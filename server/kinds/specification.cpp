#include "server/kinds/specification.h"

#include "absl/strings/str_cat.h"
#include "common/sha256.h"

namespace hone::server {
namespace {

constexpr std::string_view kFresh = "fresh:";

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string specificationKey(std::string_view canonicalText, bool wantsFresh) {
  return absl::StrCat(wantsFresh ? view(kFresh) : "", sha256Hex(canonicalText));
}

bool wantsFresh(std::string_view specificationKey) { return specificationKey.starts_with(kFresh); }

std::string cacheKey(std::string_view specificationKey, std::string_view build) {
  const size_t skipped = wantsFresh(specificationKey) ? kFresh.size() : 0;
  return absl::StrCat(view(specificationKey.substr(skipped)), "@", view(build));
}

}  // namespace hone::server
