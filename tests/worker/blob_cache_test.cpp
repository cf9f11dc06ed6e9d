// The cache of blobs: never a damaged byte, never more than its limit.
#include "worker/agent/blob_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/sha256.h"
#include "tests/runtime/sample_artifact.h"

namespace hone::worker {
namespace {

v1::Digest digestOfText(const std::string &text) {
  Sha256 hash;
  hash.append(text);
  v1::Digest digest;
  digest.set_sha256(hash.finishAsHex());
  digest.set_size_bytes(static_cast<int64_t>(text.size()));
  return digest;
}

std::string readAll(const Descriptor &file) {
  std::string text(100, '\0');
  text.resize(static_cast<size_t>(pread(file.get(), text.data(), text.size(), 0)));
  return text;
}

class Cache : public testing::Test {
 protected:
  v1::Digest put(BlobCache &cache, const std::string &text) {
    const std::string path = test::temporaryFolder() + "/file";
    test::writeFile(path, text);
    EXPECT_TRUE(cache.adopt(digestOfText(text), path).ok());
    return digestOfText(text);
  }
  size_t files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})); }
  const std::string folder_ = test::temporaryFolder();
};

TEST(Sha256, IsTheStandards) {
  // FIPS 180-2's examples.
  EXPECT_EQ(digestOfText("abc").sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digestOfText("").sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(Cache, FindsDamageAndThrowsItAway) {
  const std::string text = "hello, blob";
  v1::Digest digest;
  {
    BlobCache cache(folder_, 1000);
    digest = put(cache, text);
    EXPECT_EQ(readAll(*cache.open(digest)), text);
    // Damaged while this process knows it as whole.
    test::writeFile(folder_ + "/" + digest.sha256(), "hellO, blob");
    EXPECT_EQ(cache.open(digest).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(cache.bytes(), 0);
    put(cache, text);
  }
  // Damaged and cut off while nobody looked.
  test::writeFile(folder_ + "/" + digest.sha256(), "hellO, blob");
  BlobCache again(folder_, 1000);
  EXPECT_FALSE(again.open(digest).ok());
  put(again, text);
  test::writeFile(folder_ + "/" + digest.sha256(), "hello");
  EXPECT_FALSE(BlobCache(folder_, 1000).open(digest).ok());
  EXPECT_EQ(files(), 0u);
}

TEST_F(Cache, ThrowsOutWhatWasNotUsedForLongest) {
  BlobCache cache(folder_, 30);
  const v1::Digest a = put(cache, "aaaaaaaaaa"), b = put(cache, "bbbbbbbbbb"), c = put(cache, "cccccccccc");
  EXPECT_TRUE(cache.open(a).ok());
  const auto held = cache.open(b);
  EXPECT_TRUE(cache.open(a).ok());
  EXPECT_TRUE(cache.open(c).ok());
  put(cache, "dddddddddd");
  EXPECT_FALSE(cache.open(b).ok());
  EXPECT_EQ(readAll(*held), "bbbbbbbbbb") << "what is open stays";
  EXPECT_TRUE(cache.open(a).ok());
  EXPECT_EQ(cache.bytes(), 30);
  EXPECT_EQ(files(), 3u);
}

TEST_F(Cache, ServesButDoesNotKeepWhatIsTooLarge) {
  BlobCache cache(folder_, 5);
  const std::string path = test::temporaryFolder() + "/file";
  test::writeFile(path, "too large");
  const auto file = cache.adopt(digestOfText("too large"), path);
  EXPECT_EQ(readAll(*file), "too large");
  EXPECT_EQ(cache.bytes(), 0);
  EXPECT_EQ(files(), 0u);
}

TEST_F(Cache, TakesOverAFolderUpToItsLimitAndLeavesStrangersAlone) {
  {
    BlobCache cache(folder_, 1000);
    put(cache, "aaaaaaaaaa");
    put(cache, "bbbbbbbbbb");
  }
  test::writeFile(folder_ + "/README", "not a blob");
  BlobCache cache(folder_, 15);
  EXPECT_EQ(cache.bytes(), 10);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/README"));
}

}  // namespace
}  // namespace hone::worker
