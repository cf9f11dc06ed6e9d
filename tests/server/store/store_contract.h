// What any Store must do, as tests that a backend instantiates with its StoreFactory:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(factory), storeName);
//
// A test owns its StoreHome and with it the store.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "server/store/store.h"

namespace hone::server::testing {

/// Where one test's store lives.
class StoreHome {
 public:
  virtual ~StoreHome() = default;
  virtual Store &store() = 0;
  virtual void reopen() = 0;  ///< as after a restart of the process
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StoreHome>()> make;
};

/// Else googletest prints the object's bytes.
inline void PrintTo(const StoreFactory &factory, std::ostream *out) { *out << factory.name; }

inline std::string storeName(const ::testing::TestParamInfo<StoreFactory> &info) { return info.param.name; }

class StoreContract : public ::testing::TestWithParam<StoreFactory> {
 protected:
  StoreContract() : home_(GetParam().make()) {}

  Store &store() { return home_->store(); }
  void reopen() { home_->reopen(); }
  void begin() { ASSERT_EQ(store().begin(), absl::OkStatus()); }
  void commit() { ASSERT_EQ(store().commit(), absl::OkStatus()); }

  /// Submits in a transaction of its own.
  Task submit(const std::string &id, const std::string &user = "ada", const std::string &cacheKey = "",
              int32_t priority = 0);
  /// Claims in a transaction of its own.
  int64_t claim(int64_t task, const std::string &worker = "w1");
  v1::Job job(const std::string &id);

  std::unique_ptr<StoreHome> home_;
  int64_t now_ = 1'000'000;
};

/// 64 hexadecimal digits made from \p number.
v1::Digest digestOf(int number, int64_t size = 100);
NewJob newJob(const std::string &id, const std::string &user);
/// Ends a leased task, and its job with it, as the engine does for a job of one task: granted to w2, for the events.
absl::StatusOr<bool> complete(Store &store, int64_t task, int64_t epoch, AttemptEnd end, const v1::JobResult &result,
                              const std::string &log, const std::string &cacheKey, int64_t nowMicros);
v1::JobResult resultOf(v1::Result::Outcome outcome, const std::string &sentence, int artifact = 0);

}  // namespace hone::server::testing
