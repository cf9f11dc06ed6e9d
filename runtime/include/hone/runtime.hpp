// The C++ face of hone_runtime.h: the same objects with RAII, spans and exceptions. Header only; C++17.
//
//   hone::Context context;
//   hone::Model model = hone::Model::load("resnet50.tar");
//   hone::Session session(context, model);
//   session.setInput(0, image);              // std::vector<float>, or pointer and bytes
//   session.run();
//   const float *scores = session.output<float>(0);
//
// Threads and lifetimes are those of hone_runtime.h. Objects can be moved, not copied.
#pragma once

#include <hone_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hone {

/// Thrown for every status other than HONE_OK.
class RuntimeError : public std::runtime_error {
 public:
  RuntimeError(hone_status status, const std::string &sentence) : std::runtime_error(sentence), status_(status) {}
  hone_status status() const { return status_; }

 private:
  hone_status status_;
};

namespace detail {

inline void check(hone_status status) {
  if (status != HONE_OK) throw RuntimeError(status, hone_last_error());
}

template <typename Object, void (*destroy)(Object *)>
struct Destroyer {
  void operator()(Object *object) const { destroy(object); }
};

template <typename Object, void (*destroy)(Object *)>
using Handle = std::unique_ptr<Object, Destroyer<Object, destroy>>;

}  // namespace detail

struct TensorInfo {
  std::string name;
  hone_dtype dtype;
  std::vector<int64_t> shape;
  std::size_t bytes;
};

class Context {
 public:
  /// \p threads 0: as many as CPU affinity and cgroup quota allow.
  explicit Context(int32_t threads = 0, bool pin = false) {
    const hone_context_options options = {sizeof(hone_context_options), threads, pin, -1};
    hone_context *context = nullptr;
    detail::check(hone_context_create(&options, &context));
    handle_.reset(context);
  }

  int32_t threads() const { return hone_context_threads(handle_.get()); }
  hone_context *get() const { return handle_.get(); }

 private:
  detail::Handle<hone_context, hone_context_destroy> handle_;
};

class Model {
 public:
  static Model load(const std::string &path, uint32_t flags = 0) {
    hone_model *model = nullptr;
    detail::check(hone_model_load(path.c_str(), flags, &model));
    return Model(model);
  }

  /// From the bytes of a tar file, which are not needed afterwards.
  static Model fromMemory(const void *bytes, std::size_t size, uint32_t flags = 0) {
    hone_model *model = nullptr;
    detail::check(hone_model_load_memory(bytes, size, flags, &model));
    return Model(model);
  }

  std::string name() const { return hone_model_name(handle_.get()); }
  std::string json() const { return hone_model_json(handle_.get()); }
  int32_t inputCount() const { return hone_model_input_count(handle_.get()); }
  int32_t outputCount() const { return hone_model_output_count(handle_.get()); }
  /// Negative where the model was compiled without checks of indices.
  int32_t indexCheckCount() const { return hone_model_index_check_count(handle_.get()); }
  TensorInfo input(int32_t index) const { return info(hone_model_input, index); }
  TensorInfo output(int32_t index) const { return info(hone_model_output, index); }

  int32_t findInput(const std::string &name) const {
    int32_t index = -1;
    detail::check(hone_model_find_input(handle_.get(), name.c_str(), &index));
    return index;
  }

  int32_t findOutput(const std::string &name) const {
    int32_t index = -1;
    detail::check(hone_model_find_output(handle_.get(), name.c_str(), &index));
    return index;
  }

  hone_model *get() const { return handle_.get(); }

 private:
  explicit Model(hone_model *model) : handle_(model) {}

  template <typename Query>
  TensorInfo info(Query query, int32_t index) const {
    hone_tensor_info raw;
    detail::check(query(handle_.get(), index, &raw));
    return {raw.name, raw.dtype, std::vector<int64_t>(raw.shape, raw.shape + raw.rank), raw.bytes};
  }

  detail::Handle<hone_model, hone_model_destroy> handle_;
};

class Session {
 public:
  Session(const Context &context, const Model &model) {
    hone_session *session = nullptr;
    detail::check(hone_session_create(context.get(), model.get(), &session));
    handle_.reset(session);
  }

  void setInput(int32_t index, const void *data, std::size_t bytes) {
    detail::check(hone_session_set_input(handle_.get(), index, data, bytes));
  }

  template <typename Element>
  void setInput(int32_t index, const std::vector<Element> &data) {
    setInput(index, data.data(), data.size() * sizeof(Element));
  }

  void bindInput(int32_t index, const void *data, std::size_t bytes) {
    detail::check(hone_session_bind_input(handle_.get(), index, data, bytes));
  }

  void bindOutput(int32_t index, void *data, std::size_t bytes) {
    detail::check(hone_session_bind_output(handle_.get(), index, data, bytes));
  }

  void run() { detail::check(hone_session_run(handle_.get())); }

  /// The output's data and, if asked for, its number of bytes.
  template <typename Element = void>
  const Element *output(int32_t index, std::size_t *bytes = nullptr) {
    const void *data = nullptr;
    detail::check(hone_session_get_output(handle_.get(), index, &data, bytes));
    return static_cast<const Element *>(data);
  }

  /// The output's shape in the last run: the model's, unless sizes depend on data.
  std::vector<int64_t> outputShape(int32_t index) {
    const int64_t *shape = nullptr;
    int32_t rank = 0;
    detail::check(hone_session_get_output_shape(handle_.get(), index, &shape, &rank));
    return std::vector<int64_t>(shape, shape + rank);
  }

  /// What check \p index of the model found in the last run.
  hone_index_check indexCheck(int32_t index) const {
    hone_index_check check;
    detail::check(hone_session_get_index_check(handle_.get(), index, &check));
    return check;
  }

  void setProfiling(bool enabled) { hone_session_set_profiling(handle_.get(), enabled); }

  /// Nanoseconds of each call in the last profiled run.
  std::vector<int64_t> profile() const {
    const int64_t *nanoseconds = nullptr;
    int32_t count = 0;
    detail::check(hone_session_get_profile(handle_.get(), &nanoseconds, &count));
    return std::vector<int64_t>(nanoseconds, nanoseconds + count);
  }

  hone_session *get() const { return handle_.get(); }

 private:
  detail::Handle<hone_session, hone_session_destroy> handle_;
};

}  // namespace hone
