#include "server/store/fsck_rules.h"

namespace hone::server::maintenance {
namespace {

constexpr const char *kRules[] = {
    "SELECT 'job ' || id || ' has no request' FROM job WHERE NOT EXISTS(SELECT 1 FROM request WHERE job = number)",

    "SELECT 'job ' || id || ' has no task' FROM job WHERE NOT EXISTS(SELECT 1 FROM task WHERE job = number)",

    "SELECT 'job ' || id || ' is ' || state || ', but none of its tasks is pending or leased' FROM job "
    "WHERE state IN ('pending', 'running') "
    "AND NOT EXISTS(SELECT 1 FROM task WHERE job = number AND task.state IN ('pending', 'leased'))",

    "SELECT 'job ' || job.id || ' is ' || job.state || ', but its task ' || task.id || ' is ' || task.state "
    "FROM task JOIN job ON number = job WHERE (job.ended > 0 AND task.state IN ('pending', 'leased')) "
    "OR (job.state = 'pending' AND task.state <> 'pending')",

    "SELECT 'job ' || job.id || ' is ' || job.state || ', but its one task ' || task.id || ' is ' || task.state "
    "FROM task JOIN job ON number = job WHERE length(spec) = 0 AND job.state <> CASE task.state "
    "WHEN 'leased' THEN 'running' WHEN 'done' THEN 'succeeded' ELSE task.state END",

    "SELECT 'job ' || id || ' counts ' || tasks || ' tasks, ' || ended_tasks || ' of them ended, and others are there' "
    "FROM job WHERE tasks <> (SELECT count(*) FROM task WHERE job = number) OR ended_tasks <> "
    "(SELECT count(*) FROM task WHERE job = number AND task.state NOT IN ('pending', 'leased'))",

    "SELECT 'job ' || id || ' counts ' || attempts || ' attempts, and its tasks ' || "
    "(SELECT sum(task.attempts) FROM task WHERE job = number) FROM job "
    "WHERE attempts <> (SELECT sum(task.attempts) FROM task WHERE job = number)",

    "SELECT 'task ' || id || ' counts ' || attempts || ' attempts, and ' || "
    "(SELECT count(*) FROM attempt WHERE task = task.id) || ' are there' FROM task "
    "WHERE attempts <> (SELECT count(*) FROM attempt WHERE attempt.task = task.id)",

    "SELECT 'task ' || task.id || ' is done, but ' || (SELECT count(*) FROM item WHERE item.task = task.id) || "
    "' of its ' || items || ' items have a result' FROM task WHERE state = 'done' "
    "AND items <> (SELECT count(*) FROM item WHERE item.task = task.id) AND items > 0",

    "SELECT 'item ' || number || ' of task ' || task || ' is none of its ' || items FROM item "
    "JOIN task ON task.id = item.task WHERE number >= items",

    "SELECT 'job ' || id || ' has ended, and still holds a blob that ends with it' FROM job JOIN job_blob ON "
    "job_blob.job = number WHERE ended > 0 AND role = 'scratch'",

    "SELECT 'task ' || id || ' is leased with epoch ' || epoch || ', but no attempt of that epoch is open' FROM task "
    "WHERE state = 'leased' AND NOT EXISTS(SELECT 1 FROM attempt WHERE attempt.task = task.id "
    "AND attempt.epoch = task.epoch AND outcome = '')",

    "SELECT 'task ' || task.id || ' is ' || state || ', but its attempt ' || attempt.epoch || ' is open' FROM attempt "
    "JOIN task ON task.id = attempt.task WHERE outcome = '' AND (state <> 'leased' OR task.epoch <> attempt.epoch)",

    "SELECT 'job ' || id || ' has events up to ' || last_sequence || ', of which ' || "
    "(SELECT count(*) FROM event WHERE job = number) || ' are there' FROM job "
    "WHERE last_sequence <> (SELECT count(*) FROM event WHERE job = number) "
    "OR last_sequence <> (SELECT max(sequence) FROM event WHERE job = number)",

    "SELECT 'job ' || id || ' is ' || state || ', but its last event says ' || to_state FROM job "
    "JOIN event ON job = number AND sequence = last_sequence WHERE to_state <> state",

    "SELECT 'event ' || later.sequence || ' of job ' || id || ' begins with ' || later.from_state || ', but the one "
    "before ended with ' || sooner.to_state FROM event AS later JOIN event AS sooner ON sooner.job = later.job "
    "AND sooner.sequence = later.sequence - 1 JOIN job ON number = later.job WHERE sooner.to_state <> later.from_state",

    "SELECT 'the counter of grants is ' || value || ', but a task has ' || (SELECT max(grant_sequence) FROM task) "
    "FROM counter WHERE name = 'grant_sequence' AND value < (SELECT max(grant_sequence) FROM task)",

    "SELECT 'the account of user ' || user || ' has ' || blob_bytes || ' bytes, ' || pending || ' pending and ' || "
    "running || ' running jobs, and counted are others' FROM account "
    "WHERE blob_bytes <> (SELECT ifnull(sum(size), 0) FROM blob WHERE blob.user = account.user) "
    "OR pending <> (SELECT count(*) FROM job WHERE job.user = account.user AND state = 'pending') "
    "OR running <> (SELECT count(*) FROM job WHERE job.user = account.user AND state = 'running')",

    "SELECT DISTINCT 'user ' || user || ' has no account' FROM (SELECT user FROM job UNION SELECT user FROM blob) "
    "WHERE user NOT IN (SELECT user FROM account)",
};

constexpr char kRecount[] = R"sql(
BEGIN IMMEDIATE;
DELETE FROM account;
INSERT INTO account(user) SELECT user FROM job UNION SELECT user FROM blob;
UPDATE account SET
  blob_bytes = (SELECT ifnull(sum(size), 0) FROM blob WHERE blob.user = account.user),
  pending = (SELECT count(*) FROM job WHERE job.user = account.user AND state = 'pending'),
  running = (SELECT count(*) FROM job WHERE job.user = account.user AND state = 'running');
UPDATE counter SET value = max(value, (SELECT ifnull(max(grant_sequence), 0) FROM task)) WHERE name = 'grant_sequence';
COMMIT;
)sql";

}  // namespace

absl::StatusOr<std::vector<std::string>> texts(sqlite::Connection &connection, const char *sql) {
  sqlite::Statement statement(connection, sql);
  sqlite::Use use(statement);
  std::vector<std::string> answers;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return answers;
    answers.push_back(use.text(0));
  }
}

absl::StatusOr<std::vector<std::string>> contradictions(sqlite::Connection &connection) {
  std::vector<std::string> all;
  for (const char *rule : kRules) {
    absl::StatusOr<std::vector<std::string>> found = texts(connection, rule);
    if (!found.ok()) return found.status();
    all.insert(all.end(), found->begin(), found->end());
  }
  return all;
}

absl::Status recount(sqlite::Connection &connection) {
  absl::Status status = connection.execute(kRecount);
  if (connection.isInTransaction()) connection.execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace hone::server::maintenance
