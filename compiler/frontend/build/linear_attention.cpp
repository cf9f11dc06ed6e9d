#include "compiler/frontend/build/linear_attention.h"

#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using tensor::Dim;
using tensor::Index;
using tensor::Scalar;

class KernelWriter {
 public:
  explicit KernelWriter(const LinearAttention &attention) : a_(attention), b_("linear_attention") {
    const int64_t heads = a_.heads;
    query_ = packed("query", heads * a_.group * a_.keySize);
    key_ = packed("key", heads * a_.keySize);
    value_ = packed("value", heads * a_.valueSize);
    if (a_.hasState) first_ = b_.input("first_state", {a_.batch, heads, a_.keySize, a_.valueSize}, a_.dtype);
    if (a_.decays > 0) decay_ = packed("decay", heads * a_.decays);
    if (a_.rates > 0) rate_ = packed("rate", a_.rates);
    state_ = b_.temporary("state", {a_.batch, heads, a_.keySize, a_.valueSize}, a_.dtype);
    found_ = b_.temporary("found", {a_.batch, heads, a_.valueSize}, a_.dtype);
    read_ = b_.temporary("read_value", {a_.batch, heads, a_.steps, a_.group, a_.valueSize}, a_.dtype);
    result_ = b_.output("result", {a_.outputRows() + a_.stateRows(), a_.valueSize}, a_.dtype);
  }

  tensor::Kernel write() {
    start();
    if (a_.rates > 0) find();
    update();
    read();
    writeResults();
    return b_.finish();
  }

 private:
  int packed(const char *name, int64_t columns) { return b_.input(name, {a_.batch, a_.steps, columns}, a_.dtype); }

  // In the scan: the step, the sample, the head, and what the stage adds.
  std::vector<Dim> stepDims(std::vector<Dim> further) const {
    std::vector<Dim> dims = {tensor::scan("t", a_.steps), tensor::parallel("b", a_.batch),
                             tensor::parallel("h", a_.heads)};
    dims.insert(dims.end(), further.begin(), further.end());
    return dims;
  }
  static Index t() { return tensor::dim(0); }
  static Index b() { return tensor::dim(1); }
  static Index h() { return tensor::dim(2); }

  Scalar column(int buffer, const Index &at) { return b_.get(buffer, {b(), t(), at}); }
  Scalar keyAt(const Index &d) { return column(key_, h() * a_.keySize + d); }
  /// The state as the step finds it, decayed.
  Scalar decayed(const Index &d, const Index &m) {
    const Scalar state = b_.get(state_, {b(), h(), d, m});
    if (a_.decays == 0) return state;
    return tensor::exponential(column(decay_, a_.decays == 1 ? h() : h() * a_.keySize + d)) * state;
  }

  void start() {
    b_.begin("start", {tensor::parallel("b", a_.batch), tensor::parallel("h", a_.heads),
                       tensor::parallel("d", a_.keySize), tensor::parallel("m", a_.valueSize)});
    const std::vector<Index> at = {tensor::dim(0), tensor::dim(1), tensor::dim(2), tensor::dim(3)};
    b_.put(a_.hasState ? b_.get(first_, at) : tensor::number(0, a_.dtype), state_, at);
  }

  /// What the state has for the key so far.
  void find() {
    b_.begin("find", stepDims({tensor::parallel("m", a_.valueSize), tensor::reduce("k", a_.keySize)}));
    b_.fold(tensor::CombinerKind::Sum);
    const Index m = tensor::dim(3), d = tensor::dim(4);
    b_.put(decayed(d, m) * keyAt(d), found_, {b(), h(), m});
  }

  void update() {
    b_.begin("update", stepDims({tensor::parallel("d", a_.keySize), tensor::parallel("m", a_.valueSize)}));
    const Index d = tensor::dim(3), m = tensor::dim(4);
    Scalar written = column(value_, h() * a_.valueSize + m);
    if (a_.rates > 0) {
      const Scalar rate = column(rate_, a_.rates == 1 ? tensor::constant(0) : h());
      written = rate * (written - b_.get(found_, {b(), h(), m}));
    }
    b_.put(decayed(d, m) + keyAt(d) * written, state_, {b(), h(), d, m});
  }

  void read() {
    b_.begin("read", stepDims({tensor::parallel("g", a_.group), tensor::parallel("m", a_.valueSize),
                               tensor::reduce("k", a_.keySize)}));
    b_.fold(tensor::CombinerKind::Sum);
    const Index g = tensor::dim(3), m = tensor::dim(4), d = tensor::dim(5);
    const Scalar query = column(query_, (h() * a_.group + g) * a_.keySize + d);
    b_.put(query * b_.get(state_, {b(), h(), d, m}), read_, {b(), h(), t(), g, m});
  }

  void writeResults() {
    b_.begin("output",
             {tensor::parallel("b", a_.batch), tensor::parallel("t", a_.steps), tensor::parallel("h", a_.heads),
              tensor::parallel("g", a_.group), tensor::parallel("m", a_.valueSize)});
    const Index sample = tensor::dim(0), step = tensor::dim(1), head = tensor::dim(2), g = tensor::dim(3);
    const Scalar scale = tensor::number(a_.scale, a_.dtype);
    const Index row = ((sample * a_.steps + step) * a_.heads + head) * a_.group + g;
    b_.put(scale * b_.get(read_, {sample, head, step, g, tensor::dim(4)}), result_, {row, tensor::dim(4)});
    b_.begin("last_state", {tensor::parallel("b", a_.batch), tensor::parallel("h", a_.heads),
                            tensor::parallel("d", a_.keySize), tensor::parallel("m", a_.valueSize)});
    const Index last = (tensor::dim(0) * a_.heads + tensor::dim(1)) * a_.keySize + tensor::dim(2);
    b_.put(b_.get(state_, {tensor::dim(0), tensor::dim(1), tensor::dim(2), tensor::dim(3)}), result_,
           {last + a_.outputRows(), tensor::dim(3)});
  }

  const LinearAttention &a_;
  tensor::KernelBuilder b_;
  int query_ = -1, key_ = -1, value_ = -1, first_ = -1, decay_ = -1, rate_ = -1;
  int state_ = -1, found_ = -1, read_ = -1, result_ = -1;
};

}  // namespace

tensor::Kernel linearAttentionKernel(const LinearAttention &attention) { return KernelWriter(attention).write(); }

}  // namespace hone::frontend
