// The inverse of print(): recursive descent over the canonical text. Records and schedules files bring it from outside,
// so nothing in it is believed: depth and sizes are bounded here, and what verify() asks for is asked at the end.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/base/text_reader.h"
#include "compiler/tensor/index_range.h"
#include "compiler/tensor/rewrite.h"
#include "compiler/tensor/tensor_op.h"
#include "compiler/tensor/untyped.h"

namespace hone::tensor {
namespace {

class StageParser {
 public:
  StageParser(TextReader &in, const Kernel &kernel, const std::map<std::string, int, std::less<>> &buffers)
      : in_(in), kernel_(kernel), buffers_(buffers) {}

  absl::StatusOr<TensorOp> parse() {
    HONE_ASSIGN_OR_RETURN(op_.name, in_.word("the name of a stage"));
    HONE_RETURN_IF_ERROR(in_.expect("("));
    if (!in_.accept(")")) HONE_RETURN_IF_ERROR(dims());
    HONE_RETURN_IF_ERROR(in_.expect(":"));
    HONE_RETURN_IF_ERROR(types());
    HONE_RETURN_IF_ERROR(in_.expect("="));
    HONE_RETURN_IF_ERROR(combiner());
    HONE_ASSIGN_OR_RETURN(op_.body, scalars());
    if (op_.combiner.kind == CombinerKind::Custom) {
      HONE_RETURN_IF_ERROR(in_.expect("from"));
      HONE_ASSIGN_OR_RETURN(op_.combiner.identity, scalars());
      HONE_RETURN_IF_ERROR(in_.expect("by"));
      HONE_ASSIGN_OR_RETURN(op_.combiner.combine, scalars());
    }
    HONE_RETURN_IF_ERROR(in_.expect("->"));
    HONE_RETURN_IF_ERROR(tuple([this](size_t) {
      HONE_ASSIGN_OR_RETURN(Access write, access());
      op_.writes.push_back(std::move(write));
      return absl::OkStatus();
    }));
    return std::move(op_);
  }

 private:
  // ------------------------------------------------------------------------------------------- dims and types

  absl::Status dims() {
    DimKind kind = DimKind::Parallel;
    bool opensGroup = true;
    do {
      HONE_ASSIGN_OR_RETURN(std::string name, in_.word("the name of a dim"));
      // A dim may be called reduce: then an extent follows, not a name.
      if (opensGroup && (name == "reduce" || name == "scan") && !in_.startsNumber()) {
        kind = name == "scan" ? DimKind::Scan : DimKind::Reduction;
        HONE_ASSIGN_OR_RETURN(name, in_.word("the name of a dim"));
      } else if (opensGroup) {
        kind = DimKind::Parallel;
      }
      HONE_ASSIGN_OR_RETURN(const int64_t extent, in_.integer());
      if (extent < 1 || __builtin_mul_overflow(points_, extent, &points_))
        return in_.expected("dims of fewer than 2^63 points together");
      dims_.emplace(name, static_cast<int>(op_.dims.size()));
      op_.dims.push_back({std::move(name), extent, kind});
      opensGroup = in_.accept(";");
    } while (opensGroup || in_.accept(","));
    return in_.expect(")");
  }

  absl::Status types() {
    const bool isTuple = in_.accept("(");
    do {
      HONE_ASSIGN_OR_RETURN(const DType type, in_.dtype());
      types_.push_back(type);
    } while (isTuple && in_.accept(","));
    return isTuple ? in_.expect(")") : absl::OkStatus();
  }

  absl::Status combiner() {
    static constexpr std::pair<std::string_view, CombinerKind> kWords[] = {{"sum", CombinerKind::Sum},
                                                                           {"product", CombinerKind::Product},
                                                                           {"min", CombinerKind::Min},
                                                                           {"max", CombinerKind::Max},
                                                                           {"fold", CombinerKind::Custom}};
    for (const auto &[word, kind] : kWords) {
      if (!in_.acceptBeforeBlank(word)) continue;
      op_.combiner.kind = kind;
      break;
    }
    return absl::OkStatus();
  }

  // One element, or as many as there are types, in parentheses.
  template <typename Element>
  absl::Status tuple(Element element) {
    if (types_.size() == 1) return element(0);
    HONE_RETURN_IF_ERROR(in_.expect("("));
    for (size_t i = 0; i < types_.size(); ++i) {
      if (i > 0) HONE_RETURN_IF_ERROR(in_.expect(","));
      HONE_RETURN_IF_ERROR(element(i));
    }
    return in_.expect(")");
  }

  // --------------------------------------------------------------------------------------------------- indices

  absl::StatusOr<Index> index() {
    const TextReader::Nesting nesting(in_);
    HONE_RETURN_IF_ERROR(nesting.status());
    HONE_ASSIGN_OR_RETURN(Index sum, indexProduct());
    for (;;) {
      if (in_.accept("+")) {
        HONE_ASSIGN_OR_RETURN(const Index term, indexProduct());
        HONE_RETURN_IF_ERROR(checkSum(sum, term));
        sum = sum + term;
      } else if (in_.acceptMinus()) {
        HONE_ASSIGN_OR_RETURN(const int64_t number, in_.integer(true));
        HONE_RETURN_IF_ERROR(checkSum(sum, constant(number)));
        sum = sum + number;
      } else {
        return sum;
      }
    }
  }

  // The constructors fold the constants of a sum.
  absl::Status checkSum(const Index &sum, const Index &term) const {
    const Index &last = sum->kind == IndexKind::Add ? sum->args[1] : sum;
    int64_t folded = 0;
    const bool isFolded = last->kind == IndexKind::Constant && term->kind == IndexKind::Constant;
    if (!isFolded || !__builtin_add_overflow(last->value, term->value, &folded)) return absl::OkStatus();
    return in_.expected("a sum that fits into 64 bits");
  }

  absl::StatusOr<Index> indexProduct() {
    HONE_ASSIGN_OR_RETURN(Index left, indexOperand());
    if (in_.accept("*")) {
      if (left->kind != IndexKind::Constant) return in_.expected("the factor, a number, in front of '*'");
      HONE_ASSIGN_OR_RETURN(const Index right, indexOperand());
      if (int64_t folded = 0;
          right->kind == IndexKind::Constant && __builtin_mul_overflow(right->value, left->value, &folded))
        return in_.expected("a product that fits into 64 bits");
      return right * left->value;
    }
    for (const bool isQuotient : {true, false}) {
      if (!in_.accept(isQuotient ? "/" : "%")) continue;
      HONE_ASSIGN_OR_RETURN(const int64_t divisor, in_.positive());
      return isQuotient ? floorDiv(left, divisor) : mod(left, divisor);
    }
    return left;
  }

  absl::StatusOr<Index> indexOperand() {
    if (in_.accept("(")) {
      HONE_ASSIGN_OR_RETURN(Index inner, index());
      HONE_RETURN_IF_ERROR(in_.expect(")"));
      return inner;
    }
    if (in_.startsNumber()) {
      HONE_ASSIGN_OR_RETURN(const int64_t value, in_.integer());
      return constant(value);
    }
    HONE_ASSIGN_OR_RETURN(const std::string name, in_.word("an index"));
    if (name == "clamp" && in_.accept("(")) return clamped();
    if (in_.accept("[")) {
      HONE_ASSIGN_OR_RETURN(const int buffer, bufferOf(name));
      HONE_ASSIGN_OR_RETURN(std::vector<Index> indices, indicesTo("]"));
      return load(buffer, std::move(indices));
    }
    const auto found = dims_.find(name);
    if (found == dims_.end()) return in_.expected(absl::StrCat("a dim of the stage, not '", name, "'"));
    return dim(found->second);
  }

  absl::StatusOr<Index> clamped() {
    HONE_ASSIGN_OR_RETURN(const Index inner, index());
    HONE_RETURN_IF_ERROR(in_.expect(","));
    HONE_ASSIGN_OR_RETURN(const int64_t low, in_.integer());
    HONE_RETURN_IF_ERROR(in_.expect(","));
    HONE_ASSIGN_OR_RETURN(const int64_t high, in_.integer());
    if (low > high) return in_.expected("a range of clamp that is not empty");
    HONE_RETURN_IF_ERROR(in_.expect(")"));
    return clamp(inner, low, high);
  }

  absl::StatusOr<std::vector<Index>> indicesTo(std::string_view end) {
    std::vector<Index> indices;
    if (in_.accept(end)) return indices;
    do {
      HONE_ASSIGN_OR_RETURN(Index each, index());
      indices.push_back(std::move(each));
    } while (in_.accept(","));
    HONE_RETURN_IF_ERROR(in_.expect(end));
    return indices;
  }

  absl::StatusOr<int> bufferOf(const std::string &name) const {
    const auto found = buffers_.find(name);
    if (found == buffers_.end()) return in_.expected(absl::StrCat("a buffer of the kernel, not '", name, "'"));
    return found->second;
  }

  absl::StatusOr<Access> access() {
    HONE_ASSIGN_OR_RETURN(const std::string name, in_.word("a buffer"));
    HONE_RETURN_IF_ERROR(in_.expect("["));
    return accessOf(name);
  }

  // After the bracket.
  absl::StatusOr<Access> accessOf(const std::string &name) {
    Access access;
    HONE_ASSIGN_OR_RETURN(access.buffer, bufferOf(name));
    HONE_ASSIGN_OR_RETURN(access.indices, indicesTo("]"));
    if (!in_.accept("(")) return access;
    HONE_ASSIGN_OR_RETURN(const std::string text, in_.numeral());
    HONE_ASSIGN_OR_RETURN(const Scalar value, constantOf(in_, text, kernel_.buffers[access.buffer].dtype));
    access.outside = isFloat(value->dtype) ? value->number : static_cast<double>(value->integer);
    HONE_RETURN_IF_ERROR(in_.expect("outside"));
    HONE_RETURN_IF_ERROR(in_.expect(")"));
    return access;
  }

  // ------------------------------------------------------------------------------------------------ expressions

  absl::StatusOr<std::vector<Scalar>> scalars() {
    std::vector<Scalar> result;
    HONE_RETURN_IF_ERROR(tuple([&](size_t i) {
      HONE_ASSIGN_OR_RETURN(const Expression expression, sum());
      HONE_ASSIGN_OR_RETURN(Scalar scalar, typed(in_, expression, types_[i]));
      if (scalar->dtype != types_[i]) {
        return in_.expected(absl::StrCat("an expression of type ", std::string(shortName(types_[i])), ", not ",
                                         std::string(shortName(scalar->dtype))));
      }
      result.push_back(std::move(scalar));
      return absl::OkStatus();
    }));
    return result;
  }

  absl::StatusOr<Expression> sum() {
    const TextReader::Nesting nesting(in_);
    HONE_RETURN_IF_ERROR(nesting.status());
    HONE_ASSIGN_OR_RETURN(Expression left, product());
    for (;;) {
      const bool isSum = in_.accept("+");
      if (!isSum && !in_.acceptMinus()) return left;
      HONE_ASSIGN_OR_RETURN(Expression right, product());
      HONE_ASSIGN_OR_RETURN(left,
                            applied(in_, isSum ? ScalarOp::Add : ScalarOp::Sub, {std::move(left), std::move(right)}));
    }
  }

  absl::StatusOr<Expression> product() {
    HONE_ASSIGN_OR_RETURN(Expression left, operand());
    for (;;) {
      const bool isProduct = in_.accept("*");
      if (!isProduct && !in_.accept("/")) return left;
      HONE_ASSIGN_OR_RETURN(Expression right, operand());
      HONE_ASSIGN_OR_RETURN(
          left, applied(in_, isProduct ? ScalarOp::Mul : ScalarOp::Div, {std::move(left), std::move(right)}));
    }
  }

  absl::StatusOr<Expression> operand() {
    if (in_.accept("(")) {
      HONE_ASSIGN_OR_RETURN(Expression inner, sum());
      HONE_RETURN_IF_ERROR(in_.expect(")"));
      return inner;
    }
    if (in_.startsNumeral()) return literal();
    HONE_ASSIGN_OR_RETURN(const std::string name, in_.word("an expression"));
    if (in_.accept("[")) return readOf(name);
    if (in_.accept("(")) return call(name);
    if (name == "bits" && in_.accept(":")) {
      HONE_ASSIGN_OR_RETURN(const DType type, in_.dtype());
      HONE_RETURN_IF_ERROR(in_.expect("("));
      HONE_ASSIGN_OR_RETURN(const Scalar inner, typedArgument());
      if (type == DType::Bool || inner->dtype == DType::Bool || sizeOf(type) != sizeOf(inner->dtype))
        return in_.expected("bits of a type that is as wide");
      return bits(type, inner);
    }
    if (name == "true" || name == "false") return number(name == "true" ? 1 : 0, DType::Bool);
    return accumulated(name);
  }

  absl::StatusOr<Expression> literal() {
    Untyped plain;
    HONE_ASSIGN_OR_RETURN(plain.number, in_.numeral());
    if (!in_.accept(":")) return plain;
    HONE_ASSIGN_OR_RETURN(const DType type, in_.dtype());
    HONE_ASSIGN_OR_RETURN(Scalar made, constantOf(in_, plain.number, type));
    return made;
  }

  absl::StatusOr<Expression> readOf(const std::string &name) {
    HONE_ASSIGN_OR_RETURN(Access read, accessOf(name));
    const DType type = kernel_.buffers[read.buffer].dtype;
    // What is written twice is one read.
    const auto same =
        std::find_if(op_.reads.begin(), op_.reads.end(), [&](const Access &each) { return isSame(each, read); });
    const auto position = static_cast<int>(same - op_.reads.begin());
    if (same == op_.reads.end()) op_.reads.push_back(std::move(read));
    return tensor::read(position, type);
  }

  // After the parenthesis.
  absl::StatusOr<Expression> call(const std::string &name) {
    if (name == "index") {
      HONE_ASSIGN_OR_RETURN(const Index inner, index());
      HONE_RETURN_IF_ERROR(in_.expect(")"));
      return indexValue(inner);
    }
    if (const std::optional<DType> type = parseDType(name)) {
      HONE_ASSIGN_OR_RETURN(const Scalar inner, typedArgument());
      return cast(*type, inner);
    }
    const std::optional<ScalarOp> op = parseScalarOp(name);
    if (!op) return in_.expected(absl::StrCat("an operation, not '", name, "'"));
    std::vector<Expression> args;
    do {
      HONE_ASSIGN_OR_RETURN(Expression each, sum());
      args.push_back(std::move(each));
    } while (in_.accept(","));
    HONE_RETURN_IF_ERROR(in_.expect(")"));
    if (static_cast<int>(args.size()) != arity(*op))
      return in_.expected(absl::StrCat(arity(*op), " operands of ", name, ", not ", args.size()));
    return applied(in_, *op, std::move(args));
  }

  // What a cast is of: nothing around it tells its dtype.
  absl::StatusOr<Scalar> typedArgument() {
    HONE_ASSIGN_OR_RETURN(const Expression inner, sum());
    HONE_RETURN_IF_ERROR(in_.expect(")"));
    if (!std::holds_alternative<Scalar>(inner)) return in_.expected("a number with its type, such as 1:f32");
    return std::get<Scalar>(inner);
  }

  absl::StatusOr<Expression> accumulated(const std::string &name) {
    for (const bool isElement : {false, true}) {
      const std::string_view word = isElement ? "new" : "acc";
      int position = 0;
      const char *const end = name.data() + name.size();
      if (!name.starts_with(word)) continue;
      const auto [rest, error] = std::from_chars(name.data() + word.size(), end, position);
      if (error != std::errc() || rest != end || position < 0 || static_cast<size_t>(position) >= types_.size()) break;
      const DType type = types_[static_cast<size_t>(position)];
      return isElement ? element(position, type) : accumulator(position, type);
    }
    return in_.expected(absl::StrCat("an expression, not '", name, "'"));
  }

  TextReader &in_;
  const Kernel &kernel_;
  const std::map<std::string, int, std::less<>> &buffers_;
  TensorOp op_;
  int64_t points_ = 1;
  std::map<std::string, int, std::less<>> dims_;
  std::vector<DType> types_;
};

// ------------------------------------------------------------------------------------------------------ the kernel

// What is computed from dims and numbers stays far from the ends of 64 bits, so that who computes with it need not
// look.
absl::Status checkRanges(const Kernel &kernel, const TensorOp &stage) {
  constexpr int64_t kFar = int64_t{1} << 60;
  bool isFar = false;
  const auto look = [&](const Index &index) {
    visit(index, [&](const IndexNode &node) {
      bool hasLoad = false;
      const Index here = std::make_shared<const IndexNode>(node);
      visit(here, [&hasLoad](const IndexNode &inner) { hasLoad |= inner.kind == IndexKind::Load; });
      if (hasLoad) return;
      const IndexRange range = rangeOf(kernel, stage, here);
      isFar |= range.low < -kFar || range.high > kFar;
    });
  };
  for (const auto *accesses : {&stage.reads, &stage.writes})
    for (const Access &access : *accesses)
      for (const Index &index : access.indices) look(index);
  for (const Scalar &scalar : stage.body) visitIndices(scalar, look);
  if (!isFar) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stage '", stage.name, "': an index goes beyond 2^60; no buffer is that large"));
}

absl::StatusOr<Layout> parseLayout(TextReader &in, const std::vector<int64_t> &shape) {
  Layout layout;
  std::vector<bool> hasExtent;
  while (in.accept("[")) {
    LayoutAxis axis;
    HONE_ASSIGN_OR_RETURN(const int64_t dim, in.integer());
    if (dim < 0 || dim >= static_cast<int64_t>(shape.size()))
      return in.expected(absl::StrCat("a dim below ", shape.size()));
    axis.dim = static_cast<int>(dim);
    if (in.accept("/")) {
      HONE_ASSIGN_OR_RETURN(axis.divisor, in.positive());
    }
    const bool isInner = in.accept("%");
    if (isInner) {
      HONE_ASSIGN_OR_RETURN(axis.extent, in.integer());
    } else {
      axis.extent = shape[static_cast<size_t>(dim)] / axis.divisor +
                    (shape[static_cast<size_t>(dim)] % axis.divisor != 0 ? 1 : 0);
    }
    HONE_RETURN_IF_ERROR(in.expect("]"));
    layout.axes.push_back(axis);
  }
  return layout;
}

absl::StatusOr<Buffer> parseBuffer(TextReader &in, BufferRole role) {
  constexpr int64_t kMostElements = int64_t{1} << 46;
  Buffer buffer;
  buffer.role = role;
  HONE_ASSIGN_OR_RETURN(buffer.name, in.word("the name of a buffer"));
  HONE_ASSIGN_OR_RETURN(buffer.dtype, in.dtype());
  HONE_RETURN_IF_ERROR(in.expect("["));
  if (!in.accept("]")) {
    do {
      HONE_ASSIGN_OR_RETURN(const int64_t extent, in.integer());
      buffer.shape.push_back(extent);
    } while (in.accept(","));
    HONE_RETURN_IF_ERROR(in.expect("]"));
  }
  buffer.layout = Layout::rowMajor(buffer.shape);
  if (in.accept("layout")) {
    HONE_ASSIGN_OR_RETURN(buffer.layout, parseLayout(in, buffer.shape));
  }
  int64_t elements = 1;
  for (const LayoutAxis &axis : buffer.layout.axes) {
    if (axis.extent < 1 || __builtin_mul_overflow(elements, axis.extent, &elements) || elements > kMostElements)
      return in.expected(absl::StrCat("a buffer of 1 to ", kMostElements, " elements"));
  }
  return buffer;
}

std::optional<BufferRole> acceptRole(TextReader &in) {
  static constexpr std::pair<std::string_view, BufferRole> kWords[] = {{"input", BufferRole::Input},
                                                                       {"output", BufferRole::Output},
                                                                       {"parameter", BufferRole::Parameter},
                                                                       {"temporary", BufferRole::Temporary}};
  for (const auto &[word, role] : kWords)
    if (in.acceptBeforeBlank(word)) return role;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<Kernel> parse(std::string_view text) {
  TextReader in(text, "kernel");
  Kernel kernel;
  HONE_RETURN_IF_ERROR(in.expect("kernel"));
  kernel.name = in.restOfLine();
  std::map<std::string, int, std::less<>> buffers;
  while (const std::optional<BufferRole> role = acceptRole(in)) {
    HONE_ASSIGN_OR_RETURN(Buffer buffer, parseBuffer(in, *role));
    buffers.emplace(buffer.name, static_cast<int>(kernel.buffers.size()));
    kernel.buffers.push_back(std::move(buffer));
  }
  while (!in.atEnd()) {
    HONE_ASSIGN_OR_RETURN(TensorOp stage, StageParser(in, kernel, buffers).parse());
    HONE_RETURN_IF_ERROR(checkRanges(kernel, stage));
    kernel.stages.push_back(std::move(stage));
  }
  if (const std::string error = verify(kernel); !error.empty())
    return absl::InvalidArgumentError(absl::StrCat("kernel '", kernel.name, "': ", error));
  return kernel;
}

}  // namespace hone::tensor
