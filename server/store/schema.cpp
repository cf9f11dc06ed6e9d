#include "server/store/schema.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace hone::server::sqlite {
namespace {

// Times are Unix microseconds, 0 for "not yet". Messages that nothing is selected by are kept as they travel; nothing
// is identified by such bytes. `account` is what quotas ask for, kept by triggers, so that no intent can forget it.
constexpr char kVersion1[] = R"sql(
CREATE TABLE job(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  request_id TEXT NOT NULL,
  priority INTEGER NOT NULL,
  label TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  submitted INTEGER NOT NULL,
  started INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0 CHECK((ended = 0) = (state IN ('pending', 'running'))),
  attempts INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  last_sequence INTEGER NOT NULL,
  result BLOB NOT NULL DEFAULT x'',  -- hone.v1.JobResult
  UNIQUE(user, request_id)
) STRICT;
CREATE INDEX job_by_user ON job(user, number);
CREATE INDEX job_ended ON job(ended) WHERE ended > 0;

CREATE TABLE request(
  job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
  message BLOB NOT NULL  -- hone.v1.SubmitRequest
) STRICT;

CREATE TABLE task(
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: workers name it
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  state TEXT NOT NULL CHECK(state IN ('pending', 'leased', 'done', 'failed', 'cancelled')),
  epoch INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,
  device_key TEXT NOT NULL,
  cache_key TEXT NOT NULL,
  deadline INTEGER NOT NULL,
  grant_sequence INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX task_by_job ON task(job);
CREATE INDEX task_unfinished ON task(id) WHERE state IN ('pending', 'leased');

CREATE TABLE attempt(
  task INTEGER NOT NULL REFERENCES task ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  worker TEXT NOT NULL,
  granted INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  outcome TEXT NOT NULL DEFAULT ''
    CHECK(outcome IN ('', 'done', 'failed', 'lost', 'expired', 'cancelled', 'returned')),
  log TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(task, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE event(
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  sequence INTEGER NOT NULL CHECK(sequence > 0),
  micros INTEGER NOT NULL,
  from_state TEXT NOT NULL CHECK(from_state IN ('', 'pending', 'running')),
  to_state TEXT NOT NULL CHECK(to_state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  actor TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY(job, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_blob(
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  role TEXT NOT NULL CHECK(role IN ('input', 'result')),
  PRIMARY KEY(job, sha256, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_blob_by_blob ON job_blob(sha256);

CREATE TABLE blob(
  sha256 TEXT PRIMARY KEY CHECK(length(sha256) = 64),
  size INTEGER NOT NULL CHECK(size >= 0),
  user TEXT NOT NULL,
  created INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_by_use ON blob(used);

CREATE TABLE cache(
  cache_key TEXT PRIMARY KEY,
  result BLOB NOT NULL,  -- hone.v1.JobResult
  created INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT;
CREATE TABLE cache_blob(
  cache_key TEXT NOT NULL REFERENCES cache ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY(cache_key, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX cache_blob_by_blob ON cache_blob(sha256);

CREATE TABLE worker(
  name TEXT PRIMARY KEY,
  device_key TEXT NOT NULL,
  version TEXT NOT NULL,
  reason TEXT NOT NULL,
  is_builder INTEGER NOT NULL CHECK(is_builder IN (0, 1)),
  is_device INTEGER NOT NULL CHECK(is_device IN (0, 1)),
  target BLOB NOT NULL,  -- hone.v1.TargetDescription
  is_draining INTEGER NOT NULL CHECK(is_draining IN (0, 1)),
  is_quarantined INTEGER NOT NULL CHECK(is_quarantined IN (0, 1)),
  completed INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  strikes INTEGER NOT NULL,
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record_task(
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE record_target(
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,  -- canonical
  message BLOB NOT NULL  -- hone.v1.TargetDescription
) STRICT;
CREATE TABLE record(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  identity BLOB NOT NULL UNIQUE CHECK(length(identity) = 32),
  task INTEGER NOT NULL REFERENCES record_task,
  target INTEGER NOT NULL REFERENCES record_target,
  threads INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  samples BLOB NOT NULL,  -- doubles, least significant byte first
  error TEXT NOT NULL,
  origin TEXT NOT NULL,
  micros INTEGER NOT NULL
) STRICT;
CREATE INDEX record_by_task ON record(task, target, threads, id);
CREATE INDEX record_by_target ON record(target, id);

CREATE TABLE account(
  user TEXT PRIMARY KEY,
  blob_bytes INTEGER NOT NULL DEFAULT 0,
  pending INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TRIGGER job_begins AFTER INSERT ON job BEGIN
  INSERT INTO account(user, pending, running) VALUES(new.user, new.state = 'pending', new.state = 'running')
    ON CONFLICT(user) DO UPDATE SET pending = pending + excluded.pending, running = running + excluded.running;
END;
CREATE TRIGGER job_changes AFTER UPDATE OF state ON job BEGIN
  UPDATE account SET pending = pending + (new.state = 'pending') - (old.state = 'pending'),
                     running = running + (new.state = 'running') - (old.state = 'running') WHERE user = new.user;
END;
CREATE TRIGGER blob_comes AFTER INSERT ON blob BEGIN
  INSERT INTO account(user, blob_bytes) VALUES(new.user, new.size)
    ON CONFLICT(user) DO UPDATE SET blob_bytes = blob_bytes + excluded.blob_bytes;
END;
CREATE TRIGGER blob_goes AFTER DELETE ON blob BEGIN
  UPDATE account SET blob_bytes = blob_bytes - old.size WHERE user = old.user;
END;

CREATE TABLE counter(
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES('grant_sequence', 0);
)sql";

// Jobs of many tasks. A job of one task has no specification of the task beside its own.
constexpr char kVersion2[] = R"sql(
ALTER TABLE job ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN memo BLOB NOT NULL DEFAULT x'';
ALTER TABLE job ADD COLUMN tasks INTEGER NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN ended_tasks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN spec BLOB NOT NULL DEFAULT x'';    -- hone.v1.TaskSpec; empty: the job's
ALTER TABLE task ADD COLUMN items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;  -- the task whose end made this one possible
ALTER TABLE task ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN result BLOB NOT NULL DEFAULT x'';  -- hone.v1.TaskResult; empty: the job's
UPDATE task SET kind = CASE device_key WHEN '' THEN 'compile' ELSE 'run' END,
                created = (SELECT submitted FROM job WHERE number = task.job);
UPDATE job SET kind = (SELECT kind FROM task WHERE task.job = number),
               deadline = (SELECT deadline FROM task WHERE task.job = number), ended_tasks = ended > 0;
ALTER TABLE task DROP COLUMN deadline;
ALTER TABLE event ADD COLUMN task BLOB NOT NULL DEFAULT x'';   -- hone.v1.TaskEvent; empty: of the job

CREATE TABLE item(
  task INTEGER NOT NULL REFERENCES task ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK(number >= 0),
  result BLOB NOT NULL,  -- hone.v1.ItemResult
  PRIMARY KEY(task, number)
) STRICT, WITHOUT ROWID;

ALTER TABLE job_blob RENAME TO old_job_blob;
CREATE TABLE job_blob(
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  role TEXT NOT NULL CHECK(role IN ('input', 'result', 'scratch')),
  PRIMARY KEY(job, sha256, role)
) STRICT, WITHOUT ROWID;
INSERT INTO job_blob SELECT * FROM old_job_blob;
DROP TABLE old_job_blob;
CREATE INDEX job_blob_by_blob ON job_blob(sha256);

-- Listings by state read what they show, however many ended jobs there are.
CREATE INDEX job_by_state ON job(state, number);
CREATE INDEX job_by_user_and_state ON job(user, state, number);
)sql";

constexpr const char *kSteps[] = {kVersion1, kVersion2};

}  // namespace

Steps schemaSteps() { return kSteps; }

absl::Status migrate(Connection &connection, Steps steps) {
  absl::StatusOr<int64_t> version = connection.integer("PRAGMA user_version");
  if (!version.ok()) return version.status();
  for (auto next = static_cast<size_t>(*version); next < steps.size(); ++next) {
    const std::string sql = absl::StrCat("BEGIN IMMEDIATE;", steps[next], ";PRAGMA application_id=", kApplicationId,
                                         ";PRAGMA user_version=", next + 1, ";COMMIT");
    if (absl::Status status = connection.execute(sql.c_str()); !status.ok()) {
      if (connection.isInTransaction()) connection.execute("ROLLBACK").IgnoreError();
      return absl::Status(status.code(), absl::StrCat("the step from version ", next, " to version ", next + 1,
                                                      " of the database failed: ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace hone::server::sqlite
