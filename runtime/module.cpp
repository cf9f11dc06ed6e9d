#include "runtime/module.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace hone::runtime {
namespace {

bool writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void *openLibrary(const std::string &path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }

std::string loaderError() {
  const char *error = dlerror();
  return error ? error : "unknown reason";
}

/// Through a file in memory, which stays open.
void *openInMemory(std::string_view bytes, int &file) {
  file = memfd_create("hone-module", MFD_CLOEXEC);
  if (file < 0) return nullptr;
  void *library = writeAll(file, bytes) ? openLibrary("/proc/self/fd/" + std::to_string(file)) : nullptr;
  if (!library) {
    close(file);
    file = -1;
  }
  return library;
}

/// Through a private folder that is gone when this returns.
Result<void *> openTemporary(std::string_view bytes) {
  const char *root = std::getenv("TMPDIR");
  std::string folder = std::string(root && *root ? root : "/tmp") + "/hone-XXXXXX";
  if (!mkdtemp(folder.data()))
    return failure(HONE_UNAVAILABLE, "cannot create a folder like '", folder, "': ", std::strerror(errno),
                   "; set TMPDIR to a folder that can be written");
  std::string path = folder + "/mod.so";
  const int file = mkstemp((path += ".XXXXXX").data());
  const bool written = file >= 0 && writeAll(file, bytes);
  const int error = errno;
  if (file >= 0) close(file);
  void *library = written ? openLibrary(path) : nullptr;
  std::string reason = written ? loaderError() : std::strerror(error);
  unlink(path.c_str());
  rmdir(folder.c_str());
  if (library) return library;
  if (!written) return failure(HONE_UNAVAILABLE, "cannot write '", path, "': ", reason);
  return refused("the artifact's mod.so cannot be loaded: ", reason);
}

/// What the calls rely on. The table is the compiler's, but a wrong one must not lead to wild jumps.
Status checkTable(const hone_module &table) {
  if (table.abi_version != HONE_ABI_VERSION)
    return refused("the artifact's mod.so has ABI version ", table.abi_version, ", but this runtime has ",
                   HONE_ABI_VERSION);
  if (table.kernel_count < 0 || (table.kernel_count > 0 && !table.kernels))
    return refused("the artifact's mod.so has a table of ", table.kernel_count, " kernels");
  for (int32_t i = 0; i < table.kernel_count; ++i) {
    const hone_kernel &kernel = table.kernels[i];
    if (!kernel.name || kernel.phase_count < 0 || (kernel.phase_count > 0 && !kernel.phases) ||
        kernel.buffer_count < 0 || kernel.shared_scratch_bytes < 0)
      return refused("kernel ", i, " of the artifact's mod.so is malformed");
    for (int32_t p = 0; p < kernel.phase_count; ++p) {
      const hone_phase &phase = kernel.phases[p];
      if (!phase.run || phase.extent < 1 || phase.scratch_bytes < 0 || phase.scratch_bytes % HONE_ALIGNMENT != 0)
        return refused("phase ", p, " of kernel '", kernel.name, "' in the artifact's mod.so is malformed");
    }
  }
  return {};
}

}  // namespace

Module::~Module() {
  if (library_) dlclose(library_);
  if (file_ >= 0) close(file_);
}

Result<Module> Module::load(std::string_view bytes) {
  Module module;
  module.library_ = openInMemory(bytes, module.file_);
  if (!module.library_) {
    Result<void *> library = openTemporary(bytes);
    if (!library.ok()) return library.status();
    module.library_ = *library;
  }
  void *symbol = dlsym(module.library_, HONE_QUERY_SYMBOL);
  if (!symbol) return refused("the artifact's mod.so does not export ", HONE_QUERY_SYMBOL);
  module.table_ = reinterpret_cast<hone_module_query_function>(symbol)(HONE_ABI_VERSION);
  if (!module.table_)
    return refused("the artifact's mod.so was built for another ABI version than ", HONE_ABI_VERSION,
                   " of this runtime");
  HONE_RT_RETURN_IF_ERROR(checkTable(*module.table_));
  return module;
}

}  // namespace hone::runtime
