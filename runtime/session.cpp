#include "runtime/session.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/run_kernel.h"

namespace hone::runtime {
namespace {

/// Threads' scratches start on pages of their own, so that they share no cache line and no prefetched neighbour.
constexpr size_t kScratchUnit = 4096;

bool isAligned(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer) % HONE_ALIGNMENT == 0; }

Status checkPort(const std::vector<Tensor> &tensors, const char *what, int32_t index, const void *data, size_t bytes) {
  if (index < 0 || static_cast<size_t>(index) >= tensors.size())
    return failure(HONE_USAGE, "there is no ", what, " ", index, "; the model has ", tensors.size());
  const Tensor &tensor = tensors[static_cast<size_t>(index)];
  if (bytes != tensor.bytes)
    return failure(HONE_USAGE, what, " '", tensor.name, "' has ", tensor.bytes, " bytes, but ", bytes, " were given");
  if (!data && bytes > 0) return failure(HONE_USAGE, what, " '", tensor.name, "' is given as a null pointer");
  return {};
}

/// Whether the bytes at \p addresses are as \p conditions want them.
bool hold(const std::vector<CallCondition> &conditions, void *const *addresses) {
  for (const CallCondition &condition : conditions)
    if ((*static_cast<const char *>(*addresses++) != 0) != condition.isTrue) return false;
  return true;
}

}  // namespace

Session::Session(std::shared_ptr<ThreadPool> pool, std::shared_ptr<const Model> model)
    : pool_(std::move(pool)),
      model_(std::move(model)),
      inputs_(model_->manifest().inputs.size()),
      outputs_(model_->manifest().outputs.size()),
      profile_(model_->manifest().calls.size(), 0) {
  for (const Tensor &output : model_->manifest().outputs) shapes_.push_back(output.shape);
}

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<ThreadPool> pool, std::shared_ptr<const Model> model) {
  std::unique_ptr<Session> session(new Session(std::move(pool), std::move(model)));
  HONE_RT_RETURN_IF_ERROR(session->allocate());
  return session;
}

Status Session::allocate() {
  const Manifest &manifest = model_->manifest();
  const auto make = [](size_t bytes, Block &block) -> Status {
    Result<Block> made = Block::allocate(bytes);
    if (!made.ok()) return made.status();
    block = std::move(*made);
    return {};
  };
  HONE_RT_RETURN_IF_ERROR(make(manifest.arenaBytes, arena_));
  const bool mayLeaveOut =
      !manifest.loops.empty() || std::any_of(manifest.calls.begin(), manifest.calls.end(),
                                             [](const Call &call) { return !call.conditions.empty(); });
  // What a call that is left out would have written may be read under a mask that drops it. Where nothing was ever
  // written there is no page, and such a read takes a thousand times as long.
  if (mayLeaveOut) std::memset(arena_.data(), 0, manifest.arenaBytes);
  HONE_RT_RETURN_IF_ERROR(make(model_->sharedScratchBytes(), sharedScratch_));
  scratchStride_ = (model_->scratchBytes() + kScratchUnit - 1) / kScratchUnit * kScratchUnit;
  HONE_RT_RETURN_IF_ERROR(make(scratchStride_ * static_cast<size_t>(pool_->threads()), scratch_));
  for (size_t c = 0; c < manifest.calls.size(); ++c) {
    const Call &call = manifest.calls[c];
    firstArgument_.push_back(arguments_.size());
    arguments_.resize(arguments_.size() + call.arguments.size() + 1 + call.conditions.size());
    arguments_[firstArgument_[c] + call.arguments.size()] = sharedScratch_.data();
    forEachBuffer(c, [&](const Buffer &buffer, void *&address) { placeOwn(buffer, address); });
  }
  for (const Loop &loop : manifest.loops) {
    LoopBytes &bytes = loops_.emplace_back();
    bytes.condition = arena_.data() + manifest.buffers[static_cast<size_t>(loop.condition)].offset;
    bytes.conditions.resize(loop.conditions.size());
  }
  forEachLoopCondition([&](const Buffer &buffer, void *&address) { placeOwn(buffer, address); });
  for (size_t i = 0; i < outputs_.size(); ++i) {
    HONE_RT_RETURN_IF_ERROR(useOwn(outputs_[i], manifest.outputs[i].bytes));
    place(BufferKind::Output, static_cast<int32_t>(i), outputs_[i].used);
  }
  return {};
}

Status Session::useOwn(Port &port, size_t bytes) {
  if (!port.own.data()) {
    Result<Block> block = Block::allocate(bytes);
    if (!block.ok()) return block.status();
    port.own = std::move(*block);
  }
  port.used = port.own.data();
  return {};
}

template <typename Visit>
void Session::forEachBuffer(size_t call, const Visit &visit) {
  const Manifest &manifest = model_->manifest();
  const Call &called = manifest.calls[call];
  void **next = arguments_.data() + firstArgument_[call];
  for (int32_t argument : called.arguments) visit(manifest.buffers[static_cast<size_t>(argument)], *next++);
  ++next;  // the shared scratch
  for (const CallCondition &condition : called.conditions)
    visit(manifest.buffers[static_cast<size_t>(condition.buffer)], *next++);
}

template <typename Visit>
void Session::forEachLoopCondition(const Visit &visit) {
  const Manifest &manifest = model_->manifest();
  for (size_t l = 0; l < loops_.size(); ++l) {
    const std::vector<CallCondition> &conditions = manifest.loops[l].conditions;
    for (size_t i = 0; i < conditions.size(); ++i)
      visit(manifest.buffers[static_cast<size_t>(conditions[i].buffer)], loops_[l].conditions[i]);
  }
}

void Session::placeOwn(const Buffer &buffer, void *&address) {
  if (buffer.kind == BufferKind::Arena) address = arena_.data() + buffer.offset;
  if (buffer.kind == BufferKind::Parameter) address = const_cast<char *>(model_->parameters()) + buffer.offset;
}

void Session::place(BufferKind kind, int32_t index, char *address) {
  const auto placeOne = [&](const Buffer &buffer, void *&place) {
    if (buffer.kind == kind && buffer.index == static_cast<size_t>(index)) place = address;
  };
  for (size_t c = 0; c < firstArgument_.size(); ++c) forEachBuffer(c, placeOne);
  forEachLoopCondition(placeOne);
}

Status Session::setInput(int32_t index, const void *data, size_t bytes) {
  HONE_RT_RETURN_IF_ERROR(checkPort(model_->manifest().inputs, "input", index, data, bytes));
  Port &port = inputs_[static_cast<size_t>(index)];
  const bool moved = !port.used || port.used != port.own.data();
  HONE_RT_RETURN_IF_ERROR(useOwn(port, bytes));
  port.bound = nullptr;
  if (bytes > 0) std::memcpy(port.used, data, bytes);
  if (moved) place(BufferKind::Input, index, port.used);
  return {};
}

Status Session::bindInput(int32_t index, const void *data, size_t bytes) {
  HONE_RT_RETURN_IF_ERROR(checkPort(model_->manifest().inputs, "input", index, data, bytes));
  Port &port = inputs_[static_cast<size_t>(index)];
  // Kernels do not write to inputs; their argument lists have one type.
  char *memory = const_cast<char *>(static_cast<const char *>(data));
  if (memory && isAligned(memory)) {
    port.used = memory;
    port.bound = nullptr;
  } else {
    HONE_RT_RETURN_IF_ERROR(useOwn(port, bytes));
    port.bound = memory;
  }
  place(BufferKind::Input, index, port.used);
  return {};
}

Status Session::bindOutput(int32_t index, void *data, size_t bytes) {
  const std::vector<Tensor> &tensors = model_->manifest().outputs;
  const bool giveBack = !data && bytes == 0;
  const bool known = index >= 0 && static_cast<size_t>(index) < model_->manifest().outputCount;
  const size_t size = known ? tensors[static_cast<size_t>(index)].bytes : 0;
  HONE_RT_RETURN_IF_ERROR(checkPort(tensors, "output", index, giveBack ? this : data, giveBack ? size : bytes));
  Port &port = outputs_[static_cast<size_t>(index)];
  if (!giveBack && isAligned(data)) {
    port.used = static_cast<char *>(data);
    port.bound = nullptr;
  } else {
    HONE_RT_RETURN_IF_ERROR(useOwn(port, size));
    port.bound = static_cast<char *>(data);
  }
  place(BufferKind::Output, index, port.used);
  hasRun_ = false;
  return {};
}

const void *Session::output(int32_t index) const {
  return hasRun_ ? outputs_[static_cast<size_t>(index)].used : nullptr;
}

size_t Session::outputBytes(int32_t index) const {
  size_t bytes = dtypeSize(model_->manifest().outputs[static_cast<size_t>(index)].dtype);
  for (int64_t extent : outputShape(index)) bytes *= static_cast<size_t>(extent);
  return bytes;
}

int64_t Session::hiddenNumber(size_t output) const {
  int64_t number = 0;
  std::memcpy(&number, outputs_[output].used, sizeof(number));
  return number;
}

void Session::readShapes() {
  const std::vector<Tensor> &outputs = model_->manifest().outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (const Tensor::Extent &extent : outputs[i].extents) {
      // Generated code is trusted to compute it; nothing is read beyond the buffer all the same.
      shapes_[i][extent.dim] = std::clamp<int64_t>(hiddenNumber(extent.output), 0, outputs[i].shape[extent.dim]);
    }
  }
}

Status Session::run() {
  const Manifest &manifest = model_->manifest();
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Port &port = inputs_[i];
    if (!port.used) return failure(HONE_USAGE, "input '", manifest.inputs[i].name, "' is not set");
    if (port.bound) std::memcpy(port.used, port.bound, manifest.inputs[i].bytes);
  }
  if (profiling_) {
    std::fill(profile_.begin(), profile_.end(), 0);
    lastEnd_ = std::chrono::steady_clock::now();
  }
  runCalls(0, manifest.calls.size(), 0);
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (outputs_[i].bound) std::memcpy(outputs_[i].bound, outputs_[i].used, manifest.outputs[i].bytes);
  readShapes();
  hasRun_ = true;
  return {};
}

void Session::runCalls(size_t first, size_t end, size_t loop) {
  const Manifest &manifest = model_->manifest();
  const auto firstOf = [&](size_t l) { return l < manifest.loops.size() ? manifest.loops[l].first : SIZE_MAX; };
  size_t nextLoop = firstOf(loop);
  for (size_t c = first; c < end;) {
    if (c == nextLoop) {
      repeat(loop);
      c = manifest.loops[loop].end;
      loop = manifest.loops[loop].next;
      nextLoop = firstOf(loop);
      continue;
    }
    const Call &call = manifest.calls[c];
    void *const *arguments = arguments_.data() + firstArgument_[c];
    if (isNeeded(call, arguments)) {
      runCall(call, arguments);
      if (profiling_) {
        const auto now = std::chrono::steady_clock::now();
        profile_[c] += std::chrono::duration_cast<std::chrono::nanoseconds>(now - lastEnd_).count();
        lastEnd_ = now;
      }
    }
    ++c;
  }
}

void Session::repeat(size_t loop) {
  const Loop &repeated = model_->manifest().loops[loop];
  if (!hold(repeated.conditions, loops_[loop].conditions.data())) return;
  while (*loops_[loop].condition != 0) runCalls(repeated.first, repeated.end, loop + 1);
}

bool Session::isNeeded(const Call &call, void *const *arguments) {
  return hold(call.conditions, arguments + call.arguments.size() + 1);
}

void Session::runCall(const Call &call, void *const *arguments) {
  runKernel(*pool_, model_->module().kernels[call.kernel], arguments, {scratch_.data(), scratchStride_});
}

}  // namespace hone::runtime
