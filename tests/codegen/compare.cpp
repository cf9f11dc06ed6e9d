#include "tests/codegen/compare.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/codegen/interpreter.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::test {

void compare(const loop::Kernel &kernel, const std::string &what) {
  static const uint64_t seed = hone::testing::testSeed();  // printed once
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  hone::testing::Random random(seed);
  std::vector<std::vector<double>> expected;
  for (const loop::BufferSlot &slot : kernel.buffers) {
    std::vector<double> numbers(static_cast<size_t>(slot.elements));
    for (double &number : numbers) number = slot.written ? -77 : static_cast<double>(random.between(-20, 20));
    expected.push_back(numbers);
  }
  std::vector<std::vector<double>> initial = expected;
  ASSERT_NO_THROW(interpret(kernel, expected)) << what;
  for (const auto &[name, target] : runnableTargets()) {
    Loaded module(kernel, target);
    std::vector<std::unique_ptr<Aligned<float>>> storage;  // i32 buffers share it: both have four bytes
    std::vector<void *> pointers;
    for (size_t b = 0; b < initial.size(); ++b) {
      storage.push_back(std::make_unique<Aligned<float>>(initial[b].size()));
      for (size_t i = 0; i < initial[b].size(); ++i) {
        if (kernel.buffers[b].dtype == DType::I32) {
          reinterpret_cast<int32_t *>(storage.back()->data())[i] = static_cast<int32_t>(initial[b][i]);
        } else {
          storage.back()->data()[i] = static_cast<float>(initial[b][i]);
        }
      }
      pointers.push_back(storage.back()->data());
    }
    module.run(pointers);
    for (size_t i = 0; i < expected.back().size(); ++i) {
      ASSERT_EQ((*storage.back())[i], static_cast<float>(expected.back()[i]))
          << what << ", " << name << ", element " << i;
    }
  }
}

ValuePtr guarded(const ValuePtr &value, std::vector<loop::Guard> guards, int activeLanes, ValuePtr fill) {
  loop::Value changed = *value;
  changed.guards = std::move(guards);
  changed.activeLanes = activeLanes;
  changed.fill = std::move(fill);
  return std::make_shared<loop::Value>(changed);
}

StatementPtr guarded(const StatementPtr &statement, std::vector<loop::Guard> guards, int activeLanes) {
  loop::Statement changed = *statement;
  changed.guards = std::move(guards);
  changed.activeLanes = activeLanes;
  return std::make_shared<loop::Statement>(changed);
}

}  // namespace hone::test
