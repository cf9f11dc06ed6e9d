// Tensors in ONNX's files, put together byte by byte, and the comparison of outputs with them. ONNX's own test data,
// which tests/conformance reads, are what must be readable; here is what must not crash and what must not agree.
#include "runtime/tools/onnx_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "runtime/tools/compare.h"

namespace hone::runtime {
namespace {

std::string varint(uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>(value | 0x80);
  return text + static_cast<char>(value);
}
std::string number(int field, uint64_t value) { return varint(static_cast<uint64_t>(field) << 3) + varint(value); }
std::string counted(int field, const std::string &bytes) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}
template <typename Element>
std::string raw(const std::vector<Element> &elements) {
  return {reinterpret_cast<const char *>(elements.data()), elements.size() * sizeof(Element)};
}

constexpr int kFloat = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7, kString = 8, kBool = 9, kFloat16 = 10;

std::string complaint(const std::string &bytes) {
  const Result<NamedArray> tensor = parseOnnxTensor(bytes, "t.pb");
  EXPECT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.status().code, HONE_REFUSED);
  return tensor.status().message;
}

Array parsed(const std::string &bytes) {
  Result<NamedArray> tensor = parseOnnxTensor(bytes, "t.pb");
  EXPECT_TRUE(tensor.ok()) << tensor.status().message;
  return tensor.ok() ? tensor->array : Array();
}

const std::string kHead = number(1, 2) + number(2, kFloat);  // float32[2]

TEST(OnnxTensor, RefusesWhatIsNoTensor) {
  EXPECT_NE(complaint("").find("holds no tensor"), std::string::npos);
  EXPECT_NE(complaint("PK\x03\x04").find("holds no tensor"), std::string::npos);
  EXPECT_NE(complaint(number(2, 0)).find("holds no tensor"), std::string::npos);
  EXPECT_NE(complaint(number(2, 999)).find("holds no tensor"), std::string::npos);
  EXPECT_NE(complaint(number(2, kString) + counted(6, "a")).find("string"), std::string::npos);
  EXPECT_NE(complaint(number(2, 14) + counted(9, "12345678")).find("complex64"), std::string::npos);
}

TEST(OnnxTensor, RefusesDataThatAreNotThere) {
  EXPECT_NE(complaint(kHead).find("0 bytes of data; its shape asks for 8"), std::string::npos);
  EXPECT_NE(complaint(kHead + counted(9, "1234567")).find("7 bytes"), std::string::npos);
  EXPECT_NE(complaint(kHead + counted(4, "1234")).find("4 bytes"), std::string::npos);
  EXPECT_NE(complaint(number(1, uint64_t{1} << 60) + number(2, kFloat)).find("no tensor can have"), std::string::npos);
  EXPECT_NE(complaint(number(1, static_cast<uint64_t>(-1)) + number(2, kFloat)).find("no tensor can have"),
            std::string::npos);
  EXPECT_NE(complaint(kHead + counted(13, "/etc/passwd") + number(14, 1)).find("never opened"), std::string::npos);
}

TEST(OnnxTensor, SurvivesEveryTruncationAndRandomBytes) {
  const std::string whole = kHead + counted(8, "name") + counted(9, raw<float>({1, 2}));
  for (size_t length = 0; length < whole.size(); ++length) complaint(whole.substr(0, length));
  std::minstd_rand random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    const Result<NamedArray> tensor = parseOnnxTensor(bytes, "t.pb");
    EXPECT_TRUE(tensor.ok() || !tensor.status().message.empty());
  }
}

TEST(OnnxTensor, ReadsEveryFormOfData) {
  const std::string bytes = raw<float>({1, 2});
  EXPECT_EQ(parsed(kHead + counted(9, bytes)).bytes, bytes);
  EXPECT_EQ(parsed(kHead + counted(4, bytes)).bytes, bytes) << "packed";
  std::string apart = kHead;
  for (int i = 0; i < 2; ++i) apart += varint(4 << 3 | 5) + bytes.substr(static_cast<size_t>(4 * i), 4);
  EXPECT_EQ(parsed(apart).bytes, bytes) << "one by one";
  EXPECT_EQ(parsed(number(1, 2) + number(2, kInt64) + counted(7, varint(5) + varint(static_cast<uint64_t>(-3)))).bytes,
            raw<int64_t>({5, -3}));
  EXPECT_EQ(parsed(number(1, 1) + number(2, kInt32) + number(5, static_cast<uint64_t>(-7))).bytes, raw<int32_t>({-7}));
  EXPECT_EQ(parsed(number(1, 2) + number(2, kUint8) + counted(5, varint(200) + varint(1))).bytes,
            raw<uint8_t>({200, 1}));
  EXPECT_EQ(parsed(number(1, 1) + number(2, kFloat16) + number(5, 0x3c00)).bytes, raw<uint16_t>({0x3c00}));
  EXPECT_EQ(parsed(number(1, 2) + number(2, kBool) + counted(9, std::string("\x07\0", 2))).bytes,
            std::string("\x01\0", 2));
  EXPECT_EQ(parsed(counted(4, bytes) + counted(1, varint(1) + varint(2)) + number(2, kFloat)).shape,
            (std::vector<int64_t>{1, 2}))
      << "the order of the fields says nothing";
  const Array none = parsed(number(1, 0) + number(1, 3) + number(2, kFloat));
  EXPECT_EQ(none.shape, (std::vector<int64_t>{0, 3}));
  EXPECT_TRUE(none.bytes.empty());
  EXPECT_EQ(parseOnnxTensor(kHead + counted(8, "x") + counted(9, bytes), "t.pb")->name, "x");
}

TEST(OnnxTensor, UnpacksNarrowElements) {
  constexpr int kFloat8 = 19, kUint4 = 21, kInt4 = 22, kFloat4 = 23, kInt2 = 26, kFloat6 = 28;
  const auto tensor = [](int extent, int type, const std::string &data) {
    return parsed(number(1, static_cast<uint64_t>(extent)) + number(2, static_cast<uint64_t>(type)) + data);
  };
  EXPECT_EQ(tensor(3, kInt4, counted(9, raw<uint8_t>({0x7f, 0x08}))).bytes, raw<int8_t>({-1, 7, -8}));
  EXPECT_EQ(tensor(3, kInt4, counted(9, raw<uint8_t>({0x7f, 0x08}))).dtype, HONE_INT8);
  EXPECT_EQ(tensor(3, kUint4, counted(5, varint(0x7f) + varint(0x08))).bytes, raw<uint8_t>({15, 7, 8}));
  EXPECT_EQ(tensor(3, kFloat4, counted(9, raw<uint8_t>({0xf1, 0x06}))).bytes, raw<uint8_t>({1, 15, 6}));
  EXPECT_EQ(tensor(5, kInt2, counted(9, raw<uint8_t>({0xe4, 0x02}))).bytes, raw<int8_t>({0, 1, -2, -1, -2}));
  EXPECT_EQ(tensor(2, kFloat8, counted(9, raw<uint8_t>({0x7b, 0xff}))).bytes, raw<uint8_t>({0x7b, 0xff}));
  EXPECT_EQ(tensor(2, kFloat8, counted(5, varint(0x7b) + varint(0xff))).bytes, raw<uint8_t>({0x7b, 0xff}));
  // Six bits are packed in raw data and not in lists.
  EXPECT_EQ(tensor(5, kFloat6, counted(9, raw<uint8_t>({0x5f, 0xf0, 0x83, 0x08}))).bytes,
            raw<uint8_t>({0x1f, 0x01, 0x3f, 0x20, 0x08}));
  EXPECT_EQ(tensor(2, kFloat6, counted(5, varint(0x1f) + varint(0x3f))).bytes, raw<uint8_t>({0x1f, 0x3f}));
  EXPECT_NE(complaint(number(1, 3) + number(2, kInt4) + counted(9, "x")).find("1 bytes of data; its shape asks for 2"),
            std::string::npos);
}

Array floats(const std::vector<float> &values) {
  return {HONE_FLOAT32, {static_cast<int64_t>(values.size())}, raw(values)};
}

Difference compare(const std::vector<float> &actual, const std::vector<float> &expected, Tolerance tolerance = {}) {
  const Array array = floats(actual);
  return compareArrays(array.dtype, array.shape, array.bytes.data(), floats(expected), tolerance);
}

TEST(Compare, SeesWhatDiffers) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(compare({1.0F}, {1.002F}).agrees);
  EXPECT_FALSE(compare({2e-7F}, {0}).agrees);
  EXPECT_FALSE(compare({nan}, {1}).agrees);
  EXPECT_FALSE(compare({1}, {nan}).agrees);
  EXPECT_FALSE(compare({infinity}, {-infinity}).agrees);
  EXPECT_FALSE(compare({1e38F}, {infinity}).agrees);
  EXPECT_FALSE(compare({infinity}, {1e38F}, {1e9, 0}).agrees);
  EXPECT_FALSE(compare({1, 2}, {1}).agrees);
  const Difference third = compare({0, 1, 5, 7}, {0, 1, 4, 4});
  EXPECT_EQ(third.sentence, "2 of 4 elements differ, the first at [2]: 5 instead of 4");
  EXPECT_EQ(third.elements, 2);
  EXPECT_EQ(third.largestAbsolute, 3);
  EXPECT_EQ(third.largestRelative, 0.75);
}

TEST(Compare, AcceptsWhatAgrees) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(compare({nan, infinity, -infinity, 0.0F}, {nan, infinity, -infinity, -0.0F}).agrees);
  EXPECT_TRUE(compare({1.0009F}, {1}).agrees);
  EXPECT_TRUE(compare({5e-8F}, {0}).agrees);
  EXPECT_TRUE(compare({}, {}).agrees);
  EXPECT_TRUE(compare({1.4F}, {1}, {0.5, 0}).agrees);
}

TEST(Compare, IsExactForIntegersAndSeesTypes) {
  const int64_t large = (int64_t{1} << 60) + 1;
  const Array expected{HONE_INT64, {1}, raw<int64_t>({large - 1})};
  EXPECT_FALSE(compareArrays(HONE_INT64, {1}, &large, expected, {1, 1}).agrees) << "equal as doubles";
  const Difference dtype = compareArrays(HONE_UINT64, {1}, &large, expected, {});
  EXPECT_EQ(dtype.sentence, "uint64[1] instead of int64[1]");
  const Difference shape = compareArrays(HONE_INT64, {}, &large, expected, {});
  EXPECT_EQ(shape.sentence, "int64[] instead of int64[1]");
}

}  // namespace
}  // namespace hone::runtime
