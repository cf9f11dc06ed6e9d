#include "worker/agent/describe.h"

#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"
#include "text/printable.h"
#include "worker/agent/child_end.h"

namespace hone::worker {

namespace {

constexpr size_t kIdDigits = 16;

size_t roundUp(size_t size) { return (size + 3) & ~size_t{3}; }

// The linker's build id among the notes at \p notes.
std::string findBuildId(std::string_view notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::copy_n(notes.begin(), sizeof header, reinterpret_cast<char *>(&header));
    const size_t name = sizeof header;
    const size_t value = name + roundUp(header.n_namesz);
    const size_t end = value + roundUp(header.n_descsz);
    if (end > notes.size()) return {};
    if (header.n_type == NT_GNU_BUILD_ID && notes.substr(name, header.n_namesz) == std::string_view("GNU\0", 4))
      return std::string(notes.substr(value, header.n_descsz));
    notes.remove_prefix(end);
  }
  return {};
}

int collect(dl_phdr_info *info, size_t, void *target) {
  // The kernel's own is no code of a compiler.
  if (std::string_view(info->dlpi_name).find("vdso") != std::string_view::npos) return 0;
  std::string id;
  for (ElfW(Half) i = 0; i < info->dlpi_phnum && id.empty(); ++i) {
    const ElfW(Phdr) &part = info->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    id = findBuildId({reinterpret_cast<const char *>(info->dlpi_addr + part.p_vaddr), part.p_memsz});
  }
  static_cast<std::set<std::string> *>(target)->insert(id.empty() ? std::string(info->dlpi_name) : id);
  return 0;
}

}  // namespace

absl::StatusOr<v1::TargetDescription> describeTarget(ChildPool &children, const Log &log, Cancellation &cancellation) {
  constexpr auto kLongest = std::chrono::seconds(60);
  auto child = children.takeTalkative();
  if (!child.ok()) return child.status();
  v1::Work work;
  work.mutable_describe_target()->set_target("llvm");
  (*child)->begin(work, {});
  (*child)->converse({.deadline = std::chrono::steady_clock::now() + kLongest, .cancellation = cancellation});
  ChildEnd end = (*child)->finish();
  if (!end.log.empty())
    log.info("children are", {{"state", std::string(absl::StripAsciiWhitespace(text::asUtf8(end.log)))}});
  v1::Result result = resultOf(end, work, "the compiler", 60);
  if (result.outcome() != v1::Result::DONE)
    return absl::UnavailableError(absl::StrCat("cannot begin to work: ", result.sentence()));
  return result.target_description();
}

std::string buildId() {
  std::set<std::string> parts;
  dl_iterate_phdr(collect, &parts);
  Sha256 hash;
  for (const std::string &part : parts) hash.append(part);
  return hash.finishAsHex().substr(0, kIdDigits);
}

uint64_t physicalBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace hone::worker
