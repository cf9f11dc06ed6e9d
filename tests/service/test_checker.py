"""The checker finds what it is for: a world without a fault passes, and each planted fault is named."""
import copy
import hashlib
import os
import re
import sqlite3
import tempfile
import unittest

import checker

SCHEMA = os.path.join(os.path.dirname(__file__), "..", "..", "server", "store", "schema.cpp")


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def part(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def result_bytes(outcome=0, artifact="", outputs=""):
    message = part(1, b"\x08" + varint(outcome)) if outcome else part(1, b"")
    for number, digest in ((2, artifact), (3, outputs)):
        if digest:
            sha256, size = digest.split(":")
            message += part(number, part(1, sha256.encode()) + b"\x10" + varint(int(size)))
    return message


def digest_of(content):
    return f"{hashlib.sha256(content).hexdigest()}:{len(content)}"


MODEL, ARTIFACT, OUTPUTS = b"model", b"artifact", b"outputs"


class World:
    """Two jobs: one compiled at the second attempt, for a worker was killed; one run. As rows, files and a history."""

    def __init__(self, folder):
        self.folder = folder
        # request id, state, result; events; attempts (epoch, worker, granted, ended, outcome)
        self.jobs = {
            "j-1": {"number": 1, "request": "c-0-c", "state": "succeeded",
                    "result": result_bytes(artifact=digest_of(ARTIFACT))},
            "j-2": {"number": 2, "request": "c-0-r", "state": "succeeded",
                    "result": result_bytes(outputs=digest_of(OUTPUTS))},
        }
        self.events = {"j-1": [(1, "", "pending"), (2, "pending", "running"), (3, "running", "pending"),
                               (4, "pending", "running"), (5, "running", "succeeded")],
                       "j-2": [(1, "", "pending"), (2, "pending", "running"), (3, "running", "succeeded")]}
        self.attempts = {"j-1": [(1, "b1", 100, 210, "lost"), (2, "b2", 220, 300, "done")],
                         "j-2": [(1, "d1", 400, 500, "done")]}
        self.task_jobs = ["j-1", "j-2"]
        self.blobs = {digest_of(content) for content in (MODEL, ARTIFACT, OUTPUTS)}
        self.files = {digest_of(content).split(":")[0]: content for content in (MODEL, ARTIFACT, OUTPUTS)}
        self.kills = [{"micros": 200, "until": 201, "who": "b1"}]
        self.reference = {(7, 3): hashlib.sha256(ARTIFACT).hexdigest()}
        compile_job = {"op": "submit", "request": "c-0-c", "user": "ann", "kind": "compile", "expect": "success",
                       "model": 7, "opt": 3}
        run_job = {"op": "submit", "request": "c-0-r", "user": "ann", "kind": "run", "expect": "success",
                   "artifact": digest_of(ARTIFACT).split(":")[0], "fill_seed": 1}
        self.history = [
            {"type": "begin", "index": 0},
            {"type": "ok", "op": "find", "digest": digest_of(MODEL), "missing": True, "begun": 1},
            {"type": "ok", "op": "upload", "digest": digest_of(MODEL)},
            dict(compile_job, type="invoke"),
            dict(compile_job, type="unknown", code=14),
            dict(compile_job, type="invoke"),
            dict(compile_job, type="ok", job="j-1"),
            {"type": "event", "job": "j-1", "sequence": 2, "from": "JOB_PENDING", "to": "JOB_RUNNING"},
            {"type": "ok", "op": "watch", "job": "j-1", "state": "JOB_SUCCEEDED", "artifact": digest_of(ARTIFACT)},
            {"type": "ok", "op": "download", "digest": digest_of(ARTIFACT), "received": digest_of(ARTIFACT)},
            dict(run_job, type="invoke"),
            dict(run_job, type="ok", job="j-2"),
            {"type": "ok", "op": "watch", "job": "j-2", "state": "JOB_SUCCEEDED", "outputs": digest_of(OUTPUTS)},
            {"type": "done", "index": 0},
        ]
        for number, entry in enumerate(self.history):
            entry["micros"] = 10 * number

    def add_job(self, name, like, request):
        number = len(self.jobs) + 1
        self.jobs[name] = dict(self.jobs[like], number=number, request=request)
        self.events[name] = list(self.events[like])
        self.attempts[name] = list(self.attempts[like])
        self.task_jobs.append(name)

    def write(self):
        database = sqlite3.connect(os.path.join(self.folder, "hone.db"))
        database.execute("PRAGMA synchronous=OFF")
        with open(SCHEMA, encoding="utf-8") as file:
            for step in re.findall(r'R"sql\((.*?)\)sql"', file.read(), re.S):
                database.executescript(f"BEGIN;{step};COMMIT")
        # What must not be there, must be possible to plant.
        database.execute("PRAGMA ignore_check_constraints=1")
        for name, job in self.jobs.items():
            attempts = self.attempts[name]
            database.execute("INSERT INTO job(number,id,user,request_id,priority,label,state,submitted,started,ended,attempts,"
                             "worker,last_sequence,result) VALUES(?,?,'ann',?,0,'',?,1,1,9,?,'',?,?)",
                             (job["number"], name, job["request"], job["state"], job.get("attempts", len(attempts)),
                              len(self.events[name]), job["result"]))
            for sequence, before, after in self.events[name]:
                database.execute("INSERT INTO event(job,sequence,micros,from_state,to_state,actor,detail) VALUES(?,?,1,?,?,'server','')",
                                 (job["number"], sequence, before, after))
        for task, name in enumerate(self.task_jobs, 1):
            attempts = self.attempts[name]
            database.execute("INSERT INTO task(id,job,state,epoch,worker,attempts,device_key,cache_key,grant_sequence) "
                             "VALUES(?,?,'done',?,'',?,'','',0)",
                             (task, self.jobs[name]["number"], len(attempts), len(attempts)))
            for attempt in attempts:
                database.execute("INSERT INTO attempt VALUES(?,?,?,?,?,?,'')", (task, *attempt))
        for blob in self.blobs:
            database.execute("INSERT INTO blob VALUES(?,?,'ann',1,1)", blob.split(":"))
        database.commit()
        database.close()
        for name, content in self.files.items():
            folder = os.path.join(self.folder, "blobs", "sha256", name[:2])
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)


class CheckerTest(unittest.TestCase):
    def violations(self, plant=lambda world: None):
        with tempfile.TemporaryDirectory() as folder:
            world = World(folder)
            plant(world)
            world.write()
            check = checker.Checker(checker.Store(folder), [world.history], world.kills, 3,
                                    lambda pairs: {pair: world.reference[pair] for pair in pairs}, 10)
            check.check()
            return check

    def finds(self, words, plant):
        found = self.violations(plant).violations
        self.assertTrue(any(words in violation for violation in found), f"'{words}' is not in {found}")

    def test_a_world_without_fault_passes(self):
        check = self.violations()
        self.assertEqual(check.violations, [])
        self.assertEqual((check.counts["compared"], check.counts["attempts"], check.counts["repeated"]), (1, 3, 1))

    def test_lost_job(self):
        def plant(world):
            del world.jobs["j-2"]
            world.task_jobs.remove("j-2")
        self.finds("lost: job j-2 of request c-0-r", plant)

    def test_doubled_job_in_the_answers(self):
        def plant(world):
            world.add_job("j-3", "j-2", "c-0-x")
            again = dict(next(entry for entry in world.history if entry.get("job") == "j-2"), job="j-3")
            world.history.append(again)
        self.finds("doubled: request c-0-r was answered with the jobs ['j-2', 'j-3']", plant)

    def test_job_that_nobody_asked_for(self):
        self.finds("invented: nobody asked for job j-3", lambda world: world.add_job("j-3", "j-2", "c-9-c"))

    def test_job_of_another_request(self):
        self.finds("belongs to request other", lambda world: world.jobs["j-2"].update(request="other"))

    def test_unfinished_job(self):
        self.finds("job j-2 has not ended: running", lambda world: world.jobs["j-2"].update(state="running"))

    def test_end_that_was_told_otherwise(self):
        self.finds("job j-2 was told to be", lambda world: world.jobs["j-2"].update(state="failed"))

    def test_artifact_that_was_told_otherwise(self):
        self.finds("job j-1 was told to be", lambda world: world.jobs["j-1"].update(
            result=result_bytes(artifact=digest_of(OUTPUTS))))

    def test_gap_in_the_events(self):
        self.finds("job j-1 has event 5 where 4 belongs",
                   lambda world: world.events["j-1"].pop(3))

    def test_illegal_transition(self):
        def plant(world):
            world.events["j-2"] = [(1, "", "pending"), (2, "pending", "succeeded"), (3, "succeeded", "failed")]
        self.finds("goes from 'succeeded' to 'failed'", plant)

    def test_events_that_end_elsewhere(self):
        self.finds("events end with 'running'", lambda world: world.events["j-2"].pop())

    def test_event_that_was_told_and_is_gone(self):
        def plant(world):
            entry = next(entry for entry in world.history if entry["type"] == "event")
            world.history.append(dict(entry, sequence=9))
        self.finds("event 9 was told as JOB_RUNNING, but is nothing", plant)

    def test_too_many_attempts(self):
        def plant(world):
            world.attempts["j-1"] = [(epoch, "b1", 100, 210, "lost") for epoch in range(1, 5)]
        self.finds("job j-1 was attempted 4 times", plant)

    def test_attempts_that_are_not_counted(self):
        self.finds("has 1 attempts, but counts 1 and 0", lambda world: world.jobs["j-2"].update(attempts=0))

    def test_two_results_for_one_job(self):
        def plant(world):
            world.attempts["j-1"][0] = (1, "b1", 100, 210, "done")
        self.finds("job j-1 was done again after its end", plant)

    def test_attempt_without_an_end(self):
        def plant(world):
            world.attempts["j-2"] = [(1, "d1", 400, 0, "")]
        self.finds("its attempts have not", plant)

    def test_repetition_without_a_kill(self):
        self.finds("no kill met the lease", lambda world: world.kills.clear())

    def test_repetition_by_the_kill_of_another(self):
        self.finds("no kill met the lease", lambda world: world.kills[0].update(who="b2"))

    def test_repetition_by_a_kill_before_the_lease(self):
        self.finds("no kill met the lease", lambda world: world.kills[0].update(micros=98, until=99))

    def test_repetition_by_a_kill_after_the_lease(self):
        self.finds("no kill met the lease", lambda world: world.kills[0].update(micros=211, until=212))

    def test_two_tasks_of_one_job(self):
        self.finds("job j-2 has 2 tasks", lambda world: world.task_jobs.append("j-2"))

    def test_job_that_should_have_succeeded(self):
        def plant(world):
            world.jobs["j-2"]["result"] = result_bytes(outcome=4)
            world.jobs["j-2"]["state"] = "failed"
        self.finds("should be success, but is failed", plant)

    def test_model_that_should_have_been_refused(self):
        def plant(world):
            for entry in world.history:
                if entry.get("request") == "c-0-c":
                    entry["expect"] = "refused"
        self.finds("should be refused, but is succeeded", plant)

    def test_artifact_that_differs_from_a_local_one(self):
        self.finds("locally 00", lambda world: world.reference.update({(7, 3): "00"}))

    def test_equal_jobs_with_unequal_artifacts(self):
        def plant(world):
            world.add_job("j-3", "j-1", "c-1-c")
            world.jobs["j-3"]["result"] = result_bytes(artifact=digest_of(OUTPUTS))
            again = copy.deepcopy([entry for entry in world.history if entry.get("request") == "c-0-c"])
            for entry in again:
                entry["request"] = "c-1-c"
                if entry["type"] == "ok":
                    entry["job"] = "j-3"
            world.history += again
        self.finds("equal jobs (7, 3) have the artifacts", plant)

    def test_refused_call(self):
        self.finds("a call was refused", lambda world: world.history.append(
            {"type": "fail", "op": "submit", "code": 9, "reason": "MISSING_BLOB", "micros": 1}))

    def test_call_in_vain(self):
        self.finds("a call never succeeded", lambda world: world.history.append(
            {"type": "stuck", "op": "watch", "code": 14, "micros": 1}))

    def test_wrong_bytes_served(self):
        self.finds("served wrong bytes", lambda world: world.history.append(
            {"type": "ok", "op": "download", "digest": digest_of(MODEL), "received": digest_of(b"x"), "micros": 1}))

    def test_lost_blob_row(self):
        self.finds("lost: blob", lambda world: world.blobs.remove(digest_of(MODEL)))

    def test_lost_blob_file(self):
        self.finds("has a row and no file", lambda world: world.files.pop(digest_of(MODEL).split(":")[0]))

    def test_blob_that_was_missed_after_its_acknowledgement(self):
        self.finds("was acknowledged, then missing", lambda world: world.history.append(
            {"type": "ok", "op": "find", "digest": digest_of(MODEL), "missing": True, "begun": 900, "micros": 901}))

    def test_damaged_blob_file(self):
        self.finds("the blob file", lambda world: world.files.update({digest_of(MODEL).split(":")[0]: b"mOdel"}))

    def test_line_cut_short_by_a_kill(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write('{"type": "begin", "index": 0}\n{"type": "ok", "op": "sub\n{"type": "done", "index": 0}\n{"ty')
            file.flush()
            self.assertEqual([entry["type"] for entry in checker.read_history(file.name)], ["begin", "done"])


if __name__ == "__main__":
    unittest.main()
