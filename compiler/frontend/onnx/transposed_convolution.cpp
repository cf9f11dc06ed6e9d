// ConvTranspose, as ordinary convolutions.
//
// Output o = stride * j + p gets its summands from inputs that depend on j and on the phase p alone, and for each phase
// they are a convolution with every (stride / gcd(stride, dilation))-th tap of the kernel, backwards. The results of
// the phases are stacked, and interleaved by transposing. Where several phases look at the same inputs (always, where
// kernel and stride are equal) they can be further output channels of one convolution; where there are enough channels
// to fill vectors anyway, each phase has a convolution of its own, whose results can be written to their places.
#include <algorithm>
#include <functional>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/window.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

// More phases than these share convolutions, and so do the phases of fewer channels than these.
constexpr int64_t kMostSeparatePhases = 16;
constexpr int64_t kFewestSeparateChannels = 8;
constexpr int64_t kMostPhases = 4096;

/// One spatial dim of one phase.
struct Phase {
  int64_t start = 0;        ///< input that the first tap of output 0 looks at, perhaps outside
  int64_t taps = 0;         ///< 0: nothing contributes
  int64_t dilation = 1;     ///< from tap to tap in the input
  int64_t firstWeight = 0;  ///< position in the kernel of the first tap; the others follow downwards
  int64_t weightStep = 1;
};

/// Phases of one dim that look at the same inputs.
using PhaseClass = std::vector<int64_t>;

struct Axis {
  int64_t input = 0, stride = 1, kernel = 1, dilation = 1, padBegin = 0;
  int64_t output = 0;  ///< extent of the result
  int64_t places = 0;  ///< outputs of a phase
};

int64_t floorQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

Phase phaseOf(const Axis &axis, int64_t p) {
  // Position in the result before its beginning is cut off: stride * (j + shift) + residue.
  int64_t residue = (p + axis.padBegin) % axis.stride, shift = floorQuotient(p + axis.padBegin, axis.stride);
  int64_t common = std::gcd(axis.stride, axis.dilation);
  Phase phase;
  phase.weightStep = axis.stride / common;
  phase.dilation = axis.dilation / common;
  // The first tap k with k * dilation = residue modulo the stride.
  int64_t first = 0;
  while (first < std::min(axis.kernel, phase.weightStep) && (first * axis.dilation - residue) % axis.stride != 0)
    ++first;
  if (first >= std::min(axis.kernel, phase.weightStep)) return phase;
  phase.taps = (axis.kernel - 1 - first) / phase.weightStep + 1;
  phase.firstWeight = first + (phase.taps - 1) * phase.weightStep;
  phase.start = shift - (phase.firstWeight * axis.dilation - residue) / axis.stride;
  return phase;
}

std::vector<PhaseClass> classesOf(const Axis &axis, bool isSeparate) {
  std::vector<PhaseClass> classes;
  for (int64_t p = 0; p < axis.stride; ++p) {
    Phase phase = phaseOf(axis, p);
    auto same = std::find_if(classes.begin(), classes.end(), [&](const PhaseClass &other) {
      Phase first = phaseOf(axis, other[0]);
      return !isSeparate && first.start == phase.start && first.taps == phase.taps;
    });
    if (same == classes.end()) {
      classes.push_back({p});
    } else {
      same->push_back(p);
    }
  }
  return classes;
}

/// All tuples with one entry from each list, the last dim fastest.
template <typename T>
std::vector<std::vector<T>> allTuples(const std::vector<std::vector<T>> &lists) {
  std::vector<std::vector<T>> tuples = {{}};
  for (const std::vector<T> &list : lists) {
    std::vector<std::vector<T>> longer;
    for (const std::vector<T> &tuple : tuples) {
      for (const T &entry : list) {
        longer.push_back(tuple);
        longer.back().push_back(entry);
      }
    }
    tuples = std::move(longer);
  }
  return tuples;
}

Shape concatenated(Shape front, const Shape &back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

class Decomposition {
 public:
  Decomposition(Builder &build, ValueId data, Result bias, std::vector<Axis> axes, int64_t groups)
      : build_(build), data_(data), bias_(std::move(bias)), axes_(std::move(axes)), groups_(groups) {}

  /// \p weight: [channels, outputs / groups, kernel …].
  Result run(ValueId weight) {
    HONE_RETURN_IF_ERROR(turnWeights(weight));
    HONE_RETURN_IF_ERROR(emitPhases());
    return interleave();
  }

 private:
  size_t spatial() const { return axes_.size(); }
  int64_t images() const { return build_.shape(data_)[0]; }

  Shape perAxis(const std::function<int64_t(const Axis &)> &get) const {
    Shape result;
    for (const Axis &axis : axes_) result.push_back(get(axis));
    return result;
  }

  /// [outputs, channels / groups, kernel …], as convolutions have them.
  absl::Status turnWeights(ValueId weight) {
    const Shape shape = build_.shape(weight);
    const Shape kernel(shape.begin() + 2, shape.end());
    outputs_ = shape[1] * groups_;
    std::vector<int64_t> order(shape.size() + 1);
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[1], order[2]);
    Result split = build_.reshape(weight, concatenated({groups_, shape[0] / groups_, shape[1]}, kernel));
    HONE_ASSIGN_OR_RETURN(
        weight_, build_.reshape(build_.transpose(split, order), concatenated({outputs_, shape[0] / groups_}, kernel)));
    return absl::OkStatus();
  }

  /// Adds the parts [N, outputs, phases of a class, places …] and notes which phases they are.
  absl::Status emitPhases() {
    int64_t phases = 1;
    for (const Axis &axis : axes_) phases *= axis.stride;
    bool isSeparate = phases <= kMostSeparatePhases && outputs_ / groups_ >= kFewestSeparateChannels;
    std::vector<std::vector<PhaseClass>> classes;
    for (const Axis &axis : axes_) classes.push_back(classesOf(axis, isSeparate));
    for (const std::vector<PhaseClass> &tuple : allTuples(classes)) {
      std::vector<Shape> members = allTuples(tuple);
      HONE_ASSIGN_OR_RETURN(ValueId part, emitClass(members));
      parts_.emplace_back(part);
      for (const Shape &member : members) {
        int64_t position = 0;
        for (size_t i = 0; i < spatial(); ++i) position = position * axes_[i].stride + member[i];
        order_.push_back(position);
      }
    }
    return absl::OkStatus();
  }

  Result emitClass(const std::vector<Shape> &members) {
    auto count = static_cast<int64_t>(members.size());
    std::vector<Phase> phases;
    for (size_t i = 0; i < spatial(); ++i) phases.push_back(phaseOf(axes_[i], members[0][i]));
    Shape places = perAxis([](const Axis &axis) { return axis.places; });
    Shape result = concatenated({images(), outputs_, count}, places);
    std::vector<Result> bias;
    if (bias_.ok() && *bias_ >= 0) {
      Result column = build_.reshape(bias_, {outputs_, 1});
      bias.push_back(build_.reshape(build_.broadcast(column, {outputs_, count}), {outputs_ * count}));
    }
    graph::ConvAttributes conv{Shape(spatial(), 1), {}, Shape(2 * spatial(), 0), groups_};
    Shape starts(spatial() + 2, 0), extents = build_.shape(data_);
    bool isEmpty = false;
    for (size_t i = 0; i < spatial(); ++i) {
      const Phase &phase = phases[i];
      int64_t last = phase.start + (phase.taps - 1) * phase.dilation + axes_[i].places - 1;
      conv.dilations.push_back(phase.dilation);
      conv.pads[i] = std::max<int64_t>(-phase.start, 0);
      conv.pads[spatial() + i] = std::max<int64_t>(last - (axes_[i].input - 1), 0);
      starts[i + 2] = std::max<int64_t>(phase.start, 0);
      extents[i + 2] = std::min(axes_[i].input - 1, last) - starts[i + 2] + 1;
      isEmpty = isEmpty || phase.taps == 0 || extents[i + 2] < 1;
    }
    if (isEmpty) return constantPart(bias, result);
    Result data = build_.slice(data_, starts, Shape(starts.size(), 1), extents);
    HONE_ASSIGN_OR_RETURN(ValueId weight, weightsOf(members));
    return build_.reshape(build_.conv(data, weight, bias, conv), result);
  }

  /// Where no input contributes there is the bias alone.
  Result constantPart(const std::vector<Result> &bias, const Shape &shape) {
    if (bias.empty()) return build_.broadcast(build_.number(build_.dtype(data_), 0), shape);
    Shape column(shape.size() - 1, 1);
    column[0] = shape[1];
    column[1] = shape[2];
    return build_.broadcast(build_.reshape(bias[0], column), shape);
  }

  /// [outputs * members, channels / groups, taps …]
  Result weightsOf(const std::vector<Shape> &members) {
    const Shape whole = build_.shape(weight_);
    std::vector<Result> slices;
    Shape taps;
    for (const Shape &member : members) {
      Shape starts(whole.size(), 0), steps(whole.size(), 1), extents = whole;
      for (size_t i = 0; i < spatial(); ++i) {
        Phase phase = phaseOf(axes_[i], member[i]);
        starts[i + 2] = phase.firstWeight;
        steps[i + 2] = -phase.weightStep;
        extents[i + 2] = phase.taps;
      }
      taps = Shape(extents.begin() + 2, extents.end());
      slices.push_back(
          build_.reshape(build_.slice(weight_, starts, steps, extents), concatenated({whole[0], 1, whole[1]}, taps)));
    }
    auto count = static_cast<int64_t>(members.size());
    return build_.reshape(build_.concat(slices, 1), concatenated({whole[0] * count, whole[1]}, taps));
  }

  /// [N, outputs, phases, places …] -> [N, outputs, place, phase, place, phase, …] -> the result.
  Result interleave() {
    Result stacked = build_.concat(parts_, 2);
    if (!std::is_sorted(order_.begin(), order_.end())) {
      std::vector<int64_t> from(order_.size());
      for (size_t i = 0; i < order_.size(); ++i) from[static_cast<size_t>(order_[i])] = static_cast<int64_t>(i);
      stacked = build_.gather(stacked, build_.integers(from), 2);
    }
    Shape strides = perAxis([](const Axis &axis) { return axis.stride; });
    Shape places = perAxis([](const Axis &axis) { return axis.places; });
    Shape split = concatenated(concatenated({images(), outputs_}, strides), places);
    std::vector<int64_t> permutation = {0, 1};
    Shape whole = {images(), outputs_}, wanted = whole;
    for (size_t i = 0; i < spatial(); ++i) {
      permutation.push_back(static_cast<int64_t>(2 + spatial() + i));
      permutation.push_back(static_cast<int64_t>(2 + i));
      whole.push_back(places[i] * strides[i]);
      wanted.push_back(axes_[i].output);
    }
    Result woven = build_.reshape(build_.transpose(build_.reshape(stacked, split), permutation), whole);
    return build_.slice(woven, Shape(whole.size(), 0), Shape(whole.size(), 1), wanted);
  }

  Builder &build_;
  ValueId data_;
  Result bias_;  ///< -1: none
  std::vector<Axis> axes_;
  int64_t groups_;
  int64_t outputs_ = 0;
  ValueId weight_ = -1;
  std::vector<Result> parts_;
  std::vector<int64_t> order_;  ///< the phases in the order of the parts
};

/// 'output_shape', with or without the first two dims.
absl::StatusOr<std::optional<Shape>> wantedOutput(const NodeContext &node, size_t spatial) {
  if (!node.hasAttribute("output_shape")) return std::nullopt;
  HONE_ASSIGN_OR_RETURN(Shape wanted, node.integers("output_shape"));
  if (wanted.empty()) return std::nullopt;
  if (wanted.size() == spatial + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  bool isValid = wanted.size() == spatial;
  for (int64_t extent : wanted) isValid = isValid && extent >= 1 && extent <= kLargestWindow;
  if (isValid) return wanted;
  return invalid("attribute 'output_shape' ", graph::shapeText(wanted), " does not give ", spatial, " extents");
}

/// Extents of the result, and what is cut off in front of each.
absl::StatusOr<std::vector<Axis>> readAxes(const NodeContext &node, const Window &window) {
  size_t spatial = window.spatial();
  HONE_ASSIGN_OR_RETURN(Shape further, spatialList(node, "output_padding", spatial, 0, 0));
  HONE_ASSIGN_OR_RETURN(std::optional<Shape> wanted, wantedOutput(node, spatial));
  HONE_ASSIGN_OR_RETURN(std::string autoPad, readAutoPad(node));
  HONE_ASSIGN_OR_RETURN(Shape pads, spatialList(node, "pads", 2 * spatial, 0, 0));
  bool isSame = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  std::vector<Axis> axes;
  int64_t phases = 1;
  for (size_t i = 0; i < spatial; ++i) {
    Axis axis;
    axis.input = node.shape(0)[i + 2];
    axis.stride = window.strides[i];
    axis.kernel = window.kernel[i];
    axis.dilation = window.dilations[i];
    // No overflow: phases is at most 4096 here, a stride at most 2^30.
    phases *= axis.stride;
    if (phases > kMostPhases) {
      return unsupported("strides ", graph::shapeText(window.strides), ", more than ", kMostPhases, " in all");
    }
    int64_t full = axis.stride * (axis.input - 1) + further[i] + (axis.kernel - 1) * axis.dilation + 1;
    if (wanted || isSame) {
      axis.output = wanted ? (*wanted)[i] : axis.input * axis.stride;
      int64_t cut = std::max<int64_t>(full - axis.output, 0);
      axis.padBegin = autoPad == "SAME_UPPER" ? cut / 2 : cut - cut / 2;
    } else {
      axis.padBegin = autoPad == "VALID" ? 0 : pads[i];
      axis.output = full - axis.padBegin - (autoPad == "VALID" ? 0 : pads[spatial + i]);
    }
    if (axis.output < 1) return invalid("pads ", graph::shapeText(pads), " leave nothing of ", full, " elements");
    axis.places = (axis.output + axis.stride - 1) / axis.stride;
    axes.push_back(axis);
  }
  return axes;
}

}  // namespace

Result importConvTranspose(NodeContext &node) {
  const Shape &data = node.shape(0), &weight = node.shape(1);
  HONE_ASSIGN_OR_RETURN(int64_t groups, node.integer("group", 1));
  if (weight.size() != data.size() || weight.size() < 3 || weight[0] != data[1]) {
    return invalid("data of shape ", graph::shapeText(data), " does not go with weights of shape ",
                   graph::shapeText(weight));
  }
  if (groups < 1 || weight[0] % groups != 0)
    return invalid(weight[0], " channels do not divide into ", groups, " groups");
  if (node.has(2) && node.shape(2) != Shape{weight[1] * groups}) {
    return invalid("bias of shape ", graph::shapeText(node.shape(2)), " does not have one entry for each of ",
                   weight[1] * groups, " channels");
  }
  HONE_ASSIGN_OR_RETURN(Window window, readWindowShape(node, data, Shape(weight.begin() + 2, weight.end())));
  HONE_ASSIGN_OR_RETURN(std::vector<Axis> axes, readAxes(node, window));
  Result bias = node.has(2) ? Result(node.input(2)) : Result(-1);
  return Decomposition(node.build, node.input(0), bias, std::move(axes), groups).run(node.input(1));
}

}  // namespace hone::frontend
