#include "compiler/loop/lower.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/loop/lowering.h"
#include "compiler/loop/region.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/rewrite.h"

namespace hone::loop {
namespace {

using schedule::Loop;
using tensor::BufferRole;
using tensor::DimKind;

constexpr int64_t kAlignment = 64;

int64_t alignUp(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// `loops` and, innermost, what they leave of the dims of `kind`: steps of the register tile through each dim whose
// last loop is coarser.
std::vector<Loop> completed(std::vector<Loop> loops, const tensor::TensorOp &op, DimKind kind,
                            const schedule::StageSchedule &schedule) {
  for (const tensor::Dim &dim : op.dims) {
    if (dim.kind != kind) continue;
    int64_t covered = dim.name == schedule.vectorDim ? schedule.lanes : 1;
    for (const schedule::RegisterTile &tile : schedule.registers) {
      if (tile.dim == dim.name) covered *= tile.count;
    }
    int64_t left = dim.extent;
    for (const Loop &loop : loops) {
      if (loop.dim == dim.name) left = loop.step;
    }
    if (left > covered) loops.push_back({dim.name, covered});
  }
  return loops;
}

}  // namespace

Lowering::Lowering(const tensor::Kernel &kernel, const schedule::Schedule &schedule)
    : kernel_(kernel), schedule_(schedule), storage_(kernel.buffers.size()), epilogues_(kernel.stages.size()) {
  out_.name = kernel.name;
  findEpilogues();
}

IntExpr Lowering::freshVariable(const std::string &name, int64_t low, int64_t high) {
  int id = nextVariable_++;
  return variable(id, absl::StrCat(name, id), low, high);
}

std::vector<int> Lowering::readers(int buffer) const {
  std::vector<int> found;
  for (size_t s = 0; s < kernel_.stages.size(); ++s) {
    const std::vector<tensor::Access> &reads = kernel_.stages[s].reads;
    if (std::any_of(reads.begin(), reads.end(), [&](const tensor::Access &read) { return read.buffer == buffer; })) {
      found.push_back(static_cast<int>(s));
    }
  }
  return found;
}

std::vector<int> Lowering::attached(int host, const Loop &loop, bool producers) const {
  std::vector<int> found;
  for (size_t s = 0; s < schedule_.stages.size(); ++s) {
    const std::optional<schedule::Attachment> &at = schedule_.stages[s].at;
    bool feeds = static_cast<int>(s) < host;
    if (at && at->stage == stage(host).name && at->loop == loop && feeds == producers)
      found.push_back(static_cast<int>(s));
  }
  return found;
}

std::vector<Loop> Lowering::spatialLoops(int stage) const {
  const schedule::StageSchedule &schedule = stageSchedule(stage);
  std::vector<Loop> loops = schedule.parallel;
  loops.insert(loops.end(), schedule.tile.begin(), schedule.tile.end());
  return completed(std::move(loops), this->stage(stage), DimKind::Parallel, schedule);
}

std::vector<Loop> Lowering::reductionLoops(int stage) const {
  const schedule::StageSchedule &schedule = stageSchedule(stage);
  return completed(schedule.reduction, this->stage(stage), DimKind::Reduction, schedule);
}

void Lowering::findEpilogues() {
  for (int host = 0; host < static_cast<int>(kernel_.stages.size()); ++host) {
    const std::vector<Loop> loops = spatialLoops(host);
    if (loops.empty()) continue;
    for (const int reader : attached(host, loops.back(), false)) {
      auto dims = schedule::followedDims(kernel_, reader, host, epilogues_[static_cast<size_t>(host)]);
      assert(dims && "legal() lets nothing else be attached behind its host");
      epilogues_[static_cast<size_t>(host)].emplace(reader, *std::move(dims));
    }
  }
}

const std::vector<int> *Lowering::epilogueDims(int reader, int host) const {
  const schedule::Followers &epilogues = epilogues_[static_cast<size_t>(host)];
  const auto found = epilogues.find(reader);
  return found == epilogues.end() ? nullptr : &found->second;
}

bool Lowering::isEpilogue(int reader, int host) const { return epilogueDims(reader, host) != nullptr; }

bool Lowering::isRegisterOnly(int buffer) const {
  if (this->buffer(buffer).role != BufferRole::Temporary) return false;
  int writer = -1;
  for (size_t s = 0; s < kernel_.stages.size(); ++s) {
    for (const tensor::Access &write : kernel_.stages[s].writes) {
      if (write.buffer == buffer) writer = static_cast<int>(s);
    }
  }
  if (writer < 0) return false;
  int host = writer;
  if (stageSchedule(writer).at) {
    for (int s = 0; s < writer; ++s) {
      if (isEpilogue(writer, s)) host = s;
    }
  }
  // An index is loaded from memory.
  if (std::any_of(kernel_.stages.begin(), kernel_.stages.end(),
                  [&](const tensor::TensorOp &op) { return tensor::loads(op, buffer); })) {
    return false;
  }
  std::vector<int> users = readers(buffer);
  return !users.empty() && std::all_of(users.begin(), users.end(), [&](int user) { return isEpilogue(user, host); });
}

// ------------------------------------------------------------------------------------------------------- storage

void Lowering::placeArguments() {
  int64_t position = 0;
  for (size_t b = 0; b < kernel_.buffers.size(); ++b) {
    const tensor::Buffer &buffer = kernel_.buffers[b];
    Storage &place = storage_[b];
    place.layout = buffer.layout;
    place.origin.assign(buffer.shape.size(), 0);
    if (buffer.role == BufferRole::Temporary) continue;
    BufferSlot slot;
    slot.name = buffer.name;
    slot.dtype = buffer.dtype;
    slot.space = Space::Argument;
    slot.offset = position++;
    slot.elements = buffer.layout.elements();
    slot.written = buffer.role == BufferRole::Output;
    place.slot = static_cast<int>(out_.buffers.size());
    out_.buffers.push_back(std::move(slot));
  }
}

// Temporaries that no register and no thread holds. (Thread scratch is placed by requiredRegions() before the first
// use of such a buffer.)
void Lowering::placeShared() {
  for (size_t s = 0; s < kernel_.stages.size(); ++s) {
    for (const tensor::Access &write : kernel_.stages[s].writes) {
      const tensor::Buffer &buffer = this->buffer(write.buffer);
      Storage &place = storage_[static_cast<size_t>(write.buffer)];
      if (buffer.role != BufferRole::Temporary || place.slot >= 0 || isRegisterOnly(write.buffer)) continue;
      const std::optional<schedule::Attachment> &at = schedule_.stages[s].at;
      bool feedsHost = false;
      for (size_t h = s + 1; at && h < kernel_.stages.size(); ++h)
        feedsHost = feedsHost || kernel_.stages[h].name == at->stage;
      if (feedsHost) continue;
      BufferSlot slot;
      slot.name = buffer.name;
      slot.dtype = buffer.dtype;
      slot.space = Space::SharedScratch;
      slot.offset = out_.sharedScratchBytes;
      slot.elements = buffer.layout.elements();
      slot.written = true;
      out_.sharedScratchBytes += alignUp(slot.elements * sizeOf(buffer.dtype));
      place.slot = static_cast<int>(out_.buffers.size());
      out_.buffers.push_back(std::move(slot));
    }
  }
}

void Lowering::placeInThreadScratch(int buffer, const Region &box) {
  constexpr int64_t kRounding = 16;  // whole vectors in the innermost dim
  Storage &place = storage(buffer);
  place.origin.clear();
  for (const Extent &extent : box) place.origin.push_back(extent.start);
  // The order of the whole buffer: each dim's outermost axis is as long as the box asks for.
  place.layout = this->buffer(buffer).layout;
  std::vector<tensor::LayoutAxis> &axes = place.layout.axes;
  std::set<int> seen;
  for (tensor::LayoutAxis &axis : axes) {
    if (!seen.insert(axis.dim).second) continue;
    axis.extent = (box[static_cast<size_t>(axis.dim)].size + axis.divisor - 1) / axis.divisor;
  }
  const bool isSplit = !axes.empty() && std::any_of(axes.begin(), axes.end() - 1, [&](const tensor::LayoutAxis &axis) {
    return axis.dim == axes.back().dim;
  });
  if (!axes.empty() && !isSplit && axes.back().extent > 1)
    axes.back().extent = (axes.back().extent + kRounding - 1) / kRounding * kRounding;
  if (place.slot < 0) place.slot = addThreadScratch(this->buffer(buffer).name, this->buffer(buffer).dtype);
  BufferSlot &slot = out_.buffers[static_cast<size_t>(place.slot)];
  slot.elements = std::max(slot.elements, place.layout.elements());
}

int Lowering::placePartialResults(int position, size_t element, int64_t elements) {
  const auto [entry, isNew] = partialSlots_.try_emplace({position, element}, -1);
  const tensor::TensorOp &op = stage(position);
  if (isNew) entry->second = addThreadScratch(op.name + "_partial", op.body[element]->dtype);
  BufferSlot &slot = out_.buffers[static_cast<size_t>(entry->second)];
  slot.elements = std::max(slot.elements, elements);
  return entry->second;
}

int Lowering::addThreadScratch(std::string name, DType dtype) {
  BufferSlot slot;
  slot.name = std::move(name);
  slot.dtype = dtype;
  slot.space = Space::ThreadScratch;
  slot.written = true;
  scratchSlots_.push_back(static_cast<int>(out_.buffers.size()));
  out_.buffers.push_back(std::move(slot));
  return scratchSlots_.back();
}

void Lowering::finishScratch(Phase &phase) {
  for (int position : scratchSlots_) {
    BufferSlot &slot = out_.buffers[static_cast<size_t>(position)];
    slot.offset = phase.scratchBytes;
    phase.scratchBytes += alignUp(slot.elements * sizeOf(slot.dtype));
  }
  scratchSlots_.clear();
}

// -------------------------------------------------------------------------------------------------------- phases

std::vector<IntExpr> Lowering::parallelDigits(int position, Phase &phase) {
  const tensor::TensorOp &op = stage(position);
  const std::vector<Loop> &parallel = stageSchedule(position).parallel;
  std::vector<int64_t> counts;
  for (size_t i = 0; i < parallel.size(); ++i) {
    int64_t size = op.dims[static_cast<size_t>(schedule::dimPosition(op, parallel[i].dim))].extent;
    for (size_t j = 0; j < i; ++j) {
      if (parallel[j].dim == parallel[i].dim) size = std::min(size, parallel[j].step);
    }
    counts.push_back((size + parallel[i].step - 1) / parallel[i].step);
    phase.extent *= counts.back();
  }
  phase.parallel = freshVariable("p", 0, phase.extent - 1);
  std::vector<IntExpr> digits(parallel.size());
  int64_t inner = 1;
  for (size_t i = parallel.size(); i-- > 0;) {
    digits[i] = mod(floorDiv(phase.parallel, inner), counts[i]);
    inner *= counts[i];
  }
  return digits;
}

Phase Lowering::rootPhase(int position) {
  Phase phase;
  const std::vector<IntExpr> digits = parallelDigits(position, phase);
  phase.body = makeBlock(lowerStage(*this, position, wholeRegion(stage(position)), digits));
  finishScratch(phase);
  return phase;
}

// All stages that share the scan dims, step by step; each piece of their parallel loops runs all steps.
Phase Lowering::scanPhase() {
  Phase phase;
  const auto first = std::find_if(kernel_.stages.begin(), kernel_.stages.end(), schedule::scans);
  const std::vector<IntExpr> digits = parallelDigits(static_cast<int>(first - kernel_.stages.begin()), phase);
  std::vector<IntExpr> steps;
  std::vector<int64_t> extents;
  for (const tensor::Dim &dim : first->dims) {
    if (dim.kind != DimKind::Scan) break;
    extents.push_back(dim.extent);
    steps.push_back(freshVariable(dim.name, 0, dim.extent - 1));
  }
  Body body;
  for (size_t s = 0; s < kernel_.stages.size(); ++s) {
    if (!schedule::scans(kernel_.stages[s])) continue;
    Region region = wholeRegion(kernel_.stages[s]);
    for (size_t d = 0; d < steps.size(); ++d) region[d] = {steps[d], 1};
    Body nest = lowerStage(*this, static_cast<int>(s), region, digits);
    body.insert(body.end(), nest.begin(), nest.end());
  }
  for (size_t d = steps.size(); d-- > 0;) {
    if (extents[d] > 1) body = {makeFor(steps[d], 0, extents[d], LoopKind::Serial, std::move(body))};
  }
  phase.body = makeBlock(std::move(body));
  finishScratch(phase);
  return phase;
}

Kernel Lowering::run() {
  placeArguments();
  placeShared();
  bool scanned = false;
  for (size_t s = 0; s < kernel_.stages.size(); ++s) {
    if (schedule::scans(kernel_.stages[s])) {
      if (!scanned) out_.phases.push_back(scanPhase());
      scanned = true;
    } else if (!schedule_.stages[s].at) {
      out_.phases.push_back(rootPhase(static_cast<int>(s)));
    }
  }
  return std::move(out_);
}

absl::StatusOr<Kernel> lower(const tensor::Kernel &kernel, const schedule::Schedule &schedule) {
  if (kernel.stages.size() != schedule.stages.size()) {
    return absl::InvalidArgumentError(absl::StrCat("schedule has ", schedule.stages.size(), " stages, kernel '",
                                                   kernel.name, "' has ", kernel.stages.size()));
  }
  return Lowering(kernel, schedule).run();
}

}  // namespace hone::loop
