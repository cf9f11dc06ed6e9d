#include "compiler/base/text_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "absl/strings/str_cat.h"

namespace hone {

namespace {

constexpr int kDeepest = 500;

bool isBlank(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isWordCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

void TextReader::skipBlanks() {
  while (isBlank(at(position_))) ++position_;
}

bool TextReader::atEnd() {
  skipBlanks();
  return position_ == text_.size();
}

bool TextReader::accept(std::string_view symbol) {
  const size_t begin = position_;
  skipBlanks();
  const bool isNext = text_.substr(position_).starts_with(symbol);
  // What is not there leaves the place where the token before ended: that is what a message is about.
  position_ = isNext ? position_ + symbol.size() : begin;
  return isNext;
}

bool TextReader::acceptMinus() {
  const size_t begin = position_;
  if (!accept("-")) return false;
  const bool isArrow = at(position_) == '>';
  if (isArrow) position_ = begin;
  return !isArrow;
}

bool TextReader::acceptBeforeBlank(std::string_view word) {
  if (nextWord() != word || !isBlank(at(position_ + word.size()))) return false;
  position_ += word.size();
  return true;
}

absl::Status TextReader::expect(std::string_view symbol) {
  if (accept(symbol)) return absl::OkStatus();
  skipBlanks();
  return expected(absl::StrCat("'", std::string(symbol), "'"));
}

std::string_view TextReader::nextWord() {
  skipBlanks();
  size_t end = position_;
  while (isWordCharacter(at(end))) ++end;
  return text_.substr(position_, end - position_);
}

absl::StatusOr<std::string> TextReader::word(std::string_view expectation) {
  const std::string_view next = nextWord();
  if (next.empty()) return expected(expectation);
  position_ += next.size();
  return std::string(next);
}

std::string TextReader::restOfLine() {
  const size_t end = std::min(text_.find('\n', position_), text_.size());
  std::string_view rest = text_.substr(position_, end - position_);
  position_ = end;
  while (!rest.empty() && isBlank(rest.front())) rest.remove_prefix(1);
  while (!rest.empty() && isBlank(rest.back())) rest.remove_suffix(1);
  return std::string(rest);
}

absl::StatusOr<DType> TextReader::dtype() {
  const std::string_view next = nextWord();
  const auto type = parseDType(next);
  if (!type || shortName(*type) != next) return expected("a type such as f32");
  position_ += next.size();
  return *type;
}

bool TextReader::startsNumber() {
  skipBlanks();
  return isDigit(at(position_)) || (at(position_) == '-' && isDigit(at(position_ + 1)));
}

bool TextReader::startsNumeral() {
  if (startsNumber()) return true;
  if (at(position_) == '-') return text_.substr(position_).starts_with("-inf");
  const std::string_view next = nextWord();
  return (next == "inf" || next == "nan") && at(position_ + next.size()) != '[';
}

absl::StatusOr<int64_t> TextReader::integer(bool isNegated) {
  skipBlanks();
  const bool isNegative = !isNegated && at(position_) == '-';
  const char *const begin = text_.data() + position_ + (isNegative ? 1 : 0);
  const char *const last = text_.data() + text_.size();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(begin, last, value);
  const uint64_t most = (uint64_t{1} << 63) - (isNegative || isNegated ? 0 : 1);
  if (error != std::errc() || value > most) return expected("a number");
  position_ = static_cast<size_t>(end - text_.data());
  // In unsigned arithmetic, since the lowest number has no positive counterpart.
  return static_cast<int64_t>(isNegative || isNegated ? 0 - value : value);
}

absl::StatusOr<int64_t> TextReader::positive() {
  skipBlanks();
  const size_t begin = position_;
  const absl::StatusOr<int64_t> value = integer();
  if (!value.ok() || *value > 0) return value;
  position_ = begin;
  return expected("a number greater than 0");
}

absl::StatusOr<std::string> TextReader::numeral() {
  skipBlanks();
  size_t end = position_ + (at(position_) == '-' ? 1 : 0);
  const auto isExponentSign = [this](size_t place) {
    return (at(place) == '-' || at(place) == '+') && at(place - 1) == 'e' && isDigit(at(place - 2));
  };
  while (isWordCharacter(at(end)) || at(end) == '.' || (end > position_ + 1 && isExponentSign(end))) ++end;
  if (end == position_) return expected("a number");
  std::string text(text_.substr(position_, end - position_));
  position_ = end;
  return text;
}

absl::Status TextReader::expected(std::string_view what) const {
  const std::string_view before = text_.substr(0, position_);
  const auto line = line_ + std::count(before.begin(), before.end(), '\n');
  const size_t column = position_ - (before.rfind('\n') + 1) + 1;
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(what_), " line ", line, ", column ", column, ": expected ", std::string(what)));
}

absl::Status TextReader::Nesting::status() const {
  return reader_.depth_ <= kDeepest ? absl::OkStatus()
                                    : reader_.expected(absl::StrCat("at most ", kDeepest, " levels of parentheses"));
}

}  // namespace hone
