#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/helper_module.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

namespace hone::codegen {
namespace {

/// A folder that goes away with the object. lld reads and writes files only.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> make() {
    std::error_code error;
    std::filesystem::path base = std::filesystem::temp_directory_path(error);
    if (error) return absl::UnavailableError(absl::StrCat("no folder for temporary files: ", error.message()));
    std::string pattern = (base / "hone-link-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("cannot make a folder in ", base.string(), "; set TMPDIR to one that is writable"));
    }
    return TemporaryFolder(pattern);
  }
  TemporaryFolder(TemporaryFolder &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string file(std::string_view name) const { return (path_ / name).string(); }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

absl::Status writeFile(const std::string &path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return absl::ResourceExhaustedError(absl::StrCat("cannot write ", bytes.size(), " bytes to ", path));
  return absl::OkStatus();
}

absl::StatusOr<std::string> readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return absl::InternalError(absl::StrCat("cannot read ", path));
  return std::move(bytes).str();
}

}  // namespace

absl::StatusOr<std::string> linkModule(const std::vector<std::string> &objects,
                                       const std::vector<ModuleKernel> &kernels, const TargetDescription &target) {
  HONE_ASSIGN_OR_RETURN(std::string helpers, compileHelpers(target));
  HONE_ASSIGN_OR_RETURN(std::string table, compileTable(kernels, target));
  HONE_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::make());
  std::string output = folder.file("mod.so");
  std::string exports = folder.file("exports");
  HONE_RETURN_IF_ERROR(writeFile(exports, absl::StrCat("{ global: ", HONE_QUERY_SYMBOL, "; local: *; };\n")));

  std::vector<std::string> arguments = {"ld.lld",
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
                                        "--version-script=" + exports,
                                        "-o",
                                        output};
  auto addInput = [&](const std::string &name, const std::string &bytes) {
    arguments.push_back(folder.file(name));
    return writeFile(arguments.back(), bytes);
  };
  HONE_RETURN_IF_ERROR(addInput("table.o", table));
  for (size_t i = 0; i < objects.size(); ++i) HONE_RETURN_IF_ERROR(addInput(absl::StrCat(i, ".o"), objects[i]));
  HONE_RETURN_IF_ERROR(addInput("helpers.o", helpers));

  std::vector<const char *> pointers;
  for (const std::string &argument : arguments) pointers.push_back(argument.c_str());
  std::string said;
  llvm::raw_string_ostream stream(said);
  lld::Result result = lld::lldMain(pointers, stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) return absl::InternalError(absl::StrCat("linking the module failed: ", said));
  return readFile(output);
}

}  // namespace hone::codegen
