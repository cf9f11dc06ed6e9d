"""The child: interrupted, killed, crashed, missing, alone."""
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import time

from support import HONE, CliTest

WORKER = os.environ["HONE_WORKER"]


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Processes(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Takes seconds to compile: long enough to meet it in the middle.
        subprocess.run([HONE, "sample", "resnet50-v2", "-o", os.path.join(cls.folder, "big.onnx")], check=True)

    def start(self, *arguments, program=HONE):
        return subprocess.Popen([program, *arguments], cwd=self.folder, env=self.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def meet(self, *arguments):
        """Starts a compile and returns it with the pid of its worker, which is at work by then."""
        hone = self.start("compile", "big.onnx", "-o", "big.tar", *arguments)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for child in children(hone.pid):
                # The worker is there, and has read something of the model's size.
                with open(f"/proc/{child}/statm", encoding="utf-8") as file:
                    resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
                if os.readlink(f"/proc/{child}/exe") == os.path.realpath(WORKER) and resident > 150 << 20:
                    return hone, child
            time.sleep(0.01)
        hone.kill()
        self.fail("hone-worker did not start to work")

    def assert_gone(self, pid):
        deadline = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_interrupting_leaves_the_old_output_and_no_child(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.write("big.tar", "precious")
            hone, child = self.meet()
            hone.send_signal(number)
            _, errors = hone.communicate(timeout=10)
            self.assertEqual(hone.returncode, 130, errors)
            self.assert_one_sentence(errors)
            self.assert_gone(child)
            self.assertEqual(self.read("big.tar"), b"precious")
            self.assert_no_leftovers()

    def test_a_killed_client_takes_its_worker_along(self):
        hone, child = self.meet()
        hone.kill()
        hone.communicate()
        self.assert_gone(child)
        for name in os.listdir(self.folder):
            if name.startswith("."):
                os.unlink(self.path(name))

    def test_a_crash_is_reported_with_log_and_reproducer(self):
        shutil.rmtree(self.path("state"), ignore_errors=True)
        hone, child = self.meet("--target", "llvm")
        os.kill(child, signal.SIGABRT)
        _, errors = hone.communicate(timeout=30)
        self.assertEqual(hone.returncode, 1, errors)
        self.assert_one_sentence(errors)
        self.assertIn("signal 6", errors)
        folder, = pathlib.Path(self.path("state"), "hone").iterdir()
        self.assertIn(str(folder), errors)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["command", "input", "work.textproto", "worker.log"])
        self.assertEqual((folder / "input").read_bytes(), self.read("big.onnx"))
        self.assertIn("'--target' 'llvm'", (folder / "command").read_text())
        self.assertIn("compile", (folder / "work.textproto").read_text())
        self.assertFalse(os.path.exists(self.path("big.tar")))
        self.assert_no_leftovers()

    def test_a_worker_killed_from_outside_is_no_defect(self):
        hone, child = self.meet()
        os.kill(child, signal.SIGKILL)
        _, errors = hone.communicate(timeout=30)
        self.assertEqual(hone.returncode, 4, errors)
        self.assertIn("memory", errors)

    def test_progress_is_shown_on_a_terminal_and_wiped_at_the_end(self):
        ours, theirs = pty.openpty()
        with subprocess.Popen([HONE, "compile", "big.onnx", "-o", "shown.tar"], cwd=self.folder, env=self.environment(),
                              stdout=subprocess.DEVNULL, stderr=theirs) as hone:
            os.close(theirs)
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

    def test_without_its_worker_hone_says_where_it_looked(self):
        lonely = os.path.join(self.folder, "lonely")
        os.makedirs(lonely)
        shutil.copy(HONE, lonely)
        hone = self.start("compile", "classifier.onnx", program=os.path.join(lonely, "hone"))
        _, errors = hone.communicate(timeout=30)
        self.assertEqual(hone.returncode, 5)
        self.assertIn(lonely, errors)
        self.assertIn("libexec/hone", errors)

    def test_the_worker_is_found_in_libexec(self):
        for folder in ("prefix/bin", "prefix/libexec/hone"):
            os.makedirs(self.path(folder))
        shutil.copy(HONE, self.path("prefix/bin"))
        shutil.copy(WORKER, self.path("prefix/libexec/hone"))
        hone = self.start("sample", "--list", program=self.path("prefix/bin/hone"))
        out, errors = hone.communicate(timeout=30)
        self.assertEqual(hone.returncode, 0, errors)
        self.assertIn("resnet50-v2", out)

    def test_the_worker_alone_explains_itself(self):
        done = subprocess.run([WORKER], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assert_one_sentence(done.stderr)
