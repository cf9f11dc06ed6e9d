// Small right inputs of each kind, for fuzzers to begin with: fuzz_seeds FOLDER, which gets tar/, mod_json/ and npz/.
// (Models come from ONNX's own test data.)
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/tools/npz.h"
#include "runtime/tools/zip.h"
#include "tests/runtime/sample_artifact.h"

namespace {

namespace fs = std::filesystem;

void write(const fs::path &path, const std::string &bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string arrayBytes(hone_dtype dtype, size_t bytes) {
  return hone::runtime::npyHeader(dtype, {2, static_cast<int64_t>(bytes) / 2}) + std::string(bytes, 'x');
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "error: give one folder\n");
    return 2;
  }
  const fs::path folder = argv[1];
  // The module's bytes are of no matter here: digests are not looked at by those who only parse.
  const std::string json = hone::test::seal(hone::test::sampleJson("module", hone::test::sampleParameters()));
  write(folder / "mod_json/sample", json);
  write(folder / "mod_json/loops",
        hone::test::edited(hone::test::edited(json, "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}",
                                              "{\"kind\": \"output\", \"index\": 1, \"bytes\": 4}, "
                                              "{\"kind\": \"arena\", \"offset\": 64, \"bytes\": 1}"),
                           "\"format\": 1",
                           "\"format\": 3, \"loops\": [{\"first\": 0, \"count\": 3, \"condition\": 5}, {\"first\": 1, "
                           "\"count\": 2, \"condition\": 5, \"conditions\": [{\"buffer\": 0, \"value\": 1}]}]"));
  write(folder / "tar/sample",
        hone::test::tarOf({{"mod.so", "module"}, {"mod.json", json}, {"mod.params", "parameters"}}));
  write(folder / "npz/array", arrayBytes(HONE_FLOAT32, 16));
  std::ofstream archive(folder / "npz/archive", std::ios::binary);
  hone::runtime::ZipWriter zip(archive);
  const bool written = zip.add("x.npy", "", arrayBytes(HONE_INT64, 16)).ok() &&
                       zip.add("nested/y.npy", "", arrayBytes(HONE_BOOL, 2)).ok() && zip.finish().ok();
  return written ? 0 : 1;
}
