// What the runtime needs to know of mod.json: interface, buffers and calls, checked so that running needs no checks.
// Plain values; functions without state.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

struct Tensor {
  std::string name;
  hone_dtype dtype = HONE_FLOAT32;
  std::vector<int64_t> shape;  ///< where sizes depend on data, the most that they can be
  size_t bytes = 0;
  /// Of outputs whose sizes depend on data: a dim, and the output that holds its extent after a run.
  struct Extent {
    size_t dim = 0, output = 0;
  };
  std::vector<Extent> extents;
  bool isExtent = false;  ///< holds an extent of others, or what a check counts: none of the model's outputs
};

/// The indices that an operator of the model read, along one axis: which outputs hold, after a run, how many of them
/// were outside, the largest of those, and the extent of the axis.
struct IndexCheck {
  std::string node, op;
  int64_t axis = 0;
  size_t count = 0, example = 0, extent = 0;
};

enum class BufferKind : uint8_t { Input, Output, Arena, Parameter };

struct Buffer {
  BufferKind kind = BufferKind::Arena;
  size_t index = 0;   ///< Input, Output
  size_t offset = 0;  ///< Arena, Parameter
  size_t bytes = 0;
};

/// That the first byte of a buffer is not 0, or that it is.
struct CallCondition {
  int32_t buffer = 0;  ///< position in Manifest::buffers
  bool isTrue = true;
};

/// What the compiler expects of a kernel; nothing in artifacts that say nothing of it.
struct Estimate {
  int64_t cycles = 0;
  std::string limit;
  int32_t threads = 0;
};

struct Call {
  std::string name, kernelName;
  int32_t kernel = 0;
  std::vector<int32_t> arguments;  ///< positions in Manifest::buffers
  int64_t flops = 0;
  Estimate estimate;
  bool isRepeated = false;                ///< lies in a loop
  std::vector<CallCondition> conditions;  ///< the call is left out unless all hold, asked in this order
};

/// Calls that are repeated while the first byte of a buffer is not 0.
struct Loop {
  size_t first = 0, end = 0;              ///< positions in Manifest::calls
  size_t next = 0;                        ///< the first loop in Manifest::loops that does not lie within this one
  int32_t condition = 0;                  ///< position in Manifest::buffers, in the arena; asked before each iteration
  std::vector<CallCondition> conditions;  ///< the loop is left out unless all hold, asked once, in this order
};

struct Member {
  size_t bytes = 0;
  uint64_t xxh3 = 0;
};

struct Manifest {
  std::string name, triple, cpu, compilerVersion;
  std::vector<std::string> requiredFeatures;
  std::vector<Tensor> inputs, outputs;  ///< outputs: the model's first
  size_t outputCount = 0;               ///< of the model
  bool checksIndices = false;
  std::vector<IndexCheck> indexChecks;
  std::vector<Buffer> buffers;
  std::vector<Call> calls;
  std::vector<Loop> loops;  ///< by their first call; one around others before those
  size_t arenaBytes = 0;
  int32_t kernelCount = 0;
  Member module, parameters;
};

/// Checks the text's own digest, its format and ABI version, and that every call's arguments lie inside what they are
/// part of. Refuses with a sentence.
Result<Manifest> parseManifest(std::string_view text);

/// XXH3 with 64 bits and seed 0.
uint64_t xxh3(std::string_view bytes);

const char *dtypeName(hone_dtype dtype);
size_t dtypeSize(hone_dtype dtype);

}  // namespace hone::runtime
