#include "compiler/graph/passes.h"
#include "compiler/graph/rewriter.h"
#include "compiler/graph/simplify_rules.h"

namespace hone::graph {

absl::Status simplify(Graph &graph) {
  Rewriter(graph).run({
      // Order of operands.
      moveConstantRight,
      shrinkUniformOperand,
      dropBroadcastOperand,
      // Neutral operands.
      dropNeutralOperand,
      chooseBranch,
      negateFromZero,
      // Signs.
      dropDoubleNegation,
      mergeNegation,
      // Constants.
      subtractAsAdd,
      divideAsMultiply,
      mergeConstants,
      // Powers.
      expandPower,
      // Clip.
      orderClip,
      // Identities.
      dropIdentity,
      // Movement, in pairs.
      mergeReshapes,
      mergeTransposes,
      mergeBroadcasts,
      transposeAsReshape,
      mergeCasts,
      mergePadIntoConv,
      // Elementwise behind what is pieced together.
      moveBeforeWeaving,
      moveBeforeConcat,
      // Reductions.
      reduceOfOnes,
      keepReducedDims,
      sumAsMean,
  });
  return absl::OkStatus();
}

}  // namespace hone::graph
