#include "server/kinds/fields.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/store/blob_folder.h"

namespace hone::server {

namespace {

constexpr size_t kMostName = 128;
constexpr size_t kMostToken = 1024;
constexpr int kMostFeatures = 4096;
constexpr int64_t kMostVector = 1 << 20;
constexpr int64_t kMostCache = int64_t{1} << 40;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status checkId(std::string_view field, std::string_view text) {
  if (isName(text, "-")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(view(field), " is not 1 to ", kLongestName, " letters, digits and dashes"));
}

absl::Status checkJobId(std::string_view text) {
  if (text.starts_with("j-") && isName(text.substr(2), "")) return absl::OkStatus();
  return absl::InvalidArgumentError("the job's id is not one: ids are j- and letters and digits");
}

absl::Status checkLength(std::string_view field, std::string_view text, size_t most) {
  if (text.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(view(field), " has ", text.size(), " bytes, but at most ", most, " are allowed"));
}

absl::Status checkRange(std::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(view(field), " is ", value, ", but it lies between ", least, " and ", most));
}

absl::Status checkDigestField(std::string_view field, bool isSet, const v1::Digest &digest, bool isNeeded) {
  if (!isSet) return isNeeded ? absl::InvalidArgumentError(absl::StrCat(view(field), " is missing")) : absl::OkStatus();
  return checkDigest(digest);
}

absl::Status checkPage(int32_t pageSize, std::string_view pageToken) {
  if (pageSize < 0)
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", pageSize, ", but it is 0 (the default) or more"));
  return checkLength("page_token", pageToken, kMostToken);
}

absl::Status checkTarget(std::string_view field, const v1::TargetDescription &target) {
  if (target.triple().empty()) return absl::InvalidArgumentError(absl::StrCat(view(field), " names no triple"));
  HONE_CHECK(checkLength("the target's triple", target.triple(), kMostName));
  HONE_CHECK(checkLength("the target's cpu", target.cpu(), kMostName));
  HONE_CHECK(checkRange("the number of the target's features", target.features_size(), 0, kMostFeatures));
  for (const std::string &feature : target.features())
    HONE_CHECK(checkLength("a feature of the target", feature, kMostName));
  HONE_CHECK(checkRange("the target's vector_bytes", target.vector_bytes(), 0, kMostVector));
  HONE_CHECK(checkRange("the target's vector_registers", target.vector_registers(), 0, kMostVector));
  HONE_CHECK(checkRange("the target's l1_bytes", target.l1_bytes(), 0, kMostCache));
  HONE_CHECK(checkRange("the target's l2_bytes", target.l2_bytes(), 0, kMostCache));
  HONE_CHECK(checkRange("the target's l3_bytes", target.l3_bytes(), 0, kMostCache));
  return checkRange("the target's cores", target.cores(), 0, kMostVector);
}

}  // namespace hone::server
