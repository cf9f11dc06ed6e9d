// What tests of leases with items share.
#pragma once

#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/server/probe/number.h"
#include "tests/worker/agent_fixture.h"
#include "tests/worker/probe/fault.h"

namespace hone::test {

inline v1::TaskSpec probeOf(uint64_t seed, int32_t items) {
  v1::TaskSpec spec;
  spec.mutable_probe()->set_seed(seed);
  spec.mutable_probe()->set_items(items);
  return spec;
}

inline std::vector<int32_t> range(int32_t first, int32_t end) {
  std::vector<int32_t> numbers;
  for (int32_t number = first; number < end; ++number) numbers.push_back(number);
  return numbers;
}

/// A line of what a probe tells of an item.
struct DoneItem {
  int process = 0, work = 0, item = 0;
  long cpuSoft = 0, cpuHard = 0;
};
inline std::vector<DoneItem> doneItems(const std::string &log) {
  std::vector<DoneItem> items;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    DoneItem one;
    if (sscanf(line.c_str(), "process %d work %d item %d cpu %ld of %ld", &one.process, &one.work, &one.item,
               &one.cpuSoft, &one.cpuHard) == 5)
      items.push_back(one);
  }
  return items;
}
inline std::set<int> processes(const std::string &log) {
  std::set<int> numbers;
  for (const DoneItem &item : doneItems(log)) numbers.insert(item.process);
  return numbers;
}

inline std::vector<int32_t> numbersOf(const v1::LeaseItems &group) {
  std::vector<int32_t> numbers;
  for (const v1::ItemResult &item : group.items()) numbers.push_back(item.item());
  return numbers;
}

class ItemsTest : public AgentTest {
 protected:
  void startBoth(FakeCoordinator::Settings settings = {}, std::vector<std::string> more = {}) {
    startCoordinator(std::move(settings));
    startProber(std::move(more));
  }
  /// The group with this number, from 0, once it is there.
  v1::LeaseItems group(int64_t task, size_t number, int64_t epoch = 1) {
    EXPECT_TRUE(eventually([&] { return coordinator_->items(task, epoch).size() > number; }));
    const auto groups = coordinator_->items(task, epoch);
    return groups.size() > number ? groups[number] : v1::LeaseItems();
  }
  /// In the order of their arrival, however grouped.
  std::vector<v1::ItemResult> items(int64_t task, int64_t epoch = 1) const {
    std::vector<v1::ItemResult> all;
    for (const v1::LeaseItems &group : coordinator_->items(task, epoch))
      all.insert(all.end(), group.items().begin(), group.items().end());
    return all;
  }
  /// Exactly these came, in this order, each once, with their numbers; but \p blamed has an error.
  void expectItems(int64_t task, uint64_t seed, const std::vector<int32_t> &numbers, int32_t blamed = -1,
                   int64_t epoch = 1) const {
    std::vector<int32_t> came;
    for (const v1::ItemResult &item : items(task, epoch)) {
      came.push_back(item.item());
      if (item.item() == blamed) {
        EXPECT_NE(item.probe_error(), "") << "item " << item.item();
      } else {
        EXPECT_EQ(item.probe_number(), probeNumber(seed, item.item())) << item.probe_error();
      }
    }
    EXPECT_EQ(came, numbers);
  }
  std::string errorOf(int64_t task, int32_t number) const {
    for (const v1::ItemResult &item : items(task))
      if (item.item() == number) return item.probe_error();
    return "no such item";
  }
  v1::LeaseResult resultOf(int64_t task) {
    const auto result = coordinator_->result(task);
    return result.value_or(v1::LeaseResult());
  }
};

}  // namespace hone::test
