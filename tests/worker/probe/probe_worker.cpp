// hone-worker without the compiler, that does probe tasks, too.
#include "tests/worker/probe/probe.h"
#include "worker/worker_main.h"

int main(int argc, char **argv) {
  constexpr const hone::worker::WorkKind *kinds[] = {&hone::worker::kRun, &hone::worker::kBench, &hone::test::kProbe};
  std::vector<hone::worker::Kind> works = hone::worker::deviceKinds();
  works.push_back({hone::v1::Work::kProbe, hone::test::probe});
  return hone::worker::workerMain(argc, argv, {.kinds = kinds, .works = works, .hasBuilder = true});
}
