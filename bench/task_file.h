// Files of tasks: what --dump-code tasks writes, or one task of it. Functions without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::bench {

struct TaskText {
  std::string names;  ///< of kernels, where the file says
  std::string text;   ///< for tensor::parse()
};

/// Whether \p text is a file of tasks.
bool isTaskText(std::string_view text);

std::vector<TaskText> splitTasks(std::string_view text);

}  // namespace hone::bench
