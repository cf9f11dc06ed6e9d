"""Who gets what and when: fairness, priorities, deadlines, cancellation, drains, single flight; workers that fail or lie."""
import os
import signal
import time

from fake_worker import FakeWorker
from harness import ServiceTest, busy_child, children, wait_until
from jobs import Maker, outcome


class Scheduling(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service()
        self.one.start_coordinator()
        self.probe = self.one.probe("ann")
        self.maker = Maker(self.one)

    def builder(self, name="builder", slots=1):
        worker = self.one.start_worker(name, "builder", slots=slots)
        self.one.wait_for_workers(name)
        return worker

    def grants(self):
        """Job ids in the order of their first lease."""
        return [row[0] for row in self.one.query(
            "SELECT job.id FROM attempt JOIN task ON task.id = attempt.task JOIN job ON job.number = task.job "
            "GROUP BY job.id ORDER BY min(attempt.granted)")]

    def attempts_of(self, job):
        return self.probe.ok("Jobs/Attempts", {"id": job}).get("attempts", [])

    # ------------------------------------------------------------------------------------------------------------ order
    def test_one_user_does_not_wait_for_all_of_another(self):
        """Jobs that wait before there is a worker, so that only their order is measured."""
        bob = self.one.probe("bob")
        many = [self.maker.compile(self.probe, self.maker.content(number)) for number in range(12)]
        few = [self.maker.compile(bob, self.maker.content(20 + number)) for number in range(3)]
        self.builder()
        for job in many + few:
            self.probe.wait_for_job(job)
        order = self.grants()
        self.assertEqual(len(order), 15)
        for place, job in enumerate(few):
            self.assertLessEqual(order.index(job), 2 * place + 2, f"bob's jobs {few} in {order}")

    def test_priorities_are_among_the_jobs_of_one_user(self):
        bob = self.one.probe("bob")
        low = [self.maker.compile(self.probe, self.maker.content(number), priority=-5) for number in range(4)]
        high = self.maker.compile(self.probe, self.maker.content(10), priority=5)
        others = [self.maker.compile(bob, self.maker.content(20 + number)) for number in range(2)]
        self.builder()
        for job in [*low, high, *others]:
            self.probe.wait_for_job(job)
        order = self.grants()
        self.assertLess(order.index(high), min(order.index(job) for job in low))
        self.assertLessEqual(order.index(others[0]), 1, "ann's priority is nothing to bob")
        self.assertEqual([job for job in order if job in low], low)

    # ------------------------------------------------------------------------------------------------ keys and deadlines
    def test_an_unknown_key_is_refused_at_once_and_the_known_are_named(self):
        for name, key in (("one", "epyc"), ("two", "rpi4")):
            self.one.start_worker(name, "device", key=key)
        self.one.wait_for_workers("one", "two")
        artifact = self.probe.upload(b"artifact")
        code, sentence, detail, _ = self.probe.call("Jobs/Submit", {
            "request_id": "r", "spec": {"run": {"artifact": artifact, "key": "rpi5"}}})
        self.assertEqual((code, detail.get("reason")), (5, "UNKNOWN_KEY"), sentence)
        for word in ("rpi5", "rpi4", "epyc"):
            self.assertIn(word, sentence + detail.get("remedy", ""))

    def test_a_deadline_ends_a_job_that_nobody_takes(self):
        job = self.maker.compile(self.probe, self.maker.content(0), deadline_seconds=1)
        ended = self.probe.wait_for_job(job, seconds=30)
        state, kind, sentence = outcome(ended)
        self.assertEqual((state, kind), ("FAILED", "WORK_FAILED"), sentence)
        self.assertIn("deadline", sentence)

    def test_a_deadline_ends_work_and_its_child(self):
        worker = self.builder()
        # A machine that is busy with other things may need more than the first deadlines for the way to the child.
        for deadline in (1, 4, 16):
            job = self.maker.compile_slowly(self.probe, deadline_seconds=deadline, skip_cache=True)
            busy = wait_until(lambda: busy_child(worker.pid, 0.1) or self.probe.job(job)["state"] == "JOB_FAILED",
                              "the child at work")
            if busy is not True:
                break
        # Stopped, it takes longer than the deadline on any machine.
        os.kill(busy, signal.SIGSTOP)
        state, _, sentence = outcome(self.probe.wait_for_job(job, seconds=30))
        self.assertEqual(state, "FAILED", sentence)
        wait_until(lambda: busy not in children(worker.pid), "the end of the late child")
        self.assertEqual(outcome(self.probe.wait_for_job(self.maker.compile(self.probe, self.maker.content(0))))[0],
                         "SUCCEEDED")
        self.assertIsNone(worker.poll())

    # ----------------------------------------------------------------------------------------------------- cancellation
    def test_cancelling_what_waits(self):
        job = self.maker.compile(self.probe, self.maker.content(0))
        self.assertEqual(self.probe.ok("Jobs/Cancel", {"id": job})["state"], "JOB_CANCELLED")
        # A second time changes nothing.
        self.assertEqual(self.probe.ok("Jobs/Cancel", {"id": job})["state"], "JOB_CANCELLED")
        self.builder()
        self.assertEqual(outcome(self.probe.wait_for_job(self.maker.compile(self.probe, self.maker.content(1))))[0],
                         "SUCCEEDED")
        self.assertEqual(self.attempts_of(job), [])

    def test_cancelling_what_is_being_done_frees_the_worker(self):
        worker = self.builder()
        job = self.maker.compile_slowly(self.probe)
        self.probe.wait_for_job(job, "JOB_RUNNING")
        busy = wait_until(lambda: busy_child(worker.pid), "the child at work")
        self.assertEqual(self.probe.ok("Jobs/Cancel", {"id": job})["state"], "JOB_CANCELLED")
        after = self.maker.compile(self.probe, self.maker.content(1))
        self.assertEqual(outcome(self.probe.wait_for_job(after))[0], "SUCCEEDED")
        wait_until(lambda: busy not in children(worker.pid), "the end of the cancelled child")
        self.assertEqual([attempt["end"] for attempt in self.attempts_of(job)], ["cancelled"])
        self.assertEqual(self.probe.job(job)["state"], "JOB_CANCELLED")

    # --------------------------------------------------------------------------------------------------- single flight
    def test_equal_work_is_done_once(self):
        self.builder("builder-1")
        self.builder("builder-2")
        bob = self.one.probe("bob")
        jobs = [self.maker.compile_slowly(probe) for probe in (self.probe, bob, self.probe)]
        ends = [self.probe.wait_for_job(job) for job in jobs]
        self.assertEqual([end["state"] for end in ends], ["JOB_SUCCEEDED"] * 3)
        self.assertEqual(sorted(int(end.get("attempts", 0)) for end in ends), [0, 0, 1])
        self.assertEqual(sorted(end["result"].get("from_cache", False) for end in ends), [False, True, True])
        self.assertEqual(len({end["result"]["artifact"]["sha256"] for end in ends}), 1)
        # Who wants it done again, gets that.
        again = self.probe.wait_for_job(self.maker.compile_slowly(self.probe, skip_cache=True))
        self.assertEqual(int(again["attempts"]), 1)

    # -------------------------------------------------------------------------------------------------------- drains
    def test_a_worker_that_is_asked_to_end_finishes_what_it_holds(self):
        worker = self.builder()
        job = self.maker.compile_slowly(self.probe)
        self.probe.wait_for_job(job, "JOB_RUNNING")
        worker.send_signal(signal.SIGTERM)
        later = self.maker.compile(self.probe, self.maker.content(0))
        self.assertEqual(outcome(self.probe.wait_for_job(job))[0], "SUCCEEDED")
        self.assertEqual(worker.wait(60), 0)
        self.assertEqual([attempt["end"] for attempt in self.attempts_of(job)], ["done"])
        self.assertEqual(self.probe.job(later)["state"], "JOB_PENDING")

    def test_a_drained_worker_gets_nothing_until_that_is_undone(self):
        self.builder("builder-1")
        self.builder("builder-2")
        self.assertEqual(self.probe.ok("Fleet/Drain", {"name": "builder-1", "reason": "a new disk"})["state"],
                         "WORKER_DRAINING")
        for number in range(4):
            job = self.maker.compile(self.probe, self.maker.content(number))
            self.assertEqual(self.probe.wait_for_job(job)["worker"], "builder-2")
        self.assertEqual(self.probe.ok("Fleet/Drain", {"name": "builder-2"})["state"], "WORKER_DRAINING")
        self.assertEqual(self.probe.ok("Fleet/Drain", {"name": "builder-1", "undo": True})["state"], "WORKER_READY")
        job = self.maker.compile(self.probe, self.maker.content(5))
        self.assertEqual(self.probe.wait_for_job(job)["worker"], "builder-1")

    def test_a_coordinator_that_is_asked_to_end_lets_leases_end(self):
        self.builder()
        job = self.maker.compile_slowly(self.probe)
        self.probe.wait_for_job(job, "JOB_RUNNING")
        waiting = self.maker.compile(self.probe, self.maker.content(0))
        self.one.coordinator.send_signal(signal.SIGTERM)
        self.assertEqual(self.one.coordinator.wait(60), 0)
        self.assertEqual(self.one.query("SELECT state FROM job WHERE id = ?", job), [("succeeded",)])
        self.assertEqual(self.one.query("SELECT state FROM job WHERE id = ?", waiting), [("pending",)])
        self.one.start_coordinator()
        self.assertEqual(outcome(self.one.probe().wait_for_job(waiting))[0], "SUCCEEDED")

    def test_a_second_signal_ends_the_coordinator_at_once(self):
        self.one.start_worker("sleeper", "device", key="board")
        self.one.wait_for_workers("sleeper")
        fake = FakeWorker(self.one, "never", key="slow")
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"), key="slow")
        fake.lease()
        self.one.coordinator.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertIsNone(self.one.coordinator.poll(), "it does not wait for the lease")
        begun = time.monotonic()
        self.one.coordinator.send_signal(signal.SIGTERM)
        self.one.coordinator.wait(20)
        self.assertLess(time.monotonic() - begun, 10)
        self.one.start_coordinator()
        self.assertEqual(self.one.probe().job(job)["state"], "JOB_RUNNING", "its lease has a fresh duration")

    # ----------------------------------------------------------------------------------------- workers that fail or lie
    def test_a_worker_that_fails_where_others_succeed_is_quarantined(self):
        """A lease goes to the slot that is free for longest: to the flaky one, and what it gives back to the good one."""
        artifact = self.probe.upload(b"artifact")
        flaky, good = FakeWorker(self.one, "flaky"), FakeWorker(self.one, "good")
        for _ in range(3):
            # After two failures in a row it is held back for a few seconds.
            wait_until(lambda: self.probe.workers()["flaky"]["state"] == "WORKER_READY", "the flaky worker", 30)
            job = self.maker.run(self.probe, artifact)
            flaky.answer(flaky.lease(), is_workers_fault=True,
                         result={"outcome": "UNAVAILABLE", "sentence": "no space left"})
            good.answer(good.lease())
            self.assertEqual(self.probe.job(job)["state"], "JOB_SUCCEEDED")
        self.assertEqual(self.probe.workers()["flaky"]["state"], "WORKER_QUARANTINED")
        self.assertNotEqual(self.probe.workers()["flaky"].get("reason", ""), "")
        for _ in range(2):
            self.maker.run(self.probe, artifact)
            good.answer(good.lease())
        self.assertIsNone(flaky.next("lease", seconds=1))
        # It stays there over a new connection, until a person says otherwise.
        flaky.leave()
        flaky = FakeWorker(self.one, "flaky")
        self.assertEqual(self.probe.workers()["flaky"]["state"], "WORKER_QUARANTINED")
        self.probe.ok("Fleet/Drain", {"name": "flaky", "undo": True})
        self.assertEqual(self.probe.workers()["flaky"]["state"], "WORKER_READY")

    def test_work_that_no_worker_can_do_ends(self):
        fake = FakeWorker(self.one, "broken")
        most = int(self.one.options.get("max_attempts", 4))
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"))
        for _ in range(most):
            if self.probe.job(job)["state"] == "JOB_FAILED":
                break
            lease = fake.next("lease", seconds=40)
            if lease is None:
                break  # quarantined before
            fake.answer(lease["lease"], is_workers_fault=True,
                        result={"outcome": "UNAVAILABLE", "sentence": "the fan is off"})
            self.probe.ok("Fleet/Drain", {"name": "broken", "undo": True})
        state, _, sentence = outcome(self.probe.wait_for_job(job, seconds=20))
        self.assertEqual(state, "FAILED")
        self.assertIn(str(most), sentence)
        self.assertEqual(len(self.attempts_of(job)), most)

    def test_a_result_that_names_what_is_not_there_is_no_success(self):
        fake = FakeWorker(self.one, "liar")
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"))
        lease = fake.lease()
        fake.answer(lease, outputs={"sha256": "ab" * 32, "size_bytes": "5"})
        self.assertNotEqual(self.probe.job(job)["state"], "JOB_SUCCEEDED", "its outputs are nowhere")

    def test_results_of_other_leases_are_dropped(self):
        one, two = FakeWorker(self.one, "one"), FakeWorker(self.one, "two")
        artifact = self.probe.upload(b"artifact")
        jobs = [self.maker.run(self.probe, artifact) for _ in range(2)]
        mine, theirs = one.lease(), two.lease()
        fake = dict(theirs, epoch=str(int(theirs["epoch"]) + 1))
        self.assertFalse(one.answer(fake), "a later epoch")
        self.assertFalse(one.answer(dict(theirs, task="999999")), "a task that is none")
        self.assertFalse(one.answer(theirs), "another worker's lease")
        self.assertTrue(one.answer(mine))
        self.assertFalse(one.answer(mine), "a second time")
        self.assertTrue(two.answer(theirs))
        for job in jobs:
            self.assertEqual(self.probe.job(job)["state"], "JOB_SUCCEEDED")
            self.assertEqual(len(self.attempts_of(job)), 1)

    def test_nonsense_from_a_worker_ends_its_stream_only(self):
        good = FakeWorker(self.one, "good")
        for nonsense in ({}, {"heartbeat": {}}, {"hello": {"name": "../x", "roles": ["ROLE_DEVICE"]}},
                         {"hello": {"name": "x", "roles": []}}):
            stream = self.probe.open("Fleet/Attach")
            stream.send(nonsense)
            end = stream.receive(30)
            while isinstance(end, dict):
                self.assertIn("farewell", end)
                end = stream.receive(30)
            self.assertEqual(end[1], 3, end)
        again = FakeWorker(self.one, "twice")
        again.stream.send({"hello": {"name": "twice", "roles": ["ROLE_DEVICE"], "key": "board"}})
        self.assertEqual(again.next("none")[:2], ("end", 3))
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"))
        good.answer(good.lease())
        self.assertEqual(self.probe.wait_for_job(job)["state"], "JOB_SUCCEEDED")

    def test_two_workers_with_one_name(self):
        """The older connection is closed; the newer one works."""
        older = FakeWorker(self.one, "same")
        newer = FakeWorker(self.one, "same")
        self.assertIsNotNone(older.next("farewell", seconds=20))
        job = self.maker.run(self.probe, self.probe.upload(b"artifact"))
        newer.answer(newer.lease())
        self.assertEqual(self.probe.wait_for_job(job)["state"], "JOB_SUCCEEDED")
