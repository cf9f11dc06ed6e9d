// Goes through files and folders with one fuzzer: NAME_replay PATH…; what was found once must stay mended.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzzer.h"

namespace {

namespace fs = std::filesystem;

void replay(const fs::path &file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  // Said before, so that the last line names the file that ends it.
  printf("%s\n", file.c_str());
  fflush(stdout);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char **argv) {
  size_t count = 0;
  for (const std::string &path : std::vector<std::string>(argv + 1, argv + argc)) {
    if (fs::is_regular_file(path)) {
      replay(path);
      ++count;
      continue;
    }
    for (const auto &entry : fs::recursive_directory_iterator(path)) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++count;
    }
  }
  printf("%zu files\n", count);
  return count > 0 ? 0 : 1;
}
