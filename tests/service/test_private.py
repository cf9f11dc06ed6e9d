"""`hone` without a server: the private coordinator, shared by all, killed, and leaving nothing locked."""
import hashlib
import os
import signal
import subprocess
import threading

from harness import HONE, ServiceTest, wait_until


class Private(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service()
        self.models = self.one.models(12)
        self.local = self.one.reference([(number, 3) for number in range(12)])

    def tearDown(self):
        for pid in self.coordinators():
            os.kill(pid, signal.SIGKILL)
        super().tearDown()

    def coordinators(self):
        return [pid for pid, line in self.one.survivors().items() if "hone-server" in line.split(" ")[0]]

    def compile(self, number, output, code=0):
        """Without a server, as on a laptop."""
        environment = {name: value for name, value in self.one.environment().items() if name != "HONE_SERVER"}
        done = subprocess.run([HONE, "compile", self.models[number], "-o", output], cwd=self.one.folder, env=environment,
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code == 0:
            with open(os.path.join(self.one.folder, output), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), self.local[number, 3])

    def test_many_at_once_share_one(self):
        problems = []

        def work(number):
            try:
                self.compile(number, f"out-{number}.tar")
            except Exception as error:  # pylint: disable=broad-except
                problems.append(str(error))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(len(self.coordinators()), 1, self.one.survivors())

    def test_killed_it_leaves_nothing_locked(self):
        for number in range(3):
            self.compile(number, "out.tar")
            old, = self.coordinators()
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: old not in self.coordinators(), "its end")
        # Its worker does not stay behind without it.
        wait_until(lambda: not self.one.survivors(), "the end of its worker", 30)
        self.compile(3, "out.tar")
        # What was compiled before the kill is remembered.
        self.compile(0, "out.tar")

    def test_stop(self):
        self.compile(0, "out.tar")
        subprocess.run([HONE, "server", "stop"], env=self.one.environment(), check=True, timeout=60, capture_output=True)
        wait_until(lambda: not self.one.survivors(), "the end of all", 30)
        self.compile(0, "out.tar")
