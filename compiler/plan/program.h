// Program: the graph on its way to a plan: which nodes are computed together, over which dims, and which values get
// storage. Made by fuse(), completed by chooseStorage(), read by layout, emission and memory. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/graph/loops.h"
#include "compiler/plan/guards.h"
#include "compiler/plan/plan.h"
#include "compiler/plan/views.h"

namespace hone::plan {

/// The points at which a value is computed. All dims are parallel here; the stages turn some into reductions.
struct Domain {
  std::vector<tensor::Dim> dims;
  Indices coords;      ///< where in the value the point lies
  int vectorDim = -1;  ///< the dim along which consecutive elements should be written; -1: none
};

/// What the anchors do with their dims. Rows: softmax, layer norm, reduce: dims are outer ones, then those of a row.
struct Domains {
  Domain input;      ///< Rows: of the data read; what is fused in front is computed there
  Domain output;     ///< of the anchor's value and of all that is fused behind
  size_t outer = 0;  ///< Rows: how many dims are outer
};

/// A value that the group writes to memory. `form` is the value itself or a view of it, written in its place.
struct StoredValue {
  graph::ValueId value = -1;
  graph::ValueId form = -1;
  Indices coords;   ///< of the form, over the dims of the value's domain
  int buffer = -1;  ///< position in Plan::buffers
};

/// Nodes that become one kernel. Elementwise nodes alone (no anchor), or around an anchor, or the copy of a view.
struct Group {
  int anchor = -1;             ///< node
  graph::ValueId copied = -1;  ///< the value that a copy materialises
  std::vector<int> prologue;   ///< elementwise nodes that feed the anchor (rows only), in topological order
  std::vector<int> epilogue;   ///< elementwise nodes behind the anchor, or all there are
  Domains domains;
  std::vector<StoredValue> stored;
  Guard guard;    ///< when it has to run
  int loop = -1;  ///< in whose iterations it runs; the end of a loop is the last group of its own
};

/// Operands of concatenations that are written where they end up by the kernels that compute them.
struct Pieces {
  std::map<graph::ValueId, StoredValue> entries;   ///< by what is computed; the form is the whole
  std::set<graph::ValueId> inputs;                 ///< the operands, for which the concatenation has nothing to do
  std::map<graph::ValueId, graph::ValueId> forms;  ///< of concatenations that are stored as a view of them
};

/// A value of the graph on its way to memory.
struct PlannedValue {
  int producer = -1;              ///< node, or -1
  std::vector<int> users;         ///< nodes, once per use
  bool isOutput = false;          ///< of the graph, or a condition: both are read from memory as they are
  bool leadsToSteps = false;      ///< roundings to whole numbers depend on it
  int group = -1;                 ///< that computes it; -1 for views, inputs, constants
  std::optional<Indices> coords;  ///< its place over the group's output domain, where it has one
  bool isStored = false;          ///< it has memory of its own (inputs and constants too)
  bool isBlocked = false;         ///< its layout, once chosen, is not row-major
  int buffer = -1;                ///< position in Plan::buffers, once it is stored and no constant
};

/// Where an output port finds its data.
struct PlannedOutput {
  int group = -1;  ///< that writes it; -1 where there are no elements
  int entry = -1;  ///< which of that group's stored values
};

struct Program {
  graph::Graph graph;                ///< prepared: see prepare()
  std::vector<PlannedValue> values;  ///< those of the graph
  graph::Loops loops;
  std::vector<Guard> guards;  ///< per node
  std::vector<Group> groups;
  Pieces pieces;
  std::vector<PlannedOutput> outputs;  ///< per output port

  PlannedValue &planned(graph::ValueId id) { return values[static_cast<size_t>(id)]; }
  const PlannedValue &planned(graph::ValueId id) const { return values[static_cast<size_t>(id)]; }
  const graph::Value &value(graph::ValueId id) const { return graph.values[static_cast<size_t>(id)]; }
  const graph::Shape &shape(graph::ValueId id) const { return value(id).type.shape; }
  /// The node that produces \p id, or null.
  const graph::Node *producerOf(graph::ValueId id) const {
    const int node = planned(id).producer;
    return node < 0 ? nullptr : &graph.nodes[static_cast<size_t>(node)];
  }
};

/// Concat, Compute and what loops do: their stages write the storage of their value themselves, each its part.
bool isWrittenInPieces(graph::Op op);
/// The loop in whose iterations what node \p position stands for has to run: initial values are there before a loop,
/// and states change at its end. -1 outside of loops.
int runsIn(const Program &program, int position);
/// A constant with one element: bodies hold its number.
bool isScalarConstant(const graph::Value &value);
/// An input of the graph, a constant, or a value that has been given storage, as seen by those who read it.
struct Resolved {
  graph::ValueId leaf = -1;  ///< what is read
  graph::Shape shape;        ///< as which shape its bytes are read: a reshape of row-major data is only another shape
  Indices indices;
  std::optional<double> outside;  ///< the value outside the shape
};
/// Follows views from element \p indices of \p value to what has storage (or to the member of a group).
Resolved resolve(const Program &program, graph::ValueId value, const Indices &indices, const IndexLoader &loader);
/// The values with storage, or computed by groups, that views lead to from \p value: gathers read two.
std::vector<graph::ValueId> leavesOf(const Program &program, graph::ValueId value);
/// The place of \p value over the output domain of \p group, when the group computes it there or it is a
/// bijective view of such a value.
std::optional<Indices> coordsIn(const Program &program, int group, graph::ValueId value);
/// The value that group \p group computes and that \p value is, or is a bijective view of; -1. Such a value is taken
/// from the group's stages, never from memory: the group would wait for itself.
graph::ValueId memberBehind(const Program &program, int group, graph::ValueId value);
/// The values that the nodes of group \p index read (its own members among them), and the conditions of its guard.
std::vector<graph::ValueId> inputsOf(const Program &program, int index);

/// Names of \p count spatial dims, the last three being z, y, x.
std::vector<std::string> spatialNames(size_t count);
/// Dims and coords of what \p node computes as the anchor of a group.
Domains anchorDomains(const graph::Graph &graph, const graph::Node &node);
/// Of elementwise values and copies of \p shape.
Domains mapDomains(const graph::Shape &shape);

/// The graph without what no output needs, rewritten where that lets more be fused; means the same.
graph::Graph prepare(graph::Graph graph);
/// Groups all nodes but views.
Program fuse(graph::Graph graph);
/// The groups in an order in which all that a group reads is there, and those of a loop follow one another.
std::vector<int> orderOfGroups(const Program &program);
/// Decides which operands of concatenations are written to their places; a part of chooseStorage().
void placePieces(Program &program);
/// Decides which values get storage, adds groups that copy views which readers or outputs need as data, and puts
/// the groups in the order of execution.
void chooseStorage(Program &program);

}  // namespace hone::plan
