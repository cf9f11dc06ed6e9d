// npz files: what numpy writes is read, what lies is refused. The files here are put together by hand, byte by byte.
#include "runtime/tools/npz.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <random>
#include <sstream>

#include "tests/runtime/sample_artifact.h"

namespace hone::runtime {
namespace {

void put(std::string &text, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
}

/// An npy file with the given header text.
std::string npy(const std::string &dictionary, const std::string &data, int version = 1) {
  std::string file = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  put(file, dictionary.size(), version == 1 ? 2 : 4);
  return file + dictionary + data;
}

std::string floats(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

std::string deflated(const std::string &bytes) {
  std::string packed(compressBound(bytes.size()) + 16, '\0');
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef *>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// One member of a zip file, with everything about it open to lies.
struct Lie {
  std::string packed;
  uint16_t method = 0;
  uint64_t bytes = 0;
  uint32_t crc = 0;
  uint16_t flags = 0;
  bool zip64 = false;
  uint32_t offset = 0;
};

Lie honest(const std::string &content, bool deflate) {
  Lie lie;
  lie.packed = deflate ? deflated(content) : content;
  lie.method = deflate ? 8 : 0;
  lie.bytes = content.size();
  lie.crc = static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef *>(content.data()), content.size()));
  return lie;
}

std::string zip(const Lie &lie, const std::string &name = "x.npy") {
  std::string file;
  put(file, 0x04034b50, 4);
  put(file, 20, 2);
  put(file, lie.flags, 2);
  put(file, lie.method, 2);
  put(file, 0, 4);
  put(file, lie.crc, 4);
  put(file, lie.zip64 ? 0xFFFFFFFF : lie.packed.size(), 4);
  put(file, lie.zip64 ? 0xFFFFFFFF : lie.bytes, 4);
  put(file, name.size(), 2);
  put(file, 0, 2);
  file += name + lie.packed;
  const size_t directory = file.size();
  put(file, 0x02014b50, 4);
  put(file, 20, 2);
  put(file, 20, 2);
  put(file, lie.flags, 2);
  put(file, lie.method, 2);
  put(file, 0, 4);
  put(file, lie.crc, 4);
  put(file, lie.zip64 ? 0xFFFFFFFF : lie.packed.size(), 4);
  put(file, lie.zip64 ? 0xFFFFFFFF : lie.bytes, 4);
  put(file, name.size(), 2);
  put(file, lie.zip64 ? 20 : 0, 2);
  put(file, 0, 2);
  put(file, 0, 8);
  put(file, lie.offset, 4);
  file += name;
  if (lie.zip64) {
    put(file, 1, 2);
    put(file, 16, 2);
    put(file, lie.bytes, 8);
    put(file, lie.packed.size(), 8);
  }
  const size_t end = file.size();
  put(file, 0x06054b50, 4);
  put(file, 0, 4);
  put(file, 1, 2);
  put(file, 1, 2);
  put(file, end - directory, 4);
  put(file, directory, 4);
  put(file, 0, 2);
  return file;
}

Result<Array> readOne(const std::string &file, uint64_t limit = 1 << 20) {
  const std::string path = test::temporaryFolder() + "/x.npz";
  test::writeFile(path, file);
  Result<NpzFile> npz = NpzFile::open(path);
  if (!npz.ok()) return npz.status();
  if (npz->names().empty()) return refused("no arrays");
  return npz->read(npz->names()[0], limit);
}

std::string complaint(const std::string &file) {
  Result<Array> array = readOne(file);
  EXPECT_FALSE(array.ok());
  EXPECT_EQ(array.status().code, HONE_REFUSED);
  return array.status().message;
}

const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};
const std::string kGood = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", floats(kValues));

TEST(Npz, ReadsStoredAndDeflatedAndZip64) {
  for (const bool deflate : {false, true}) {
    for (const bool zip64 : {false, true}) {
      Lie lie = honest(kGood, deflate);
      lie.zip64 = zip64;
      Result<Array> array = readOne(zip(lie));
      ASSERT_TRUE(array.ok()) << array.status().message;
      EXPECT_EQ(array->dtype, HONE_FLOAT32);
      EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3}));
      EXPECT_EQ(array->bytes, floats(kValues));
    }
  }
}

TEST(Npz, ReadsWhatItWrites) {
  std::ostringstream file;
  ZipWriter writer(file);
  const std::string big(3000000, 'x');
  ASSERT_TRUE(writer.add("big.npy", npyHeader(HONE_UINT8, {3000000}), big).ok());
  ASSERT_TRUE(writer.add("scalar.npy", npyHeader(HONE_FLOAT32, {}), floats({7})).ok());
  ASSERT_TRUE(writer.add("b/f16.npy", npyHeader(HONE_BFLOAT16, {1, 2}), "abcd").ok());
  ASSERT_TRUE(writer.finish().ok());
  const std::string path = test::temporaryFolder() + "/y.npz";
  test::writeFile(path, file.str());
  Result<NpzFile> npz = NpzFile::open(path);
  ASSERT_TRUE(npz.ok()) << npz.status().message;
  EXPECT_EQ(npz->names(), (std::vector<std::string>{"big", "scalar", "b/f16"}));
  EXPECT_EQ(npz->read("big", 4000000)->bytes, big);
  EXPECT_EQ(npz->read("scalar", 4000)->shape, std::vector<int64_t>{});
  EXPECT_EQ(npz->read("b/f16", 4000)->dtype, HONE_BFLOAT16);
  EXPECT_FALSE(npz->read("big", 1000).ok());
  // numpy asks for data at a multiple of 64 bytes in the npy file.
  for (const std::vector<int64_t> &shape :
       {std::vector<int64_t>{}, {1}, {123456789, 1000}, std::vector<int64_t>(20, 1)})
    EXPECT_EQ(npyHeader(HONE_INT64, shape).size() % 64, 0u);
}

TEST(Npz, ReadsAllVersionsAndSpellingsOfTheHeader) {
  for (int version = 1; version <= 3; ++version)
    for (const char *header : {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
                               "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
                               "{'shape': (2L, 3L), 'descr': '<f4', 'fortran_order': False}"}) {
      Result<Array> array = parseNpy(npy(header, floats(kValues), version), "x");
      ASSERT_TRUE(array.ok()) << header << array.status().message;
      EXPECT_EQ(array->bytes, floats(kValues));
    }
  EXPECT_EQ(
      parseNpy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", std::string("\0\1\7", 3)), "x")->bytes,
      std::string("\0\1\1", 3));
  EXPECT_EQ(parseNpy(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (0, 5)}", ""), "x")->dtype, HONE_INT64);
}

TEST(Npz, TurnsFortranOrderRound) {
  // The matrix [[1,2,3],[4,5,6]] by columns.
  Result<Array> array =
      parseNpy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", floats({1, 4, 2, 5, 3, 6})), "x");
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(array->bytes, floats(kValues));
  // Three dims: the element [i,j,k] is i + 2 j + 6 k in memory.
  std::vector<float> columns(24), rows;
  for (size_t i = 0; i < 24; ++i) columns[i] = static_cast<float>(i);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) rows.push_back(static_cast<float>(i + 2 * j + 6 * k));
  EXPECT_EQ(parseNpy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4)}", floats(columns)), "x")->bytes,
            floats(rows));
}

TEST(Npz, RefusesWhatIsNoTensor) {
  const auto header = [](const std::string &descr, const std::string &shape = "(6,)") {
    return zip(honest(npy("{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + "}", floats(kValues)),
                      false));
  };
  EXPECT_EQ(complaint(header("'|O'")),
            "array 'x' holds Python objects, which are never unpickled; save it with a numeric dtype");
  EXPECT_EQ(complaint(header("'>f4'")), "array 'x' is big-endian ('>f4'); save it as little-endian");
  EXPECT_EQ(complaint(header("'<U4'")), "array 'x' has dtype '<U4', which no model takes");
  EXPECT_EQ(complaint(header("'<c8'")), "array 'x' has dtype '<c8', which no model takes");
  EXPECT_EQ(complaint(header("[('a', '<f4')]")), "array 'x' holds structures; save it with a numeric dtype");
  EXPECT_EQ(complaint(header("'<f4'", "(7,)")), "array 'x' has 24 bytes of data, but its header says 28");
  EXPECT_EQ(complaint(header("'<f4'", "(5,)")), "array 'x' has 24 bytes of data, but its header says 20");
  EXPECT_NE(complaint(header("'<f4'", "(4294967296, 4294967296, 4294967296)")).find("larger than"), std::string::npos);
  for (const char *shape : {"(-1,)", "(6", "6", "(99999999999999999999,)", "(6.0,)", "('6',)"})
    EXPECT_EQ(complaint(header("'<f4'", shape)), "array 'x' has a malformed npy header") << shape;
  for (const char *text :
       {"", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}", "{'descr': '<f4"})
    EXPECT_EQ(complaint(zip(honest(npy(text, floats(kValues)), false))), "array 'x' has a malformed npy header")
        << text;
  EXPECT_NE(complaint(zip(honest(npy("{}", "", 4), false))).find("format version 4"), std::string::npos);
  EXPECT_NE(complaint(zip(honest("not numpy", false))).find("not an array of numpy's format"), std::string::npos);
}

TEST(Npz, RefusesLyingSizes) {
  for (const bool deflate : {false, true}) {
    for (const int64_t change : {-1, 1, 100, 100000, 1 << 30}) {
      Lie lie = honest(kGood, deflate);
      lie.bytes = static_cast<uint64_t>(static_cast<int64_t>(lie.bytes) + change);
      complaint(zip(lie));
    }
    Lie cut = honest(kGood, deflate);
    cut.packed.resize(cut.packed.size() / 2);
    complaint(zip(cut));
    Lie wrongSum = honest(kGood, deflate);
    wrongSum.crc ^= 1;
    EXPECT_EQ(complaint(zip(wrongSum)), "the npz file is damaged: the checksum of 'x.npy' does not agree");
    Lie elsewhere = honest(kGood, deflate);
    elsewhere.offset = 1000000;
    complaint(zip(elsewhere));
  }
  // A bomb: what inflates to far more than the input takes is refused before it is inflated.
  EXPECT_NE(complaint(zip(honest(std::string(20 << 20, '\0'), true))).find("far more than its input takes"),
            std::string::npos);
  Lie encrypted = honest(kGood, false);
  encrypted.flags = 1;
  EXPECT_EQ(complaint(zip(encrypted)), "'x.npy' in the npz file is encrypted");
  Lie other = honest(kGood, false);
  other.method = 12;
  EXPECT_NE(complaint(zip(other)).find("compression method 12"), std::string::npos);
}

TEST(Npz, RefusesTruncatedFiles) {
  const std::string good = zip(honest(kGood, true));
  for (size_t part = 0; part < 64; ++part) complaint(good.substr(0, good.size() * part / 64));
  complaint(good.substr(0, good.size() - 1));
}

TEST(Npz, SurvivesRandomDamage) {
  // Whatever happens, it is an answer: the sanitizers watch.
  std::mt19937 random(7);
  for (const bool deflate : {false, true}) {
    const std::string good = zip(honest(kGood, deflate));
    for (int i = 0; i < 2000; ++i) {
      std::string bad = good;
      for (int n = 0; n < 3; ++n) bad[random() % bad.size()] = static_cast<char>(random());
      std::vector<ZipMember> members;
      if (auto directory = readZipDirectory(bad); directory.ok()) members = *directory;
      for (const ZipMember &member : members)
        if (auto content = extractZipMember(bad, member, 1 << 20); content.ok()) (void)parseNpy(*content, "x").ok();
    }
  }
}

}  // namespace
}  // namespace hone::runtime
