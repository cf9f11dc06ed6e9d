#include "worker/child/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hone::worker {

namespace {

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// All rights of the interface's first version; later ones (moving between folders, cutting off) are added if known.
constexpr uint64_t kFirstVersion = (uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1) - 1;
constexpr uint64_t kRefer = uint64_t{1} << 13;
constexpr uint64_t kTruncate = uint64_t{1} << 14;

constexpr uint64_t kNever = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                            LANDLOCK_ACCESS_FS_MAKE_SOCK | kRefer;

// What the C library, LLVM and the runtime read to know the machine; libraries that are loaded late.
constexpr const char *kReadable[] = {"/proc",
                                     "/sys",
                                     "/usr/lib",
                                     "/usr/local/lib",
                                     "/lib",
                                     "/lib64",
                                     "/etc/ssl/openssl.cnf",
                                     "/etc/ld.so.cache",
                                     "/dev/urandom",
                                     "/dev/null",
                                     "/dev/zero"};

uint64_t handledAccess() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return 0;
  return kFirstVersion | (version >= 2 ? kRefer : 0) | (version >= 3 ? kTruncate : 0);
}

// Files that the rules do not concern (pipes, memory) and those that are not there need none.
void allow(int ruleset, int file, uint64_t access) {
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = file;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return;
  // A file that is no folder takes no rights of folders.
  rule.allowed_access = access & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

void allowPath(int ruleset, const char *path, uint64_t access) {
  const int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0) return;
  allow(ruleset, file, access);
  close(file);
}

}  // namespace

int landlock(const Scope &scope) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = handledAccess();
  if (attributes.handled_access_fs == 0) return errno;
  const int ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0));
  if (ruleset < 0) return errno;
  for (const char *path : kReadable) allowPath(ruleset, path, kRead);
  allowPath(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  if (!scope.folder.empty()) allowPath(ruleset, scope.folder.c_str(), attributes.handled_access_fs & ~kNever);
  if (!scope.parent.empty()) allowPath(ruleset, scope.parent.c_str(), LANDLOCK_ACCESS_FS_REMOVE_DIR);
  for (const int descriptor : scope.descriptors) allow(ruleset, descriptor, LANDLOCK_ACCESS_FS_READ_FILE);
  const int error = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno;
  close(ruleset);
  return error;
}

}  // namespace hone::worker
