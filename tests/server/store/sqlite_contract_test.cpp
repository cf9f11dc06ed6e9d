// SqliteStore keeps the contract.
#include "server/base/failpoint.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

class SqliteHome : public StoreHome {
 public:
  SqliteHome() { reopen(); }
  Store &store() override { return *store_; }
  void reopen() override {
    store_.reset();
    absl::StatusOr<std::unique_ptr<Store>> opened = openSqliteStore({.folder = scratch_.path()}, failpoints_);
    ASSERT_EQ(opened.status(), absl::OkStatus());
    store_ = *std::move(opened);
  }

 private:
  Scratch scratch_;
  Failpoints failpoints_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract,
                         ::testing::Values(StoreFactory{"sqlite", [] { return std::make_unique<SqliteHome>(); }}),
                         storeName);

}  // namespace
}  // namespace hone::server::testing
