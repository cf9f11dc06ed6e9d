// The rules of simplify(): each looks at one node and answers with a simpler value that equals its result, or with
// nothing. Floats are taken for numbers: sums and products may be reordered, and what a rule does to NaN is not
// asked. No rule changes a type. Pure functions of the graph around the node.
#pragma once

#include <optional>

#include "compiler/graph/graph.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {

using Result = std::optional<ValueId>;

// ------------------------------------------------------------------------------------------ order of operands
Result moveConstantRight(Rewriter &rewriter, const Node &node);     ///< c + x -> x + c, for what commutes
Result shrinkUniformOperand(Rewriter &rewriter, const Node &node);  ///< x + [c, c, c] -> x + c
Result dropBroadcastOperand(Rewriter &rewriter, const Node &node);  ///< x + broadcast(y) -> x + y

// ------------------------------------------------------------------------------------------- neutral operands
Result dropNeutralOperand(Rewriter &rewriter, const Node &node);  ///< x + 0, x * 1, x / 1, x ^ 1, x and true, …
Result chooseBranch(Rewriter &rewriter, const Node &node);        ///< select(true, x, y) -> x
Result negateFromZero(Rewriter &rewriter, const Node &node);      ///< 0 - x -> -x

// ------------------------------------------------------------------------------------------------------ signs
Result dropDoubleNegation(Rewriter &rewriter, const Node &node);  ///< --x -> x, not not x -> x
Result mergeNegation(Rewriter &rewriter, const Node &node);       ///< x + -y -> x - y, x - -y -> x + y

// -------------------------------------------------------------------------------------------------- constants
Result subtractAsAdd(Rewriter &rewriter, const Node &node);     ///< x - c -> x + -c
Result divideAsMultiply(Rewriter &rewriter, const Node &node);  ///< x / c -> x * (1 / c), floats
Result mergeConstants(Rewriter &rewriter, const Node &node);    ///< (x * a) * b -> x * (a * b), + min max alike

// ----------------------------------------------------------------------------------------------------- powers
Result expandPower(Rewriter &rewriter, const Node &node);  ///< x ^ 2 -> x * x; 3, 0.5, -0.5, -1 alike

// ------------------------------------------------------------------------------------------------------- clip
Result orderClip(Rewriter &rewriter, const Node &node);  ///< max(min(x, high), low) -> min(max(x, low), high)

// ------------------------------------------------------------------------------------------------- identities
Result dropIdentity(Rewriter &rewriter, const Node &node);  ///< movement and casts that move and cast nothing

// ------------------------------------------------------------------------------------------- movement, in pairs
Result mergeReshapes(Rewriter &rewriter, const Node &node);       ///< reshape of reshape
Result mergeTransposes(Rewriter &rewriter, const Node &node);     ///< transpose of transpose
Result mergeBroadcasts(Rewriter &rewriter, const Node &node);     ///< broadcast of broadcast
Result transposeAsReshape(Rewriter &rewriter, const Node &node);  ///< only extents of 1 move
Result mergeCasts(Rewriter &rewriter, const Node &node);          ///< there and back through a wider dtype
Result mergePadIntoConv(Rewriter &rewriter, const Node &node);    ///< zero padding becomes the convolution's own

// --------------------------------------------------------------------------- elementwise behind what is pieced
Result moveBeforeWeaving(Rewriter &rewriter, const Node &node);  ///< f(reshape(concat)) -> reshape(f(concat))
Result moveBeforeConcat(Rewriter &rewriter, const Node &node);   ///< f(concat(a, b)) -> concat(f(a), f(b))

// ------------------------------------------------------------------------------------------------- reductions
Result reduceOfOnes(Rewriter &rewriter, const Node &node);     ///< over extents of 1 alone: a reshape
Result keepReducedDims(Rewriter &rewriter, const Node &node);  ///< reshape that restores what a reduce dropped
Result sumAsMean(Rewriter &rewriter, const Node &node);        ///< sum(x) * (1 / n) -> mean(x)

}  // namespace hone::graph
