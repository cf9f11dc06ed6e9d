// Databases of earlier versions: the golden ones are opened and read; steps are applied one by one, each wholly.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "server/base/failpoint.h"
#include "server/store/database_file.h"
#include "server/store/maintenance.h"
#include "server/store/schema.h"
#include "server/store/sqlite_store.h"
#include "tests/server/all_attempts.h"
#include "tests/server/scratch.h"
#include "tests/server/store/child.h"
#include "tests/server/store/files.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;

void makeDatabase(const fs::path &file, const std::string &sql) {
  sqlite3 *handle = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

std::string goldenText() { return readFile(fs::path(HONE_GOLDEN_FOLDER) / "version1.sql"); }

/// The tables as the database has them.
std::string tables(Connection &connection) {
  return *connection.text(
      "SELECT group_concat(name || ' ' || sql, char(10)) FROM "
      "(SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)");
}

class Migration : public ::testing::Test {
 protected:
  void makeGolden() { makeDatabase(scratch_.path() / "hone.db", goldenText()); }
  absl::StatusOr<Connection> open(sqlite::Steps steps) {
    return sqlite::openDatabase({.folder = scratch_.path()}, steps);
  }
  Scratch scratch_;
  Failpoints none_;
};

TEST_F(Migration, theGoldenDatabaseOfVersion1IsRead) {
  makeGolden();
  absl::StatusOr<std::unique_ptr<Store>> opened = openSqliteStore({.folder = scratch_.path()}, none_);
  ASSERT_EQ(opened.status(), absl::OkStatus());
  const Store &store = **opened;
  const v1::Job done = *store.job("j-done");
  EXPECT_EQ(done.user(), "ada");
  EXPECT_EQ(done.state(), v1::JOB_SUCCEEDED);
  EXPECT_EQ(done.label(), "label of j-done");
  EXPECT_EQ(done.result().artifact().sha256(), digestOf(5).sha256());
  EXPECT_EQ(done.spec().compile().model().sha256(), digestOf(1).sha256());
  EXPECT_EQ(done.attempts(), 2);
  EXPECT_EQ(store.events("j-done", 0)->size(), 5U);
  EXPECT_EQ(allAttempts(store, "j-done")->at(0).end(), "lost");
  EXPECT_EQ(allAttempts(store, "j-done")->at(1).log(), "the log");
  const Unfinished unfinished = *store.unfinished();
  ASSERT_EQ(unfinished.tasks.size(), 2U);
  EXPECT_TRUE(unfinished.tasks[0].isLeased);
  ASSERT_EQ(unfinished.jobs.size(), 2U);
  EXPECT_EQ(unfinished.jobs[0].id, "j-runs");
  EXPECT_TRUE(unfinished.jobs[0].isRunning);
  EXPECT_EQ(unfinished.jobs[1].id, "j-waits");
  EXPECT_EQ(unfinished.tasks[1].job, unfinished.jobs[1].number);
  EXPECT_EQ(unfinished.tasks[1].kind, "compile");
  EXPECT_EQ(unfinished.tasks[1].createdMicros, unfinished.jobs[1].submittedMicros);
  EXPECT_EQ(unfinished.lastGrantSequence, 3);
  EXPECT_EQ(store.workers()->at(0).name, "w1");
  EXPECT_EQ(store.workers()->at(0).target.triple(), "aarch64-linux-gnu");
  EXPECT_TRUE(store.cached("key")->has_value());
  EXPECT_EQ(store.usage("ada")->blobBytes, 100);
  EXPECT_EQ(store.usage("ada")->queuedJobs, 1);
  EXPECT_EQ(store.records({})->records(0).schedule(), "the schedule");
  EXPECT_EQ(store.records({})->records(0).sample_seconds(0), 0.25);
}

/// A step that was released may not be edited: old databases would lack the edit.
TEST_F(Migration, theFirstStepMakesTheGoldenTables) {
  makeGolden();
  Scratch fresh;
  absl::StatusOr<Connection> golden = Connection::open(scratch_.path() / "hone.db", Connection::Mode::Read, {});
  absl::StatusOr<Connection> made = sqlite::openDatabase({.folder = fresh.path()}, sqlite::schemaSteps().first(1));
  ASSERT_TRUE(golden.ok() && made.ok());
  EXPECT_EQ(tables(*made), tables(*golden));
}

TEST_F(Migration, stepsAreAppliedOneByOneAfterACopy) {
  makeGolden();
  // The present steps, and two of a later program.
  const sqlite::Steps present = sqlite::schemaSteps();
  std::vector<const char *> steps(present.begin(), present.end());
  steps.push_back("CREATE TABLE second(x INTEGER) STRICT");
  steps.push_back("INSERT INTO second VALUES(3); ALTER TABLE job ADD COLUMN more TEXT");
  {
    absl::StatusOr<Connection> connection = open(steps);
    ASSERT_EQ(connection.status(), absl::OkStatus());
    EXPECT_EQ(*connection->integer("PRAGMA user_version"), static_cast<int64_t>(steps.size()));
    EXPECT_EQ(*connection->integer("SELECT x FROM second"), 3);
    EXPECT_EQ(*connection->integer("SELECT count(*) FROM job"), 3);
  }
  ASSERT_EQ(open(steps).status(), absl::OkStatus()) << "opening again applies nothing";
  // This program knows none of them: refused, and the copy from before leads back.
  const absl::Status status = openSqliteStore({.folder = scratch_.path()}, none_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  const fs::path kept = scratch_.path() / "hone.db.version-1";
  ASSERT_TRUE(fs::exists(kept));
  ASSERT_EQ(restore(kept, scratch_.path()).status(), absl::OkStatus());
  EXPECT_EQ(openSqliteStore({.folder = scratch_.path()}, none_).status(), absl::OkStatus());
}

TEST_F(Migration, aStepThatFailsLeavesTheVersionBeforeIt) {
  makeGolden();
  const std::vector<const char *> steps = {sqlite::schemaSteps()[0], "CREATE TABLE second(x INTEGER) STRICT",
                                           "CREATE TABLE third(x INTEGER) STRICT; INSERT INTO nowhere VALUES(1)"};
  const absl::Status status = open(steps).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "from version 2 to version 3")) << status;
  absl::StatusOr<Connection> connection = open(sqlite::Steps(steps).first(2));
  ASSERT_EQ(connection.status(), absl::OkStatus());
  EXPECT_EQ(*connection->integer("PRAGMA user_version"), 2);
  EXPECT_EQ(*connection->integer("SELECT count(*) FROM sqlite_schema WHERE name = 'third'"), 0);
}

TEST_F(Migration, aKillInAStepLeavesOneVersionOrTheOther) {
  const std::vector<const char *> steps = {
      sqlite::schemaSteps()[0],
      "CREATE TABLE second(x INTEGER) STRICT; WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE "
      "x < 30000) INSERT INTO second SELECT x FROM n"};
  for (const int milliseconds : {1, 5, 10, 20, 40, 80}) {
    std::error_code ignored;
    fs::remove_all(scratch_.path(), ignored);
    fs::create_directory(scratch_.path());
    makeGolden();
    {
      Child child([&](const Child::Tell &tell) { open(steps).IgnoreError(); });
      usleep(static_cast<useconds_t>(milliseconds * 1000));
    }
    absl::StatusOr<Connection> connection = Connection::open(scratch_.path() / "hone.db", Connection::Mode::Read, {});
    ASSERT_TRUE(connection.ok());
    const int64_t version = *connection->integer("PRAGMA user_version");
    EXPECT_EQ(*connection->integer("SELECT count(*) FROM sqlite_schema WHERE name = 'second'"), version - 1);
    if (version == 2) {
      EXPECT_EQ(*connection->integer("SELECT count(*) FROM second"), 30000);
    }
    ASSERT_EQ(open(steps).status(), absl::OkStatus());
  }
}

}  // namespace
}  // namespace hone::server::testing
