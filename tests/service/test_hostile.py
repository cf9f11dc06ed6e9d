"""Models and artifacts that want to do harm, and children that die: failed jobs with a reason, and the worker goes on."""
import os
import random
import signal
import subprocess

from harness import SEED, TOOL, ServiceTest, busy_child, wait_until
from jobs import Maker, outcome


class Hostile(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service()
        self.one.start_coordinator()
        self.worker = self.one.start_worker("both", "builder,device", key="board")
        self.one.wait_for_workers("both")
        self.probe = self.one.probe()
        self.maker = Maker(self.one)
        self.random = random.Random(SEED)

    def assert_works(self):
        self.assertIsNone(self.worker.poll(), "the worker has died")
        job = self.probe.wait_for_job(self.maker.compile(self.probe, self.maker.content(39), skip_cache=True))
        self.assertEqual(outcome(job)[:2], ("SUCCEEDED", "DONE"), outcome(job))

    def compiled(self, content):
        job = self.probe.wait_for_job(self.maker.compile(self.probe, content))
        self.assertEqual(int(job.get("attempts", 0)), 1, "a bad model is no reason to try again")
        return outcome(job)

    def test_models_that_are_none(self):
        tiny = self.maker.content(0)
        for content in (b"x", self.random.randbytes(5000), tiny[:len(tiny) // 2], tiny[:-1], b"\x0a\xff\xff\xff\xff\x0f",
                        tiny.replace(b"MatMul", b"MatMux")):
            state, kind, sentence = self.compiled(content)
            self.assertEqual((state, kind), ("FAILED", "INPUT_REFUSED"), sentence)
            self.assertRegex(sentence, r"^\S.*[^.\s]$")
        self.assert_works()

    def test_models_that_want_more_than_there_is(self):
        subprocess.run([TOOL, "hostile", self.one.folder], check=True)
        for name in ("huge-shape", "huge-constant", "external", "nested"):
            with open(os.path.join(self.one.folder, name + ".onnx"), "rb") as file:
                state, kind, sentence = self.compiled(file.read())
            self.assertEqual(state, "FAILED", name)
            self.assertIn(kind, ("INPUT_REFUSED", "WORK_FAILED"), f"{name}: {sentence}")
            self.assertNotIn("root:", sentence)
        self.assert_works()

    def test_artifacts_that_are_none(self):
        digest = self.maker.artifact(self.probe)
        whole = self.probe.download(digest)[2]
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for content in (b"x", self.random.randbytes(20000), whole[:len(whole) // 2], bytes(flipped)):
            job = self.probe.wait_for_job(self.maker.run(self.probe, self.probe.upload(content)))
            self.assertEqual(outcome(job)[:2], ("FAILED", "INPUT_REFUSED"), outcome(job))
            self.assertEqual(int(job["attempts"]), 1)
        job = self.probe.wait_for_job(self.maker.run(self.probe, digest))
        self.assertEqual(outcome(job)[:2], ("SUCCEEDED", "DONE"), outcome(job))
        self.assert_works()

    def test_a_child_that_dies_is_a_failed_job(self):
        """Killed, as by a kernel that is out of memory; and crashed."""
        for number, kind in ((signal.SIGKILL, "WORK_FAILED"), (signal.SIGSEGV, "DEFECT")):
            job = self.maker.compile_slowly(self.probe)
            self.probe.wait_for_job(job, "JOB_RUNNING")
            os.kill(wait_until(lambda: busy_child(self.worker.pid), "the child at work"), number)
            ended = self.probe.wait_for_job(job)
            sentence = outcome(ended)[2]
            self.assertEqual(outcome(ended)[:2], ("FAILED", kind), sentence)
            self.assertIn(f"signal {int(number)}", sentence)
            self.assertEqual(int(ended["attempts"]), 1, "whose child died is no reason to try again")
            self.assert_works()
