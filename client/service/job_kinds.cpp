#include "client/service/job_kinds.h"

#include <algorithm>
#include <iterator>

namespace hone::client {
namespace {

constexpr int kHour = 3600;
constexpr int kWeek = 7 * 24 * kHour;

const v1::Digest &artifactOf(const v1::JobResult &result) { return result.artifact(); }
const v1::Digest &outputsOf(const v1::JobResult &result) { return result.outputs(); }
std::string keyOfRun(const v1::JobSpec &spec) { return spec.run().key(); }
std::string keyOfBench(const v1::JobSpec &spec) { return spec.bench().key(); }

constexpr JobKind kKinds[] = {
    {v1::JobSpec::kCompile, "compile", nullptr, artifactOf, kWeek},
    {v1::JobSpec::kRun, "run", keyOfRun, outputsOf, kHour},
    {v1::JobSpec::kBench, "bench", keyOfBench, nullptr, kHour},
};
constexpr JobKind kUnknown = {v1::JobSpec::KIND_NOT_SET, "other", nullptr, nullptr, kHour};

}  // namespace

const JobKind &kindOf(const v1::JobSpec &spec) {
  const auto *found = std::ranges::find_if(kKinds, [&](const JobKind &kind) { return kind.which == spec.kind_case(); });
  return found == std::end(kKinds) ? kUnknown : *found;
}

}  // namespace hone::client
