#include "compiler/schedule/winograd_schedule.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/pieces.h"
#include "compiler/schedule/structure.h"

namespace hone::schedule {
namespace {

using tensor::TensorOp;

// With fewer tiles in a block the weights of the products come too often from beyond the second-level cache; with more,
// data, products and results do.
constexpr std::array<int64_t, 4> kBlocks = {32, 16, 48, 64};

class Composer {
 public:
  Composer(const tensor::Kernel &kernel, const TargetDescription &target, size_t first, Choices &choices)
      : kernel_(kernel),
        target_(target),
        choices_(choices),
        data_(kernel.stages[first]),
        products_(kernel.stages[first + 1]),
        results_(kernel.stages[first + 2]) {
    // Tiles are the two dims in front of the channels, in both transforms.
    const size_t count = results_.dims.size();
    channels_ = static_cast<int>(count) - 1;
    x_ = channels_ - 1;
    y_ = channels_ - 2;
    chooseBlock();
  }

  void run(StageSchedule &data, StageSchedule &products, StageSchedule &results) {
    const bool isBlocked = blockY_ < extent(results_, y_) || blockX_ < extent(results_, x_);
    transformStage(results_, isBlocked, results);
    transformStage(data_, false, data);
    if (!isBlocked) {
      contract(products_, products);
      return;
    }
    const Loop block =
        blockX_ < extent(results_, x_) ? Loop{nameOf(results_, x_), blockX_} : Loop{nameOf(results_, y_), blockY_};
    TensorOp part = products_;
    for (tensor::Dim &dim : part.dims) {
      if (dim.name == nameOf(results_, y_)) dim.extent = blockY_;
      if (dim.name == nameOf(results_, x_)) dim.extent = blockX_;
    }
    contract(part, products);
    for (StageSchedule *stage : {&data, &products}) {
      stage->at = Attachment{results_.name, block};
      stage->tile.insert(stage->tile.begin(), stage->parallel.begin(), stage->parallel.end());
      stage->parallel.clear();
      std::erase_if(stage->tile, [&](const Loop &loop) { return isWholeBlock(loop); });
    }
  }

 private:
  int64_t lanes() const { return target_.lanes(); }

  // A loop of one iteration inside a block.
  bool isWholeBlock(const Loop &loop) const {
    return (loop.dim == nameOf(results_, y_) && loop.step > blockY_) ||
           (loop.dim == nameOf(results_, x_) && loop.step > blockX_);
  }

  // The whole, and the different blocks that there are: about so many tiles, a part of a row or several rows.
  void chooseBlock() {
    const int64_t tilesY = extent(results_, y_), tilesX = extent(results_, x_);
    std::vector<std::pair<int64_t, int64_t>> blocks;
    std::vector<std::string> names;
    for (const int64_t wanted : kBlocks) {
      if (tilesY * tilesX < 2 * wanted) continue;
      std::pair<int64_t, int64_t> block;
      if (tilesX > wanted + wanted / 2) {
        block = {1, divideUp(tilesX, divideUp(tilesX, wanted))};
      } else {
        block = {divideUp(tilesY, divideUp(tilesY, std::max<int64_t>(1, wanted / tilesX))), tilesX};
      }
      if (block == std::pair(tilesY, tilesX) || std::find(blocks.begin(), blocks.end(), block) != blocks.end())
        continue;
      blocks.push_back(block);
      names.push_back(absl::StrCat(block.first, "x", block.second));
    }
    blocks.emplace_back(tilesY, tilesX);
    names.push_back("whole");
    std::tie(blockY_, blockX_) = blocks[choices_.form(results_.name + ".block", names)];
  }

  void contract(const TensorOp &op, StageSchedule &out) {
    if (const auto contraction = findContraction(kernel_, op, lanes()))
      scheduleContraction(kernel_, target_, op, *contraction, choices_, out);
  }

  // A map of vectors of channels. Threads share blocks of tiles, or whatever gives enough pieces.
  void transformStage(const TensorOp &op, bool isBlocked, StageSchedule &out) const {
    const int channels = static_cast<int>(op.dims.size()) - 1;
    const std::string &x = nameOf(op, channels - 1), &y = nameOf(op, channels - 2);
    out.vectorDim = nameOf(op, channels);
    out.lanes = lanes();
    for (int d = 0; d + 2 < channels; ++d) out.parallel.push_back({nameOf(op, d), 1});
    if (isBlocked) {
      out.parallel.push_back({y, blockY_});
      if (blockX_ < extent(results_, x_)) out.parallel.push_back({x, blockX_});
      if (blockY_ > 1) out.tile.push_back({y, 1});
      if (blockX_ > 1) out.tile.push_back({x, 1});
    } else {
      out.parallel.insert(out.parallel.end(), {{out.vectorDim, lanes()}, {y, 1}});
      out.tile.push_back({x, 1});
      return;
    }
    out.tile.push_back({out.vectorDim, lanes()});
  }

  const tensor::Kernel &kernel_;
  const TargetDescription &target_;
  Choices &choices_;
  const TensorOp &data_, &products_, &results_;
  int channels_ = 0, y_ = 0, x_ = 0;
  int64_t blockY_ = 1, blockX_ = 1;
};

}  // namespace

void scheduleWinograd(const tensor::Kernel &kernel, const TargetDescription &target, size_t first, Choices &choices,
                      Schedule &out) {
  Composer(kernel, target, first, choices).run(out.stages[first], out.stages[first + 1], out.stages[first + 2]);
}

}  // namespace hone::schedule
