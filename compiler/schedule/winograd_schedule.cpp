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

// Channels that lie side by side where others follow after all tiles: a cache line of them.
constexpr int64_t kLineBytes = 64;

// How data and products lie: in blocks of channels, each of them for all points and tiles; so that a block of all
// points of a tile is one run; or as the dims of their buffers go.
enum class Order : uint8_t { Blocks, Tiles, Plain };

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
    storeBetween(isBlocked, data, products);
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

  // Where whole channels lie side by side, the points of a tile, and neighbouring tiles, meet in a few sets of the
  // first-level cache. What a thread keeps for a block of tiles is used up soon, and its runs may be the tiles'; in
  // memory that threads share they would be as far apart as all channels take.
  void storeBetween(bool isBlocked, StageSchedule &data, StageSchedule &products) {
    std::vector<std::pair<const char *, Order>> orders = {
        {"blocks", Order::Blocks}, {"tiles", Order::Tiles}, {"plain", Order::Plain}};
    if (isBlocked) std::swap(orders[0], orders[1]);
    std::vector<std::string> names;
    for (const auto &[name, order] : orders) names.emplace_back(name);
    const Order order = orders[choices_.unestimated(results_.name + ".layout", names)].second;
    if (order == Order::Plain) return;
    for (const auto &[op, stage] : {std::pair(&data_, &data), std::pair(&products_, &products)}) {
      const tensor::Buffer &buffer = kernel_.buffers[static_cast<size_t>(op->writes[0].buffer)];
      const int64_t block = std::max(lanes(), kLineBytes / sizeOf(buffer.dtype));
      if (buffer.shape.back() > block) stage->stores.push_back({buffer.name, between(buffer, order, block)});
    }
  }

  // Two dims of points, then batches and the like, then those of tiles, then channels.
  static tensor::Layout between(const tensor::Buffer &buffer, Order order, int64_t block) {
    const int channels = static_cast<int>(buffer.shape.size()) - 1;
    tensor::Layout layout;
    if (order == Order::Blocks) layout.axes.push_back({channels, block, 0});
    if (order == Order::Blocks) layout.axes.insert(layout.axes.end(), {{0, 1, 0}, {1, 1, 0}});
    for (int dim = 2; dim + 1 < channels; ++dim) layout.axes.push_back({dim, 1, 0});
    if (order == Order::Tiles) layout.axes.push_back({channels, block, 0});
    layout.axes.push_back({channels - 1, 1, 0});
    if (order == Order::Tiles) layout.axes.insert(layout.axes.end(), {{0, 1, 0}, {1, 1, 0}});
    layout.axes.push_back({channels, 1, block});
    return layout;
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
