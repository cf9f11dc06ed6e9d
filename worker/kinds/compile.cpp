// Compile: a model and the files that keep its data -> an artifact.
#include "worker/kinds/kinds.h"

namespace hone::worker {
namespace {

std::vector<v1::Digest> inputs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests = {spec.compile().model()};
  for (const v1::DataBlob &blob : spec.compile().data_files()) digests.push_back(blob.digest());
  return digests;
}

v1::Work work(const v1::TaskSpec &spec) {
  v1::Work work;
  v1::Compile &compile = *work.mutable_compile();
  compile = spec.compile().options();
  compile.set_model_descriptor(kFirstInput);
  compile.set_artifact_descriptor(kOutput);
  int descriptor = kFurtherInputs;
  for (const v1::DataBlob &blob : spec.compile().data_files()) {
    v1::DataFile &file = *compile.add_data_files();
    file.set_location(blob.location());
    file.set_data_descriptor(descriptor++);
  }
  return work;
}

bool makesFile(const v1::TaskSpec &spec) { return spec.compile().options().stop_after().empty(); }

void take(const v1::Digest &digest, v1::LeaseResult &result) { *result.mutable_artifact() = digest; }

}  // namespace

const WorkKind kCompile = {.which = v1::TaskSpec::kCompile,
                           .name = "compile",
                           .version = 1,
                           .role = v1::ROLE_BUILDER,
                           .code = "the compiler",
                           .inputs = inputs,
                           .work = work,
                           .isTimed = nullptr,
                           .giveCores = nullptr,
                           .makesFile = makesFile,
                           .take = take,
                           .answer = nullptr,
                           .items = nullptr,
                           .itemWork = nullptr,
                           .itemSeconds = nullptr,
                           .itemResult = nullptr};

}  // namespace hone::worker
