"""Workers that are stopped, networks that break, links that deliver in one direction only: work is done, and counts once."""
import os
import random
import signal
import time

import checker
from fake_worker import FakeWorker
from harness import HONE, SEED, ServiceTest, busy_child, children, wait_until
from jobs import Maker, outcome
from proxy import Proxy

CUTS = 12


class Faults(ServiceTest):
    # A lease that is over before a test has lost patience, and not before a busy machine has sent a heartbeat.
    SHORT = {"heartbeat": "0.3s", "silence": "3s", "lease": "4s"}

    def begin(self, name="one", **options):
        self.one = self.service(name, **options)
        self.one.start_coordinator()
        self.probe = self.one.probe()
        self.maker = Maker(self.one)
        self.proxy = Proxy(self.one.port)
        self.addCleanup(self.proxy.close)

    def ends(self, job):
        return [attempt.get("end", "") for attempt in self.probe.ok("Jobs/Attempts", {"id": job}).get("attempts", [])]

    def meet_at_work(self, name="builder-1", server=""):
        """A slow job, leased by a worker whose child is at work on it."""
        worker = self.one.start_worker(name, "builder", server=server)
        self.one.wait_for_workers(name)
        job = self.maker.compile_slowly(self.probe)
        self.probe.wait_for_job(job, "JOB_RUNNING")
        wait_until(lambda: busy_child(worker.pid), "the child at work")
        return worker, job

    def assert_done(self, job, ends):
        ended = self.probe.wait_for_job(job)
        self.assertEqual(outcome(ended)[:2], ("SUCCEEDED", "DONE"), outcome(ended))
        self.assertEqual(self.ends(job), ends)
        code, sentence, _ = self.probe.download(ended["result"]["artifact"])
        self.assertEqual(code, 0, sentence)
        return ended

    # -------------------------------------------------------------------------------------------------------- stopped
    def test_a_worker_that_was_stopped_past_its_lease_comes_too_late(self):
        self.begin(**self.SHORT)
        worker, job = self.meet_at_work()
        stopped = [worker.pid, *children(worker.pid)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: self.ends(job) in (["expired"], ["lost"]), "the end of the stopped lease")
        self.one.start_worker("builder-2", "builder")
        ended = self.assert_done(job, [self.ends(job)[0], "done"])
        self.assertEqual(ended["worker"], "builder-2")
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
        self.one.wait_for_workers("builder-1", "builder-2")
        # It works again, and its late result has changed nothing.
        self.probe.ok("Fleet/Drain", {"name": "builder-2"})
        again = self.maker.compile(self.probe, self.maker.content(3))
        self.assertEqual(self.probe.wait_for_job(again)["worker"], "builder-1")
        after = self.probe.job(job)
        self.assertEqual((after["result"], after["attempts"], after["last_sequence"]),
                         (ended["result"], ended["attempts"], ended["last_sequence"]))

    def test_a_late_result_is_dropped_by_its_epoch(self):
        self.begin(**self.SHORT)
        silent = FakeWorker(self.one, "silent")
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"))
        lease = silent.lease()
        wait_until(lambda: self.ends(job) in (["expired"], ["lost"]), "the end of the silent lease")
        other = FakeWorker(self.one, "other")
        second = other.lease()
        self.assertGreater(int(second["epoch"]), int(lease["epoch"]))
        back = FakeWorker(self.one, "silent", held=silent.held)
        self.assertIn("welcome", back.greeting)
        self.assertEqual([held["epoch"] for held in back.greeting["welcome"].get("dropped", [])], [lease["epoch"]])
        self.assertFalse(back.answer(lease, result={"outcome": "WORK_FAILED", "sentence": "late"}))
        self.assertEqual(self.probe.job(job)["state"], "JOB_RUNNING")
        self.assertTrue(other.answer(second))
        self.assertFalse(back.answer(lease, result={"outcome": "WORK_FAILED", "sentence": "later"}))
        self.assertEqual(self.probe.job(job)["state"], "JOB_SUCCEEDED")
        self.assertEqual(self.one.metric("hone_stale_results_total"), 2)
        self.assertEqual(self.one.metric("hone_leases_expired_total"), 1)

    # ----------------------------------------------------------------------------------------------- between worker and us
    def test_a_short_cut_costs_nothing(self):
        self.begin()
        _, job = self.meet_at_work(server=self.proxy.address)
        self.proxy.cut()
        wait_until(lambda: self.probe.workers()["builder-1"]["state"] == "WORKER_GONE", "the cut to be seen")
        self.proxy.heal()
        self.assert_done(job, ["done"])

    def test_a_long_cut_costs_one_attempt(self):
        self.begin(**self.SHORT)
        _, job = self.meet_at_work(server=self.proxy.address)
        self.proxy.cut()
        wait_until(lambda: self.ends(job) in (["expired"], ["lost"]), "the end of the lease")
        self.proxy.heal()
        self.assert_done(job, [self.ends(job)[0], "done"])

    def test_a_link_that_delivers_in_one_direction_only(self):
        for direction in ("up", "down"):
            with self.subTest(direction):
                self.begin(direction, **self.SHORT)
                _, job = self.meet_at_work(server=self.proxy.address)
                self.proxy.stall(**{direction: True})
                # Both sides notice: the coordinator by missing heartbeats, the worker by missing answers.
                wait_until(lambda: self.ends(job)[:1] in (["expired"], ["lost"]), "the end of the lease")
                self.proxy.heal()
                self.probe.wait_for_job(job)
                self.assert_done(job, [*self.ends(job)[:-1], "done"])
                self.assertLessEqual(len(self.ends(job)), 3)
                self.one.wait_for_workers("builder-1")

    def test_a_slow_link(self):
        self.begin()
        self.proxy.slow(100_000)
        self.one.start_worker("builder-1", "builder", server=self.proxy.address)
        self.one.start_worker("board-1", "device", key="board", server=self.proxy.address)
        self.one.wait_for_workers("builder-1", "board-1")
        artifact = self.maker.artifact(self.probe)
        self.assert_done_run(self.maker.run(self.probe, artifact))

    def assert_done_run(self, job):
        self.assertEqual(outcome(self.probe.wait_for_job(job))[:2], ("SUCCEEDED", "DONE"))
        self.assertEqual(self.ends(job), ["done"])

    # --------------------------------------------------------------------------------------------- between client and us
    def test_a_client_is_back_soon_after_a_restart(self):
        """gRPC by itself looks every 5 seconds whether there is a coordinator again."""
        self.begin()
        jobs = [self.maker.compile(self.probe, self.maker.content(number)) for number in range(3)]  # nobody does them
        waited = []
        for job in jobs:
            name = "watch-" + job
            watch = self.one.start(name, HONE, "jobs", "watch", job, environment={
                "HONE_SERVER": self.one.address, "USER": "ann", "LOGNAME": "ann"})
            wait_until(lambda name=name: self.one.log(name), "the first event")
            self.one.kill(self.one.coordinator)
            time.sleep(0.3)
            self.one.start_coordinator()
            begin = time.monotonic()
            self.one.hone("jobs", "cancel", job)
            self.assertEqual(watch.wait(60), 4, self.one.log(name))
            waited.append(time.monotonic() - begin)
        print("back after", ", ".join(f"{seconds:.2f} s" for seconds in waited), flush=True)
        self.assertLess(sum(waited), 4.5)

    # -------------------------------------------------------------------------------------------------------- everywhere
    def test_cuts_at_random_instants(self):
        """Clients and workers all behind a link that breaks again and again."""
        self.begin(max_attempts=50, strikes_to_quarantine=1000)
        chance = random.Random(SEED)
        names = {"builder-1": "builder", "builder-2": "builder", "board-1": "device", "board-2": "device"}
        for name, role in names.items():
            self.one.start_worker(name, role, key="board" if role == "device" else "", server=self.proxy.address)
        self.one.wait_for_workers(*names)
        port, self.one.port = self.one.port, self.proxy.port
        client = self.one.start_history_client("client-1", SEED)
        self.one.port = port
        cuts = []
        for _ in range(CUTS):
            time.sleep(chance.uniform(0.05, 0.5))
            begun = time.time_ns() // 1000
            self.proxy.cut()
            time.sleep(chance.uniform(0, 0.3))
            # What was granted while nobody was there is lost, too: until all are back.
            self.proxy.heal()
            self.one.wait_for_workers(*names)
            cuts.append({"who": "coordinator", "micros": begun, "until": time.time_ns() // 1000})
        open(os.path.join(self.one.folder, "stop"), "w", encoding="utf-8").close()
        self.assertEqual(client.wait(120), 0)
        self.one.stop_coordinator()
        check = checker.Checker(checker.Store(self.one.data), [checker.read_history(self.one.history("client-1"))], cuts,
                                50)
        self.assertEqual(check.check()[:20], [])
        print(f"seed {SEED}: {CUTS} cuts; {dict(check.counts)}", flush=True)
        self.assertGreater(check.counts["unknown"], 0, "no call met a cut")
        self.assertGreater(check.counts["succeeded"], 0)
