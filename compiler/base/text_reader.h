// Reads the small languages of the compiler's own texts (kernels, schedules) token by token; every failure says line,
// column and what was expected there. Blanks and line breaks between tokens do not matter. Refers to the text. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/base/dtype.h"

namespace hone {

class TextReader {
 public:
  /// \p what: the text's kind, for messages: "schedule". \p line: number of its first line.
  TextReader(std::string_view text, std::string_view what, int line = 1) : text_(text), what_(what), line_(line) {}

  bool atEnd();

  /// Whether \p symbol comes next; takes it if so.
  bool accept(std::string_view symbol);
  /// The same for a minus sign that does not begin an arrow.
  bool acceptMinus();
  /// The same for a word that a blank follows: "max x", not "max(x, y)" or "max[x]".
  bool acceptBeforeBlank(std::string_view word);
  absl::Status expect(std::string_view symbol);

  /// Letters, digits and underscores.
  absl::StatusOr<std::string> word(std::string_view expected = "a name");
  /// The rest of the line without the blanks around it.
  std::string restOfLine();
  absl::StatusOr<DType> dtype();

  /// Whether digits come next, with or without a minus sign.
  bool startsNumber();
  /// The same, or one of inf, -inf and nan.
  bool startsNumeral();
  /// \p isNegated: what was read before is its minus sign.
  absl::StatusOr<int64_t> integer(bool isNegated = false);
  /// Greater than 0.
  absl::StatusOr<int64_t> positive();
  /// The text of a number of any type, or one of inf, -inf, nan, true and false.
  absl::StatusOr<std::string> numeral();

  /// INVALID_ARGUMENT with the place.
  absl::Status expected(std::string_view what) const;

  /// One level of parentheses or the like, while this lives: recursion ends before the stack does.
  class Nesting {
   public:
    explicit Nesting(TextReader &reader) : reader_(reader) { ++reader_.depth_; }
    Nesting(const Nesting &) = delete;
    Nesting &operator=(const Nesting &) = delete;
    ~Nesting() { --reader_.depth_; }
    absl::Status status() const;

   private:
    TextReader &reader_;
  };

 private:
  void skipBlanks();
  char at(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  /// The word that comes next; it stays.
  std::string_view nextWord();

  std::string_view text_, what_;
  int line_;
  size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace hone
