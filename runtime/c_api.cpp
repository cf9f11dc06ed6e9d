// The C ABI: handles around the classes, statuses with their sentence, and no exception past this border.
#include <hone_runtime.h>

#include <chrono>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>

#include "runtime/cpu.h"
#include "runtime/model.h"
#include "runtime/session.h"
#include "runtime/thread_pool.h"

#ifndef HONE_VERSION
#error "the build defines HONE_VERSION"
#endif

using hone::runtime::Model;
using hone::runtime::Session;
using hone::runtime::Status;
using hone::runtime::Tensor;
using hone::runtime::ThreadPool;

struct hone_context {
  std::shared_ptr<ThreadPool> pool;
};
struct hone_model {
  std::shared_ptr<const Model> model;
};
struct hone_session {
  std::unique_ptr<Session> session;
};

namespace {

constexpr int32_t kMaxThreads = 4096;
constexpr std::chrono::microseconds kDefaultSpin{80};

std::string &lastError() {
  thread_local std::string sentence;
  return sentence;
}

hone_status report(const Status &status) {
  if (!status.ok()) lastError() = status.message;
  return status.code;
}

/// Runs \p body, which returns a Status, and turns what libraries throw into one.
template <typename Body>
hone_status guarded(Body body) {
  try {
    return report(body());
  } catch (const std::bad_alloc &) {
    return report({HONE_UNAVAILABLE, "out of memory"});
  } catch (const std::system_error &error) {
    return report({HONE_UNAVAILABLE, std::string("cannot start threads: ") + error.what()});
  } catch (const std::exception &error) {
    return report({HONE_INTERNAL, std::string("internal error: ") + error.what()});
  }
}

/// Without those that hold the sizes of others.
std::span<const Tensor> outputsOf(const hone::runtime::Manifest &manifest) {
  return std::span(manifest.outputs).first(manifest.outputCount);
}

/// Checks the index of an output that is asked for after a run.
Status checkOutput(const Session &session, int32_t index) {
  const size_t count = session.model().manifest().outputCount;
  if (index < 0 || static_cast<size_t>(index) >= count)
    return hone::runtime::failure(HONE_USAGE, "there is no output ", index, "; the model has ", count);
  if (!session.output(index))
    return hone::runtime::failure(HONE_USAGE, "there is no output yet: the session has to run first");
  return {};
}

hone_status tensorInfo(std::span<const Tensor> tensors, const char *what, int32_t index, hone_tensor_info *info) {
  return guarded([&]() -> Status {
    if (index < 0 || static_cast<size_t>(index) >= tensors.size())
      return hone::runtime::failure(HONE_USAGE, "there is no ", what, " ", index, "; the model has ", tensors.size());
    const Tensor &tensor = tensors[static_cast<size_t>(index)];
    *info = {tensor.name.c_str(), tensor.dtype, static_cast<int32_t>(tensor.shape.size()), tensor.shape.data(),
             tensor.bytes};
    return {};
  });
}

hone_status findTensor(std::span<const Tensor> tensors, const char *what, const char *name, int32_t *index) {
  return guarded([&]() -> Status {
    std::string known;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].name == name) {
        *index = static_cast<int32_t>(i);
        return {};
      }
      known += (known.empty() ? "'" : ", '") + tensors[i].name + "'";
    }
    return hone::runtime::failure(HONE_USAGE, "the model has no ", what, " '", name, "'; it has ",
                                  known.empty() ? "none" : known);
  });
}

/// Lets \p tell answer about call \p index, if there is one.
template <typename Tell>
hone_status withCall(const hone_model *model, int32_t index, Tell tell) {
  return guarded([&]() -> Status {
    const auto &calls = model->model->manifest().calls;
    if (index < 0 || static_cast<size_t>(index) >= calls.size())
      return hone::runtime::failure(HONE_USAGE, "there is no call ", index, "; the model has ", calls.size());
    tell(calls[static_cast<size_t>(index)]);
    return {};
  });
}

/// \p load gives the model; it runs inside the guard.
template <typename Load>
hone_status loadModel(Load load, hone_model **model) {
  return guarded([&]() -> Status {
    auto loaded = load();
    if (!loaded.ok()) return loaded.status();
    *model = new hone_model{std::move(*loaded)};
    return {};
  });
}

}  // namespace

extern "C" {

const char *hone_last_error(void) { return lastError().c_str(); }
const char *hone_version(void) { return HONE_VERSION; }
const char *hone_dtype_name(hone_dtype dtype) { return hone::runtime::dtypeName(dtype); }
size_t hone_dtype_size(hone_dtype dtype) { return hone::runtime::dtypeSize(dtype); }

hone_status hone_context_create(const hone_context_options *options, hone_context **context) {
  return guarded([&]() -> Status {
    if (options && options->struct_size != sizeof(hone_context_options))
      return hone::runtime::failure(HONE_USAGE, "hone_context_options has ", sizeof(hone_context_options),
                                    " bytes in this version, but struct_size is ", options->struct_size);
    const int32_t asked = options ? options->threads : 0;
    if (asked < 0 || asked > kMaxThreads)
      return hone::runtime::failure(HONE_USAGE, "cannot use ", asked, " threads; give a number from 1 to ", kMaxThreads,
                                    ", or 0 for the default");
    const int threads = asked > 0 ? asked : hone::runtime::availableThreads();
    const bool ownSpin = options && options->spin_us >= 0;
    const std::chrono::microseconds spin = ownSpin ? std::chrono::microseconds(options->spin_us) : kDefaultSpin;
    *context = new hone_context{std::make_shared<ThreadPool>(threads, options && options->pin, spin)};
    return {};
  });
}

void hone_context_destroy(hone_context *context) { delete context; }
int32_t hone_context_threads(const hone_context *context) { return context->pool->threads(); }

hone_status hone_model_load(const char *path, uint32_t flags, hone_model **model) {
  if (!path) return guarded([] { return Status{HONE_USAGE, "the path of the artifact is a null pointer"}; });
  return loadModel([&] { return Model::load(std::string(path), flags); }, model);
}

hone_status hone_model_load_memory(const void *bytes, size_t size, uint32_t flags, hone_model **model) {
  return loadModel([&] { return Model::load(std::string_view(static_cast<const char *>(bytes), size), flags); }, model);
}

void hone_model_destroy(hone_model *model) { delete model; }
const char *hone_model_name(const hone_model *model) { return model->model->manifest().name.c_str(); }
const char *hone_model_json(const hone_model *model) { return model->model->json().c_str(); }
int32_t hone_model_input_count(const hone_model *model) {
  return static_cast<int32_t>(model->model->manifest().inputs.size());
}
int32_t hone_model_output_count(const hone_model *model) {
  return static_cast<int32_t>(model->model->manifest().outputCount);
}
int32_t hone_model_call_count(const hone_model *model) {
  return static_cast<int32_t>(model->model->manifest().calls.size());
}

hone_status hone_model_input(const hone_model *model, int32_t index, hone_tensor_info *info) {
  return tensorInfo(model->model->manifest().inputs, "input", index, info);
}

hone_status hone_model_output(const hone_model *model, int32_t index, hone_tensor_info *info) {
  return tensorInfo(outputsOf(model->model->manifest()), "output", index, info);
}

hone_status hone_model_call(const hone_model *model, int32_t index, hone_call_info *info) {
  return withCall(model, index, [&](const hone::runtime::Call &call) {
    *info = {call.name.c_str(), call.kernelName.c_str(), call.flops};
  });
}

hone_status hone_model_call_estimate(const hone_model *model, int32_t index, hone_call_estimate *estimate) {
  return withCall(model, index, [&](const hone::runtime::Call &call) {
    *estimate = {call.estimate.cycles, call.estimate.limit.c_str(), call.estimate.threads, call.isRepeated};
  });
}

hone_status hone_model_find_input(const hone_model *model, const char *name, int32_t *index) {
  return findTensor(model->model->manifest().inputs, "input", name, index);
}

hone_status hone_model_find_output(const hone_model *model, const char *name, int32_t *index) {
  return findTensor(outputsOf(model->model->manifest()), "output", name, index);
}

int32_t hone_model_index_check_count(const hone_model *model) {
  const auto &manifest = model->model->manifest();
  return manifest.checksIndices ? static_cast<int32_t>(manifest.indexChecks.size()) : -1;
}

size_t hone_model_arena_bytes(const hone_model *model) { return model->model->manifest().arenaBytes; }
size_t hone_model_parameter_bytes(const hone_model *model) { return model->model->manifest().parameters.bytes; }

hone_status hone_session_create(hone_context *context, hone_model *model, hone_session **session) {
  return guarded([&]() -> Status {
    auto created = Session::create(context->pool, model->model);
    if (!created.ok()) return created.status();
    *session = new hone_session{std::move(*created)};
    return {};
  });
}

void hone_session_destroy(hone_session *session) { delete session; }

hone_status hone_session_set_input(hone_session *session, int32_t index, const void *data, size_t bytes) {
  return guarded([&] { return session->session->setInput(index, data, bytes); });
}

hone_status hone_session_bind_input(hone_session *session, int32_t index, const void *data, size_t bytes) {
  return guarded([&] { return session->session->bindInput(index, data, bytes); });
}

hone_status hone_session_bind_output(hone_session *session, int32_t index, void *data, size_t bytes) {
  return guarded([&] { return session->session->bindOutput(index, data, bytes); });
}

hone_status hone_session_run(hone_session *session) {
  return guarded([&] { return session->session->run(); });
}

hone_status hone_session_get_output(hone_session *session, int32_t index, const void **data, size_t *bytes) {
  return guarded([&]() -> Status {
    HONE_RT_RETURN_IF_ERROR(checkOutput(*session->session, index));
    *data = session->session->output(index);
    if (bytes) *bytes = session->session->outputBytes(index);
    return {};
  });
}

hone_status hone_session_get_output_shape(hone_session *session, int32_t index, const int64_t **shape, int32_t *rank) {
  return guarded([&]() -> Status {
    HONE_RT_RETURN_IF_ERROR(checkOutput(*session->session, index));
    const std::vector<int64_t> &found = session->session->outputShape(index);
    *shape = found.data();
    if (rank) *rank = static_cast<int32_t>(found.size());
    return {};
  });
}

hone_status hone_session_get_index_check(const hone_session *session, int32_t index, hone_index_check *check) {
  return guarded([&]() -> Status {
    const Session &run = *session->session;
    const auto &checks = run.model().manifest().indexChecks;
    if (index < 0 || static_cast<size_t>(index) >= checks.size())
      return hone::runtime::failure(HONE_USAGE, "there is no index check ", index, "; the model has ", checks.size());
    const auto &found = checks[static_cast<size_t>(index)];
    if (!run.output(static_cast<int32_t>(found.count)))
      return hone::runtime::failure(HONE_USAGE, "no index was checked before the first run");
    *check = {found.node.c_str(),
              found.op.c_str(),
              found.axis,
              run.hiddenNumber(found.count),
              run.hiddenNumber(found.example),
              run.hiddenNumber(found.extent)};
    return {};
  });
}

void hone_session_set_profiling(hone_session *session, int32_t enabled) {
  session->session->setProfiling(enabled != 0);
}

hone_status hone_session_get_profile(const hone_session *session, const int64_t **nanoseconds, int32_t *count) {
  const std::vector<int64_t> &profile = session->session->profile();
  *nanoseconds = profile.data();
  *count = static_cast<int32_t>(profile.size());
  return HONE_OK;
}

}  // extern "C"
