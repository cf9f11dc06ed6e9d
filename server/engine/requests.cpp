#include "server/engine/requests.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/store/blob_folder.h"

namespace hone::server {
namespace {

constexpr size_t kMaxRequestId = 64;
constexpr size_t kMaxLabel = 256;
constexpr size_t kMaxKey = 256;
constexpr int32_t kMaxPriority = 100;
constexpr int kMaxOptLevel = 3;

absl::Status invalid(const std::string &sentence) { return absl::InvalidArgumentError(sentence); }

bool isRequestId(const std::string &id) {
  return !id.empty() && id.size() <= kMaxRequestId &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

absl::Status checkBlob(const v1::Digest &digest, absl::string_view what) {
  absl::Status status = checkDigest(digest);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("the ", what, "'s digest: ", status.message()));
}

absl::Status checkCompile(const v1::CompileJob &compile) {
  if (absl::Status status = checkBlob(compile.model(), "model"); !status.ok()) return status;
  for (const v1::DataBlob &file : compile.data_files()) {
    if (absl::Status status = checkBlob(file.digest(), "data file"); !status.ok()) return status;
  }
  if (!compile.options().has_target_description()) {
    return invalid(
        "a compile job needs its target resolved (options.target_description): the server knows no CPU by name; ask "
        "'hone-worker' on the machine that the target names");
  }
  const int level = compile.options().opt_level();
  if (level < 0 || level > kMaxOptLevel) {
    return invalid(absl::StrCat("opt_level is ", level, ", and may be 0 to ", kMaxOptLevel));
  }
  return absl::OkStatus();
}

absl::Status checkRun(const v1::RunJob &run) {
  if (absl::Status status = checkBlob(run.artifact(), "artifact"); !status.ok()) return status;
  if (!run.inputs().sha256().empty()) {
    if (absl::Status status = checkBlob(run.inputs(), "inputs"); !status.ok()) return status;
  }
  if (run.key().empty() || run.key().size() > kMaxKey) {
    return invalid(absl::StrCat("a run job needs the key of the devices that may do it, of 1 to ", kMaxKey,
                                " bytes, not ", run.key().size(), "; 'hone devices list' shows the keys"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkSubmit(const v1::SubmitRequest &request) {
  if (!isRequestId(request.request_id())) {
    return invalid(absl::StrCat("a request id has 1 to ", kMaxRequestId, " letters, digits and dashes; this one has ",
                                request.request_id().size(), " bytes, or others among them"));
  }
  if (request.priority() < -kMaxPriority || request.priority() > kMaxPriority) {
    return invalid(
        absl::StrCat("the priority is ", request.priority(), ", and may be ", -kMaxPriority, " to ", kMaxPriority));
  }
  if (request.label().size() > kMaxLabel) {
    return invalid(absl::StrCat("the label has ", request.label().size(), " bytes, and may have ", kMaxLabel));
  }
  switch (request.spec().kind_case()) {
    case v1::JobSpec::kCompile:
      return checkCompile(request.spec().compile());
    case v1::JobSpec::kRun:
      return checkRun(request.spec().run());
    case v1::JobSpec::KIND_NOT_SET:
      break;
  }
  return invalid(
      "the job says neither what to compile nor what to run; a newer client may know work that this server "
      "does not: update the server");
}

std::vector<v1::Digest> blobsOf(const v1::JobSpec &spec) {
  std::vector<v1::Digest> digests;
  if (spec.has_compile()) {
    digests.push_back(spec.compile().model());
    for (const v1::DataBlob &file : spec.compile().data_files()) digests.push_back(file.digest());
  }
  if (spec.has_run()) {
    digests.push_back(spec.run().artifact());
    const v1::Digest &inputs = spec.run().inputs();
    if (!inputs.sha256().empty() && inputs.sha256() != spec.run().artifact().sha256()) digests.push_back(inputs);
  }
  return digests;
}

}  // namespace hone::server
