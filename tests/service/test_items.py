"""Leases with items, done by real workers, under kill -9 of the coordinator and of workers, with items among them that end
their process: no item is lost or doubled, and only the harmful ones are blamed. HONE_TEST_MODE=full: 200 kills."""
import collections
import contextlib
import os
import random
import signal
import time

from harness import FULL, SEED, ServiceTest, children, wait_until
from test_many_tasks import MASK, probe_sum

KILLS = 200 if FULL else 20
TASKS, ROUNDS, ITEMS = 20, 3, 100
WORKERS = ("prober-1", "prober-2", "prober-3")
# As in tests/worker/probe/fault.h.
CRASH, QUIT, REFUSE, LEAVE, DAWDLE = 1, 2, 8, 9, 11
EVERY_ITEM = 0xFFFF


def job_seed(number, fault=0, item=0):
    """A seed whose tasks all have this fault at this item: the driver multiplies it by 961 and adds what is small."""
    wanted = fault << 56 | item << 40 | number
    return wanted * pow(961, -1, 1 << 64) & MASK


class Items(ServiceTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.one = self.service(max_attempts=1000, strikes_to_quarantine=1000)
        self.one.server = os.environ["PROBE_SERVER"]
        self.one.start_coordinator()
        for name in WORKERS:
            self.start_worker(name)
        self.one.wait_for_workers(*WORKERS)
        self.jobs = {}

    def start_worker(self, name):
        self.one.start_worker(name, "builder", program=os.environ["PROBE_WORKER"])

    def submit(self, fault=0, item=0):
        seed = job_seed(len(self.jobs) + 1, fault, item)
        probe = self.one.probe()
        job = probe.ok("Jobs/Submit", {"request_id": f"request-{len(self.jobs)}", "spec": {
            "probe": {"tasks": TASKS, "rounds": ROUNDS, "items": ITEMS, "seed": str(seed)}}})["id"]
        self.one.end(probe.process)
        self.jobs[job] = (seed, item if fault in (CRASH, QUIT, REFUSE) else None)
        return job

    def submit_any(self):
        fault = self.random.choice((0, CRASH, QUIT, REFUSE, LEAVE, DAWDLE))
        self.submit(fault, EVERY_ITEM if fault == DAWDLE else self.random.randrange(ITEMS))

    def leased(self):
        try:
            return self.one.leases()
        except Exception:  # the database is being replaced
            return []

    def listed(self):
        """The jobs by their ids, once all have ended."""
        def ended():
            probe = self.one.probe()
            listed = {job["id"]: job for job in probe.ok("Jobs/List", {"page_size": 1000})["jobs"]}
            self.one.end(probe.process)
            done = all(listed[job]["state"] not in ("JOB_PENDING", "JOB_RUNNING") for job in self.jobs)
            return listed if done else None
        return wait_until(ended, "all jobs to end", 300, 0.3)

    def finish(self):
        for job, listed in self.listed().items():
            seed, blamed = self.jobs[job]
            self.assertEqual(listed["state"], "JOB_SUCCEEDED", listed)
            self.assertEqual(int(listed["result"]["probe_sum"]), probe_sum(seed, TASKS, ROUNDS, ITEMS, blamed), "the fold")
        self.stop()

    def stop(self):
        for name in WORKERS:
            self.assertEqual(self.one.end(self.one.workers[name]), 0, name)
            self.assertFalse(os.path.exists(os.path.join(self.one.folder, "data-" + name, "work")), "what was in work is left")
        self.one.stop_coordinator()
        code, output = self.one.fsck()
        self.assertEqual(code, 0, output)

    def test_kills_at_random_instants(self):
        in_flight, kills = 0, collections.Counter()
        while sum(kills.values()) < KILLS:
            if not self.leased():
                self.submit_any()
                wait_until(self.leased, "a lease")
            time.sleep(self.random.random() * 0.3)
            in_flight += bool(self.leased())
            who = self.random.choice(("coordinator", *WORKERS))
            kills["coordinator" if who == "coordinator" else "worker"] += 1
            if who == "coordinator":
                self.one.kill(self.one.coordinator, signal.SIGKILL)
                code, output = self.one.fsck()
                self.assertEqual(code, 0, output)
                self.one.start_coordinator()
            else:
                self.one.kill(self.one.workers[who], signal.SIGKILL)
                self.start_worker(who)
        self.finish()
        lost = self.one.query("SELECT count(*) FROM attempt WHERE outcome <> 'done'")[0][0]
        self.assertGreater(lost, 0, "no kill met a lease")
        items = len(self.jobs) * TASKS * ROUNDS * ITEMS
        print(f"seed {SEED}: {dict(kills)}, {in_flight} of them with leases in flight, {lost} leases were lost; {len(self.jobs)} "
              f"jobs, {items} items",
              flush=True)
        self.assertGreaterEqual(in_flight, 0.8 * KILLS)

    def test_a_killed_child_costs_one_item(self):
        """Children of all workers are killed, at work or in reserve: each kill is the blame of one item at most."""
        job = self.submit(DAWDLE, EVERY_ITEM)
        wait_until(self.leased, "a lease")
        kills = 0
        while kills < KILLS and self.leased():
            for child in children(self.one.workers[self.random.choice(WORKERS)].pid)[:1]:
                with contextlib.suppress(ProcessLookupError):  # its work had just ended
                    os.kill(child, signal.SIGKILL)
                    kills += 1
            time.sleep(self.random.random() * 0.2)
        listed = self.listed()[job]
        self.assertEqual(listed["state"], "JOB_SUCCEEDED", listed)
        self.assertGreater(kills, 0)
        rows = self.one.query("SELECT count(*), count(DISTINCT task) FROM item")
        blamed = self.one.query("SELECT count(*) FROM item WHERE instr(result, CAST('was killed' AS BLOB)) > 0")[0][0]
        self.assertEqual(rows, [(TASKS * ROUNDS * ITEMS, TASKS * ROUNDS)])
        self.assertLessEqual(blamed, kills)
        self.assertGreater(blamed, 0)
        print(f"seed {SEED}: {kills} children killed, {blamed} of {rows[0][0]} items blamed", flush=True)
        self.stop()
