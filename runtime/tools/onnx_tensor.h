// Tensors as ONNX keeps test data: files of one TensorProto each (input_0.pb, output_0.pb). A reader of its own, so
// that who compares outputs needs no library of ONNX's. Bytes from outside are not trusted. Functions without state.
#pragma once

#include <string>
#include <string_view>

#include "runtime/status.h"
#include "runtime/tools/npz.h"

namespace hone::runtime {

struct NamedArray {
  std::string name;  ///< as in the file; may be empty
  Array array;
};

/// Refuses what is no tensor (sequences, optionals), strings, complex numbers, data in another file, and data that is
/// not as long as the shape asks for. \p file is for messages.
Result<NamedArray> parseOnnxTensor(std::string_view bytes, std::string_view file);

}  // namespace hone::runtime
