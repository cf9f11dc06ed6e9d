// placePieces(): which operands of concatenations their own kernels write to their places.
#include <algorithm>

#include "compiler/plan/program.h"
#include "compiler/tensor/affine.h"

namespace hone::plan {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;

size_t at(ValueId id) { return static_cast<size_t>(id); }

/// Channels lie in blocks of at most this many.
constexpr int64_t kWidestBlock = 16;

struct Piece {
  ValueId input = -1;  ///< of the concatenation
  ValueId value = -1;  ///< what is computed: the input, or what it is a view of
  Indices coords;      ///< where in the result, over the points of the value's domain
};

class PiecePlacer {
 public:
  explicit PiecePlacer(Program &program) : program_(program), rankOfBlocks_(program.graph.values.size(), 0) {}

  void run() {
    for (const Node &node : program_.graph.nodes) {
      rankOfBlocks_[at(node.output)] = rankOfBlocks(node);
      if (node.op == Op::Concat) place(node);
    }
  }

 private:
  /// The rank in which the channels of what \p node gives may lie in blocks: that of windows, if it is computed by them
  /// or goes along with what is. Views on the way may have others. 0: they do not.
  size_t rankOfBlocks(const Node &node) const {
    const size_t rank = program_.shape(node.output).size();
    if (node.op == Op::Conv || node.op == Op::Pool) return rank;
    const bool isPointwise = node.op == Op::Elementwise || node.op == Op::Cast;
    if (!isPointwise && node.op != Op::Concat && (!isView(node.op) || node.op == Op::Transpose)) return 0;
    size_t found = 0;
    for (ValueId input : node.inputs) found = std::max(found, rankOfBlocks_[at(input)]);
    return isPointwise && found != rank ? 0 : found;
  }

  bool hasOneReader(ValueId value) const {
    return program_.planned(value).users.size() == 1 && !program_.planned(value).isOutput &&
           !program_.planned(value).isStored;
  }

  int loopOf(ValueId computed) const {
    return program_.groups[static_cast<size_t>(program_.planned(computed).group)].loop;
  }

  void place(const Node &concat) {
    const auto axis = static_cast<size_t>(std::get<graph::AxisAttributes>(concat.attributes).axis);
    // Each vector of channels that begins within a block would reach over two.
    const bool isBlocked = axis == 1 && rankOfBlocks_[at(concat.output)] == program_.shape(concat.output).size();
    std::vector<Piece> pieces;
    int64_t offset = 0;
    for (ValueId input : concat.inputs) {
      const bool fitsBlocks = !isBlocked || offset % kWidestBlock == 0;
      std::optional<Piece> piece = fitsBlocks ? find(input, axis, offset) : std::nullopt;
      if (piece && loopOf(piece->value) == runsIn(program_, program_.planned(concat.output).producer)) {
        pieces.push_back(std::move(*piece));
      }
      offset += program_.shape(input)[axis];
    }
    ValueId form = concat.output;
    if (pieces.size() == concat.inputs.size()) form = follow(form, pieces);
    if (form != concat.output) program_.pieces.forms[concat.output] = form;
    for (Piece &piece : pieces) {
      program_.pieces.inputs.insert(piece.input);
      program_.pieces.entries[piece.value] = {piece.value, form, std::move(piece.coords), -1};
    }
  }

  std::optional<Piece> find(ValueId input, size_t axis, int64_t offset) const {
    std::vector<const Node *> views;
    ValueId value = input;
    for (const Node *node = program_.producerOf(value); node != nullptr && hasOneReader(value) && isBijection(node->op);
         node = program_.producerOf(value)) {
      views.push_back(node);
      value = node->inputs[0];
    }
    if (!hasOneReader(value) || program_.planned(value).group < 0 || !program_.planned(value).coords)
      return std::nullopt;
    Indices coords = *program_.planned(value).coords;
    for (size_t i = views.size(); i-- > 0;) coords = forward(program_.graph, *views[i], coords);
    coords[axis] = coords[axis] + offset;
    if (!isAffine(coords)) return std::nullopt;
    return Piece{input, value, std::move(coords)};
  }

  /// Writes beyond the end are dropped: what is cut off there needs no other place.
  static bool cutsEnds(const Node &node) {
    const auto *slice = std::get_if<graph::SliceAttributes>(&node.attributes);
    return slice != nullptr &&
           std::all_of(slice->starts.begin(), slice->starts.end(), [](int64_t n) { return n == 0; }) &&
           std::all_of(slice->steps.begin(), slice->steps.end(), [](int64_t n) { return n == 1; });
  }

  /// What only reshapes and transposes make of the result \p form: pieces that are woven into each other are written to
  /// where they end up. Moves the coords of \p pieces along.
  ValueId follow(ValueId form, std::vector<Piece> &pieces) const {
    ValueId best = form;
    std::vector<Piece> current = pieces;
    while (hasOneReader(form)) {
      const Node &user = program_.graph.nodes[static_cast<size_t>(program_.planned(form).users[0])];
      const bool isCut = cutsEnds(user);
      if (!isBijection(user.op) && !isCut) break;
      for (Piece &piece : current) {
        if (!isCut) piece.coords = forward(program_.graph, user, piece.coords);
      }
      form = user.output;
      const bool fits =
          std::all_of(current.begin(), current.end(), [](const Piece &piece) { return isAffine(piece.coords); });
      if (!fits) continue;
      best = form;
      pieces = current;
    }
    return best;
  }

  Program &program_;
  std::vector<size_t> rankOfBlocks_;  ///< per value
};

}  // namespace

void placePieces(Program &program) { PiecePlacer(program).run(); }

}  // namespace hone::plan
