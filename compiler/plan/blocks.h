// How many channels of a value lie side by side. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

namespace hone::plan {

/// How a kernel that computes or reads a value goes through its channels.
struct ChannelUse {
  int64_t run = 0;         ///< channels until it begins anew: all of them, or those of a group
  bool skipsRows = false;  ///< at every second place of a row, or fewer
};

/// The block of channels, of at most \p lanes, for a value of \p channels that is used so; 1: row-major.
///
/// It is the one with the least cost, which is counted in vectors at each place, for every use once. In blocks, vectors
/// run along the channels: they have as many lanes as the block, but within groups only as many as divide the group, so
/// that none reaches over two blocks. Row-major, vectors run along the rows, and end with them, with the padding and
/// with tiles: they are taken to have four lanes that count, half of them where vectors have but four, and one where
/// places are skipped. Of equals, the block that allocates least is chosen; four channels and fewer always lie
/// row-major.
int64_t chooseBlock(int64_t channels, const std::vector<ChannelUse> &uses, int64_t lanes);

}  // namespace hone::plan
