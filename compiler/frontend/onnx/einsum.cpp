// Einsum: sums of products over named dims.
//
// Every operand is a value whose dims have labels. Diagonals are taken first, then labels that occur nowhere else are
// summed; then two operands at a time become one, by a product of matrices [batch, kept, summed] × [batch, summed,
// kept] where something is summed, elementwise where nothing is.
#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <set>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// Letters stand for themselves; the dims of an ellipsis are -1 for the last, -2 for the one before, and so on.
using Label = int;
using Labels = std::vector<Label>;

constexpr const char *kEllipsis = "...";

struct Term {
  ValueId value = -1;
  Labels labels;
};

struct Equation {
  std::vector<std::string> operands;
  std::optional<std::string> output;
};

absl::StatusOr<Equation> parseEquation(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) != 0; }),
             text.end());
  Equation equation;
  if (size_t arrow = text.find("->"); arrow != std::string::npos) {
    equation.output = text.substr(arrow + 2);
    text.resize(arrow);
  }
  size_t begin = 0;
  for (size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    equation.operands.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  equation.operands.push_back(text.substr(begin));
  return equation;
}

/// The labels of \p text, in which an ellipsis stands for \p hidden dims.
absl::StatusOr<Labels> parseLabels(const std::string &text, int64_t hidden) {
  Labels labels;
  bool hasEllipsis = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, kEllipsis) == 0 && !hasEllipsis) {
      for (int64_t k = hidden; k > 0; --k) labels.push_back(static_cast<Label>(-k));
      hasEllipsis = true;
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i])) != 0) {
      labels.push_back(static_cast<Label>(text[i]));
    } else {
      return invalid("'", text, "' in the equation is no list of letters");
    }
  }
  return labels;
}

bool contains(const Labels &labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

class Contraction {
 public:
  explicit Contraction(NodeContext &node) : node_(node), build_(node.build) {}

  Result run() {
    HONE_RETURN_IF_ERROR(readTerms());
    HONE_RETURN_IF_ERROR(takeBounds());
    for (Term &term : terms_) HONE_RETURN_IF_ERROR(takeDiagonals(term));
    HONE_RETURN_IF_ERROR(checkExtents());
    for (Term &term : terms_) HONE_RETURN_IF_ERROR(dropRepeated(term));
    while (terms_.size() > 1) {
      Term left = std::move(terms_[0]), right = std::move(terms_[1]);
      terms_.erase(terms_.begin(), terms_.begin() + 2);
      HONE_RETURN_IF_ERROR(sumWhatNobodyNeeds(left, right.labels));
      HONE_RETURN_IF_ERROR(sumWhatNobodyNeeds(right, left.labels));
      HONE_ASSIGN_OR_RETURN(Term product, multiply(std::move(left), std::move(right)));
      terms_.insert(terms_.begin(), std::move(product));
    }
    HONE_RETURN_IF_ERROR(sumWhatNobodyNeeds(terms_[0], {}));
    return finish(terms_[0]);
  }

 private:
  // ------------------------------------------------------------------------------------------------- the equation

  absl::Status readTerms() {
    HONE_ASSIGN_OR_RETURN(std::string text, node_.text("equation"));
    HONE_ASSIGN_OR_RETURN(Equation equation, parseEquation(text));
    if (equation.operands.size() != static_cast<size_t>(node_.inputCount())) {
      return invalid("equation '", text, "' is of ", equation.operands.size(), " operands, not ", node_.inputCount());
    }
    int64_t mostHidden = 0;
    for (int i = 0; i < node_.inputCount(); ++i) {
      if (!node_.has(i)) return invalid("operand ", i, " is missing");
      const std::string &labels = equation.operands[static_cast<size_t>(i)];
      bool hasEllipsis = labels.find(kEllipsis) != std::string::npos;
      int64_t hidden = hasEllipsis ? node_.rank(i) - static_cast<int64_t>(labels.size() - 3) : 0;
      Term term{node_.input(i), {}};
      HONE_ASSIGN_OR_RETURN(term.labels, parseLabels(labels, hidden));
      if (static_cast<int64_t>(term.labels.size()) != node_.rank(i)) {
        return invalid("'", labels, "' in the equation does not name the dims of shape ",
                       graph::shapeText(node_.shape(i)));
      }
      mostHidden = std::max(mostHidden, hidden);
      terms_.push_back(std::move(term));
    }
    if (equation.output) {
      HONE_ASSIGN_OR_RETURN(output_, parseLabels(*equation.output, mostHidden));
      return absl::OkStatus();
    }
    // Without a result's list it is the ellipsis, then what occurs once, in the order of the alphabet.
    std::map<Label, int> occurrences;
    for (const Term &term : terms_) {
      for (Label label : term.labels) ++occurrences[label];
    }
    for (const auto &[label, count] : occurrences) {
      if (label < 0 || count == 1) output_.push_back(label);
    }
    return absl::OkStatus();
  }

  absl::Status checkExtents() {
    for (const Term &term : terms_) {
      for (size_t d = 0; d < term.labels.size(); ++d) {
        int64_t extent = build_.shape(term.value)[d];
        int64_t &known = extents_.try_emplace(term.labels[d], extent).first->second;
        if (known == 1) known = extent;
        if (extent != 1 && extent != known) {
          return invalid("a dim of the equation has extents ", known, " and ", extent);
        }
      }
    }
    std::set<Label> seen;
    for (Label label : output_) {
      if (!extents_.contains(label)) return invalid("the equation's result names a dim that no operand has");
      if (!seen.insert(label).second) return invalid("the equation's result names a dim twice");
    }
    return absl::OkStatus();
  }

  /// Dims whose sizes depend on data: zeros behind the true elements add nothing to any sum, so that the bounds, which
  /// are cut to the least of each label, can be taken for sizes. The result gets the extents of its labels.
  absl::Status takeBounds() {
    std::map<Label, int64_t> least;
    for (const Term &term : terms_) {
      for (size_t d = 0; d < term.labels.size(); ++d) {
        if (!build_.isBounded(term.value, static_cast<int64_t>(d))) continue;
        sizes_[term.labels[d]] = build_.extents(term.value)[d];
        const int64_t bound = build_.shape(term.value)[d];
        int64_t &known = least.try_emplace(term.labels[d], bound).first->second;
        known = std::min(known, bound);
      }
    }
    for (Term &term : terms_) {
      std::vector<int64_t> axes(term.labels.size());
      std::iota(axes.begin(), axes.end(), 0);
      HONE_ASSIGN_OR_RETURN(term.value,
                            build_.withoutPadding(term.value, axes, build_.number(build_.dtype(term.value), 0)));
      Shape kept = build_.shape(term.value);
      HONE_ASSIGN_OR_RETURN(term.value, build_.asBounds(term.value, kept));
      for (size_t d = 0; d < kept.size(); ++d) {
        if (const auto bound = least.find(term.labels[d]); bound != least.end())
          kept[d] = std::min(kept[d], bound->second);
      }
      HONE_ASSIGN_OR_RETURN(term.value, build_.slice(term.value, Shape(kept.size(), 0), Shape(kept.size(), 1), kept));
    }
    return absl::OkStatus();
  }

  // -------------------------------------------------------------------------------------------------- one operand

  absl::Status moveTo(Term &term, const Labels &order) {
    std::vector<int64_t> permutation;
    for (Label label : order) {
      auto at = std::find(term.labels.begin(), term.labels.end(), label);
      permutation.push_back(at - term.labels.begin());
    }
    HONE_ASSIGN_OR_RETURN(term.value, build_.transpose(term.value, permutation));
    term.labels = order;
    return absl::OkStatus();
  }

  /// Where a label names two dims, they become one: every (extent + 1)-th element of both taken as one dim.
  absl::Status takeDiagonals(Term &term) {
    for (size_t first = 0; first < term.labels.size(); ++first) {
      auto again = std::find(term.labels.begin() + static_cast<std::ptrdiff_t>(first) + 1, term.labels.end(),
                             term.labels[first]);
      if (again == term.labels.end()) continue;
      auto second = static_cast<size_t>(again - term.labels.begin());
      Shape shape = build_.shape(term.value);
      int64_t extent = shape[first];
      if (shape[second] != extent) return invalid("a diagonal of extents ", extent, " and ", shape[second]);
      std::vector<int64_t> permutation;
      for (size_t d = 0; d < shape.size(); ++d) {
        if (d != first && d != second) permutation.push_back(static_cast<int64_t>(d));
      }
      Labels labels;
      Shape rest;
      for (int64_t d : permutation) {
        labels.push_back(term.labels[static_cast<size_t>(d)]);
        rest.push_back(shape[static_cast<size_t>(d)]);
      }
      labels.push_back(term.labels[first]);
      permutation.push_back(static_cast<int64_t>(first));
      permutation.push_back(static_cast<int64_t>(second));
      Shape flat = rest, diagonal = rest, steps(rest.size() + 1, 1);
      flat.push_back(extent * extent);
      diagonal.push_back(extent);
      steps.back() = extent + 1;
      Result turned = build_.reshape(build_.transpose(term.value, permutation), flat);
      HONE_ASSIGN_OR_RETURN(term.value, build_.slice(turned, Shape(flat.size(), 0), steps, diagonal));
      term.labels = labels;
      return takeDiagonals(term);
    }
    return absl::OkStatus();
  }

  /// A dim of extent 1 that others have longer is repeated: the same as not having it.
  absl::Status dropRepeated(Term &term) {
    Labels kept;
    Shape shape;
    for (size_t d = 0; d < term.labels.size(); ++d) {
      int64_t extent = build_.shape(term.value)[d];
      if (extent == 1 && extents_.at(term.labels[d]) != 1) continue;
      kept.push_back(term.labels[d]);
      shape.push_back(extent);
    }
    HONE_ASSIGN_OR_RETURN(term.value, build_.reshape(term.value, shape));
    term.labels = kept;
    return absl::OkStatus();
  }

  bool isNeeded(Label label) const {
    return contains(output_, label) ||
           std::any_of(terms_.begin(), terms_.end(), [&](const Term &term) { return contains(term.labels, label); });
  }

  /// Sums over the labels that neither \p others nor the terms to come nor the result have.
  absl::Status sumWhatNobodyNeeds(Term &term, const Labels &others) {
    // The last term is still in terms_: there only the result counts.
    bool isLast = terms_.size() == 1 && &terms_[0] == &term;
    std::vector<int64_t> axes;
    Labels kept;
    for (size_t d = 0; d < term.labels.size(); ++d) {
      Label label = term.labels[d];
      bool needed = contains(others, label) || (isLast ? contains(output_, label) : isNeeded(label));
      if (needed) kept.push_back(label);
      if (!needed) axes.push_back(static_cast<int64_t>(d));
    }
    HONE_ASSIGN_OR_RETURN(term.value, build_.reduce(graph::ReduceKind::Sum, term.value, axes, false));
    term.labels = kept;
    return absl::OkStatus();
  }

  // ------------------------------------------------------------------------------------------------- two operands

  absl::StatusOr<Term> multiply(Term left, Term right) {
    // Weights that are known are packed where they are on the right.
    if (build_.constant(left.value) != nullptr && build_.constant(right.value) == nullptr) std::swap(left, right);
    Labels batch, summed, leftOnly, rightOnly;
    for (Label label : left.labels) {
      bool isShared = contains(right.labels, label);
      (!isShared ? leftOnly : isNeeded(label) ? batch : summed).push_back(label);
    }
    for (Label label : right.labels) {
      if (!contains(left.labels, label)) rightOnly.push_back(label);
    }
    Term result;
    result.labels = joined({batch, leftOnly, rightOnly});
    if (summed.empty()) {
      HONE_RETURN_IF_ERROR(moveTo(left, joined({batch, leftOnly})));
      HONE_RETURN_IF_ERROR(moveTo(right, joined({batch, rightOnly})));
      Result a =
          build_.reshape(left.value, joined({extentsOf(batch), extentsOf(leftOnly), Shape(rightOnly.size(), 1)}));
      Result b =
          build_.reshape(right.value, joined({extentsOf(batch), Shape(leftOnly.size(), 1), extentsOf(rightOnly)}));
      HONE_ASSIGN_OR_RETURN(result.value, build_.apply(ScalarOp::Mul, {a, b}));
      return result;
    }
    HONE_RETURN_IF_ERROR(moveTo(left, joined({batch, leftOnly, summed})));
    HONE_RETURN_IF_ERROR(moveTo(right, joined({batch, summed, rightOnly})));
    Shape front = batch.empty() ? Shape() : Shape{count(batch)};
    Result a = build_.reshape(left.value, joined({front, Shape{count(leftOnly), count(summed)}}));
    Result b = build_.reshape(right.value, joined({front, Shape{count(summed), count(rightOnly)}}));
    HONE_ASSIGN_OR_RETURN(result.value, build_.reshape(build_.matMul(a, b), extentsOf(result.labels)));
    return result;
  }

  template <typename List>
  static List joined(std::initializer_list<List> lists) {
    List all;
    for (const List &list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  }

  Shape extentsOf(const Labels &labels) const {
    Shape extents;
    for (Label label : labels) extents.push_back(extents_.at(label));
    return extents;
  }

  int64_t count(const Labels &labels) const {
    const Shape extents = extentsOf(labels);
    return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<int64_t>());
  }

  Result finish(Term &term) {
    HONE_RETURN_IF_ERROR(moveTo(term, output_));
    Extents extents;
    for (Label label : output_) {
      const auto size = sizes_.find(label);
      extents.push_back(size == sizes_.end() ? -1 : size->second);
    }
    return build_.bounded(term.value, std::move(extents));
  }

  NodeContext &node_;
  Builder &build_;
  std::vector<Term> terms_;
  Labels output_;
  std::map<Label, int64_t> extents_;
  std::map<Label, ValueId> sizes_;  ///< of the dims whose sizes depend on data
};

}  // namespace

Result importEinsum(NodeContext &node) { return Contraction(node).run(); }

}  // namespace hone::frontend
