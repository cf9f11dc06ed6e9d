// verify(): the rules of tensor_op.h, one check each. Names of stages and fields go into every message.
#include "compiler/tensor/tensor_op.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/dims.h"
#include "compiler/tensor/index_range.h"

namespace hone::tensor {
namespace {

bool isIdentifier(const std::string &text) {
  // One that starts with a digit would read as a number.
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

std::string verifyLayout(const Buffer &buffer) {
  const std::string where = absl::StrCat("buffer '", buffer.name, "': layout ", buffer.layout.text());
  std::vector<LayoutAxis> axes = buffer.layout.axes;
  for (const LayoutAxis &axis : axes) {
    if (axis.dim < 0 || static_cast<size_t>(axis.dim) >= buffer.shape.size()) {
      return absl::StrCat(where, " names dim ", axis.dim, ", but the buffer has ", buffer.shape.size());
    }
    if (axis.extent < 1) return absl::StrCat(where, " has an axis of extent ", axis.extent, "; use at least 1");
  }
  std::sort(axes.begin(), axes.end(), [](const LayoutAxis &a, const LayoutAxis &b) {
    return std::tie(a.divisor, a.extent, a.dim) < std::tie(b.divisor, b.extent, b.dim);
  });
  for (size_t d = 0; d < buffer.shape.size(); ++d) {
    int64_t inner = 1;
    int64_t count = 0;
    int64_t outermost = 1;
    for (const LayoutAxis &axis : axes) {
      if (axis.dim != static_cast<int>(d)) continue;
      if (axis.divisor != inner) {
        return absl::StrCat(where, ": dim ", d, " has divisor ", axis.divisor, " where its inner axes span ", inner);
      }
      if (count > 0 && outermost == 1)
        return absl::StrCat(where, ": dim ", d, " has an inner axis of extent 1; drop it");
      outermost = axis.extent;
      inner *= axis.extent;
      ++count;
    }
    if (count == 0) return absl::StrCat(where, " has no axis for dim ", d);
    const int64_t divisor = inner / outermost;
    const int64_t needed = (buffer.shape[d] + divisor - 1) / divisor;
    if (outermost != needed) {
      return absl::StrCat(where, ": the outermost axis of dim ", d, " has extent ", outermost, ", but ",
                          buffer.shape[d], " elements in blocks of ", divisor, " need ", needed);
    }
  }
  return "";
}

std::string verifyBuffers(const Kernel &kernel) {
  std::set<std::string> names;
  for (const Buffer &buffer : kernel.buffers) {
    if (!isIdentifier(buffer.name)) {
      return absl::StrCat("buffer name '", buffer.name,
                          "' must be letters, digits and underscores, and start with no digit");
    }
    if (!names.insert(buffer.name).second) return absl::StrCat("two buffers are named '", buffer.name, "'");
    for (int64_t extent : buffer.shape) {
      if (extent < 1) return absl::StrCat("buffer '", buffer.name, "' has extent ", extent, "; use at least 1");
    }
    if (std::string error = verifyLayout(buffer); !error.empty()) return error;
  }
  return "";
}

/// Checks one stage against the kernel. Every function returns the first error, or nothing.
class StageVerifier {
 public:
  StageVerifier(const Kernel &kernel, const TensorOp &op) : kernel_(kernel), op_(op) {}

  std::string run() const {
    for (auto check : {&StageVerifier::dims, &StageVerifier::reads, &StageVerifier::bodies, &StageVerifier::combiner,
                       &StageVerifier::writes}) {
      if (std::string error = (this->*check)(); !error.empty()) return absl::StrCat("stage '", op_.name, "': ", error);
    }
    return "";
  }

 private:
  std::string dims() const {
    std::set<std::string> names;
    const auto rank = [](DimKind kind) { return kind == DimKind::Scan ? 0 : kind == DimKind::Parallel ? 1 : 2; };
    for (size_t i = 0; i < op_.dims.size(); ++i) {
      const Dim &d = op_.dims[i];
      if (!isIdentifier(d.name))
        return absl::StrCat("dim name '", d.name, "' must be letters, digits and underscores, and start with no digit");
      if (!names.insert(d.name).second) return absl::StrCat("two dims are named '", d.name, "'");
      if (d.extent < 1) return absl::StrCat("dim '", d.name, "' has extent ", d.extent, "; use at least 1");
      if (i > 0 && rank(d.kind) < rank(op_.dims[i - 1].kind)) {
        return absl::StrCat("dim '", d.name, "' is out of order; scan dims come first, then parallel, then reduction");
      }
    }
    return "";
  }

  bool isBuffer(int buffer) const { return buffer >= 0 && static_cast<size_t>(buffer) < kernel_.buffers.size(); }

  std::string indexError(const Index &index) const {
    if (index == nullptr) return "an index is null";
    const auto wantArgs = [&](size_t count) {
      return index->args.size() == count ? std::string()
                                         : absl::StrCat("an index has ", index->args.size(), " operands, not ", count);
    };
    std::string error;
    switch (index->kind) {
      case IndexKind::Constant:
        error = wantArgs(0);
        break;
      case IndexKind::Dim:
        if (index->value < 0 || static_cast<size_t>(index->value) >= op_.dims.size()) {
          return absl::StrCat("an index names dim ", index->value, ", but the stage has ", op_.dims.size());
        }
        break;
      case IndexKind::Add:
        error = wantArgs(2);
        break;
      case IndexKind::Mul:
        error = wantArgs(2);
        if (error.empty() &&
            (!index->args[0] || !index->args[1] ||
             (index->args[0]->kind != IndexKind::Constant && index->args[1]->kind != IndexKind::Constant))) {
          return "an index multiplies two expressions; one of them must be a constant";
        }
        break;
      case IndexKind::FloorDiv:
      case IndexKind::Mod:
        error = wantArgs(1);
        if (index->high < 1) return absl::StrCat("an index divides by ", index->high, "; use a positive divisor");
        break;
      case IndexKind::Clamp:
        error = wantArgs(1);
        if (index->low > index->high) {
          return absl::StrCat("an index is clamped between ", index->low, " and ", index->high, ", an empty range");
        }
        break;
      case IndexKind::Load:
        error = loadError(*index);
        break;
    }
    for (size_t i = 0; error.empty() && i < index->args.size(); ++i) error = indexError(index->args[i]);
    return error;
  }

  std::string loadError(const IndexNode &index) const {
    if (!isBuffer(index.buffer))
      return absl::StrCat("an index is loaded from buffer ", index.buffer, ", which does not exist");
    const Buffer &buffer = kernel_.buffers[index.buffer];
    if (!isInteger(buffer.dtype)) {
      return absl::StrCat("an index is loaded from '", buffer.name, "' of type ", std::string(shortName(buffer.dtype)),
                          "; use an integer buffer");
    }
    if (index.args.size() != buffer.shape.size()) {
      return absl::StrCat("'", buffer.name, "' is indexed by ", index.args.size(), " expressions, but has ",
                          buffer.shape.size(), " dims");
    }
    return "";
  }

  std::string accessError(const Access &access) const {
    if (!isBuffer(access.buffer)) return absl::StrCat("buffer ", access.buffer, " does not exist");
    const Buffer &buffer = kernel_.buffers[access.buffer];
    if (access.indices.size() != buffer.shape.size()) {
      return absl::StrCat("'", buffer.name, "' is indexed by ", access.indices.size(), " expressions, but has ",
                          buffer.shape.size(), " dims");
    }
    for (const Index &index : access.indices) {
      if (std::string error = indexError(index); !error.empty()) return error;
    }
    return "";
  }

  std::string reads() const {
    for (size_t r = 0; r < op_.reads.size(); ++r) {
      const Access &access = op_.reads[r];
      if (std::string error = accessError(access); !error.empty()) return absl::StrCat("read ", r, ": ", error);
      const Buffer &buffer = kernel_.buffers[access.buffer];
      if (access.outside && !canHold(buffer.dtype, *access.outside)) {
        return absl::StrCat("read ", r, ": the value outside of '", buffer.name, "' is ", *access.outside, ", which ",
                            std::string(shortName(buffer.dtype)), " cannot hold; use a whole number in its range");
      }
      if (access.outside) continue;
      for (size_t d = 0; d < access.indices.size(); ++d) {
        if (staysInside(kernel_, op_, access.indices[d], buffer.shape[d])) continue;
        const IndexRange range = rangeOf(kernel_, op_, access.indices[d]);
        return absl::StrCat("read ", r, ": index ", d, " of '", buffer.name, "' spans ", range.low, " to ", range.high,
                            ", but the extent is ", buffer.shape[d], "; give a value for outside, or clamp it");
      }
    }
    return "";
  }

  std::string scalarError(const Scalar &scalar, bool inCombiner) const {
    if (scalar == nullptr) return "an expression is null";
    switch (scalar->kind) {
      case ScalarKind::Constant:
        return "";
      case ScalarKind::IndexValue:
        if (inCombiner) return "a combiner uses an index; it may use accumulators, elements and constants";
        if (scalar->dtype != DType::I64) return "an index value must be i64; cast it";
        return indexError(scalar->index);
      case ScalarKind::Read:
        return readError(*scalar, inCombiner);
      case ScalarKind::Accumulator:
      case ScalarKind::Element: {
        const char *what = scalar->kind == ScalarKind::Element ? "element" : "accumulator";
        if (!inCombiner)
          return absl::StrCat("a body uses ", what, " ", scalar->position, ", which only a combiner may");
        if (scalar->position < 0 || static_cast<size_t>(scalar->position) >= op_.body.size()) {
          return absl::StrCat("the combiner uses ", what, " ", scalar->position, " of ", op_.body.size());
        }
        if (scalar->dtype != op_.body[scalar->position]->dtype) {
          return absl::StrCat(what, " ", scalar->position, " is used as ", std::string(shortName(scalar->dtype)),
                              ", but the body's type is ", std::string(shortName(op_.body[scalar->position]->dtype)));
        }
        return "";
      }
      case ScalarKind::Cast:
        if (scalar->args.size() != 1) return absl::StrCat("a cast has ", scalar->args.size(), " operands, not 1");
        return scalarError(scalar->args[0], inCombiner);
      case ScalarKind::Bits:
        return bitsError(*scalar, inCombiner);
      case ScalarKind::Apply:
        return applyError(*scalar, inCombiner);
    }
    return "";
  }

  std::string bitsError(const ScalarNode &scalar, bool inCombiner) const {
    if (scalar.args.size() != 1) return absl::StrCat("bits have ", scalar.args.size(), " operands, not 1");
    if (std::string error = scalarError(scalar.args[0], inCombiner); !error.empty()) return error;
    const DType from = scalar.args[0]->dtype, to = scalar.dtype;
    if (from != DType::Bool && to != DType::Bool && sizeOf(from) == sizeOf(to)) return "";
    return absl::StrCat("the bits of ", std::string(shortName(from)), " are read as ", std::string(shortName(to)),
                        "; both must be equally wide, and neither bool");
  }

  std::string readError(const ScalarNode &scalar, bool inCombiner) const {
    if (inCombiner) return "a combiner reads a buffer; it may use accumulators, elements and constants";
    if (scalar.position < 0 || static_cast<size_t>(scalar.position) >= op_.reads.size()) {
      return absl::StrCat("the body uses read ", scalar.position, " of ", op_.reads.size());
    }
    const Buffer &buffer = kernel_.buffers[op_.reads[scalar.position].buffer];
    if (scalar.dtype == buffer.dtype) return "";
    return absl::StrCat("read ", scalar.position, " is used as ", std::string(shortName(scalar.dtype)), ", but '",
                        buffer.name, "' holds ", std::string(shortName(buffer.dtype)));
  }

  std::string applyError(const ScalarNode &scalar, bool inCombiner) const {
    const std::string opName(name(scalar.op));
    if (static_cast<int>(scalar.args.size()) != arity(scalar.op)) {
      return absl::StrCat("'", opName, "' has ", scalar.args.size(), " operands, not ", arity(scalar.op));
    }
    for (const Scalar &arg : scalar.args) {
      if (std::string error = scalarError(arg, inCombiner); !error.empty()) return error;
    }
    const size_t first = scalar.op == ScalarOp::Select ? 1 : 0;
    if (first == 1 && scalar.args[0]->dtype != DType::Bool) return "the condition of 'select' must be bool";
    const DType operand = scalar.args[first]->dtype;
    for (size_t i = first; i < scalar.args.size(); ++i) {
      if (scalar.args[i]->dtype != operand) {
        return absl::StrCat("operands of '", opName, "' are ", std::string(shortName(operand)), " and ",
                            std::string(shortName(scalar.args[i]->dtype)), "; cast one of them");
      }
    }
    if (!accepts(scalar.op, operand)) {
      return absl::StrCat("'", opName, "' does not take ", std::string(shortName(operand)));
    }
    const DType result = isPredicate(scalar.op) ? DType::Bool : operand;
    if (scalar.dtype != result) {
      return absl::StrCat("'", opName, "' gives ", std::string(shortName(result)), ", not ",
                          std::string(shortName(scalar.dtype)));
    }
    return "";
  }

  std::string bodies() const {
    if (op_.body.empty()) return "the body is empty";
    if (op_.body.size() != op_.writes.size()) {
      return absl::StrCat("the body has ", op_.body.size(), " elements, but ", op_.writes.size(), " writes");
    }
    for (const Scalar &scalar : op_.body) {
      if (std::string error = scalarError(scalar, false); !error.empty()) return absl::StrCat("body: ", error);
    }
    return "";
  }

  std::string combiner() const {
    const Combiner &c = op_.combiner;
    const bool reduces =
        std::any_of(op_.dims.begin(), op_.dims.end(), [](const Dim &d) { return d.kind == DimKind::Reduction; });
    if (reduces && c.kind == CombinerKind::None) return "combiner: there are reduction dims but no combiner";
    if (!reduces && c.kind != CombinerKind::None) return "combiner: there is a combiner but no reduction dim";
    if (c.kind != CombinerKind::Custom) {
      if (!c.combine.empty() || !c.identity.empty()) return "combiner: only custom combiners have expressions";
      const bool arithmetic = c.kind == CombinerKind::Sum || c.kind == CombinerKind::Product;
      for (const Scalar &scalar : op_.body) {
        if (arithmetic && scalar->dtype == DType::Bool) return "combiner: bool has no sums or products; cast the body";
      }
      return "";
    }
    if (c.combine.size() != op_.body.size() || c.identity.size() != op_.body.size()) {
      return absl::StrCat("combiner: ", c.combine.size(), " expressions and ", c.identity.size(),
                          " identities for a body of ", op_.body.size());
    }
    for (size_t i = 0; i < op_.body.size(); ++i) {
      if (std::string error = scalarError(c.combine[i], true); !error.empty()) return absl::StrCat("combiner: ", error);
      if (c.identity[i] == nullptr || c.identity[i]->kind != ScalarKind::Constant) {
        return absl::StrCat("combiner: identity ", i, " must be a constant");
      }
      if (c.combine[i]->dtype != op_.body[i]->dtype || c.identity[i]->dtype != op_.body[i]->dtype) {
        return absl::StrCat("combiner: element ", i, " must be ", std::string(shortName(op_.body[i]->dtype)),
                            ", as in the body");
      }
    }
    return "";
  }

  std::string writes() const {
    for (size_t w = 0; w < op_.writes.size(); ++w) {
      const Access &access = op_.writes[w];
      if (std::string error = accessError(access); !error.empty()) return absl::StrCat("write ", w, ": ", error);
      const Buffer &buffer = kernel_.buffers[access.buffer];
      if (buffer.role == BufferRole::Input || buffer.role == BufferRole::Parameter) {
        return absl::StrCat("write ", w, ": '", buffer.name, "' is an argument that is only read");
      }
      if (access.outside) return absl::StrCat("write ", w, ": only reads have a value for outside");
      for (size_t d = 0; d < op_.dims.size(); ++d) {
        const bool used = std::any_of(access.indices.begin(), access.indices.end(),
                                      [&](const Index &i) { return mentions(i, static_cast<int>(d)); });
        const Dim &dim = op_.dims[d];
        if (dim.kind == DimKind::Reduction && used) {
          return absl::StrCat("write ", w, ": reduction dim '", dim.name, "' is in an index");
        }
        if (dim.kind == DimKind::Parallel && dim.extent > 1 && !used) {
          return absl::StrCat("write ", w, ": parallel dim '", dim.name,
                              "' is in no index, so that points would write the same element");
        }
      }
    }
    return "";
  }

  const Kernel &kernel_;
  const TensorOp &op_;
};

void loadedBuffers(const Index &index, std::set<int> &buffers) {
  if (index->kind == IndexKind::Load) buffers.insert(index->buffer);
  for (const Index &arg : index->args) loadedBuffers(arg, buffers);
}

void loadedBuffers(const Scalar &scalar, std::set<int> &buffers) {
  if (scalar->kind == ScalarKind::IndexValue) loadedBuffers(scalar->index, buffers);
  for (const Scalar &arg : scalar->args) loadedBuffers(arg, buffers);
}

/// All buffers whose elements the stage looks at, loads of indices included.
std::set<int> buffersRead(const TensorOp &op) {
  std::set<int> buffers;
  for (const Access &access : op.reads) {
    buffers.insert(access.buffer);
    for (const Index &index : access.indices) loadedBuffers(index, buffers);
  }
  for (const Scalar &scalar : op.body) loadedBuffers(scalar, buffers);
  for (const Access &access : op.writes) {
    for (const Index &index : access.indices) loadedBuffers(index, buffers);
  }
  return buffers;
}

std::vector<int64_t> scanExtents(const TensorOp &op) {
  std::vector<int64_t> extents;
  for (const Dim &d : op.dims) {
    if (d.kind == DimKind::Scan) extents.push_back(d.extent);
  }
  return extents;
}

/// Scan dims are shared, and their stages follow one another: one outermost loop runs them all.
std::string verifyScan(const Kernel &kernel) {
  const TensorOp *first = nullptr;
  bool ended = false;
  for (const TensorOp &op : kernel.stages) {
    const std::vector<int64_t> extents = scanExtents(op);
    if (extents.empty()) {
      ended = first != nullptr;
      continue;
    }
    if (ended) {
      return absl::StrCat("stage '", op.name, "': stages with a scan dim must follow one another; move it to '",
                          first->name, "'");
    }
    if (first == nullptr) first = &op;
    if (extents != scanExtents(*first)) {
      return absl::StrCat("stage '", op.name, "': scan dims must be the same as those of '", first->name, "'");
    }
  }
  return "";
}

/// Stages read what earlier ones wrote; in a scan also what any of its stages wrote in earlier steps.
std::string verifyOrder(const Kernel &kernel) {
  std::set<int> scanned;
  for (const TensorOp &op : kernel.stages) {
    if (scanExtents(op).empty()) continue;
    for (const Access &access : op.writes) scanned.insert(access.buffer);
  }
  std::set<int> written, seen;
  for (const TensorOp &op : kernel.stages) {
    const bool scans = !scanExtents(op).empty();
    for (int b : buffersRead(op)) {
      const Buffer &buffer = kernel.buffers[b];
      const bool argument = buffer.role == BufferRole::Input || buffer.role == BufferRole::Parameter;
      if (!argument && !written.contains(b) && !(scans && scanned.contains(b))) {
        return absl::StrCat("stage '", op.name, "' reads '", buffer.name, "', which no earlier stage writes");
      }
      if (!scans) seen.insert(b);
    }
    for (const Access &access : op.writes) {
      if (seen.contains(access.buffer)) {
        return absl::StrCat("stage '", op.name, "' writes '", kernel.buffers[access.buffer].name,
                            "' after it was read; use another buffer");
      }
      written.insert(access.buffer);
    }
  }
  for (size_t b = 0; b < kernel.buffers.size(); ++b) {
    if (kernel.buffers[b].role == BufferRole::Output && !written.contains(static_cast<int>(b))) {
      return absl::StrCat("no stage writes output '", kernel.buffers[b].name, "'");
    }
  }
  return "";
}

}  // namespace

std::string verify(const Kernel &kernel) {
  if (std::string error = verifyBuffers(kernel); !error.empty()) return error;
  std::set<std::string> names;
  for (const TensorOp &op : kernel.stages) {
    if (!isIdentifier(op.name)) {
      return absl::StrCat("stage name '", op.name,
                          "' must be letters, digits and underscores, and start with no digit");
    }
    if (!names.insert(op.name).second) return absl::StrCat("two stages are named '", op.name, "'");
    if (std::string error = StageVerifier(kernel, op).run(); !error.empty()) return error;
  }
  if (std::string error = verifyScan(kernel); !error.empty()) return error;
  return verifyOrder(kernel);
}

}  // namespace hone::tensor
