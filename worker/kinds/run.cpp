// Run: an artifact, and inputs or a rule that fills them -> outputs and times.
#include "worker/kinds/kinds.h"

namespace hone::worker {
namespace {

std::vector<v1::Digest> inputs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests = {spec.run().artifact()};
  if (spec.run().has_inputs()) digests.push_back(spec.run().inputs());
  return digests;
}

v1::Work work(const v1::TaskSpec &spec) {
  v1::Work work;
  v1::Run &run = *work.mutable_run();
  run = spec.run().options();
  run.set_artifact_descriptor(kFirstInput);
  run.set_outputs_descriptor(kOutput);
  run.set_inputs_descriptor(spec.run().has_inputs() ? kFurtherInputs : 0);
  return work;
}

bool isTimed(const v1::TaskSpec &spec) {
  const v1::Run &run = spec.run().options();
  return run.print_time() || run.profile() || run.repeat() > 1;
}

void giveCores(int descriptor, v1::Work &work) { work.mutable_run()->set_core_lock_descriptor(descriptor); }

void take(const v1::Digest &digest, v1::LeaseResult &result) { *result.mutable_outputs() = digest; }

}  // namespace

const WorkKind kRun = {.which = v1::TaskSpec::kRun,
                       .name = "run",
                       .version = 1,
                       .role = v1::ROLE_DEVICE,
                       .code = "the artifact's code",
                       .inputs = inputs,
                       .work = work,
                       .isTimed = isTimed,
                       .giveCores = giveCores,
                       .makesFile = nullptr,
                       .take = take,
                       .answer = nullptr,
                       .items = nullptr,
                       .itemWork = nullptr,
                       .itemSeconds = nullptr,
                       .itemResult = nullptr};

}  // namespace hone::worker
