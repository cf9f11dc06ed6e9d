#include "runtime/json.h"

#include <charconv>
#include <cmath>
#include <set>

#include "text/printable.h"

namespace hone::runtime {
namespace {

constexpr int kMaxDepth = 32;

void appendUtf8(uint32_t code, std::string &output) {
  if (code < 0x80) {
    output += static_cast<char>(code);
  } else if (code < 0x800) {
    output += static_cast<char>(0xC0 | code >> 6);
    output += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    output += static_cast<char>(0xE0 | code >> 12);
    output += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    output += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    output += static_cast<char>(0xF0 | code >> 18);
    output += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    output += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    output += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// Recursive descent; every function returns false once error_ says why.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<JsonValue> parse() {
    JsonValue value;
    if (!parseValue(value, 0)) return refused(error_, " at byte ", position_);
    skipSpace();
    if (position_ != text_.size()) return refused("something follows the JSON value at byte ", position_);
    return value;
  }

 private:
  bool fail(const char *what) {
    error_ = what;
    return false;
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool take(char expected) {
    if (position_ >= text_.size() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }
  void skipSpace() {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }

  bool parseValue(JsonValue &value, int depth) {
    if (depth > kMaxDepth) return fail("JSON nested deeper than 32 levels");
    skipSpace();
    switch (peek()) {
      case '{':
        return parseObject(value, depth);
      case '[':
        return parseArray(value, depth);
      case '"':
        value.kind = JsonValue::Kind::String;
        return parseString(value.string);
      case 't':
        value.kind = JsonValue::Kind::Bool;
        value.boolean = true;
        return parseWord("true");
      case 'f':
        value.kind = JsonValue::Kind::Bool;
        return parseWord("false");
      case 'n':
        return parseWord("null");
      default:
        return parseNumber(value);
    }
  }

  bool parseWord(std::string_view word) {
    if (text_.substr(position_, word.size()) != word) return fail("expected a JSON value");
    position_ += word.size();
    return true;
  }

  bool parseObject(JsonValue &value, int depth) {
    value.kind = JsonValue::Kind::Object;
    ++position_;
    skipSpace();
    if (take('}')) return true;
    std::set<std::string, std::less<>> keys;
    while (true) {
      skipSpace();
      std::string key;
      if (peek() != '"') return fail("expected a key in quotes");
      if (!parseString(key)) return false;
      if (!keys.insert(key).second) return fail("a key occurs twice");
      skipSpace();
      if (!take(':')) return fail("expected ':'");
      value.keys.push_back(std::move(key));
      value.elements.emplace_back();
      if (!parseValue(value.elements.back(), depth + 1)) return false;
      skipSpace();
      if (take('}')) return true;
      if (!take(',')) return fail("expected ',' or '}'");
    }
  }

  bool parseArray(JsonValue &value, int depth) {
    value.kind = JsonValue::Kind::Array;
    ++position_;
    skipSpace();
    if (take(']')) return true;
    while (true) {
      value.elements.emplace_back();
      if (!parseValue(value.elements.back(), depth + 1)) return false;
      skipSpace();
      if (take(']')) return true;
      if (!take(',')) return fail("expected ',' or ']'");
    }
  }

  bool parseString(std::string &output) {
    ++position_;
    while (true) {
      if (position_ >= text_.size()) return fail("a string does not end");
      const unsigned char byte = static_cast<unsigned char>(text_[position_]);
      if (byte == '"') {
        ++position_;
        return true;
      }
      if (byte < 0x20) return fail("a control character in a string");
      if (byte == '\\') {
        if (!parseEscape(output)) return false;
        continue;
      }
      const size_t length = text::utf8Length(text_.substr(position_));
      if (length == 0) return fail("a string that is not UTF-8");
      output.append(text_.substr(position_, length));
      position_ += length;
    }
  }

  bool parseEscape(std::string &output) {
    ++position_;
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    const char name = peek();
    if (const size_t found = name ? kNames.find(name) : std::string_view::npos; found != std::string_view::npos) {
      ++position_;
      output += kValues[found];
      return true;
    }
    uint32_t code = 0;
    if (!take('u') || !parseHex(code)) return fail("an unknown escape in a string");
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low = 0;
      if (!take('\\') || !take('u') || !parseHex(low) || low < 0xDC00 || low > 0xDFFF)
        return fail("half a surrogate pair in a string");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      return fail("half a surrogate pair in a string");
    }
    appendUtf8(code, output);
    return true;
  }

  bool parseHex(uint32_t &code) {
    const std::string_view digits = text_.substr(position_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) return false;
    position_ += 4;
    return true;
  }

  bool takeDigits() {
    const size_t start = position_;
    while (peek() >= '0' && peek() <= '9') ++position_;
    return position_ > start;
  }

  bool parseNumber(JsonValue &value) {
    const size_t start = position_;
    take('-');
    if (!take('0') && !takeDigits()) return fail("expected a JSON value");
    bool integral = true;
    if (take('.')) {
      integral = false;
      if (!takeDigits()) return fail("a number without digits after its point");
    }
    if (peek() == 'e' || peek() == 'E') {
      integral = false;
      ++position_;
      if (!take('+')) take('-');
      if (!takeDigits()) return fail("a number without digits in its exponent");
    }
    const char *begin = text_.data() + start, *end = text_.data() + position_;
    if (integral && std::from_chars(begin, end, value.integer).ec == std::errc()) {
      value.kind = JsonValue::Kind::Integer;
      return true;
    }
    value.kind = JsonValue::Kind::Number;
    if (std::from_chars(begin, end, value.number).ec != std::errc()) return fail("a number that is out of range");
    return true;
  }

  std::string_view text_;
  size_t position_ = 0;
  const char *error_ = "";
};

}  // namespace

const JsonValue *JsonValue::find(std::string_view key) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return &elements[i];
  return nullptr;
}

Result<JsonValue> parseJson(std::string_view text) { return Parser(text).parse(); }

}  // namespace hone::runtime
