-- A database of version 1, as hone 0.1.0 wrote it. Not to be edited: migration_test.cpp says what it holds.
PRAGMA application_id=1752133221;
PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO job VALUES(1,'j-done','ada','request-j-done',0,'label of j-done','succeeded',1000,1100,1400,2,'w2',5,X'0a0012440a40303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030351064');
INSERT INTO job VALUES(2,'j-runs','ada','request-j-runs',0,'label of j-runs','running',1000,1500,0,1,'w1',2,X'');
INSERT INTO job VALUES(3,'j-waits','ada','request-j-waits',0,'label of j-waits','pending',1000,0,0,0,'',1,X'');
CREATE TABLE request(
  job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
  message BLOB NOT NULL  -- hone.v1.SubmitRequest
) STRICT;
INSERT INTO request VALUES(1,X'0a0e726571756573742d6a2d646f6e6512480a460a440a403030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303110642a0f6c6162656c206f66206a2d646f6e65');
INSERT INTO request VALUES(2,X'0a0e726571756573742d6a2d72756e7312480a460a440a403030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303110642a0f6c6162656c206f66206a2d72756e73');
INSERT INTO request VALUES(3,X'0a0f726571756573742d6a2d776169747312480a460a440a403030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303110642a106c6162656c206f66206a2d7761697473');
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
INSERT INTO task VALUES(1,1,'done',2,'w2',2,'','key',77,2);
INSERT INTO task VALUES(2,2,'leased',1,'w1',1,'','key',77,3);
INSERT INTO task VALUES(3,3,'pending',0,'',0,'','key',77,0);
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
INSERT INTO attempt VALUES(1,1,'w1',1100,1200,'lost','');
INSERT INTO attempt VALUES(1,2,'w2',1300,1400,'done','the log');
INSERT INTO attempt VALUES(2,1,'w1',1500,0,'','');
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
INSERT INTO event VALUES(1,1,1000,'','pending','user:ada','submitted');
INSERT INTO event VALUES(1,2,1100,'pending','running','worker:w1','leased, attempt 1');
INSERT INTO event VALUES(1,3,1200,'running','pending','server','the worker was lost');
INSERT INTO event VALUES(1,4,1300,'pending','running','worker:w2','leased, attempt 2');
INSERT INTO event VALUES(1,5,1400,'running','succeeded','worker:w2','done');
INSERT INTO event VALUES(2,1,1000,'','pending','user:ada','submitted');
INSERT INTO event VALUES(2,2,1500,'pending','running','worker:w1','leased, attempt 1');
INSERT INTO event VALUES(3,1,1000,'','pending','user:ada','submitted');
CREATE TABLE job_blob(
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  role TEXT NOT NULL CHECK(role IN ('input', 'result')),
  PRIMARY KEY(job, sha256, role)
) STRICT, WITHOUT ROWID;
INSERT INTO job_blob VALUES(1,'0000000000000000000000000000000000000000000000000000000000000001','input');
INSERT INTO job_blob VALUES(2,'0000000000000000000000000000000000000000000000000000000000000001','input');
INSERT INTO job_blob VALUES(3,'0000000000000000000000000000000000000000000000000000000000000001','input');
INSERT INTO job_blob VALUES(1,'0000000000000000000000000000000000000000000000000000000000000005','result');
CREATE TABLE blob(
  sha256 TEXT PRIMARY KEY CHECK(length(sha256) = 64),
  size INTEGER NOT NULL CHECK(size >= 0),
  user TEXT NOT NULL,
  created INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO blob VALUES('0000000000000000000000000000000000000000000000000000000000000005',100,'ada',1350,1350);
CREATE TABLE cache(
  cache_key TEXT PRIMARY KEY,
  result BLOB NOT NULL,  -- hone.v1.JobResult
  created INTEGER NOT NULL,
  used INTEGER NOT NULL
) STRICT;
INSERT INTO cache VALUES('key',X'0a0012440a40303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030351064',1400,1400);
CREATE TABLE cache_blob(
  cache_key TEXT NOT NULL REFERENCES cache ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY(cache_key, sha256)
) STRICT, WITHOUT ROWID;
INSERT INTO cache_blob VALUES('key','0000000000000000000000000000000000000000000000000000000000000005');
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
INSERT INTO worker VALUES('w1','rpi4','0.1.0','',0,1,X'0a11616172636836342d6c696e75782d676e75',0,0,0,0,0,1500);
CREATE TABLE record_task(
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO record_task VALUES(1,'the task');
CREATE TABLE record_target(
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,  -- canonical
  message BLOB NOT NULL  -- hone.v1.TargetDescription
) STRICT;
INSERT INTO record_target VALUES(1,'0:;10:cortex-a72;0;0;0;0;0;0;0',X'120a636f727465782d613732');
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
INSERT INTO record VALUES(1,X'd2db8f2f239cb9f91c3893f315d1fde1d72b73718fe9e9018820d8a300d7b6bf',1,1,4,'the schedule',X'000000000000d03f','','j-done',1600);
CREATE TABLE account(
  user TEXT PRIMARY KEY,
  blob_bytes INTEGER NOT NULL DEFAULT 0,
  pending INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO account VALUES('ada',100,1,1);
CREATE TABLE counter(
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES('grant_sequence',3);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('job',3);
INSERT INTO sqlite_sequence VALUES('task',3);
INSERT INTO sqlite_sequence VALUES('record',1);
CREATE INDEX job_by_user ON job(user, number);
CREATE INDEX job_ended ON job(ended) WHERE ended > 0;
CREATE INDEX task_by_job ON task(job);
CREATE INDEX task_unfinished ON task(id) WHERE state IN ('pending', 'leased');
CREATE INDEX job_blob_by_blob ON job_blob(sha256);
CREATE INDEX blob_by_use ON blob(used);
CREATE INDEX cache_blob_by_blob ON cache_blob(sha256);
CREATE INDEX record_by_task ON record(task, target, threads, id);
CREATE INDEX record_by_target ON record(target, id);
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
COMMIT;
