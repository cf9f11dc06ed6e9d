// mod.params: which constants it holds, in which order and where. It keeps the constants, never their packed bytes,
// which are made anew whenever somebody wants them: weights may be larger than what there is memory for twice. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/artifact/artifact.h"
#include "compiler/artifact/pack_parameter.h"
#include "compiler/graph/graph.h"
#include "compiler/tensor/layout.h"

namespace hone::driver {

/// A constant as a kernel reads it.
struct Parameter {
  graph::Constant constant;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  tensor::Layout layout;
};

class ParameterFile {
 public:
  /// Offset (64-aligned) and size of \p parameter, which is appended unless the same bytes are there already.
  std::pair<int64_t, int64_t> place(Parameter parameter);

  /// What was placed; valid as long as this object, to which nothing more may be added.
  artifact::Parameters content() const;

 private:
  struct Placed {
    Parameter parameter;
    int64_t offset, bytes;
  };
  std::vector<Placed> placed_;
  std::multimap<std::string, size_t> known_;  // by digest, which need not tell all contents apart
  artifact::MemberDigester digester_;
  int64_t end_ = 0;
};

}  // namespace hone::driver
