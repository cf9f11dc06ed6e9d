#include "measure/timed_run.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/run_kernel.h"

namespace hone::measure {

namespace {

/// Threads' scratches start on pages of their own, as a session's do.
constexpr size_t kScratchUnit = 4096;
/// How long workers wait awake for the next phase: as long as a session's by default.
constexpr std::chrono::microseconds kSpin{80};

absl::StatusOr<runtime::Block> allocate(size_t bytes) {
  runtime::Result<runtime::Block> block = runtime::Block::allocate(bytes);
  if (!block.ok()) return absl::ResourceExhaustedError(block.status().message);
  return std::move(*block);
}

}  // namespace

absl::StatusOr<Runner> Runner::make(const hone_module &table, int threads) {
  size_t scratch = 0, shared = 0;
  for (int32_t k = 0; k < table.kernel_count; ++k) {
    const hone_kernel &kernel = table.kernels[k];
    shared = std::max(shared, static_cast<size_t>(kernel.shared_scratch_bytes));
    for (int32_t p = 0; p < kernel.phase_count; ++p)
      scratch = std::max(scratch, static_cast<size_t>(kernel.phases[p].scratch_bytes));
  }
  Runner runner;
  try {
    runner.pool_ = std::make_unique<runtime::ThreadPool>(threads, true, kSpin);
  } catch (const std::system_error &error) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot start ", threads, " threads: ", error.what()));
  }
  runner.scratchStride_ = (scratch + kScratchUnit - 1) / kScratchUnit * kScratchUnit;
  absl::StatusOr<runtime::Block> own = allocate(runner.scratchStride_ * static_cast<size_t>(runner.pool_->threads()));
  if (!own.ok()) return own.status();
  absl::StatusOr<runtime::Block> common = allocate(shared);
  if (!common.ok()) return common.status();
  runner.scratch_ = *std::move(own);
  runner.sharedScratch_ = *std::move(common);
  return runner;
}

void Runner::run(Call &call) {
  call.copies.advance();
  for (size_t p = 0; p < call.parameters.size(); ++p) call.arguments[call.parameters[p]] = call.copies.parameter(p);
  call.arguments.back() = sharedScratch_.data();
  runtime::runKernel(*pool_, *call.kernel, call.arguments.data(), {scratch_.data(), scratchStride_});
}

}  // namespace hone::measure
