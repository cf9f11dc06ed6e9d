#include "measure/measure.h"

#include <new>
#include <string_view>
#include <thread>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/estimate/least.h"
#include "measure/batch.h"
#include "measure/seeded_arguments.h"

namespace hone::measure {

namespace {

/// In a thread of its own: the thread that measures is pinned, and the caller's must not be.
template <typename Function>
auto inOwnThread(const Function &function) -> decltype(function()) {
  decltype(function()) result = absl::InternalError("did not run");
  std::thread([&] {
    try {
      result = function();
    } catch (const std::bad_alloc &) {
      result = absl::ResourceExhaustedError("out of memory while measuring");
    }
  }).join();
  return result;
}

}  // namespace

absl::StatusOr<Measurement> Measurement::make(const schedule::Task &task, const TargetDescription &target,
                                              uint64_t seed) {
  Measurement measurement;
  measurement.kernel_ = task.kernel();
  measurement.arguments_ = seededArguments(task.kernel(), seed);
  HONE_ASSIGN_OR_RETURN(const driver::Library reference,
                        driver::buildLibrary(task, {estimate::leastSchedule(task.kernel(), target, "direct")}, target));
  HONE_RETURN_IF_ERROR(reference.candidates.front().status());
  using Outputs = std::map<int, std::vector<char>>;
  HONE_ASSIGN_OR_RETURN(Outputs outputs, inOwnThread([&]() -> absl::StatusOr<Outputs> {
                          HONE_ASSIGN_OR_RETURN(Batch batch, Batch::load(measurement, reference, 1));
                          return batch.outputsOf(0);
                        }));
  for (auto &[buffer, bytes] : outputs)
    measurement.expected_.emplace(buffer,
                                  ExpectedOutput(task.kernel().buffers[static_cast<size_t>(buffer)], std::move(bytes)));
  return measurement;
}

std::vector<char> Measurement::parameterOf(const driver::Candidate &candidate, size_t buffer) {
  if (const int origin = candidate.rewrite.origins[buffer]; origin >= 0)
    return arguments_[static_cast<size_t>(origin)].bytes;
  for (const tensor::DerivedParameter &derived : candidate.rewrite.derived) {
    if (derived.buffer != static_cast<int>(buffer)) continue;
    const tensor::HostTensor &source = arguments_[static_cast<size_t>(derived.source)];
    const tensor::WeightTransform &transform = derived.transform;
    std::vector<char> &bytes = derived_[{derived.source, transform.tile, transform.y, transform.x}];
    if (bytes.empty()) bytes = tensor::transformed(transform, {source.bytes.data(), source.bytes.size()}, source.shape);
    return bytes;
  }
  return {};
}

absl::StatusOr<std::vector<absl::StatusOr<Timing>>> Measurement::run(const driver::Library &library,
                                                                     const MeasureOptions &options) {
  using Timings = std::vector<absl::StatusOr<Timing>>;
  if (library.bytes.empty()) {
    Timings errors;
    for (const absl::StatusOr<driver::Candidate> &candidate : library.candidates)
      errors.emplace_back(candidate.status());
    return errors;
  }
  return inOwnThread([&]() -> absl::StatusOr<Timings> {
    HONE_ASSIGN_OR_RETURN(Batch batch, Batch::load(*this, library, options.threads));
    return batch.time(options);
  });
}

absl::StatusOr<std::vector<absl::StatusOr<Timing>>> measure(const schedule::Task &task,
                                                            const std::vector<schedule::Schedule> &schedules,
                                                            const TargetDescription &target,
                                                            const MeasureOptions &options, uint64_t seed) {
  HONE_ASSIGN_OR_RETURN(Measurement measurement, Measurement::make(task, target, seed));
  HONE_ASSIGN_OR_RETURN(const driver::Library library, driver::buildLibrary(task, schedules, target, options.threads));
  return measurement.run(library, options);
}

}  // namespace hone::measure
