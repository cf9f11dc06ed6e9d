#include "common/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/descriptor.h"

namespace hone {

namespace {

// posix_spawn's two sets of instructions, freed at the end of the scope.
struct Instructions {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  Instructions() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  Instructions(const Instructions &) = delete;
  Instructions &operator=(const Instructions &) = delete;
  ~Instructions() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::vector<char *> pointersTo(std::vector<std::string> &words) {
  std::vector<char *> pointers;
  for (std::string &word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

void resetProcess(posix_spawnattr_t &attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
}

}  // namespace

absl::StatusOr<pid_t> spawn(SpawnSettings settings) {
  Instructions instructions;
  int last = STDERR_FILENO;
  for (const SpawnSettings::Inherited &one : settings.descriptors) last = std::max(last, one.theirs);
  // Copies beyond all numbers that are given away, so that none is overwritten before it is moved.
  std::vector<Descriptor> copies;
  for (const SpawnSettings::Inherited &one : settings.descriptors) {
    Descriptor copy(fcntl(one.ours, F_DUPFD_CLOEXEC, last + 1));
    if (!copy.isOpen())
      return absl::UnavailableError(
          absl::StrCat("cannot pass a file to '", settings.command[0], "': ", strerror(errno)));
    copies.push_back(std::move(copy));
  }
  // What is not marked to be closed is not the child's either; the system passes over numbers that are not open.
  for (int number = STDERR_FILENO + 1; number <= last; ++number)
    posix_spawn_file_actions_addclose(&instructions.actions, number);
  for (size_t i = 0; i < copies.size(); ++i)
    posix_spawn_file_actions_adddup2(&instructions.actions, copies[i].get(), settings.descriptors[i].theirs);
  posix_spawn_file_actions_addopen(&instructions.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&instructions.actions, last + 1);
  if (!settings.folder.empty()) posix_spawn_file_actions_addchdir_np(&instructions.actions, settings.folder.c_str());
  resetProcess(instructions.attributes);
  pid_t pid = -1;
  const std::string program = settings.command[0];
  const int error = posix_spawn(&pid, program.c_str(), &instructions.actions, &instructions.attributes,
                                pointersTo(settings.command).data(),
                                settings.environment ? pointersTo(*settings.environment).data() : environ);
  if (error != 0) return absl::UnavailableError(absl::StrCat("cannot start '", program, "': ", strerror(error)));
  return pid;
}

}  // namespace hone
