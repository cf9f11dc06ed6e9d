// The rules of schedules and what legal() says of one that is broken. A rule has one sentence and every refusal names
// its rule, so that a test can go through all of them. Constant data; thread-safe.
#pragma once

#include <cstdint>
#include <span>

namespace hone::schedule {

/// In the order in which they are checked.
enum class Rule : uint8_t {
  LinePerStage,
  LinesInOrder,
  VectorDimExists,
  LanesFit,
  VectorDimIsNoScan,
  VectorDimIsNotLoaded,
  RegisterDimExists,
  RegisterDimIsNoScan,
  RegisterDimOnce,
  RegisterTileFits,
  RegisterTuplesFit,
  VectorRegistersSuffice,
  LoopDimExists,
  LoopKindFits,
  StepIsWholeTiles,
  StepsDivide,
  AttachedIsNotParallel,
  ScanPiecesAreApart,
  ScanPiecesAreTheSame,
  UnrollsReductions,
  UnrolledStepsFit,
  HostIsAnotherStage,
  ScansAreNotAttached,
  HostHasTheLoop,
  ReadersAreInside,
  NothingLoadsFromIt,
  HostReadsIt,
  WriterIsNotElsewhere,
  WrittenByOnePiece,
  FollowsElementByElement,
  FollowsAtTheInnermostLoop,
  HostEndsWithItsTile,
  FollowerHasNoLoops,
  PacksParameters,
  PacksOnce,
  PackNamesAllDims,
  PrefetchesParameters,
  PrefetchesOnce,
  PrefetchesInReductions,
  PrefetchIsNear,
  StoresTemporaries,
  StoresOnce,
  LayoutIsNotPadding,
};

struct Sentence {
  Rule rule;
  const char *text;  ///< for absl::Substitute: $0, $1 and so on are names and numbers
};

/// One per rule, in the order of the rules.
std::span<const Sentence> sentences();
const char *sentenceOf(Rule rule);

}  // namespace hone::schedule
