#include "tests/codegen/harness.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace hone::test {

IntExpr var(int id, const std::string &name, int64_t extent) { return loop::variable(id, name, 0, extent - 1); }

ValuePtr load(int buffer, const IntExpr &index, loop::Type type, int lane) {
  loop::Value value;
  value.kind = loop::ValueKind::Load;
  value.type = type;
  value.buffer = buffer;
  value.index = index;
  value.lane = lane;
  return std::make_shared<loop::Value>(value);
}

ValuePtr constantValue(double number, loop::Type type) {
  loop::Value value;
  value.kind = loop::ValueKind::Constant;
  value.type = type;
  value.number = number;
  value.integer = static_cast<int64_t>(number);
  return std::make_shared<loop::Value>(value);
}

ValuePtr apply(ScalarOp op, std::vector<ValuePtr> args) {
  loop::Value value;
  value.kind = loop::ValueKind::Apply;
  value.op = op;
  value.type = args.back()->type;
  if (isPredicate(op)) value.type.dtype = DType::Bool;
  value.args = std::move(args);
  return std::make_shared<loop::Value>(value);
}

ValuePtr castTo(DType dtype, const ValuePtr &arg) {
  loop::Value value;
  value.kind = loop::ValueKind::Cast;
  value.type = {dtype, arg->type.lanes};
  value.args = {arg};
  return std::make_shared<loop::Value>(value);
}

ValuePtr broadcast(const ValuePtr &arg, int lanes) {
  loop::Value value;
  value.kind = loop::ValueKind::Broadcast;
  value.type = {arg->type.dtype, lanes};
  value.args = {arg};
  return std::make_shared<loop::Value>(value);
}

ValuePtr reg(int id, const IntExpr &index, loop::Type type) {
  loop::Value value;
  value.kind = loop::ValueKind::Register;
  value.type = type;
  value.reg = id;
  value.index = index;
  return std::make_shared<loop::Value>(value);
}

StatementPtr block(std::vector<StatementPtr> body) {
  loop::Statement statement;
  statement.body = std::move(body);
  return std::make_shared<loop::Statement>(statement);
}

StatementPtr forLoop(const IntExpr &variable, const IntExpr &begin, const IntExpr &end, std::vector<StatementPtr> body,
                     loop::LoopKind kind, int64_t step) {
  loop::Statement statement;
  statement.kind = loop::StatementKind::For;
  statement.variable = variable;
  statement.begin = begin;
  statement.end = end;
  statement.step = step;
  statement.loop = kind;
  statement.body = std::move(body);
  return std::make_shared<loop::Statement>(statement);
}

StatementPtr registers(int id, int count, loop::Type type) {
  loop::Statement statement;
  statement.kind = loop::StatementKind::Registers;
  statement.reg = id;
  statement.name = "acc";
  statement.count = count;
  statement.type = type;
  return std::make_shared<loop::Statement>(statement);
}

StatementPtr set(int id, const IntExpr &index, const ValuePtr &value) {
  loop::Statement statement;
  statement.kind = loop::StatementKind::Set;
  statement.reg = id;
  statement.index = index;
  statement.value = value;
  return std::make_shared<loop::Statement>(statement);
}

StatementPtr store(int buffer, const IntExpr &index, const ValuePtr &value, int lane) {
  loop::Statement statement;
  statement.kind = loop::StatementKind::Store;
  statement.buffer = buffer;
  statement.index = index;
  statement.value = value;
  statement.lane = lane;
  return std::make_shared<loop::Statement>(statement);
}

loop::Kernel kernelOf(std::vector<std::pair<DType, int64_t>> buffers, const IntExpr &parallel, int64_t extent,
                      const StatementPtr &body) {
  loop::Kernel kernel;
  kernel.name = "test";
  for (size_t i = 0; i < buffers.size(); ++i) {
    loop::BufferSlot slot;
    slot.name = "b" + std::to_string(i);
    slot.dtype = buffers[i].first;
    slot.elements = buffers[i].second;
    slot.offset = static_cast<int64_t>(i);
    slot.written = i + 1 == buffers.size();
    kernel.buffers.push_back(slot);
  }
  kernel.phases.push_back({parallel, extent, 0, body});
  return kernel;
}

std::vector<std::pair<std::string, TargetDescription>> runnableTargets() {
  TargetDescription host = codegen::hostTarget();
  std::vector<std::pair<std::string, TargetDescription>> targets = {{"host", host}};
  for (const char *cpu : {"haswell", "x86-64"}) {
    auto target = codegen::parseTarget(std::string("llvm -mcpu=") + cpu);
    bool runs = target.ok();
    if (runs) {
      for (const std::string &feature : target->features) {
        runs = runs && std::binary_search(host.features.begin(), host.features.end(), feature);
      }
    }
    if (runs) {
      targets.emplace_back(cpu, *target);
    } else {
      std::printf("left out: code for %s, which this machine cannot run\n", cpu);
    }
  }
  return targets;
}

Loaded::Loaded(const loop::Kernel &kernel, const TargetDescription &target, bool contract) {
  codegen::Options options;
  options.keepAssembly = true;
  options.keepIr = true;
  options.contract = contract;
  auto object = codegen::compileKernel(kernel, "k", target, options);
  if (!object.ok()) throw std::runtime_error(object.status().ToString());
  compiled = *std::move(object);
  codegen::ModuleKernel entry;
  entry.name = kernel.name;
  entry.symbol = "k";
  entry.sharedScratchBytes = kernel.sharedScratchBytes;
  for (const loop::BufferSlot &slot : kernel.buffers) entry.bufferCount += slot.space == loop::Space::Argument ? 1 : 0;
  for (const loop::Phase &phase : kernel.phases) entry.phases.push_back({phase.extent, phase.scratchBytes});
  auto linked = codegen::linkModule({compiled.object}, {entry}, target);
  if (!linked.ok()) throw std::runtime_error(linked.status().ToString());
  bytes = *std::move(linked);

  std::string path = ::testing::TempDir() + "hone-codegen-XXXXXX";
  int file = mkstemp(path.data());
  if (file < 0 || write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot write " + path);
  }
  close(file);
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  unlink(path.c_str());
  if (handle_ == nullptr) throw std::runtime_error(dlerror());
  auto query = reinterpret_cast<hone_module_query_function>(dlsym(handle_, HONE_QUERY_SYMBOL));
  if (query != nullptr) table_ = query(HONE_ABI_VERSION);
  if (table_ == nullptr) throw std::runtime_error("no table");
}

Loaded::~Loaded() {
  if (handle_ != nullptr) dlclose(handle_);
}

void Loaded::run(std::vector<void *> buffers) const {
  const hone_kernel &kernel = table_->kernels[0];
  Aligned<char> shared(static_cast<size_t>(kernel.shared_scratch_bytes) + 64);
  if (kernel.shared_scratch_bytes > 0) buffers.push_back(shared.data());
  for (int i = 0; i < kernel.phase_count; ++i) {
    const hone_phase &phase = kernel.phases[i];
    Aligned<char> scratch(static_cast<size_t>(phase.scratch_bytes) + 64);
    // In pieces, so that begin and end are seen to matter.
    int64_t middle = phase.extent / 2;
    phase.run(buffers.data(), middle, phase.extent, scratch.data());
    phase.run(buffers.data(), 0, middle, scratch.data());
  }
}

}  // namespace hone::test
