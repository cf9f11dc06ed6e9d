// What a client does with one index: upload a model, compile it, fetch the artifact, run it on a device, fetch the
// outputs; sometimes cancel, send garbage, or keep a large blob. A pure function of (seed, index), so that a client
// that was killed begins the same chain again, with the same request ids.
#pragma once

#include <cstdint>
#include <string>

#include "hone/v1/work.pb.h"
#include "tests/service/service_client.h"

namespace hone::test {

struct ChainSettings {
  std::string name;  ///< of the client; begins its request ids
  uint64_t seed = 0;
  std::string key;  ///< of the devices
  v1::TargetDescription target;
};

void runChain(ServiceClient &client, History &history, const ChainSettings &settings, int64_t index);

}  // namespace hone::test
