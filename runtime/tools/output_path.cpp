#include "runtime/tools/output_path.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

namespace hone::runtime {

namespace fs = std::filesystem;

Status checkOutputPath(const std::string &output, const std::vector<std::string> &inputs) {
  std::error_code error;
  // A device or a pipe is not replaced.
  if (output.empty() || !fs::is_regular_file(output, error)) return {};
  for (const std::string &input : inputs) {
    if (input.empty() || !fs::equivalent(output, input, error) || error) continue;
    return failure(HONE_USAGE, "the output '", output, "' is the input ",
                   output == input ? std::string() : "'" + input + "' ", "itself; name another file");
  }
  return {};
}

OutputPlace::OutputPlace(const std::string &path) : path_(path), aside_(path) {
  std::error_code error;
  if (fs::exists(path, error) && !fs::is_regular_file(path, error)) return;
  if (const fs::path whole = fs::canonical(path, error); !error) path_ = whole;
  // Without the file's own name, which may be as long as a name can be.
  aside_ = (fs::path(path_).parent_path() / (".hone-run-" + std::to_string(getpid()))).string();
}

bool OutputPlace::replace() const { return aside_ == path_ || std::rename(aside_.c_str(), path_.c_str()) == 0; }

void OutputPlace::abandon() const {
  if (aside_ != path_) std::remove(aside_.c_str());
}

}  // namespace hone::runtime
