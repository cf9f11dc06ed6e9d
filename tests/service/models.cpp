#include "tests/service/models.h"

#include <openssl/evp.h>

#include <random>
#include <vector>

#include "tests/frontend/model_builder.h"

namespace hone::test {

namespace {

std::vector<float> weights(std::mt19937 &random, int64_t count) {
  std::vector<float> values;
  // Raw bits, not a distribution: those differ between standard libraries.
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random() % 1024) / 1024.0F - 0.5F);
  return values;
}

}  // namespace

std::string tinyModel(uint32_t number) {
  std::mt19937 random(number);
  ModelBuilder model(13);
  model.input("x", DType::F32, {2, 8});
  model.floats("w1", {8, 12}, weights(random, 96));
  model.floats("w2", {12, 4}, weights(random, 48));
  model.node("MatMul", {"x", "w1"}, {"m1"});
  model.node("Relu", {"m1"}, {"r1"});
  model.node("MatMul", {"r1", "w2"}, {"y"});
  model.output("y");
  return model.bytes();
}

std::string randomBytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes;
  bytes.reserve(size + sizeof(uint64_t));
  while (bytes.size() < size) {
    const uint64_t word = random();
    bytes.append(reinterpret_cast<const char *>(&word), sizeof word);
  }
  bytes.resize(size);
  return bytes;
}

std::string sha256(const std::string &bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

v1::Digest digestOf(const std::string &bytes) {
  v1::Digest digest;
  digest.set_sha256(sha256(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return digest;
}

}  // namespace hone::test
