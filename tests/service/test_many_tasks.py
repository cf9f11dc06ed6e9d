"""Jobs of many tasks under kill -9 of the coordinator, of workers and of clients: no task is lost or doubled, and the fold is
the same as without kills. hone-server fsck looks after each kill of the coordinator. HONE_TEST_MODE=full: 200 random kills,
and each failpoint five times."""
import os
import random
import signal
import threading
import time

from fake_worker import FakeWorker
from harness import FULL, SEED, ServiceTest, wait_until
from test_kills import failpoints

KILLS = 200 if FULL else 20
VISITS = 5 if FULL else 1
TASKS, ROUNDS, ITEMS = 200, 3, 3
PRIME = 1_000_000_007
MASK = (1 << 64) - 1


def probe_number(seed, item):
    """What a probe task gives for an item; said a second time in tests/server/probe."""
    value = (seed + 0x9E3779B97F4A7C15 * (item + 1)) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value % PRIME


def probe_sum(seed, tasks=TASKS, rounds=ROUNDS, items=ITEMS, blamed=None):
    """The fold of a job, computed without a service. The item that is blamed gives nothing."""
    total = 0
    for number in range(rounds):
        before = total
        for task in range(tasks):
            task_seed = ((seed * 31 + number) * 31 + before * 17 + task) & MASK
            numbers = (probe_number(task_seed, item) for item in range(max(1, items)) if item != blamed)
            total = (total + sum(numbers)) % PRIME
    return total


class Worker(threading.Thread):
    """A worker as a process of its own, which does probe tasks, and comes again whenever its process or its connection ends.
    It keeps what it has not been told to forget, as hone-worker does, unless it was killed."""

    def __init__(self, service, name):
        super().__init__(daemon=True)
        self.service, self.name = service, name
        self.is_stopping = False
        self.process = None
        self.leases = 0
        self.start()

    def run(self):
        while not self.is_stopping:
            try:
                self.attend()
            except (AssertionError, BrokenPipeError, ValueError, KeyError, OSError):
                time.sleep(0.1)

    def attend(self):
        worker = FakeWorker(self.service, self.name, key="", roles=("ROLE_BUILDER",), instance=f"{time.monotonic_ns()}",
                            kinds=[{"kind": "probe", "version": 1}])
        self.process = worker.probe.process
        while not self.is_stopping:
            message = worker.next("lease", seconds=2)
            if isinstance(message, tuple):
                return
            if message:
                self.work(worker, message["lease"])
        worker.leave()

    def work(self, worker, lease):
        self.leases += 1
        probe = lease["spec"]["probe"]
        seed, ended = int(probe.get("seed", 0)), set(lease.get("ended_items", []))
        worker.held = [{"task": lease["task"], "epoch": lease["epoch"]}]
        for item in range(probe.get("items", 0)):
            if item not in ended:
                worker.stream.send({"items": {"task": lease["task"], "epoch": lease["epoch"], "items": [
                    {"item": item, "probe_number": str(probe_number(seed, item))}]}})
        worker.stream.send({"result": {"task": lease["task"], "epoch": lease["epoch"], "result": {"outcome": "DONE"}}})
        worker.held = []


class ManyTasks(ServiceTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.one = self.service(max_attempts=1000, strikes_to_quarantine=1000)
        self.one.server = os.environ["PROBE_SERVER"]
        self.one.start_coordinator()
        self.workers = [Worker(self.one, f"prober-{number}") for number in range(4)]
        self.requests = 0

    def tearDown(self):
        for worker in self.workers:
            worker.is_stopping = True
        for worker in self.workers:
            worker.join(20)
        super().tearDown()

    def submit(self, seed, kill=False):
        """The job's id, after as many repetitions as it takes; the first client is killed at a random moment, if asked for."""
        self.requests += 1
        request = {"request_id": f"request-{self.requests}",
                   "spec": {"probe": {"tasks": TASKS, "rounds": ROUNDS, "items": ITEMS, "seed": str(seed)}}}
        while True:
            try:
                probe = self.one.probe()
                if kill:
                    kill = False
                    threading.Timer(self.random.random() * 0.05, probe.process.kill).start()
                code, sentence, _, responses = probe.call("Jobs/Submit", request, deadline=20)
                if code == 0:
                    return responses[0]["id"]
            except (AssertionError, BrokenPipeError, ValueError):
                pass
            if self.one.coordinator.poll() is not None:
                self.restart()
            time.sleep(0.1)

    def restart(self):
        """The coordinator again, after a look at what it left."""
        code, output = self.one.fsck()
        self.assertEqual(code, 0, output)
        self.one.start_coordinator()

    def leased(self):
        try:
            return self.one.leases()
        except Exception:  # it has no database yet, or it is being replaced
            return []

    def finish(self, jobs):
        def ended():
            try:
                probe = self.one.probe()
                listed = {job["id"]: job for job in probe.ok("Jobs/List", {"page_size": 100})["jobs"]}
                self.one.end(probe.process)
                done = all(listed[job]["state"] not in ("JOB_PENDING", "JOB_RUNNING") for job in jobs)
                return listed if done else None
            except (AssertionError, BrokenPipeError, ValueError, KeyError):
                return None
        listed = wait_until(ended, "all jobs to end", 300, 0.3)
        for job, seed in jobs.items():
            self.assertEqual(listed[job]["state"], "JOB_SUCCEEDED", listed[job])
            self.assertEqual(int(listed[job]["result"]["probe_sum"]), probe_sum(seed), "the fold without kills")
            self.assertEqual((listed[job]["tasks"], listed[job]["ended_tasks"]), (TASKS * ROUNDS, TASKS * ROUNDS))
        self.one.stop_coordinator()
        code, output = self.one.fsck()
        self.assertEqual(code, 0, output)

    def test_kills_at_random_instants(self):
        jobs, in_flight = {}, 0
        kills = {"coordinator": 0, "worker": 0, "client": 0}
        while sum(kills.values()) < KILLS:
            unfinished = self.leased()
            if not unfinished:
                seed = len(jobs) + 1
                jobs[self.submit(seed)] = seed
                wait_until(self.leased, "a lease")
            time.sleep(self.random.random() * 0.3)
            in_flight += bool(self.leased())
            who = self.random.choice(list(kills))
            kills[who] += 1
            if who == "coordinator":
                self.one.kill(self.one.coordinator, signal.SIGKILL)
                self.restart()
            elif who == "worker":
                process = self.random.choice(self.workers).process
                if process is not None:
                    process.kill()
            else:
                seed = len(jobs) + 1
                jobs[self.submit(seed, kill=True)] = seed
        self.finish(jobs)
        print(f"seed {SEED}: {kills}, {in_flight} of them with leases in flight; {len(jobs)} jobs of {TASKS * ROUNDS} tasks",
              flush=True)
        self.assertGreaterEqual(in_flight, 0.9 * KILLS)

    def test_a_kill_at_each_failpoint(self):
        jobs = {self.submit(1): 1}
        visited = 0
        for name in [name for name in failpoints() for _ in range(VISITS)]:
            self.one.kill(self.one.coordinator)
            doomed = self.one.start_coordinator(failpoint=f"{name}:{self.random.randint(1, 20)}")
            if len(jobs) < 3 or not self.leased():
                seed = len(jobs) + 1
                jobs[self.submit(seed)] = seed
            try:
                wait_until(lambda: doomed.poll() is not None, f"the kill at {name}", 5)
                visited += 1
            except AssertionError:
                continue  # nothing here passes it: blobs
            if self.one.coordinator is doomed:
                self.restart()
        self.finish(jobs)
        print(f"seed {SEED}: killed at {visited} failpoints; {len(jobs)} jobs", flush=True)
        self.assertGreaterEqual(visited, 5 * VISITS, "commits, answers, leases and acknowledgements are passed by every job")
