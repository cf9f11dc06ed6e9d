// What a worker knows of each kind of task, as a table: which files its child is given, what the child is asked, what
// becomes of its result. A kind is added by a file that defines its entry, and by its line in the table of kinds.cpp.
//
// Everything here is data and pure functions. Thread-safe.
#pragma once

#include <span>
#include <vector>

#include "hone/v1/fleet.pb.h"
#include "hone/v1/tasks.pb.h"
#include "hone/v1/work.pb.h"

namespace hone::worker {

// Numbers of the files in the child: the first of inputs(), the new one, the rest of inputs().
inline constexpr int kFirstInput = 4;
inline constexpr int kOutput = 5;
inline constexpr int kFurtherInputs = 6;

/// A kind of task. Where a function may be null, the comment says what that means.
struct WorkKind {
  v1::TaskSpec::KindCase which;
  const char *name;  ///< of the field in TaskSpec
  int32_t version;   ///< the newest form of it that is understood
  v1::Role role;
  const char *code;  ///< what runs in the child, for a sentence about its crash: "the compiler"

  /// The blobs that its child reads, in the order of their numbers; at least one if it makes a file.
  std::vector<v1::Digest> (*inputs)(const v1::TaskSpec &);
  /// What the child is asked if there are no items; null: there always are some.
  v1::Work (*work)(const v1::TaskSpec &);
  /// Whether nobody may build meanwhile; null: never.
  bool (*isTimed)(const v1::TaskSpec &);
  /// The child is given the lock of the cores as the descriptor with this number; null only where isTimed is.
  void (*giveCores)(int descriptor, v1::Work &);
  /// Whether the new file is wanted; null: always.
  bool (*makesFile)(const v1::TaskSpec &);
  /// The new file has become this blob; null where none is wanted.
  void (*take)(const v1::Digest &, v1::LeaseResult &);
  /// What else of the child's result is the task's; null: nothing.
  void (*answer)(const v1::Result &, v1::LeaseResult &);

  /// How many items it has. Null, or 0: it is done as one; what follows is for items only.
  int32_t (*items)(const v1::TaskSpec &);
  /// What the child is asked for one of them. All are done one after the other, in one child while that is well.
  v1::Work (*itemWork)(const v1::TaskSpec &, int32_t item);
  /// Seconds that each may take; null: as many as are left for all of them.
  double (*itemSeconds)(const v1::TaskSpec &);
  /// What the child's result gives for an item. Where the item was not done, its sentence says why.
  v1::ItemResult (*itemResult)(const v1::Result &);
};

/// Those that a worker knows.
using WorkKinds = std::span<const WorkKind *const>;
/// Null: a kind that is not among them.
const WorkKind *kindOf(WorkKinds kinds, const v1::TaskSpec &spec);

/// All that hone-worker knows.
WorkKinds allKinds();

extern const WorkKind kCompile;
extern const WorkKind kRun;
extern const WorkKind kBench;

}  // namespace hone::worker
