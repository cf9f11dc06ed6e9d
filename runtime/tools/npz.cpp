#include "runtime/tools/npz.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "runtime/manifest.h"

namespace hone::runtime {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeaderBytes = 1 << 20;
constexpr size_t kMaxRank = 64;
constexpr int64_t kMaxBytes = int64_t{1} << 46;

struct Spelling {
  std::string_view code;  ///< numpy's, without the byte order
  hone_dtype dtype;
};
/// The first spelling of a type is the one that is written.
constexpr Spelling kSpellings[] = {
    {"b1", HONE_BOOL},     {"i1", HONE_INT8},    {"i2", HONE_INT16},   {"i4", HONE_INT32},  {"i8", HONE_INT64},
    {"u1", HONE_UINT8},    {"u2", HONE_UINT16},  {"u4", HONE_UINT32},  {"u8", HONE_UINT64}, {"f2", HONE_FLOAT16},
    {"V2", HONE_BFLOAT16}, {"f4", HONE_FLOAT32}, {"f8", HONE_FLOAT64},
};

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// The Python dictionary of an npy header: exactly the keys descr, fortran_order and shape.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  bool parse(Header &header) {
    bool seen[3] = {};
    if (!take('{')) return false;
    while (!take('}')) {
      std::string key;
      if (!parseString(key) || !take(':')) return false;
      const int field = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (field < 0 || seen[field]) return false;
      seen[field] = true;
      if (!(field == 0   ? parseDescr(header.descr)
            : field == 1 ? parseBool(header.fortranOrder)
                         : parseShape(header.shape)))
        return false;
      if (!take(',')) {
        if (!take('}')) return false;
        break;
      }
    }
    skipSpace();
    return position_ == text_.size() && seen[0] && seen[1] && seen[2];
  }

 private:
  void skipSpace() {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }

  bool take(char expected) {
    skipSpace();
    if (position_ >= text_.size() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }

  bool takeWord(std::string_view word) {
    skipSpace();
    if (text_.substr(position_, word.size()) != word) return false;
    position_ += word.size();
    return true;
  }

  bool parseString(std::string &value) {
    skipSpace();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') return false;
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return false;
    value = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return true;
  }

  /// A structure is a list of fields: kept as "[" for the message, as nothing after it matters.
  bool parseDescr(std::string &descr) {
    skipSpace();
    if (position_ < text_.size() && text_[position_] == '[') {
      descr = "[";
      const size_t end = text_.find(']', position_);
      position_ = end == std::string_view::npos ? text_.size() : end + 1;
      return end != std::string_view::npos;
    }
    return parseString(descr);
  }

  bool parseBool(bool &value) {
    value = takeWord("True");
    return value || takeWord("False");
  }

  bool parseShape(std::vector<int64_t> &shape) {
    if (!take('(')) return false;
    while (!take(')')) {
      skipSpace();
      int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0 || shape.size() == kMaxRank) return false;
      position_ = static_cast<size_t>(end - text_.data());
      if (position_ < text_.size() && text_[position_] == 'L') ++position_;  // Python 2
      shape.push_back(extent);
      if (!take(',')) return take(')');
    }
    return true;
  }

  std::string_view text_;
  size_t position_ = 0;
};

Status parseDtype(const std::string &descr, std::string_view name, hone_dtype &dtype) {
  if (descr.find('O') != std::string::npos)
    return refused("array '", name, "' holds Python objects, which are never unpickled; save it with a numeric dtype");
  if (descr == "[") return refused("array '", name, "' holds structures; save it with a numeric dtype");
  const char order = descr.empty() ? '\0' : descr[0];
  for (const Spelling &spelling : kSpellings) {
    if (descr.substr(std::min<size_t>(1, descr.size())) != spelling.code) continue;
    if (order == '>' && dtypeSize(spelling.dtype) > 1)
      return refused("array '", name, "' is big-endian ('", descr, "'); save it as little-endian");
    if (order != '<' && order != '|' && order != '>') break;
    dtype = spelling.dtype;
    return {};
  }
  return refused("array '", name, "' has dtype '", descr, "', which no model takes");
}

/// Column-major to row-major: walks the destination in order and the source by strides.
std::string toRowMajor(std::string_view source, const std::vector<int64_t> &shape, size_t size) {
  std::string result(source.size(), '\0');
  std::vector<size_t> stride(shape.size()), index(shape.size(), 0);
  size_t step = size;
  for (size_t i = 0; i < shape.size(); ++i) {
    stride[i] = step;
    step *= static_cast<size_t>(shape[i]);
  }
  size_t from = 0;
  for (size_t to = 0; to < result.size(); to += size) {
    std::memcpy(result.data() + to, source.data() + from, size);
    for (size_t dim = shape.size(); dim-- > 0;) {
      from += stride[dim];
      if (++index[dim] < static_cast<size_t>(shape[dim])) break;
      from -= stride[dim] * static_cast<size_t>(shape[dim]);
      index[dim] = 0;
    }
  }
  return result;
}

/// The header's text and where the data starts.
Result<std::pair<std::string_view, size_t>> splitNpy(std::string_view npy, std::string_view name) {
  if (!npy.starts_with(kMagic) || npy.size() < 10) return refused("'", name, "' is not an array of numpy's format");
  const int version = static_cast<unsigned char>(npy[6]);
  if (version < 1 || version > 3)
    return refused("array '", name, "' has npy format version ", version, "; 1 to 3 are read");
  const size_t start = version == 1 ? 10 : 12;
  if (npy.size() < start) return refused("array '", name, "' is cut off");
  size_t length = 0;
  for (size_t i = start; i-- > 8;) length = length << 8 | static_cast<unsigned char>(npy[i]);
  if (length > kMaxHeaderBytes || length > npy.size() - start)
    return refused("array '", name, "' has a header of ", length, " bytes, more than there are");
  return std::pair<std::string_view, size_t>(npy.substr(start, length), start + length);
}

}  // namespace

Result<Array> parseNpy(std::string_view npy, std::string_view name) {
  Result<std::pair<std::string_view, size_t>> split = splitNpy(npy, name);
  if (!split.ok()) return split.status();
  Header header;
  if (!HeaderParser(split->first).parse(header)) return refused("array '", name, "' has a malformed npy header");
  Array array;
  array.shape = header.shape;
  HONE_RT_RETURN_IF_ERROR(parseDtype(header.descr, name, array.dtype));
  const int64_t size = static_cast<int64_t>(dtypeSize(array.dtype));
  int64_t bytes = size;
  const bool empty = std::find(array.shape.begin(), array.shape.end(), 0) != array.shape.end();
  for (int64_t extent : array.shape) {
    if (empty) break;
    if (bytes > kMaxBytes / extent)
      return refused("array '", name, "' says that it is larger than ", kMaxBytes, " bytes");
    bytes *= extent;
  }
  if (empty) bytes = 0;
  const std::string_view data = npy.substr(split->second);
  if (data.size() != static_cast<size_t>(bytes))
    return refused("array '", name, "' has ", data.size(), " bytes of data, but its header says ", bytes);
  array.bytes = header.fortranOrder && array.shape.size() > 1 ? toRowMajor(data, array.shape, static_cast<size_t>(size))
                                                              : std::string(data);
  if (array.dtype == HONE_BOOL)
    for (char &byte : array.bytes) byte = byte != 0;
  return array;
}

std::string npyHeader(hone_dtype dtype, const std::vector<int64_t> &shape) {
  std::ostringstream text;
  for (const Spelling &spelling : kSpellings)
    if (spelling.dtype == dtype) text << "{'descr': '" << (dtypeSize(dtype) == 1 ? '|' : '<') << spelling.code;
  text << "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i)
    text << shape[i] << (i + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
  text << "), }";
  std::string dictionary = text.str();
  // Data starts at a multiple of 64, after a newline.
  dictionary.append((64 - (10 + dictionary.size() + 1) % 64) % 64, ' ');
  dictionary += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return header + dictionary;
}

Result<NpzFile> NpzFile::open(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok()) return file.status();
  NpzFile npz;
  npz.file_ = std::move(*file);
  Result<std::vector<ZipMember>> members = readZipDirectory(npz.file_.bytes());
  if (!members.ok()) return members.status();
  constexpr std::string_view kSuffix = ".npy";
  for (ZipMember &member : *members) {
    std::string name = member.name;
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    npz.arrays_.emplace_back(std::move(name), std::move(member));
  }
  return npz;
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto &[name, member] : arrays_) names.push_back(name);
  return names;
}

Result<Array> NpzFile::read(const std::string &name, uint64_t limit) const {
  for (const auto &[known, member] : arrays_) {
    if (known != name) continue;
    Result<std::string> npy = extractZipMember(file_.bytes(), member, limit);
    if (!npy.ok()) return npy.status();
    return parseNpy(*npy, name);
  }
  return refused("the npz file has no array '", name, "'");
}

}  // namespace hone::runtime
