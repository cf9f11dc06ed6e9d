#include "measure/batch.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "measure/machine.h"
#include "measure/seeded_arguments.h"

namespace hone::measure {

namespace {

using tensor::Buffer;
using tensor::BufferRole;

/// Bytes behind each output that nobody may write.
constexpr int64_t kGuardBytes = 256;
constexpr char kGuard = 0x5a;
/// Outputs start as NaNs, so that what is not written shows.
constexpr char kUnwritten = static_cast<char>(0xff);
constexpr int kFewestTurns = 3;
constexpr int kRunsToGiveUp = 3;
constexpr double kMostRuns = 1000;
constexpr int64_t kCacheLine = 64;

int64_t bytesOf(const Buffer &buffer) { return buffer.layout.elements() * sizeOf(buffer.dtype); }

double toleranceOf(const driver::Candidate &candidate) {
  // Algorithms that derive parameters (Winograd) sum other products; splitting a sum changes its order only.
  return candidate.rewrite.derived.empty() ? kTolerance : kAlgorithmTolerance;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

absl::StatusOr<Batch> Batch::load(Measurement &measurement, const driver::Library &library, int threads) {
  Batch batch(measurement, library);
  runtime::Result<runtime::Module> module = runtime::Module::load(library.bytes);
  if (!module.ok()) return absl::FailedPreconditionError(module.status().message);
  batch.module_ = std::move(*module);
  for (const absl::StatusOr<driver::Candidate> &candidate : library.candidates)
    if (candidate.ok() && candidate->kernel >= batch.module_.table().kernel_count)
      return absl::FailedPreconditionError(absl::StrCat("the library has ", batch.module_.table().kernel_count,
                                                        " kernels, and a candidate is kernel ", candidate->kernel));
  HONE_ASSIGN_OR_RETURN(batch.runner_, Runner::make(batch.module_.table(), threads));
  HONE_RETURN_IF_ERROR(batch.allocateBuffers());
  return batch;
}

absl::Status Batch::allocateBuffers() {
  const std::vector<Buffer> &buffers = measurement_->kernel_.buffers;
  for (size_t b = 0; b < buffers.size(); ++b) {
    const Buffer &buffer = buffers[b];
    if (buffer.role != BufferRole::Input && buffer.role != BufferRole::Output) continue;
    const int64_t bytes = bytesOf(buffer);
    runtime::Result<runtime::Block> block = runtime::Block::allocate(static_cast<size_t>(bytes + kGuardBytes));
    if (!block.ok()) return absl::ResourceExhaustedError(block.status().message);
    if (buffer.role == BufferRole::Input) {
      const std::vector<char> data = inLayout(measurement_->arguments_[b].bytes, buffer);
      std::copy(data.begin(), data.end(), block->data());
    }
    Memory &memory = (buffer.role == BufferRole::Input ? inputs_ : outputs_)[static_cast<int>(b)];
    memory.block = std::move(*block);
    memory.bytes = bytes;
  }
  return absl::OkStatus();
}

int64_t Batch::parameterBytes(size_t position) const {
  int64_t bytes = 0;
  for (const Buffer &buffer : candidate(position).packed.buffers)
    if (buffer.role == BufferRole::Parameter) bytes += copyBytes(bytesOf(buffer));
  return bytes;
}

absl::StatusOr<Call> Batch::makeCall(size_t position, int64_t copies) {
  const driver::Candidate &given = candidate(position);
  const hone_kernel &kernel = module_.table().kernels[given.kernel];
  std::vector<void *> arguments;
  std::vector<size_t> places;
  std::vector<std::vector<char>> parameters;
  for (size_t b = 0; b < given.packed.buffers.size(); ++b) {
    const Buffer &buffer = given.packed.buffers[b];
    const int origin = given.rewrite.origins[b];
    if (buffer.role == BufferRole::Temporary) continue;
    if (buffer.role == BufferRole::Parameter) {
      places.push_back(arguments.size());
      parameters.push_back(inLayout(measurement_->parameterOf(given, b), buffer));
      arguments.push_back(nullptr);
      continue;
    }
    const std::map<int, Memory> &memories = buffer.role == BufferRole::Input ? inputs_ : outputs_;
    const auto memory = memories.find(origin);
    if (memory == memories.end() || memory->second.bytes != bytesOf(buffer))
      return absl::FailedPreconditionError(
          absl::StrCat("the library is of another task: the measured one has no buffer like '", buffer.name, "'"));
    arguments.push_back(memory->second.block.data());
  }
  if (kernel.buffer_count != static_cast<int32_t>(arguments.size()))
    return absl::FailedPreconditionError(absl::StrCat("a kernel of the library takes ", kernel.buffer_count,
                                                      " buffers, and the candidate has ", arguments.size()));
  arguments.push_back(nullptr);
  HONE_ASSIGN_OR_RETURN(ParameterCopies made, ParameterCopies::make(parameters, copies));
  return Call{&kernel, std::move(arguments), std::move(places), std::move(made)};
}

absl::Status Batch::runOnce(Call &call) {
  for (auto &[buffer, memory] : outputs_) {
    std::memset(memory.block.data(), kUnwritten, static_cast<size_t>(memory.bytes));
    std::memset(memory.block.data() + memory.bytes, kGuard, kGuardBytes);
  }
  runner_->run(call);
  for (const auto &[buffer, memory] : outputs_) {
    const char *guard = memory.block.data() + memory.bytes;
    if (std::all_of(guard, guard + kGuardBytes, [](char byte) { return byte == kGuard; })) continue;
    return absl::DataLossError(
        absl::StrCat("wrote behind output '", measurement_->kernel_.buffers[static_cast<size_t>(buffer)].name, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<int, std::vector<char>>> Batch::outputsOf(size_t position) {
  HONE_ASSIGN_OR_RETURN(Call call, makeCall(position, 1));
  HONE_RETURN_IF_ERROR(runOnce(call));
  std::map<int, std::vector<char>> outputs;
  for (const auto &[buffer, memory] : outputs_)
    outputs[buffer].assign(memory.block.data(), memory.block.data() + memory.bytes);
  return outputs;
}

absl::Status Batch::check(Racer &racer) {
  HONE_RETURN_IF_ERROR(runOnce(racer.call));
  for (const auto &[buffer, memory] : outputs_) {
    const std::string difference = measurement_->expected_.at(buffer).difference(
        {memory.block.data(), static_cast<size_t>(memory.bytes)}, toleranceOf(candidate(racer.position)));
    if (!difference.empty()) return absl::DataLossError(absl::StrCat("computes something else: ", difference));
  }
  return absl::OkStatus();
}

std::vector<std::vector<size_t>> Batch::groups(int64_t memoryBytes) const {
  std::vector<std::vector<size_t>> groups;
  int64_t bytes = 0;
  for (size_t c = 0; c < library_->candidates.size(); ++c) {
    if (!library_->candidates[c].ok()) continue;
    const int64_t more = parameterBytes(c);
    if (groups.empty() || bytes + more > memoryBytes) {
      groups.emplace_back();
      bytes = 0;
    }
    groups.back().push_back(c);
    bytes += more;
  }
  return groups;
}

std::vector<absl::StatusOr<Timing>> Batch::time(const MeasureOptions &options) {
  std::vector<absl::StatusOr<Timing>> timings;
  for (const absl::StatusOr<driver::Candidate> &candidate : library_->candidates)
    timings.emplace_back(candidate.ok() ? absl::StatusOr<Timing>(Timing{}) : candidate.status());
  for (const std::vector<size_t> &group : groups(options.memoryBytes)) timeGroup(group, options, timings);
  return timings;
}

void Batch::timeGroup(const std::vector<size_t> &group, const MeasureOptions &options,
                      std::vector<absl::StatusOr<Timing>> &timings) {
  const int64_t bytes = std::accumulate(group.begin(), group.end(), int64_t{0},
                                        [&](int64_t sum, size_t position) { return sum + parameterBytes(position); });
  const int64_t cache = options.cacheBytes > 0 ? options.cacheBytes : 2 * lastCacheBytes();
  const int64_t copies = options.cold ? copiesFor(bytes, cache) : 1;
  std::vector<Racer> racers;
  for (const size_t position : group) {
    absl::StatusOr<Call> call = makeCall(position, copies);
    if (!call.ok()) {
      timings[position] = call.status();
      continue;
    }
    Racer racer{position, *std::move(call)};
    if (absl::Status checked = check(racer); !checked.ok()) {
      timings[position] = checked;
      continue;
    }
    racers.push_back(std::move(racer));
  }
  takeTurns(racers, options);
  for (Racer &racer : racers) {
    Timing &timing = *timings[racer.position];
    timing.copies = copies;
    timing.stackReferences = candidate(racer.position).stackReferences.all;
    timing.turns = std::move(racer.seconds);
    if (timing.turns.empty()) continue;
    timing.minimum = *std::min_element(timing.turns.begin(), timing.turns.end());
    timing.median = median(timing.turns);
  }
}

double Batch::timeOnce(Racer &racer, const MeasureOptions &options) {
  const double start = options.clock();
  runner_->run(racer.call);
  return std::max(options.clock() - start, 1e-9);
}

// Sets how many runs make a turn. Returns the positions of those that have turns.
std::vector<size_t> Batch::warmUp(std::vector<Racer> &racers, const MeasureOptions &options) {
  std::vector<double> once;
  for (Racer &racer : racers) once.push_back(timeOnce(racer, options));
  const double fastest = once.empty() ? 0 : *std::min_element(once.begin(), once.end());
  std::vector<size_t> turning;
  for (size_t r = 0; r < racers.size(); ++r) {
    Racer &racer = racers[r];
    const auto isHopeless = [&] { return options.hopelessFactor > 0 && once[r] > options.hopelessFactor * fastest; };
    // One run may have been interrupted.
    for (int again = 0; again < kRunsToGiveUp - 1 && isHopeless(); ++again)
      once[r] = std::min(once[r], timeOnce(racer, options));
    racer.runs = static_cast<int64_t>(std::clamp(options.turnSeconds / once[r], 1.0, kMostRuns));
    // A copy that comes again within a turn would be warm.
    if (options.cold) racer.runs = std::min(racer.runs, racer.call.copies.copies());
    if (isHopeless()) {
      racer.seconds.push_back(once[r]);
    } else {
      turning.push_back(r);
    }
  }
  return turning;
}

void Batch::takeTurns(std::vector<Racer> &racers, const MeasureOptions &options) {
  std::vector<size_t> order = warmUp(racers, options);
  for (int round = 0; round < options.rounds; ++round) {
    std::shuffle(order.begin(), order.end(), order_);
    for (const size_t position : order) {
      Racer &racer = racers[position];
      if (racer.spent > options.limitSeconds && racer.seconds.size() >= kFewestTurns) continue;
      const double seconds = turn(racer, options);
      racer.spent += seconds * static_cast<double>(racer.runs);
      racer.seconds.push_back(seconds);
    }
  }
}

double Batch::turn(Racer &racer, const MeasureOptions &options) {
  // What ran before was another candidate: one run brings parameters and code back. In a network, inputs have just been
  // written.
  if (options.cold)
    readInputs();
  else
    runner_->run(racer.call);
  const double start = options.clock();
  for (int64_t run = 0; run < racer.runs; ++run) runner_->run(racer.call);
  return (options.clock() - start) / static_cast<double>(racer.runs);
}

void Batch::readInputs() {
  for (const auto &[buffer, memory] : inputs_)
    for (int64_t offset = 0; offset < memory.bytes; offset += kCacheLine) read_ ^= memory.block.data()[offset];
}

}  // namespace hone::measure
