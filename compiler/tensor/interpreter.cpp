#include "compiler/tensor/interpreter.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/tensor/approximate.h"

namespace hone::tensor {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// The estimates of single errors are sharp; what they leave out (their products, say) is covered by this.
constexpr double kSafety = 2;

using Point = std::vector<int64_t>;

/// A buffer's elements, each with its error so far.
struct Storage {
  HostTensor tensor;
  std::vector<double> errors;
};

/// An index value; not certain when it was loaded from an element that rounding may have changed.
struct IndexResult {
  int64_t value = 0;
  bool certain = true;
};

/// Loaded indices may be any number; sums of them wrap, as they do in compiled code.
template <typename Operation>
int64_t wrapping(int64_t a, int64_t b, Operation operation) {
  return static_cast<int64_t>(operation(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
}

int64_t floorQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Calls \p visit with \p point for all values of dims [begin, end), the last varying fastest.
template <typename Function>
void forEachPoint(const std::vector<Dim> &dims, size_t begin, size_t end, Point &point, const Function &visit) {
  if (begin == end) return visit();
  for (point[begin] = 0; point[begin] < dims[begin].extent; ++point[begin]) {
    forEachPoint(dims, begin + 1, end, point, visit);
  }
}

size_t countDims(const TensorOp &op, DimKind kind) {
  return static_cast<size_t>(
      std::count_if(op.dims.begin(), op.dims.end(), [&](const Dim &d) { return d.kind == kind; }));
}

Approximate constantValue(const ScalarNode &node) { return {.real = node.number, .integer = node.integer, .error = 0}; }

class Machine {
 public:
  Machine(const Kernel &kernel, const std::vector<HostTensor> &arguments) : kernel_(kernel) {
    size_t argument = 0;
    for (const Buffer &buffer : kernel.buffers) {
      const bool given = buffer.role == BufferRole::Input || buffer.role == BufferRole::Parameter;
      Storage storage;
      storage.tensor = given ? arguments[argument++] : HostTensor::zeros(buffer.dtype, buffer.shape);
      const int64_t elements = storage.tensor.elements();
      storage.errors.assign(static_cast<size_t>(elements), given ? 0 : kInfinity);
      // What nobody wrote shows: it makes everything NaN that depends on it.
      for (int64_t i = 0; !given && isFloat(buffer.dtype) && i < elements; ++i) storage.tensor.setReal(i, std::nan(""));
      storages_.push_back(std::move(storage));
    }
  }

  void run() {
    for (size_t s = 0; s < kernel_.stages.size();) {
      const TensorOp &op = kernel_.stages[s];
      const size_t scans = countDims(op, DimKind::Scan);
      if (scans == 0) {
        runStage(op, Point(op.dims.size(), 0));
        ++s;
        continue;
      }
      size_t end = s;
      while (end < kernel_.stages.size() && countDims(kernel_.stages[end], DimKind::Scan) > 0) ++end;
      Point step(scans, 0);
      forEachPoint(op.dims, 0, scans, step, [&] {
        for (size_t i = s; i < end; ++i) {
          Point point = step;
          point.resize(kernel_.stages[i].dims.size(), 0);
          runStage(kernel_.stages[i], point);
        }
      });
      s = end;
    }
  }

  Interpretation results() && {
    Interpretation result;
    for (size_t b = 0; b < kernel_.buffers.size(); ++b) {
      if (kernel_.buffers[b].role != BufferRole::Output) continue;
      for (double &error : storages_[b].errors) error *= kSafety;
      result.outputs.push_back(std::move(storages_[b].tensor));
      result.tolerances.push_back(std::move(storages_[b].errors));
    }
    return result;
  }

 private:
  using Tuple = std::vector<Approximate>;

  /// All parallel points of \p op; \p point holds the scan step.
  void runStage(const TensorOp &op, Point point) {
    const size_t scans = countDims(op, DimKind::Scan);
    const size_t parallelEnd = scans + countDims(op, DimKind::Parallel);
    forEachPoint(op.dims, scans, parallelEnd, point, [&] {
      const Tuple values = fold(op, parallelEnd, point);
      for (size_t w = 0; w < op.writes.size(); ++w) write(op.writes[w], op.body[w]->dtype, point, values[w]);
    });
  }

  /// The body over all points of the reduction dims.
  Tuple fold(const TensorOp &op, size_t firstReduction, Point point) {
    if (op.combiner.kind == CombinerKind::None) return body(op, point);
    Tuple total;
    for (size_t i = 0; i < op.body.size(); ++i) {
      const Scalar start = op.combiner.kind == CombinerKind::Custom ? op.combiner.identity[i]
                                                                    : identity(op.combiner.kind, op.body[i]->dtype);
      total.push_back(constantValue(*start));
    }
    std::vector<double> magnitudes(op.body.size(), 0), errors(op.body.size(), 0);
    int64_t length = 0;
    forEachPoint(op.dims, firstReduction, op.dims.size(), point, [&] {
      const Tuple values = body(op, point);
      for (size_t i = 0; i < values.size(); ++i) {
        magnitudes[i] += std::fabs(values[i].real);
        errors[i] += values[i].error;
      }
      ++length;
      total = combined(op, total, values);
    });
    for (size_t i = 0; i < total.size() && op.combiner.kind == CombinerKind::Sum; ++i) {
      const DType dtype = op.body[i]->dtype;
      total[i].error = errors[i] + (isFloat(dtype) ? sumTolerance(length, magnitudes[i], dtype) : 0);
    }
    return total;
  }

  Tuple combined(const TensorOp &op, const Tuple &total, const Tuple &values) {
    Tuple result(total.size());
    for (size_t i = 0; i < total.size(); ++i) {
      const DType dtype = op.body[i]->dtype;
      switch (op.combiner.kind) {
        case CombinerKind::Sum:
          // The error of a sum follows from all its terms, when they are known.
          if (isFloat(dtype))
            result[i].real = total[i].real + values[i].real;
          else
            result[i] = applyScalarOp(ScalarOp::Add, dtype, {total[i], values[i]});
          break;
        case CombinerKind::Product:
          result[i] = applyScalarOp(ScalarOp::Mul, dtype, {total[i], values[i]});
          break;
        case CombinerKind::Min:
          result[i] = applyScalarOp(ScalarOp::Min, dtype, {total[i], values[i]});
          break;
        case CombinerKind::Max:
          result[i] = applyScalarOp(ScalarOp::Max, dtype, {total[i], values[i]});
          break;
        case CombinerKind::Custom:
          result[i] = scalar(op, op.combiner.combine[i], {}, &total, &values);
          break;
        case CombinerKind::None:
          assert(false && "nothing to fold");
          break;
      }
    }
    return result;
  }

  Tuple body(const TensorOp &op, const Point &point) {
    Tuple result;
    for (const Scalar &expression : op.body) result.push_back(scalar(op, expression, point, nullptr, nullptr));
    return result;
  }

  Approximate scalar(const TensorOp &op, const Scalar &s, const Point &point, const Tuple *total, const Tuple *values) {
    switch (s->kind) {
      case ScalarKind::Constant:
        return constantValue(*s);
      case ScalarKind::IndexValue: {
        const IndexResult result = index(s->index, point);
        return {.real = 0, .integer = result.value, .error = result.certain ? 0 : kInfinity};
      }
      case ScalarKind::Read:
        return readElement(op.reads[s->position], point);
      case ScalarKind::Accumulator:
        return (*total)[s->position];
      case ScalarKind::Element:
        return (*values)[s->position];
      case ScalarKind::Cast:
        return castTo(s->dtype, s->args[0]->dtype, scalar(op, s->args[0], point, total, values));
      case ScalarKind::Bits:
        return bitsAs(s->dtype, s->args[0]->dtype, scalar(op, s->args[0], point, total, values));
      case ScalarKind::Apply: {
        Tuple args;
        for (const Scalar &arg : s->args) args.push_back(scalar(op, arg, point, total, values));
        return applyScalarOp(s->op, s->args.back()->dtype, args);
      }
    }
    return {};
  }

  IndexResult index(const Index &i, const Point &point) {
    const auto arg = [&](size_t position) { return index(i->args[position], point); };
    switch (i->kind) {
      case IndexKind::Constant:
        return {i->value, true};
      case IndexKind::Dim:
        return {point[i->value], true};
      case IndexKind::Add: {
        const IndexResult a = arg(0), b = arg(1);
        return {wrapping(a.value, b.value, std::plus<>()), a.certain && b.certain};
      }
      case IndexKind::Mul: {
        const IndexResult a = arg(0), b = arg(1);
        return {wrapping(a.value, b.value, std::multiplies<>()), a.certain && b.certain};
      }
      case IndexKind::FloorDiv: {
        const IndexResult a = arg(0);
        return {floorQuotient(a.value, i->high), a.certain};
      }
      case IndexKind::Mod: {
        const IndexResult a = arg(0);
        const int64_t rest = a.value % i->high;
        return {rest < 0 ? rest + i->high : rest, a.certain};
      }
      case IndexKind::Clamp: {
        const IndexResult a = arg(0);
        return {std::clamp(a.value, i->low, i->high), a.certain};
      }
      case IndexKind::Load:
        return loadIndex(*i, point);
    }
    return {};
  }

  IndexResult loadIndex(const IndexNode &node, const Point &point) {
    const Storage &storage = storages_[node.buffer];
    int64_t position = 0;
    bool certain = true;
    for (size_t d = 0; d < node.args.size(); ++d) {
      const int64_t extent = storage.tensor.shape[d];
      const IndexResult result = index(node.args[d], point);
      position = position * extent + std::clamp<int64_t>(result.value, 0, extent - 1);
      certain = certain && result.certain;
    }
    return {storage.tensor.integer(position), certain && storage.errors[position] == 0};
  }

  /// Row-major position of an access; empty outside. \p certain becomes false where it depends on rounding.
  std::optional<int64_t> position(const Access &access, const Point &point, bool &certain) {
    const std::vector<int64_t> &shape = storages_[access.buffer].tensor.shape;
    int64_t result = 0;
    bool inside = true;
    for (size_t d = 0; d < shape.size(); ++d) {
      const IndexResult value = index(access.indices[d], point);
      certain = certain && value.certain;
      inside = inside && value.value >= 0 && value.value < shape[d];
      result = result * shape[d] + value.value;
    }
    return inside ? std::optional(result) : std::nullopt;
  }

  Approximate readElement(const Access &access, const Point &point) {
    const Storage &storage = storages_[access.buffer];
    const DType dtype = storage.tensor.dtype;
    bool certain = true;
    const std::optional<int64_t> at = position(access, point, certain);
    assert((at || access.outside) && "verify() finds reads outside that have no value");
    Approximate result;
    if (!at) {
      result = constantValue(*number(access.outside.value_or(0), dtype));
    } else {
      if (isFloat(dtype))
        result.real = storage.tensor.real(*at);
      else
        result.integer = storage.tensor.integer(*at);
      result.error = storage.errors[*at];
    }
    if (!certain) result.error = kInfinity;
    return result;
  }

  void write(const Access &access, DType from, const Point &point, const Approximate &value) {
    Storage &storage = storages_[access.buffer];
    bool certain = true;
    const std::optional<int64_t> at = position(access, point, certain);
    if (!certain) {
      // Any element may be the one.
      std::fill(storage.errors.begin(), storage.errors.end(), kInfinity);
    }
    if (!at) return;
    const Approximate element = castTo(storage.tensor.dtype, from, value);
    if (isFloat(storage.tensor.dtype))
      storage.tensor.setReal(*at, element.real);
    else
      storage.tensor.setInteger(*at, element.integer);
    if (certain) storage.errors[*at] = element.error;
  }

  const Kernel &kernel_;
  std::vector<Storage> storages_;
};

absl::Status checkArguments(const Kernel &kernel, const std::vector<HostTensor> &arguments) {
  size_t position = 0;
  for (const Buffer &buffer : kernel.buffers) {
    if (buffer.role != BufferRole::Input && buffer.role != BufferRole::Parameter) continue;
    if (position == arguments.size()) {
      return absl::InvalidArgumentError(absl::StrCat("argument ", position, " ('", buffer.name, "') is missing"));
    }
    const HostTensor &argument = arguments[position];
    const bool complete = static_cast<int64_t>(argument.bytes.size()) == argument.elements() * sizeOf(argument.dtype);
    if (argument.dtype != buffer.dtype || argument.shape != buffer.shape || !complete) {
      return absl::InvalidArgumentError(
          absl::StrCat("argument ", position, " is ", std::string(shortName(argument.dtype)), "[",
                       absl::StrJoin(argument.shape, ","), "] in ", argument.bytes.size(), " bytes, but '", buffer.name,
                       "' is ", std::string(shortName(buffer.dtype)), "[", absl::StrJoin(buffer.shape, ","), "]"));
    }
    ++position;
  }
  if (position == arguments.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("there are ", arguments.size(), " arguments, but the kernel takes ", position));
}

std::string indexText(const std::vector<int64_t> &shape, int64_t position) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d-- > 0; position /= shape[d]) index[d] = position % shape[d];
  return absl::StrCat("[", absl::StrJoin(index, ", "), "]");
}

}  // namespace

absl::StatusOr<Interpretation> interpretWithTolerance(const Kernel &kernel, const std::vector<HostTensor> &arguments) {
  if (const std::string error = verify(kernel); !error.empty()) return absl::InvalidArgumentError(error);
  HONE_RETURN_IF_ERROR(checkArguments(kernel, arguments));
  Machine machine(kernel, arguments);
  machine.run();
  return std::move(machine).results();
}

absl::StatusOr<std::vector<HostTensor>> interpret(const Kernel &kernel, const std::vector<HostTensor> &arguments) {
  HONE_ASSIGN_OR_RETURN(Interpretation result, interpretWithTolerance(kernel, arguments));
  return std::move(result.outputs);
}

std::string compare(const HostTensor &expected, const HostTensor &got, const Tolerance &tolerance) {
  if (expected.dtype != got.dtype || expected.shape != got.shape || expected.bytes.size() != got.bytes.size()) {
    return absl::StrCat("shapes or dtypes differ: expected ", std::string(shortName(expected.dtype)), "[",
                        absl::StrJoin(expected.shape, ","), "], got ", std::string(shortName(got.dtype)), "[",
                        absl::StrJoin(got.shape, ","), "]");
  }
  assert(static_cast<int64_t>(tolerance.size()) == expected.elements());
  bool any = false;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    const double allowed = tolerance[i];
    if (!std::isfinite(allowed)) continue;
    any = true;
    // Integers that must agree are compared exactly, also where double cannot tell them apart.
    if (allowed < 1 && !isFloat(expected.dtype)) {
      if (expected.integer(i) == got.integer(i)) continue;
    } else {
      const double a = expected.real(i), b = got.real(i);
      if (a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= allowed) continue;
    }
    return absl::StrCat("element ", indexText(expected.shape, i), ": expected ", expected.real(i), ", got ",
                        got.real(i), ", tolerance ", allowed);
  }
  return any || expected.elements() == 0 ? "" : "no element has a finite tolerance; the comparison says nothing";
}

}  // namespace hone::tensor
