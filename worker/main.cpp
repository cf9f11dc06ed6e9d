// hone-worker: does work for others, each piece in a process of its own.
#include "worker/worker_main.h"

namespace {

hone::worker::Abilities allAbilities() {
  hone::worker::Abilities abilities = {
      .kinds = hone::worker::allKinds(), .works = hone::worker::deviceKinds(), .hasBuilder = false};
#ifdef HONE_WORKER_HAS_COMPILER
  abilities.hasBuilder = true;
  // Before those of a device: where both know a work, the compiler knows more.
  const auto builders = hone::worker::builderKinds();
  abilities.works.insert(abilities.works.begin(), builders.begin(), builders.end());
#endif
  return abilities;
}

}  // namespace

int main(int argc, char **argv) { return hone::worker::workerMain(argc, argv, allAbilities()); }
