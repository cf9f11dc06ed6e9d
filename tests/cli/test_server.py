"""Against a real server: compile and run there, listings, coming back to a job, uploads that break off, other people's
devices."""
import json
import os
import re
import signal
import subprocess

from server_support import Forwarder, ServerTest
from support import HONE, read_npz, wait_until, write_npz

RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


class Server(ServerTest):
    def json(self, *arguments):
        return json.loads(self.hone(*arguments, "--output-format", "json")[0])

    def start(self, *arguments):
        return subprocess.Popen([HONE, *arguments], cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def local(self, *arguments):
        """By the private server, or in this process."""
        return self.hone(*arguments, environment={"HONE_SERVER": ""})

    def big(self):
        if not os.path.exists(self.path("big.onnx")):
            self.hone("sample", "resnet50-v2", "-o", "big.onnx")
        return "big.onnx"

    def test_a_server_compiles_the_same_bytes(self):
        self.compile(output="there.tar")
        self.local("compile", "classifier.onnx", "-o", "here.tar")
        self.assertEqual(self.read("there.tar"), self.read("here.tar"))
        self.compile("classifier.onnx", "by-key.tar", "--rpc-key", "board")
        self.assertEqual(self.read("there.tar"), self.read("by-key.tar"))

    def test_what_a_compile_prints_and_dumps_comes_from_there_too(self):
        for flags in (["--stop-after", "plan"], ["--print-ir-after", "simplify"]):
            self.assertEqual(self.hone("compile", "classifier.onnx", "-o", "x.tar", *flags),
                             self.local("compile", "classifier.onnx", "-o", "x.tar", *flags))
        self.hone("compile", "classifier.onnx", "-o", "there.tar", "--dump-code", "loops")
        self.local("compile", "classifier.onnx", "-o", "here.tar", "--dump-code", "loops")
        self.assertEqual(self.read("there.tar.loops"), self.read("here.tar.loops"))

    def test_a_run_there_is_a_run_here(self):
        self.compile()
        write_npz(self.path("in.npz"), {"data": ("<f4", (1, 16, 14, 14), [i % 7 / 8 for i in range(16 * 14 * 14)])})
        for flags in (["--inputs", "in.npz", "--print-top", "3"], ["--fill-mode", "random", "--seed", "5"],
                      ["--fill-mode", "ones", "--output-format", "json"]):
            here = self.local("run", "classifier.tar", *flags, "-o", "here.npz")[0]
            there = self.hone("run", "--rpc-tracker", self.address(), "--rpc-key", "board", "classifier.tar", *flags, "-o",
                              "there.npz")[0]
            self.assertEqual(here, there)
            self.assertEqual(read_npz(self.path("here.npz")), read_npz(self.path("there.npz")))
        printed = self.hone("run", "--rpc-key", "board", "classifier.tar", "--print-time", "--profile", "--repeat", "3")[0]
        self.assertIn("mean", printed)
        self.assertIn("GFLOP/s", printed)
        # The estimate is the artifact's, and the clock that of the device.
        self.assertRegex(printed, r"estimate \(ms\)  limit\n")
        self.assertRegex(printed, r"estimates: of the compiler, for threads: \d+, at the measured \d+\.\d+ GHz")

    def test_a_loop_that_does_not_end_ends_by_the_deadline(self):
        self.compile("counting.onnx", "endless.tar")
        write_npz(self.path("still.npz"), {"data": ("<f4", (4,), [0.0] * 4), "step": ("<f4", (4,), [0.0] * 4)})
        self.refused("run", "--rpc-key", "board", "-i", "still.npz", "endless.tar", "--deadline", "2", code=4,
                     words=["the job did not end within its 2s"])
        write_npz(self.path("steps.npz"), {"data": ("<f4", (4,), [0.0] * 4), "step": ("<f4", (4,), [1.0] * 4)})
        self.hone("run", "--rpc-key", "board", "-i", "steps.npz", "endless.tar")

    def test_indices_outside_are_told_from_there_too(self):
        self.compile("lookup.onnx", "lookup.tar", "--check-indices")
        table = ("<f4", (5,), (0.0, 1.0, 2.0, 3.0, 4.0))
        for rows, code, words in (((1, 4, 0), 0, []), ((1, 5, 0), 4, ["node 'lookup' (Gather): 1 index lies outside"])):
            write_npz(self.path("rows.npz"), {"table": table, "rows": ("<i8", (3,), rows)})
            _, error = self.hone("run", "--rpc-key", "board", "-i", "rows.npz", "--check-indices", "lookup.tar", code=code)
            for word in words:
                self.assertIn(word, error)

    def test_a_run_without_a_key_or_tracker_stays_here(self):
        self.compile()
        before = len(self.json("jobs", "list"))
        self.hone("run", "classifier.tar")
        self.assertEqual(len(self.json("jobs", "list")), before)

    def test_inputs_that_the_device_refuses(self):
        self.compile()
        write_npz(self.path("bad.npz"), {"data": ("<f4", (1, 4), [1.0] * 4)})
        self.refused("run", "--rpc-key", "board", "-i", "bad.npz", "classifier.tar", code=3, words=["data"])
        self.write("garbage.tar", b"garbage" * 1000)
        self.refused("run", "--rpc-key", "board", "garbage.tar", code=3)
        self.refused("run", "--rpc-key", "board", "absent.tar", code=5, words=["absent.tar"])

    def test_an_unknown_key_names_the_known_ones(self):
        self.compile()
        self.refused("run", "--rpc-key", "nosuch", "classifier.tar", code=5, words=["nosuch", "board"])
        self.refused("compile", "--rpc-key", "nosuch", "classifier.onnx", code=5, words=["nosuch", "board"])

    def test_bad_models_are_refused_as_here(self):
        self.refused("compile", "unknown.onnx", code=3, words=["unknown.onnx", "Frobnicate", "Transmogrify"])
        self.refused("compile", "classifier.onnx", "--disabled-pass", "nosuch", code=2, words=["nosuch"])

    def test_listings(self):
        self.hone("compile", "classifier.onnx", "-o", "l.tar", "--label", "my label", "--priority", "7")
        job = next(job for job in self.json("jobs", "list") if job["label"] == "my label")
        self.assertEqual(list(job), ["id", "state", "user", "kind", "key", "priority", "label", "submitted", "started",
                                     "ended", "attempts", "worker", "queue_position", "tasks", "ended_tasks", "from_cache",
                                     "artifact", "outputs", "error"])
        self.assertEqual((job["state"], job["kind"], job["priority"], job["key"]), ("succeeded", "compile", 7, None))
        self.assertRegex(job["submitted"], RFC3339)
        self.assertRegex(job["ended"], RFC3339)
        shown = self.json("jobs", "show", job["id"])
        self.assertEqual({name: shown[name] for name in ("id", "label")}, {"id": job["id"], "label": "my label"})
        self.assertEqual([event["sequence"] for event in shown["events"]], list(range(1, len(shown["events"]) + 1)))
        self.assertEqual(shown["events"][-1]["state"], "succeeded")
        self.assertEqual(self.json("jobs", "list", "--state", "failed", "--user", "nobody-of-that-name"), [])
        self.assertEqual(len(self.json("jobs", "list", "--limit", "1")), 1)
        self.assertIn(job["id"], self.hone("jobs", "list", "--mine")[0])
        self.assertIn("history", self.hone("jobs", "show", job["id"])[0])
        self.hone("jobs", "logs", job["id"])
        self.refused("jobs", "show", "j-nosuchjobatall", code=5, words=["j-nosuchjobatall"])
        self.refused("jobs", "list", "--state", "nosuch", code=2)

    def test_devices(self):
        worker, = [worker for worker in self.json("devices", "list") if worker["name"] == "first"]
        self.assertEqual((worker["key"], worker["roles"], worker["state"]), ("board", ["builder", "device"], "ready"))
        self.assertRegex(worker["attached"], RFC3339)
        self.assertEqual(self.json("devices", "list", "--key", "other"), [])
        head = self.hone("devices", "list")[0].splitlines()[0].split()
        self.assertEqual(head, ["KEY", "NAME", "ROLES", "STATE", "HOLDER", "JOB", "AGE", "QUEUE", "FAILURES", "REASON"])
        self.assertIn("draining", self.hone("devices", "drain", "first", "--reason", "new fan")[0])
        self.assertIn("new fan", self.hone("devices", "list")[0])
        self.assertIn("ready", self.hone("devices", "undrain", "first")[0])
        self.refused("devices", "drain", "nosuch", code=5, words=["nosuch"])

    def test_detached_watched_and_downloaded(self):
        self.compile(output="same.tar")
        job = self.hone("compile", "--no-cache", "classifier.onnx", "--detach")[0].strip()
        self.assertRegex(job, r"^j-[a-z2-7]{12}$")
        self.assertIn("succeeded", self.hone("jobs", "watch", job)[0])
        self.hone("jobs", "download", job, "-o", "fetched.tar")
        self.assertEqual(self.read("same.tar"), self.read("fetched.tar"))
        self.refused("jobs", "download", job, code=2, words=["--output"])
        self.refused("jobs", "download", job, "-o", "no/such/folder", code=5)
        run = self.hone("run", "--rpc-key", "board", "same.tar", "--detach")[0].strip()
        self.hone("jobs", "watch", run)
        self.hone("jobs", "download", run, "-o", "fetched.npz")
        self.assertIn("scores", read_npz(self.path("fetched.npz")))

    def test_interrupted_it_goes_on_and_the_same_command_comes_back(self):
        arguments = ("compile", self.big(), "--no-cache", "-o", "big.tar")
        hone = self.start(*arguments)
        def running():
            return [job["id"] for job in self.json("jobs", "list", "--state", "running")]
        job, = wait_until(lambda: hone.poll() is None and running(), "a running job")
        hone.send_signal(signal.SIGINT)
        _, errors = hone.communicate(timeout=20)
        self.assertEqual(hone.returncode, 130, errors)
        self.assert_one_sentence(errors)
        self.assertEqual(set(re.findall(r"`hone jobs (?:watch|cancel) (\S+)`", errors)), {job})
        self.assert_no_leftovers()
        before = len(self.json("jobs", "list", "--limit", "1000"))
        self.hone(*arguments)
        self.assertEqual(len(self.json("jobs", "list", "--limit", "1000")), before)
        self.assertEqual(self.json("jobs", "show", job)["state"], "succeeded")

    def test_the_second_interruption_ends_at_once(self):
        hone = self.start("compile", self.big(), "--no-cache", "--label", "twice")
        wait_until(lambda: hone.poll() is None and self.json("jobs", "list", "--state", "running"), "a running job")
        os.kill(hone.pid, signal.SIGSTOP)
        hone.send_signal(signal.SIGINT)
        hone.send_signal(signal.SIGTERM)
        os.kill(hone.pid, signal.SIGCONT)
        hone.communicate(timeout=20)
        self.assertEqual(hone.returncode, 130)
        for job in self.json("jobs", "list", "--state", "running"):
            self.hone("jobs", "cancel", job["id"])
        for name in os.listdir(self.folder):
            if name.startswith(".module.tar"):
                os.unlink(self.path(name))

    def test_an_upload_that_breaks_off_goes_on_where_it_was(self):
        self.hone("sample", "resnet50-v2", "--seed", "9", "-o", "cut.onnx")
        size = os.path.getsize(self.path("cut.onnx"))
        forwarder = Forwarder(self.port, cut_after=size // 2)
        try:
            job = self.hone("compile", "cut.onnx", "--detach", "--server", f"127.0.0.1:{forwarder.port}")[0].strip()
        finally:
            forwarder.close()
        self.assertEqual(forwarder.cuts, 1)
        # From the beginning again it would be half as much more; what was under way at the cut is lost.
        self.assertLess(forwarder.sent, size * 1.25)
        self.hone("jobs", "cancel", job)

    def test_an_upload_that_was_interrupted_goes_on_with_the_next_command(self):
        self.hone("sample", "resnet50-v2", "--seed", "10", "-o", "stopped.onnx")
        size = os.path.getsize(self.path("stopped.onnx"))
        forwarder = Forwarder(self.port, hold_after=size // 2)
        command = ("compile", "stopped.onnx", "--detach", "--server", f"127.0.0.1:{forwarder.port}")
        try:
            hone = self.start(*command)
            wait_until(lambda: forwarder.sent >= size // 2, "half of the upload")
            hone.send_signal(signal.SIGINT)
            _, errors = hone.communicate(timeout=20)
            self.assertEqual(hone.returncode, 130, errors)
            self.assert_one_sentence(errors)
            self.assertIn("goes on where it was", errors)
            forwarder.hold_after = 0
            job = self.hone(*command)[0].strip()
        finally:
            forwarder.close()
        self.assertLess(forwarder.sent, size * 1.25)
        self.hone("jobs", "cancel", job)
        # A second time there is nothing to be sent.
        sent = forwarder.sent
        self.hone("jobs", "cancel", self.hone("compile", "stopped.onnx", "--detach")[0].strip())
        self.assertEqual(forwarder.sent, sent)

    def test_a_wrong_id_keeps_nobody_from_cancelling_the_others(self):
        self.hone("sample", "resnet50-v2", "--seed", "11", "-o", "big.onnx")
        job = self.hone("compile", "big.onnx", "--no-cache", "--detach")[0].strip()
        out, error = self.hone("jobs", "cancel", "j-none", job, "j-nor-this", code=5)
        self.assertRegex(out, rf"^{job} +cancelled\n$")
        for word in ("j-none", "j-nor-this"):
            self.assertIn(word, error)

    def test_a_server_that_is_started_again_is_waited_for(self):
        hone = self.start("compile", self.big(), "--no-cache", "-o", "again.tar")
        wait_until(lambda: hone.poll() is None and self.json("jobs", "list", "--state", "running"), "a running job")
        type(self).coordinator.kill()
        type(self).coordinator.wait()
        self.start_coordinator()
        _, errors = hone.communicate(timeout=600)
        self.assertEqual((hone.returncode, errors), (0, ""))
        self.hone("inspect", "again.tar")
