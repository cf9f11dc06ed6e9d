"""Compares what clients saw with what the coordinator remembers.

A history is what history_client writes: JSON objects, one a line.
  {"type": "invoke" | "ok" | "fail" | "unknown" | "stuck", "op": …, …}   a call begins; how an attempt at it ended
  {"type": "event", "job", "sequence", "from", "to"}                      one event of a watch
  {"type": "begin" | "done", "index"}, {"type": "start" | "end"}          chains of calls; lives of the client
op is find, upload, download (digest "SHA256:SIZE"), submit (request, user, kind, expect, …), watch or cancel (job).
"unknown" promises nothing; "ok" is what must never turn out to be untrue. Every line has its time in micros, an answer also
that of its invocation, begun.
"""
import collections
import hashlib
import json
import os
import sqlite3

FINAL = ("succeeded", "failed", "cancelled")
TRANSITIONS = {"": ("pending",), "pending": ("running",) + FINAL, "running": ("pending",) + FINAL}
REPEATED = ("lost", "expired", "returned")


# ------------------------------------------------------------------------------------------------------------ reading
def read_history(path):
    """Lines that a kill cut short are left out: nobody went on after them."""
    entries = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
    return entries


def wire_fields(data):
    """field number -> values, of a serialized protobuf message: integers, or bytes."""
    fields = collections.defaultdict(list)
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value = data[at:at + size]
            at += size
        fields[tag >> 3].append(value)
    return fields


def read_result(data):
    """hone.v1.JobResult, as far as it matters here."""
    fields = wire_fields(data)

    def digest(number):
        if not fields[number]:
            return ""
        parts = wire_fields(fields[number][-1])
        return f"{parts[1][-1].decode()}:{parts[2][-1] if parts[2] else 0}"

    result = wire_fields(fields[1][-1]) if fields[1] else {}
    return {"outcome": (result.get(1) or [0])[-1], "sentence": (result.get(2) or [b""])[-1].decode(),
            "artifact": digest(2), "outputs": digest(3), "from_cache": bool((fields[4] or [0])[-1])}


def read_rows(database, query):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


class Store:
    """The data folder of a coordinator that was stopped."""

    def __init__(self, folder):
        self.folder = folder
        database = os.path.join(folder, "hone.db")
        self.jobs = {row["id"]: row for row in read_rows(
            database, "SELECT number, id, user, request_id, state, attempts, last_sequence, result FROM job")}
        self.tasks = read_rows(database, "SELECT id, job, state, epoch, attempts FROM task")
        self.attempts = read_rows(
            database, "SELECT task, epoch, worker, granted, ended, outcome FROM attempt ORDER BY task, epoch")
        self.events = read_rows(
            database, "SELECT job, sequence, from_state, to_state FROM event ORDER BY job, sequence")
        self.blobs = {f"{row['sha256']}:{row['size']}" for row in read_rows(database, "SELECT sha256, size FROM blob")}

    def blob_files(self):
        """path -> name, of every file among the blobs."""
        root = os.path.join(self.folder, "blobs", "sha256")
        for folder, _, names in os.walk(root):
            for name in names:
                yield os.path.join(folder, name), name


# ----------------------------------------------------------------------------------------------------------- checking
class Checker:
    """histories: lists of entries. kills: {"who": "coordinator" | "client" | name of a worker, "micros": when the signal was
    sent, "until": when the process was gone}.
    reference(pairs) -> {(model, opt): sha256} of local compilations, for at most `samples` of the pairs."""

    def __init__(self, store, histories, kills, max_attempts, reference=None, samples=0):
        self.store = store
        self.entries = [entry for history in histories for entry in history]
        self.kills = kills
        self.max_attempts = max_attempts
        self.reference = reference
        self.samples = samples
        self.violations = []
        self.counts = collections.Counter()

    def check(self):
        """The violations, a sentence each."""
        self.check_calls()
        self.check_requests()
        self.check_jobs()
        self.check_events()
        self.check_attempts()
        self.check_results()
        self.check_blobs()
        return self.violations

    def expect(self, truth, sentence):
        self.counts["checks"] += 1
        if not truth:
            self.violations.append(sentence)

    def ok(self, op):
        return [entry for entry in self.entries if entry["type"] == "ok" and entry["op"] == op]

    def check_calls(self):
        for entry in self.entries:
            self.counts[entry["type"]] += 1
            if entry["type"] in ("fail", "stuck"):
                self.expect(False, f"a call {'was refused' if entry['type'] == 'fail' else 'never succeeded'}: {entry}")

    def check_requests(self):
        """No acknowledged job is lost or doubled, and none came from nowhere."""
        answers = collections.defaultdict(set)
        for entry in self.ok("submit"):
            answers[entry["user"], entry["request"]].add(entry["job"])
        for (user, request), jobs in answers.items():
            self.expect(len(jobs) == 1, f"doubled: request {request} was answered with the jobs {sorted(jobs)}")
            for job in jobs:
                row = self.store.jobs.get(job)
                self.expect(row is not None, f"lost: job {job} of request {request} was acknowledged")
                if row is not None:
                    self.expect((row["user"], row["request_id"]) == (user, request),
                                f"job {job} belongs to request {row['request_id']}, not to {request}")
        asked = {(entry["user"], entry["request"]) for entry in self.entries
                 if entry["type"] == "invoke" and entry["op"] == "submit"}
        seen = set()
        for row in self.store.jobs.values():
            identity = row["user"], row["request_id"]
            self.expect(identity in asked, f"invented: nobody asked for job {row['id']}")
            self.expect(identity not in seen, f"doubled: two jobs of request {row['request_id']}")
            seen.add(identity)

    def check_jobs(self):
        """Every job has one end, and it is the one that was told."""
        for row in self.store.jobs.values():
            self.expect(row["state"] in FINAL, f"job {row['id']} has not ended: {row['state']}")
        told = collections.defaultdict(set)
        for entry in self.ok("watch"):
            told[entry["job"]].add((entry["state"].removeprefix("JOB_").lower(), entry.get("artifact", ""),
                                    entry.get("outputs", "")))
        for job, ends in told.items():
            row = self.store.jobs.get(job)
            if row is None:
                self.expect(False, f"lost: job {job} was watched")
                continue
            result = read_result(row["result"])
            for end in ends:
                self.expect(end == (row["state"], result["artifact"], result["outputs"]),
                            f"job {job} was told to be {end}, but is {row['state']} {result}")

    def check_events(self):
        events = collections.defaultdict(list)
        for event in self.store.events:
            events[event["job"]].append(event)
        by_id = {}
        for row in self.store.jobs.values():
            state = ""
            mine = by_id[row["id"]] = events[row["number"]]
            for expected, event in enumerate(mine, 1):
                self.expect(event["sequence"] == expected,
                            f"job {row['id']} has event {event['sequence']} where {expected} belongs")
                self.expect(event["from_state"] == state and event["to_state"] in TRANSITIONS.get(state, ()),
                            f"job {row['id']}: event {event['sequence']} goes from '{event['from_state']}' to "
                            f"'{event['to_state']}', but the job was '{state}'")
                state = event["to_state"]
            self.expect(len(mine) == row["last_sequence"] and state == row["state"],
                        f"job {row['id']} is {row['state']} with last event {row['last_sequence']}, but its "
                        f"{len(mine)} events end with '{state}'")
        for entry in self.entries:
            if entry["type"] != "event":
                continue
            mine = by_id.get(entry["job"], [])
            stored = mine[entry["sequence"] - 1]["to_state"] if 0 < entry["sequence"] <= len(mine) else "nothing"
            self.expect(stored == entry["to"].removeprefix("JOB_").lower(),
                        f"job {entry['job']}: event {entry['sequence']} was told as {entry['to']}, but is {stored}")

    def check_attempts(self):
        """Only what was in flight at a kill is done again, and not too often."""
        attempts = collections.defaultdict(list)
        for attempt in self.store.attempts:
            attempts[attempt["task"]].append(attempt)
        jobs = {row["number"]: row for row in self.store.jobs.values()}
        tasks = collections.Counter(task["job"] for task in self.store.tasks)
        for number, row in jobs.items():
            self.expect(tasks[number] == 1, f"job {row['id']} has {tasks[number]} tasks")
        for task in self.store.tasks:
            job, mine = jobs[task["job"]], attempts[task["id"]]
            name = f"job {job['id']}"
            self.expect(len(mine) == task["attempts"] == job["attempts"],
                        f"{name} has {len(mine)} attempts, but counts {task['attempts']} and {job['attempts']}")
            self.expect(len(mine) <= self.max_attempts, f"{name} was attempted {len(mine)} times")
            ends = [attempt["outcome"] for attempt in mine]
            self.expect(all(ends), f"{name} has ended, but its attempts have not: {ends}")
            self.expect(all(end in REPEATED for end in ends[:-1]), f"{name} was done again after its end: {ends}")
            for attempt in mine:
                self.counts["attempts"] += 1
                if attempt["outcome"] in REPEATED:
                    self.counts["repeated"] += 1
                    self.expect(self.was_in_flight_at_a_kill(attempt),
                                f"{name} was attempted again, but no kill met the lease {attempt}")

    def was_in_flight_at_a_kill(self, attempt):
        return any(kill["who"] in ("coordinator", attempt["worker"])
                   and attempt["granted"] <= kill["until"] and kill["micros"] <= attempt["ended"]
                   for kill in self.kills)

    def check_results(self):
        about = {(entry["user"], entry["request"]): entry for entry in self.entries
                 if entry["type"] == "invoke" and entry["op"] == "submit"}
        artifacts, outputs = collections.defaultdict(set), collections.defaultdict(set)
        for row in self.store.jobs.values():
            entry = about.get((row["user"], row["request_id"]))
            if entry is None or row["state"] not in FINAL:
                continue
            result = read_result(row["result"])
            self.counts[row["state"]] += 1
            self.counts["from_cache"] += result["from_cache"]
            wanted = {"success": ("succeeded",), "refused": ("failed",), "any": ("succeeded", "cancelled")}
            self.expect(row["state"] in wanted[entry["expect"]],
                        f"job {row['id']} should be {entry['expect']}, but is {row['state']}: {result['sentence']}")
            if entry["expect"] == "refused":
                self.expect(result["outcome"] == 3, f"job {row['id']} was refused with outcome {result['outcome']}")
            if row["state"] == "succeeded" and entry["kind"] == "compile":
                artifacts[entry["model"], entry["opt"]].add(result["artifact"])
            elif row["state"] == "succeeded":
                outputs[entry["artifact"], entry["fill_seed"]].add(result["outputs"])
        for what, groups in (("artifacts", artifacts), ("outputs", outputs)):
            for key, digests in groups.items():
                self.expect(len(digests) == 1 and "" not in digests, f"equal jobs {key} have the {what} {digests}")
        if self.reference is None:
            return
        for pair, sha256 in self.reference(sorted(artifacts)[:self.samples]).items():
            self.counts["compared"] += 1
            self.expect({digest.split(":")[0] for digest in artifacts[pair]} == {sha256},
                        f"{pair} compiled by the service gives {artifacts[pair]}, locally {sha256}")

    def check_blobs(self):
        """No acknowledged blob is lost, none is damaged, none was ever served damaged."""
        for entry in self.ok("download"):
            self.expect(entry["received"] == entry["digest"], f"served wrong bytes: {entry}")
        known = {}
        for entry in self.ok("upload"):
            known[entry["digest"]] = min(entry["micros"], known.get(entry["digest"], entry["micros"]))
        for entry in self.ok("find"):
            self.expect(not entry["missing"] or entry["begun"] < known.get(entry["digest"], entry["micros"]),
                        f"lost: {entry['digest']} was acknowledged, then missing")
        for digest in known:
            self.expect(digest in self.store.blobs, f"lost: blob {digest} was acknowledged")
        files = {}
        for path, name in self.store.blob_files():
            with open(path, "rb") as file:
                content = file.read()
            sha256 = hashlib.sha256(content).hexdigest()
            self.expect(sha256 == name, f"the blob file {name} holds {sha256}")
            files[f"{name}:{len(content)}"] = path
        for digest in self.store.blobs:
            self.expect(digest in files, f"blob {digest} has a row and no file")
