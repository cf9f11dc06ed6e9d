#include "tests/runtime/sample_artifact.h"

#include <stdlib.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hone::test {
namespace {

std::string hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string member(const std::string &bytes) {
  return "{\"bytes\": " + std::to_string(bytes.size()) + ", \"sha256\": \"\", \"xxh3\": \"" + digest(bytes) + "\"}";
}

std::string hostTriple() {
#if defined(__x86_64__)
  return "x86_64-pc-linux-gnu";
#elif defined(__aarch64__)
  return "aarch64-linux-gnu";
#else
  return "unknown";
#endif
}

/// Removes the folder when the test program ends.
struct Folder {
  std::string path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hone-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot create " + name);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

constexpr size_t kDigestOffset = 12;  // {\n "xxh3": "

}  // namespace

std::string digest(const std::string &bytes) { return hex(XXH3_64bits(bytes.data(), bytes.size())); }

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void writeFile(const std::string &path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string moduleBytes(const std::string &name) {
  return readFile(std::string(HONE_TEST_MODULES) + "/" + name + ".so");
}

std::string temporaryFolder() {
  static const Folder folder;
  static int count = 0;
  const std::string path = folder.path + "/" + std::to_string(count++);
  std::filesystem::create_directory(path);
  return path;
}

std::string sampleParameters() {
  std::string bytes(kWidth * sizeof(float), '\0');
  for (int i = 0; i < kWidth; ++i) {
    const float value = static_cast<float>(i);
    std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return bytes;
}

std::string sampleJson(const std::string &module, const std::string &parameters) {
  const std::string bytes = std::to_string(kElements * 4);
  std::ostringstream json;
  json << "{\n \"xxh3\": \"0000000000000000\",\n \"format\": 1, \"abi\": 1, \"compiler\": \"0.1.0\", \"name\": "
          "\"sample\",\n"
       << " \"target\": {\"triple\": \"" << hostTriple() << "\", \"cpu\": \"generic\", \"features\": []},\n"
       << " \"required_features\": [],\n"
       << " \"inputs\": [{\"name\": \"data\", \"dtype\": \"float32\", \"shape\": [1000, 16]}],\n"
       << " \"outputs\": [{\"name\": \"scaled\", \"dtype\": \"float32\", \"shape\": [1000, 16]},\n"
       << "  {\"name\": \"nested/total\", \"dtype\": \"float32\", \"shape\": [1]}],\n"
       << " \"arena_bytes\": " << bytes << ",\n \"buffers\": [\n"
       << "  {\"kind\": \"input\", \"index\": 0, \"bytes\": " << bytes << "},\n"
       << "  {\"kind\": \"parameter\", \"offset\": 0, \"bytes\": 64},\n"
       << "  {\"kind\": \"arena\", \"offset\": 0, \"bytes\": " << bytes << "},\n"
       << "  {\"kind\": \"output\", \"index\": 0, \"bytes\": " << bytes << "},\n"
       << "  {\"kind\": \"output\", \"index\": 1, \"bytes\": 4}],\n"
       << " \"calls\": [{\"kernel\": 0, \"name\": \"first\", \"arguments\": [0, 1, 2], \"nodes\": [], \"flops\": "
          "32000},\n"
       << "  {\"kernel\": 1, \"name\": \"second\", \"arguments\": [2, 4], \"nodes\": [], \"flops\": 16000},\n"
       << "  {\"kernel\": 2, \"name\": \"third\", \"arguments\": [2, 3], \"nodes\": [], \"flops\": 0}],\n"
       << " \"kernels\": [{\"name\": \"scale_add\"}, {\"name\": \"total\"}, {\"name\": \"copy\"}],\n"
       << " \"members\": {\"mod.so\": " << member(module) << ", \"mod.params\": " << member(parameters) << "}}\n";
  return json.str();
}

std::string seal(std::string json) {
  json.replace(kDigestOffset, 16, 16, '0');
  json.replace(kDigestOffset, 16, digest(json));
  return json;
}

std::string edited(std::string json, const std::string &from, const std::string &to) {
  const size_t at = json.find(from);
  if (at == std::string::npos) throw std::runtime_error("mod.json does not hold " + from);
  return seal(json.replace(at, from.size(), to));
}

std::string tarOf(const std::vector<Entry> &entries) {
  std::string tar;
  for (const Entry &entry : entries) {
    std::string header(512, '\0');
    header.replace(0, entry.name.size(), entry.name);
    const auto put = [&](size_t at, int width, uint64_t value) {
      char text[32];
      std::snprintf(text, sizeof(text), "%0*llo", width - 1, static_cast<unsigned long long>(value));
      header.replace(at, static_cast<size_t>(width - 1), text);
    };
    put(100, 8, 0644);
    put(108, 8, 0);
    put(116, 8, 0);
    put(124, 12, entry.bytes.size());
    put(136, 12, 0);
    header.replace(148, 8, 8, ' ');
    header[156] = entry.type;
    header.replace(345, entry.prefix.size(), entry.prefix);
    header.replace(257, 8,
                   std::string("ustar\0"
                               "00",
                               8));
    unsigned sum = 0;
    for (const char byte : header) sum += static_cast<unsigned char>(byte);
    put(148, 7, sum);
    header[154] = '\0';
    tar += header + entry.bytes;
    tar.append((512 - tar.size() % 512) % 512, '\0');
  }
  return tar.append(1024, '\0');
}

std::string sampleTar(const std::string &json) {
  return tarOf({{"mod.so", moduleBytes("sample")}, {"mod.json", json}, {"mod.params", sampleParameters()}});
}

std::string sampleTar() { return sampleTar(seal(sampleJson(moduleBytes("sample"), sampleParameters()))); }

}  // namespace hone::test
