// Checks of what workers say.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/kinds/fields.h"
#include "server/rpc/validate.h"

namespace hone::server {

namespace {

constexpr size_t kMostText = 1 << 17;  // a log has 64 KiB; characters are cut whole
constexpr size_t kMostName = 256;
constexpr int kMostSlots = 1024;
constexpr int kMostHeld = 4096;
constexpr int kMostKinds = 256;
constexpr int kMostItems = 1 << 16;
constexpr int kMostVersion = 1 << 20;
constexpr int kMostSteps = INT32_MAX;
constexpr int64_t kMostMemory = int64_t{1} << 50;

template <typename Named>
absl::Status checkLease(const Named &named) {
  if (named.task() <= 0 || named.epoch() <= 0)
    return absl::InvalidArgumentError(absl::StrCat("a lease is named as task ", named.task(), ", epoch ", named.epoch(),
                                                   ", but both are at least 1"));
  return absl::OkStatus();
}

absl::Status checkHeld(const google::protobuf::RepeatedPtrField<v1::HeldLease> &held) {
  HONE_CHECK(checkRange("the number of held leases", held.size(), 0, kMostHeld));
  for (const v1::HeldLease &one : held) HONE_CHECK(checkLease(one));
  return absl::OkStatus();
}

absl::Status checkRoles(const v1::Hello &hello) {
  std::set<int> roles;
  for (const int role : hello.roles()) {
    if (role != v1::ROLE_BUILDER && role != v1::ROLE_DEVICE)
      return absl::InvalidArgumentError(absl::StrCat("roles names ", role, ", which is no role of a worker"));
    if (!roles.insert(role).second) return absl::InvalidArgumentError("roles names a role twice");
  }
  if (roles.empty()) return absl::InvalidArgumentError("roles is empty: a worker is a builder, a device or both");
  if (roles.contains(v1::ROLE_DEVICE)) HONE_CHECK(checkName("key", hello.key()));
  return checkRange("builder_slots", hello.builder_slots(), roles.contains(v1::ROLE_BUILDER) ? 1 : 0, kMostSlots);
}

absl::Status checkHello(const v1::Hello &hello) {
  HONE_CHECK(checkName("name", hello.name()));
  HONE_CHECK(checkRoles(hello));
  if (!hello.key().empty()) HONE_CHECK(checkName("key", hello.key()));
  if (!hello.has_target()) return absl::InvalidArgumentError("target is missing");
  HONE_CHECK(checkTarget("target", hello.target()));
  HONE_CHECK(checkRange("memory_bytes", hello.memory_bytes(), 0, kMostMemory));
  HONE_CHECK(checkRange("api_version", hello.api_version(), 0, kMostVersion));
  HONE_CHECK(checkRange("abi_version", hello.abi_version(), 0, kMostVersion));
  HONE_CHECK(checkLength("version", hello.version(), kMostName));
  HONE_CHECK(checkLength("build_id", hello.build_id(), kMostName));
  HONE_CHECK(checkRange("the number of kinds", hello.kinds_size(), 0, kMostKinds));
  for (const v1::KindVersion &kind : hello.kinds()) HONE_CHECK(checkName("the name of a kind", kind.kind()));
  return checkHeld(hello.held());
}

absl::Status checkProgress(const v1::LeaseProgress &progress) {
  HONE_CHECK(checkLease(progress));
  HONE_CHECK(checkLength("the phase", progress.progress().phase(), kMostName));
  HONE_CHECK(checkRange("done", progress.progress().done(), 0, kMostSteps));
  return checkRange("total", progress.progress().total(), 0, kMostSteps);
}

absl::Status checkResult(const v1::LeaseResult &result) {
  HONE_CHECK(checkLease(result));
  if (!v1::Result::Outcome_IsValid(result.result().outcome()))
    return absl::InvalidArgumentError(
        absl::StrCat("the outcome is ", static_cast<int>(result.result().outcome()), ", which is none"));
  HONE_CHECK(checkDigestField("artifact", result.has_artifact(), result.artifact(), false));
  HONE_CHECK(checkDigestField("outputs", result.has_outputs(), result.outputs(), false));
  return checkLength("log", result.log(), kMostText);
}

absl::Status checkItems(const v1::LeaseItems &items) {
  HONE_CHECK(checkLease(items));
  HONE_CHECK(checkRange("the number of items", items.items_size(), 1, kMostItems));
  for (const v1::ItemResult &item : items.items()) HONE_CHECK(checkRange("an item", item.item(), 0, kMostItems));
  return absl::OkStatus();
}

}  // namespace

absl::Status checkMessage(const v1::WorkerMessage &message, bool isFirst) {
  if (isFirst != message.has_hello())
    return absl::InvalidArgumentError(isFirst ? "a worker's first message is not hello"
                                              : "a worker says hello a second time on one stream");
  switch (message.kind_case()) {
    case v1::WorkerMessage::kHello:
      return checkHello(message.hello());
    case v1::WorkerMessage::kHeartbeat:
      return checkHeld(message.heartbeat().held());
    case v1::WorkerMessage::kProgress:
      return checkProgress(message.progress());
    case v1::WorkerMessage::kResult:
      return checkResult(message.result());
    case v1::WorkerMessage::kItems:
      return checkItems(message.items());
    case v1::WorkerMessage::kGoodbye:
      return checkLength("reason", message.goodbye().reason(), kMostText);
    case v1::WorkerMessage::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a worker's message is empty, or says what this version does not know");
}

}  // namespace hone::server
