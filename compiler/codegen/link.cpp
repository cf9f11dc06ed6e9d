#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/helper_module.h"
#include "lld/Common/Driver.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

namespace hone::codegen {
namespace {

// lld reads and writes files by name only. It gets names of descriptors: files in memory to read, and a pipe to write,
// which it takes for a device and so writes in one go instead of beside it, to be renamed.

/// A descriptor that is closed with the object.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const { return number_; }
  std::string path() const { return absl::StrCat("/proc/self/fd/", number_); }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

/// A file in memory with \p bytes in it.
absl::StatusOr<Descriptor> fileWith(std::string_view bytes) {
  Descriptor file(memfd_create("hone-link", MFD_CLOEXEC));
  while (file.number() >= 0 && !bytes.empty()) {
    const ssize_t written = write(file.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (file.number() < 0 || !bytes.empty())
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot hold the module's ", bytes.size(), " bytes in memory: ", std::strerror(errno)));
  return file;
}

/// What is written into a pipe, read by a thread until finish().
class Drain {
 public:
  static absl::StatusOr<std::unique_ptr<Drain>> open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
      return absl::ResourceExhaustedError(absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
    std::unique_ptr<Drain> drain(new Drain);
    drain->read_ = Descriptor(ends[0]);
    drain->write_ = Descriptor(ends[1]);
    try {
      drain->thread_ = std::thread([raw = drain.get()] { raw->readAll(); });
    } catch (const std::system_error &error) {
      return absl::ResourceExhaustedError(absl::StrCat("cannot start a thread for the linker: ", error.what()));
    }
    return drain;
  }
  ~Drain() { join(); }

  std::string path() const { return write_.path(); }
  /// The bytes, once nobody else writes.
  absl::StatusOr<std::string> finish() {
    join();
    if (isFull_) return absl::ResourceExhaustedError("out of memory for the linked module");
    return std::move(bytes_);
  }

 private:
  Drain() = default;

  void join() {
    write_.close();
    if (thread_.joinable()) thread_.join();
  }

  void readAll() {
    for (;;) {
      const ssize_t got = read(read_.number(), part_.data(), part_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      try {
        if (!isFull_) bytes_.append(part_.data(), static_cast<size_t>(got));
      } catch (const std::bad_alloc &) {
        isFull_ = true;  // and goes on, as the linker would wait for ever
      }
    }
  }

  Descriptor read_, write_;
  std::vector<char> part_ = std::vector<char>(size_t{1} << 16);
  std::string bytes_;
  bool isFull_ = false;  ///< there was no memory for more
  std::thread thread_;
};

/// One archive of \p objects: a model may have more kernels than a process may have files.
absl::StatusOr<std::string> archiveOf(const std::vector<std::string_view> &objects) {
  std::vector<llvm::NewArchiveMember> members;
  std::vector<std::string> names;
  for (size_t i = 0; i < objects.size(); ++i) {
    // lld would end the process.
    if (!objects[i].starts_with("\x7f"
                                "ELF"))
      return absl::InternalError(absl::StrCat("object ", i, " is not ELF"));
    names.push_back(absl::StrCat(i, ".o"));
  }
  for (size_t i = 0; i < objects.size(); ++i)
    members.emplace_back(llvm::MemoryBufferRef({objects[i].data(), objects[i].size()}, names[i]));
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NoSymtab, llvm::object::Archive::K_GNU,
                                            /*Deterministic=*/true, /*Thin=*/false);
  if (!archive) return absl::InternalError(absl::StrCat("archive of objects: ", llvm::toString(archive.takeError())));
  return (*archive)->getBuffer().str();
}

}  // namespace

absl::StatusOr<std::string> linkModule(const std::vector<std::string> &objects,
                                       const std::vector<ModuleKernel> &kernels, const TargetDescription &target) {
  HONE_ASSIGN_OR_RETURN(std::string helpers, compileHelpers(target));
  HONE_ASSIGN_OR_RETURN(std::string table, compileTable(kernels, target));
  std::vector<std::string_view> all = {table};
  all.insert(all.end(), objects.begin(), objects.end());
  all.push_back(helpers);
  HONE_ASSIGN_OR_RETURN(const std::string archive, archiveOf(all));
  HONE_ASSIGN_OR_RETURN(const Descriptor input, fileWith(archive));
  HONE_ASSIGN_OR_RETURN(const Descriptor exports,
                        fileWith(absl::StrCat("{ global: ", HONE_QUERY_SYMBOL, "; local: *; };\n")));
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Drain> output, Drain::open());

  const std::vector<std::string> arguments = {"ld.lld",
                                              "-shared",
                                              "--no-undefined",
                                              "--build-id=none",
                                              "--gc-sections",
                                              "--hash-style=gnu",
                                              "-soname=mod.so",
                                              "-znoexecstack",
                                              "-znow",
                                              "--threads=1",
                                              "-O1",
                                              "--fatal-warnings",
                                              "--version-script=" + exports.path(),
                                              "-o",
                                              output->path(),
                                              "--whole-archive",
                                              input.path()};
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments) pointers.push_back(argument.c_str());
  std::string said;
  llvm::raw_string_ostream stream(said);
  lld::Result result = lld::lldMain(pointers, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) return absl::InternalError(absl::StrCat("linking the module failed: ", said));
  return output->finish();
}

}  // namespace hone::codegen
