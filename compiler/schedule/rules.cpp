#include "compiler/schedule/rules.h"

#include <cstddef>

namespace hone::schedule {
namespace {

constexpr Sentence kSentences[] = {
    {Rule::LinePerStage, "schedule has $0 stages, kernel '$1' has $2; give one line per stage"},
    {Rule::LinesInOrder, "schedule line for stage '$0' where '$1' is expected; keep the kernel's order of stages"},

    {Rule::VectorDimExists, "vector dim '$0' is not a dim of the stage"},
    {Rule::LanesFit, "vector of $0 lanes; use a power of two from 2 to $1"},
    {Rule::VectorDimIsNoScan, "vector dim '$0' is a scan dim, which is serial"},
    {Rule::VectorDimIsNotLoaded, "vector dim '$0' occurs in an index that is loaded from a buffer"},

    {Rule::RegisterDimExists, "register dim '$0' is not a dim of the stage"},
    {Rule::RegisterDimIsNoScan, "register dim '$0' is a scan dim, which is serial"},
    {Rule::RegisterDimOnce, "register dim '$0' is given twice"},
    {Rule::RegisterTileFits, "registers $0 $1 make a register tile of more than $2 elements"},
    {Rule::RegisterTuplesFit, "register tile of $0 elements of $1 values each; at most $2 values"},
    {Rule::VectorRegistersSuffice,
     "register tile needs $0 vector registers, the target has $1; lower the counts after 'registers'"},

    {Rule::LoopDimExists, "loop over '$0', which is not a dim of the stage"},
    {Rule::LoopKindFits, "'$0' among the $1 loops is not a $2 dim"},
    {Rule::StepIsWholeTiles, "loop $0/$1 is not a multiple of the register tile, $2"},
    {Rule::StepsDivide, "loop $0/$1 inside $0/$2: steps must get smaller, each a divisor of the one before"},
    {Rule::AttachedIsNotParallel, "parallel loops in a stage that is attached to another; give them as tile loops"},
    {Rule::ScanPiecesAreApart,
     "parallel loop over '$0', whose values meet in the steps of the scan; give it as a tile loop"},
    {Rule::ScanPiecesAreTheSame, "parallel loops differ from those of '$0'; all stages of a scan have the same"},

    {Rule::UnrollsReductions, "unroll of '$0', which is not a reduction dim of the stage"},
    {Rule::UnrolledStepsFit, "unrolling makes $0 steps; at most $1"},

    {Rule::HostIsAnotherStage, "attached to '$0', which is not another stage of the kernel"},
    {Rule::ScansAreNotAttached, "stages with scan dims cannot be attached"},
    {Rule::HostHasTheLoop, "attached at loop $0/$1, which is not among the parallel or tile loops of '$2'"},
    {Rule::ReadersAreInside, "attached to '$0' but also read by '$1', outside of that loop"},
    {Rule::NothingLoadsFromIt,
     "attached to '$0', but '$1' loads indices from what it writes, which has to be complete; attach it nowhere"},
    {Rule::HostReadsIt, "attached to '$0', which does not read it"},
    {Rule::WriterIsNotElsewhere, "reads '$0', which is attached elsewhere"},
    {Rule::WrittenByOnePiece, "writes '$0', which would be written by several pieces of '$1'"},
    {Rule::FollowsElementByElement, "attached to '$0' but does not follow it element by element"},
    {Rule::FollowsAtTheInnermostLoop, "a stage that reads '$0' is attached at its innermost loop, $1/$2"},
    {Rule::HostEndsWithItsTile, "attached to '$0', whose loops leave $1 of dim '$2'; end them with $2/$3"},
    {Rule::FollowerHasNoLoops, "takes vector dim, registers and loops from '$0'; give none"},

    {Rule::PacksParameters, "packs '$0', which is not a parameter of the kernel"},
    {Rule::PacksOnce, "packs '$0' twice"},
    {Rule::PackNamesAllDims, "layout of '$0' must name each of its $1 dims"},

    {Rule::PrefetchesParameters, "prefetches '$0', which is not a parameter that the stage reads"},
    {Rule::PrefetchesOnce, "prefetches '$0' twice"},
    {Rule::PrefetchesInReductions, "prefetches '$0' in the steps of a reduction, and reduces nothing"},
    {Rule::PrefetchIsNear, "prefetches '$0' $1 elements further on; at most $2"},

    {Rule::StoresTemporaries, "stores '$0', which is not a temporary that the stage writes"},
    {Rule::StoresOnce, "stores '$0' twice"},
    {Rule::LayoutIsNotPadding, "layout of '$0' has blocks of $1 where dim $2 is $3 long; at most $4"},
};

constexpr bool areInOrder() {
  for (size_t i = 0; i < std::size(kSentences); ++i) {
    if (static_cast<size_t>(kSentences[i].rule) != i) return false;
  }
  return std::size(kSentences) == static_cast<size_t>(Rule::LayoutIsNotPadding) + 1;
}
static_assert(areInOrder(), "each rule has one sentence, at its place");

}  // namespace

std::span<const Sentence> sentences() { return kSentences; }

const char *sentenceOf(Rule rule) { return kSentences[static_cast<size_t>(rule)].text; }

}  // namespace hone::schedule
