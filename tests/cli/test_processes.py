"""Who works for `hone compile` without a server: interrupted, killed, crashed, missing, alone."""
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import time

from support import HONE, WORKER, CliTest, descendants, wait_until, write_npz


class Processes(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Takes seconds to compile: long enough to meet it in the middle.
        subprocess.run([HONE, "sample", "resnet50-v2", "-o", os.path.join(cls.folder, "big.onnx")], check=True)

    def start(self, *arguments, program=HONE):
        return subprocess.Popen([program, *arguments], cwd=self.folder, env=self.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def worker_at_work(self):
        """A hone-worker that has read something of the model's size."""
        for pid in (child for server in self.private_servers() for child in descendants(server)):
            try:
                resident = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
                if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(WORKER) and resident > 150 << 20:
                    return pid
            except OSError:
                continue
        return None

    def meet(self, *arguments):
        """Starts a compile that no cache answers, and returns it with the pid of who is at work for it."""
        hone = self.start("compile", "--no-cache", "big.onnx", "-o", "big.tar", *arguments)
        return hone, wait_until(lambda: hone.poll() is None and self.worker_at_work(), "a worker at work")

    def assert_gone(self, pid):
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {pid}", 30)

    def test_a_run_that_would_not_end_ends_soon_after_one_signal(self):
        self.compile("counting.onnx", "endless.tar")
        write_npz(self.path("still.npz"), {"data": ("<f4", (4,), [0.0] * 4), "step": ("<f4", (4,), [0.0] * 4)})
        for number in (signal.SIGINT, signal.SIGTERM):
            hone = self.start("run", "-i", "still.npz", "-o", "never.npz", "endless.tar")
            wait_until(lambda: hone.poll() is None and self.is_at_work(hone.pid), "a run at work")
            hone.send_signal(number)
            _, errors = hone.communicate(timeout=20)
            self.assertEqual(hone.returncode, 130, errors)
            self.assert_one_sentence(errors)
            self.assertFalse(os.path.exists(self.path("never.npz")))

    @staticmethod
    def is_at_work(pid):
        """Whether it has used half a second of the processors."""
        times = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(times[11]) + int(times[12]) > os.sysconf("SC_CLK_TCK") / 2

    def test_interrupting_detaches_and_says_how_to_come_back(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.write("big.tar", "precious")
            hone, child = self.meet()
            hone.send_signal(number)
            _, errors = hone.communicate(timeout=20)
            self.assertEqual(hone.returncode, 130, errors)
            self.assert_one_sentence(errors)
            self.assertEqual(self.read("big.tar"), b"precious")
            self.assert_no_leftovers()
            job, = set(re.findall(r"`hone jobs (?:watch|cancel) (\S+)`", errors))
            # It goes on without us until it is told to end.
            self.assertTrue(os.path.exists(f"/proc/{child}"))
            self.assertIn("cancelled", self.hone("jobs", "cancel", job)[0])
            self.assert_gone(child)
            self.assertIn("cancelled", self.refused("jobs", "watch", job, code=4))

    def test_the_same_command_again_goes_on(self):
        hone, _ = self.meet()
        hone.kill()
        hone.communicate()
        self.hone("compile", "--no-cache", "big.onnx", "-o", "big.tar")
        self.assertGreater(len(self.read("big.tar")), 1 << 20)
        jobs = self.hone("jobs", "list", "--output-format", "json")[0]
        self.assertEqual(jobs.count('"id"'), len(set(re.findall(r'"id": "(\S+)"', jobs))))
        # Once the result was delivered, the next one is a job of its own.
        before = jobs.count('"id"')
        self.hone("compile", "big.onnx", "-o", "big.tar")
        self.assertEqual(self.hone("jobs", "list", "--output-format", "json")[0].count('"id"'), before + 1)
        # Not even kill -9 left anything behind.
        self.assert_no_leftovers()

    def test_a_crash_is_reported_with_log_and_reproducer(self):
        hone, child = self.meet("--target", "llvm")
        os.kill(child, signal.SIGABRT)
        _, errors = hone.communicate(timeout=60)
        self.assertEqual(hone.returncode, 1, errors)
        self.assert_one_sentence(errors)
        self.assertIn("signal 6", errors)
        folder, = pathlib.Path(self.path("state"), "hone").glob("defect-*")
        self.assertIn(str(folder), errors)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["command", "input", "work.textproto", "worker.log"])
        self.assertEqual((folder / "input").read_bytes(), self.read("big.onnx"))
        self.assertIn("'--target' 'llvm'", (folder / "command").read_text())
        self.assertIn("compile", (folder / "work.textproto").read_text())
        self.assert_no_leftovers()

    def test_a_worker_killed_from_outside_is_no_defect(self):
        hone, child = self.meet()
        os.kill(child, signal.SIGKILL)
        _, errors = hone.communicate(timeout=60)
        self.assertEqual(hone.returncode, 4, errors)
        self.assertIn("memory", errors)

    def test_progress_is_shown_on_a_terminal_and_wiped_at_the_end(self):
        ours, theirs = pty.openpty()
        with subprocess.Popen([HONE, "compile", "--no-cache", "big.onnx", "-o", "shown.tar"], cwd=self.folder,
                              env=self.environment(), stdout=subprocess.DEVNULL, stderr=theirs) as hone:
            os.close(theirs)
            # Slow on any machine: the work is stopped for longer than the line waits before it shows itself.
            child = wait_until(self.worker_at_work, "a worker at work")
            # Again and again: its worker lets it go on when another test has measured something.
            for _ in range(100):
                os.kill(child, signal.SIGSTOP)
                time.sleep(0.02)
            os.kill(child, signal.SIGCONT)
            shown = b""
            try:
                while chunk := os.read(ours, 4096):
                    shown += chunk
            except OSError:  # how Linux tells of the other end's last close
                pass
        os.close(ours)
        self.assertEqual(hone.returncode, 0, shown)
        self.assertRegex(shown, rb"\[\d+s\] [a-z]+")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-40:])

    def test_without_its_other_programs_hone_says_where_it_looked(self):
        lonely = os.path.join(self.folder, "lonely")
        os.makedirs(lonely)
        shutil.copy(HONE, lonely)
        self.kill_private()
        for name in ("hone-worker", "hone-server"):
            hone = self.start("compile", "classifier.onnx", program=os.path.join(lonely, "hone"))
            _, errors = hone.communicate(timeout=60)
            self.assertEqual(hone.returncode, 5, errors)
            self.assert_one_sentence(errors)
            for word in (name, lonely, "libexec/hone"):
                self.assertIn(word, errors)
            shutil.copy(WORKER, lonely)

    def test_the_worker_is_found_in_libexec(self):
        for folder in ("prefix/bin", "prefix/libexec/hone"):
            os.makedirs(self.path(folder))
        shutil.copy(HONE, self.path("prefix/bin"))
        shutil.copy(WORKER, self.path("prefix/libexec/hone"))
        hone = self.start("sample", "--list", program=self.path("prefix/bin/hone"))
        out, errors = hone.communicate(timeout=60)
        self.assertEqual(hone.returncode, 0, errors)
        self.assertIn("resnet50-v2", out)

    def test_the_worker_alone_explains_itself(self):
        done = subprocess.run([WORKER], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assert_one_sentence(done.stderr)
