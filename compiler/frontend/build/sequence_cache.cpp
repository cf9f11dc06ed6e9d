#include "compiler/frontend/build/sequence_cache.h"

#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/graph/print.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {

using tensor::Scalar;

// Every place of the result looks for its own element: that can be done in any order.
Result writeIntoCache(Builder &build, Result cache, Result update, Result places, int64_t axis, CacheEnd end) {
  for (const Result *operand : {&cache, &update, &places}) {
    if (!operand->ok()) return *operand;
  }
  const Shape shape = build.shape(*cache), fresh = build.shape(*update);
  const DType dtype = build.dtype(*cache);
  const auto along = static_cast<size_t>(axis);
  if (fresh.size() != shape.size() || withoutAxis(fresh, along) != withoutAxis(shape, along) ||
      fresh[along] > shape[along] || build.dtype(*update) != dtype) {
    return invalid("the update ", graph::typeText(build.type(*update)), " does not fit into axis ", axis, " of ",
                   graph::typeText(build.type(*cache)));
  }
  if (build.shape(*places) != Shape{shape[0]} || !isInteger(build.dtype(*places))) {
    return invalid("the places ", graph::typeText(build.type(*places)), " are not an integer for each of ", shape[0],
                   " samples");
  }
  tensor::KernelBuilder b("write_into_cache");
  const int old = b.input("cache", shape, dtype), added = b.input("update", fresh, dtype);
  const int first = b.input("places", {shape[0]}, build.dtype(*places)), result = b.output("result", shape, dtype);
  const StageDims all = dimsOver(shape);
  b.begin("write", all.dims);
  tensor::Index source = all.at[along] + tensor::load(first, {all.at[0]}) * -1;
  if (end == CacheEnd::Wrapped) source = tensor::mod(source, shape[along]);
  const Scalar place = tensor::indexValue(source);
  const auto limit = [](int64_t value) { return tensor::number(static_cast<double>(value), DType::I64); };
  const Scalar isBefore = tensor::less(place, limit(0)), isWithin = tensor::less(place, limit(fresh[along]));
  const Scalar value = b.get(added, withIndex(all.at, along, tensor::clamp(source, 0, fresh[along] - 1)));
  const Scalar kept = b.get(old, all.at);
  const Scalar behind = end == CacheEnd::Cleared ? tensor::number(0, dtype) : kept;
  b.put(tensor::select(isBefore, kept, tensor::select(isWithin, value, behind)), result, all.at);
  return build.compute(b.finish(), {cache, update, places});
}

}  // namespace hone::frontend
