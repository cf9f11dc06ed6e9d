// Bench: artifacts, and inputs or a rule that fills them -> times. It makes no file.
#include "worker/kinds/kinds.h"

namespace hone::worker {
namespace {

std::vector<v1::Digest> inputs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests(spec.bench().artifacts().begin(), spec.bench().artifacts().end());
  if (spec.bench().has_inputs()) digests.push_back(spec.bench().inputs());
  return digests;
}

v1::Work work(const v1::TaskSpec &spec) {
  v1::Work work;
  v1::Bench &bench = *work.mutable_bench();
  bench = spec.bench().options();
  bench.clear_artifact_descriptors();
  int further = kFurtherInputs;
  for (int i = 0; i < spec.bench().artifacts_size(); ++i)
    bench.add_artifact_descriptors(i == 0 ? kFirstInput : further++);
  bench.set_inputs_descriptor(spec.bench().has_inputs() ? further : 0);
  return work;
}

bool isTimed(const v1::TaskSpec &) { return true; }

void giveCores(int descriptor, v1::Work &work) { work.mutable_bench()->set_core_lock_descriptor(descriptor); }

bool makesFile(const v1::TaskSpec &) { return false; }

}  // namespace

const WorkKind kBench = {.which = v1::TaskSpec::kBench,
                         .name = "bench",
                         .version = 1,
                         .role = v1::ROLE_DEVICE,
                         .code = "an artifact's code",
                         .inputs = inputs,
                         .work = work,
                         .isTimed = isTimed,
                         .giveCores = giveCores,
                         .makesFile = makesFile,
                         .take = nullptr,
                         .answer = nullptr,
                         .items = nullptr,
                         .itemWork = nullptr,
                         .itemSeconds = nullptr,
                         .itemResult = nullptr};

}  // namespace hone::worker
