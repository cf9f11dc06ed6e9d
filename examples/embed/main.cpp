// Loads a compiled model, runs it on zeros and prints the first values of each output.
#include <algorithm>
#include <hone/runtime.hpp>
#include <iostream>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: embed MODEL.tar\n";
    return 2;
  }
  try {
    hone::Context context;
    hone::Model model = hone::Model::load(argv[1]);
    hone::Session session(context, model);
    for (int32_t i = 0; i < model.inputCount(); ++i) session.setInput(i, std::vector<char>(model.input(i).bytes, 0));
    session.run();
    for (int32_t i = 0; i < model.outputCount(); ++i) {
      const hone::TensorInfo info = model.output(i);
      std::cout << info.name << " (" << hone_dtype_name(info.dtype) << "):";
      if (info.dtype == HONE_FLOAT32) {
        // Of the true shape: info.bytes is the most where sizes depend on data.
        std::size_t bytes = 0;
        const float *values = session.output<float>(i, &bytes);
        for (std::size_t e = 0; e < std::min<std::size_t>(5, bytes / sizeof(float)); ++e) std::cout << ' ' << values[e];
      }
      std::cout << '\n';
    }
  } catch (const hone::RuntimeError &error) {
    std::cerr << "error: " << error.what() << '\n';
    return error.status();
  }
}
