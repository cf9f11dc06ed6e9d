// TVM's artifacts, told from damaged ones of ours, which some have the shape of. Functions without state.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace hone::text {

inline constexpr char kTvmArtifact[] =
    "this is an artifact of TVM, whose code needs TVM's own runtime; compile the model that it was made from with "
    "`hone compile`";

/// Whether \p json is the graph of TVM's executor, which its archives call mod.json.
inline bool isTvmGraph(std::string_view json) {
  constexpr auto kNowhere = std::string_view::npos;
  return json.find("\"arg_nodes\"") != kNowhere && json.find("\"node_row_ptr\"") != kNowhere;
}

/// Whether \p tar holds what only TVM's archives do: its graph, a module of objects, a virtual machine's library, or
/// the folders of its model library format.
inline bool isTvmArchive(std::string_view tar) {
  constexpr size_t kBlock = 512;
  constexpr std::string_view kMarks[] = {"mod.tar", "lib.so", "codegen/host", "executor-config"};
  while (tar.size() >= kBlock && tar.substr(257, 5) == "ustar") {
    std::string_view name = tar.substr(0, std::min<size_t>(tar.find('\0'), 100));
    if (name.starts_with("./")) name.remove_prefix(2);
    for (const std::string_view mark : kMarks)
      if (name.starts_with(mark)) return true;
    uint64_t size = 0;
    std::from_chars(tar.data() + 124, tar.data() + 136, size, 8);
    tar.remove_prefix(kBlock);
    if (size > tar.size()) return false;
    if (name == "mod.json" && isTvmGraph(tar.substr(0, size))) return true;
    tar.remove_prefix(std::min<size_t>(tar.size(), (size + kBlock - 1) / kBlock * kBlock));
  }
  return false;
}

}  // namespace hone::text
