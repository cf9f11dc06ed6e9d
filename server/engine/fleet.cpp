#include "server/engine/fleet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/api_version.h"
#include "server/base/error_detail.h"
#include "server/engine/failure_policy.h"

namespace hone::server {
namespace {

constexpr size_t kMaxName = 256;
constexpr int kMaxSlots = 1024;

template <typename Roles>
bool has(const Roles &roles, v1::Role role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

absl::Status refused(const std::string &sentence, std::string_view remedy) {
  return withDetail(absl::InvalidArgumentError(sentence), "WORKER_REFUSED", remedy);
}

void count(std::map<std::string, int> &counts, const std::string &name, int change) {
  int &number = counts[name];
  number += change;
  if (number == 0) counts.erase(name);
}

}  // namespace

absl::Status checkHello(const v1::Hello &hello) {
  const bool isBuilder = has(hello.roles(), v1::ROLE_BUILDER);
  const bool isDevice = has(hello.roles(), v1::ROLE_DEVICE);
  const int32_t oldest = hello.oldest_api_version() == 0 ? hello.api_version() : hello.oldest_api_version();
  if (hello.api_version() < proto::kOldestApiVersion || oldest > proto::kApiVersion) {
    return refused(absl::StrCat("worker '", hello.name(), "' speaks versions ", oldest, " to ", hello.api_version(),
                                " of the interface, and this coordinator versions ", proto::kOldestApiVersion, " to ",
                                proto::kApiVersion, "; install the same version of hone on both"),
                   "install the same version of hone on both");
  }
  if (hello.name().empty() || hello.name().size() > kMaxName || hello.key().size() > kMaxName) {
    return refused(absl::StrCat("a worker's name has 1 to ", kMaxName, " bytes, not ", hello.name().size(),
                                ", and its key at most ", kMaxName, ", not ", hello.key().size()),
                   "give the worker another name or key");
  }
  if (!isBuilder && !isDevice) {
    return refused(absl::StrCat("worker '", hello.name(), "' has no role that is known here"),
                   "give the worker the role builder, device or both");
  }
  if (isDevice && hello.key().empty()) {
    return refused(absl::StrCat("worker '", hello.name(), "' is a device without a key"), "give the worker a key");
  }
  if (isDevice && hello.abi_version() <= 0) {
    return refused(absl::StrCat("worker '", hello.name(), "' is a device without a runtime"),
                   "install a build of hone with the runtime, or leave out the role device");
  }
  if (isBuilder && hello.build_id().empty()) {
    return refused(absl::StrCat("worker '", hello.name(), "' is a builder without a compiler"),
                   "install a build of hone with the compiler, or leave out the role builder");
  }
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------------------- as stored

void Fleet::load(const std::vector<WorkerRow> &rows) {
  rows_.clear();
  for (const WorkerRow &row : rows) rows_[row.name] = row;
  for (auto &[id, attached] : sessions_) relist(attached);
}

WorkerRow *Fleet::row(const std::string &name) {
  const auto found = rows_.find(name);
  return found == rows_.end() ? nullptr : &found->second;
}

const WorkerRow &Fleet::introduce(const v1::Hello &hello, int64_t nowMicros) {
  WorkerRow &row = rows_[hello.name()];
  row.name = hello.name();
  row.key = hello.key();
  row.version = hello.version();
  row.roles.clear();
  for (const v1::Role role : {v1::ROLE_BUILDER, v1::ROLE_DEVICE}) {
    if (has(hello.roles(), role)) row.roles.push_back(role);
  }
  row.target = hello.target();
  row.seenMicros = nowMicros;
  return row;
}

bool Fleet::forgetUnseen(int64_t beforeMicros) {
  const size_t erased = std::erase_if(rows_, [&](const auto &entry) {
    const WorkerRow &row = entry.second;
    return row.seenMicros < beforeMicros && !row.isDraining && !row.isQuarantined && !byName_.contains(row.name);
  });
  std::erase_if(setbacks_, [&](const auto &entry) { return !rows_.contains(entry.first); });
  return erased > 0;
}

void Fleet::standingChanged(const std::string &name) {
  const auto found = byName_.find(name);
  if (found != byName_.end()) relist(sessions_.at(found->second));
}

bool Fleet::knowsKey(const std::string &key, int64_t sinceMicros) const {
  if (devices_.contains(key)) return true;
  return std::any_of(rows_.begin(), rows_.end(), [&](const auto &entry) {
    return entry.second.key == key && entry.second.seenMicros >= sinceMicros &&
           has(entry.second.roles, v1::ROLE_DEVICE);
  });
}

std::vector<std::string> Fleet::knownKeys(int64_t sinceMicros) const {
  std::set<std::string> keys;
  for (const auto &[key, number] : devices_) keys.insert(key);
  for (const auto &[name, row] : rows_) {
    if (row.seenMicros >= sinceMicros && has(row.roles, v1::ROLE_DEVICE)) keys.insert(row.key);
  }
  return {keys.begin(), keys.end()};
}

// ----------------------------------------------------------------------------------------------------------- sessions

Session &Fleet::attach(Session session, absl::Duration now) {
  const SessionId id = session.id;
  Attached &attached = sessions_[id];
  attached.session = std::move(session);
  const v1::Hello &hello = attached.session.hello;
  byName_[hello.name()] = id;
  if (has(hello.roles(), v1::ROLE_BUILDER)) {
    attached.slots[""].total = std::clamp(hello.builder_slots(), 1, kMaxSlots);
    if (!builds_.contains(hello.build_id())) ++buildsGeneration_;
    count(builds_, hello.build_id(), 1);
  }
  if (has(hello.roles(), v1::ROLE_DEVICE)) {
    attached.slots[hello.key()].total = 1;
    count(devices_, hello.key(), 1);
  }
  for (auto &[key, slots] : attached.slots) slots.freed.assign(static_cast<size_t>(slots.total), now);
  for (const TaskKind *kind : kinds_->of(hello)) {
    const std::string key = kind->key == nullptr ? "" : hello.key();
    attached.kinds[key].insert(kind->name);
    able_[{key, kind->name}].insert(id);
  }
  relist(attached);
  return attached.session;
}

std::optional<Session> Fleet::detach(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return std::nullopt;
  for (const auto &[key, slots] : found->second.slots) list(found->second, key, false);
  for (const auto &[key, kinds] : found->second.kinds) {
    for (const std::string &kind : kinds) able_[{key, kind}].erase(id);
  }
  Session session = std::move(found->second.session);
  const auto named = byName_.find(session.name());
  if (named != byName_.end() && named->second == id) byName_.erase(named);
  if (has(session.hello.roles(), v1::ROLE_BUILDER)) count(builds_, session.hello.build_id(), -1);
  if (has(session.hello.roles(), v1::ROLE_DEVICE)) count(devices_, session.hello.key(), -1);
  sessions_.erase(found);
  return session;
}

Session *Fleet::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second.session;
}

Session *Fleet::find(const std::string &name) {
  const auto found = byName_.find(name);
  return found == byName_.end() ? nullptr : find(found->second);
}

const Session *Fleet::find(const std::string &name) const { return const_cast<Fleet *>(this)->find(name); }

std::vector<Session *> Fleet::sessions() {
  std::vector<Session *> result;
  for (auto &[id, attached] : sessions_) result.push_back(&attached.session);
  return result;
}

std::vector<std::string> Fleet::builds() const {
  std::vector<std::string> result;
  for (const auto &[build, number] : builds_) result.push_back(build);
  return result;
}

// -------------------------------------------------------------------------------------------------------------- slots

bool Fleet::mayWork(const Session &session) const {
  const auto row = rows_.find(session.name());
  const Setbacks *setbacks = setbacksOf(session.name());
  const bool isHeldBack = setbacks != nullptr && setbacks->heldUntil;
  return !session.isLeaving && !isHeldBack && row != rows_.end() && !row->second.isDraining &&
         !row->second.isQuarantined;
}

void Fleet::list(Attached &attached, const std::string &key, bool wanted) {
  Slots &slots = attached.slots.at(key);
  const SessionId id = attached.session.id;
  const std::set<std::string> &kinds = attached.kinds[key];
  if (slots.listedAs) {
    for (const std::string &kind : kinds) free_[{key, kind}].erase({*slots.listedAs, id});
  }
  slots.listedAs.reset();
  if (!wanted || slots.used >= slots.total || slots.freed.empty()) return;
  slots.listedAs = slots.freed.front();
  for (const std::string &kind : kinds) free_[{key, kind}].insert({*slots.listedAs, id});
}

void Fleet::relist(Attached &attached) {
  const bool wanted = mayWork(attached.session);
  for (const auto &[key, slots] : attached.slots) list(attached, key, wanted);
}

std::optional<Fleet::FreeSlot> Fleet::free(const std::string &key, const std::string &kind,
                                           const std::string &avoided) {
  const auto found = free_.find({key, kind});
  if (found == free_.end()) return std::nullopt;
  for (const auto &[since, id] : found->second) {
    Session *session = find(id);
    if (session->name() != avoided) return FreeSlot{session, since};
  }
  return std::nullopt;
}

bool Fleet::hasFree(const std::string &key, const std::string &kind) const {
  const auto found = free_.find({key, kind});
  return found != free_.end() && !found->second.empty();
}

bool Fleet::hasOther(const std::string &key, const std::string &kind, const std::string &name) const {
  const auto found = able_.find({key, kind});
  return found != able_.end() && std::ranges::any_of(found->second, [&](SessionId id) {
           const Session &session = sessions_.at(id).session;
           return session.name() != name && mayWork(session);
         });
}

bool Fleet::canDo(const std::string &key, const std::string &kind) const {
  const auto found = able_.find({key, kind});
  return found != able_.end() && !found->second.empty();
}

bool Fleet::isServed(const std::string &key) const { return key.empty() ? !builds_.empty() : devices_.contains(key); }

// ----------------------------------------------------------------------------------------------------------- setbacks

void Fleet::rememberSetbacks(const std::string &worker) {
  const Setbacks *now = setbacksOf(worker);
  setbacksBefore_.try_emplace(worker, now == nullptr ? std::nullopt : std::optional(*now));
}

void Fleet::undoSetbacks() {
  for (auto &[worker, before] : std::exchange(setbacksBefore_, {})) {
    setbacks_.erase(worker);
    if (before) setbacks_[worker] = *std::move(before);
  }
}

void Fleet::completed(const std::string &worker) {
  rememberSetbacks(worker);
  setbacks_.erase(worker);
}

void Fleet::gaveBack(const std::string &worker, const std::string &reason, absl::Duration now) {
  rememberSetbacks(worker);
  Setbacks &setbacks = setbacks_[worker];
  setbacks.reason = reason;
  const absl::Duration pause = heldBackAfter(++setbacks.inARow);
  if (pause > absl::ZeroDuration()) setbacks.heldUntil = now + pause;
  standingChanged(worker);
}

void Fleet::endHoldings(absl::Duration now) {
  for (auto &[worker, setbacks] : setbacks_) {
    if (!setbacks.heldUntil || *setbacks.heldUntil > now) continue;
    setbacks.heldUntil.reset();
    standingChanged(worker);
  }
}

std::optional<absl::Duration> Fleet::nextHoldingEnd() const {
  std::optional<absl::Duration> next;
  for (const auto &[worker, setbacks] : setbacks_) {
    if (setbacks.heldUntil && (!next || *setbacks.heldUntil < *next)) next = setbacks.heldUntil;
  }
  return next;
}

const Fleet::Setbacks *Fleet::setbacksOf(const std::string &worker) const {
  const auto found = setbacks_.find(worker);
  return found == setbacks_.end() ? nullptr : &found->second;
}

void Fleet::occupy(const std::string &worker, const std::string &key) {
  const auto named = byName_.find(worker);
  if (named == byName_.end()) return;
  Attached &attached = sessions_.at(named->second);
  const auto slots = attached.slots.find(key);
  if (slots == attached.slots.end()) return;
  ++slots->second.used;
  if (!slots->second.freed.empty()) slots->second.freed.pop_front();
  list(attached, key, mayWork(attached.session));
}

void Fleet::release(const std::string &worker, const std::string &key, absl::Duration now) {
  const auto named = byName_.find(worker);
  if (named == byName_.end()) return;
  Attached &attached = sessions_.at(named->second);
  const auto slots = attached.slots.find(key);
  if (slots == attached.slots.end() || slots->second.used == 0) return;
  if (--slots->second.used < slots->second.total) slots->second.freed.push_back(now);
  list(attached, key, mayWork(attached.session));
}

void Fleet::releaseAll(absl::Duration now) {
  for (auto &[id, attached] : sessions_) {
    for (auto &[key, slots] : attached.slots) {
      slots.used = 0;
      slots.freed.assign(static_cast<size_t>(slots.total), now);
    }
    relist(attached);
  }
}

std::map<std::string, Fleet::KeyCount> Fleet::counts() const {
  std::map<std::string, KeyCount> result;
  for (const auto &[id, attached] : sessions_) {
    for (const auto &[key, slots] : attached.slots) {
      KeyCount &count = result[key];
      ++count.workers;
      if (mayWork(attached.session)) count.free += std::max(0, slots.total - slots.used);
    }
  }
  return result;
}

int32_t Fleet::slotsOf(const std::string &worker) const {
  const auto named = byName_.find(worker);
  if (named == byName_.end()) return 0;
  int32_t total = 0;
  for (const auto &[key, slots] : sessions_.at(named->second).slots) total += slots.total;
  return total;
}

}  // namespace hone::server
