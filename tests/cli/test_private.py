"""The private coordinator: started by whoever comes first, shared, killed, stopped, too old, unable."""
import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess

from support import HONE, PATIENCE, SERVER, WORKER, CliTest, children, processes, wait_until, without_note


class Private(CliTest):
    def setUp(self):
        self.kill_private()

    def status(self, **environment):
        return json.loads(self.hone("server", "status", "--output-format", "json", environment=environment)[0])

    def start(self, *arguments, program=HONE, **more):
        return subprocess.Popen([program, *arguments], cwd=self.folder, env=self.environment(**more),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_asking_for_its_state_does_not_start_it(self):
        self.assertFalse(self.status()["running"])
        self.assertIn("not running", self.hone("server", "stop")[0])
        self.assertEqual(self.private_servers(), [])

    def test_it_starts_once_and_stops(self):
        self.compile(output="a.tar")
        first, = self.private_servers()
        self.compile(output="b.tar")
        self.assertEqual(self.private_servers(), [first])
        status = self.status()
        self.assertTrue(status["running"])
        self.assertEqual(status["socket"], self.path("data/hone/hone.sock"))
        self.assertEqual(stat.S_IMODE(os.stat(status["data"]).st_mode) & 0o077, 0)
        # Detached: of a session of its own, and in no folder of ours.
        self.assertEqual(os.getsid(first), first)
        self.assertEqual(os.readlink(f"/proc/{first}/cwd"), "/")
        self.assertIn("stopped", self.hone("server", "stop")[0])
        wait_until(lambda: first not in processes(), "its end")
        self.compile(output="c.tar")
        self.assertEqual(self.read("a.tar"), self.read("c.tar"))

    def test_its_device_is_there_for_the_first_command(self):
        # Its worker attaches after it has begun to serve: who comes before waits.
        self.compile(output="first.tar")
        for number in range(3):
            place = {"XDG_DATA_HOME": self.path(f"fresh-{number}")}
            self.hone("run", "--server", "private", "--rpc-key", "local", "first.tar", "-o", "first.npz", environment=place)
            self.hone("server", "stop", environment=place)

    def test_five_at_once_share_one(self):
        started = [self.start("compile", "classifier.onnx", "-o", f"at-once-{number}.tar") for number in range(5)]
        for process in started:
            out, errors = process.communicate(timeout=300)
            self.assertEqual((process.returncode, without_note(errors)), (0, ""), out)
        self.assertEqual(len(self.private_servers()), 1)
        self.assertEqual(len({self.read(f"at-once-{number}.tar") for number in range(5)}), 1)

    def test_killed_it_leaves_nothing_locked(self):
        self.compile(output="before.tar")
        for _ in range(3):
            old, = self.private_servers()
            self.kill_private()
            self.compile("classifier.onnx", "after.tar")
            self.assertNotEqual(self.private_servers(), [old])
            self.assertEqual(self.read("before.tar"), self.read("after.tar"))

    def test_a_job_survives_a_kill_while_it_is_watched(self):
        self.hone("sample", "resnet50-v2", "-o", "big.onnx")
        hone = self.start("compile", "--no-cache", "big.onnx", "-o", "big.tar")
        def is_running():
            return hone.poll() is None and self.private_servers() and "running" in self.hone("jobs", "list")[0]
        wait_until(is_running, "a running job")
        os.kill(self.private_servers()[0], signal.SIGKILL)
        _, errors = hone.communicate(timeout=600)
        self.assertEqual((hone.returncode, without_note(errors)), (0, ""))
        self.hone("inspect", "big.tar")

    def test_it_ends_when_idle(self):
        done = self.start("compile", "classifier.onnx", "-o", "idle.tar", HONE_SERVER_IDLE="300ms")
        out, errors = done.communicate(timeout=300)
        self.assertEqual((out, without_note(errors)), ("", ""))
        wait_until(lambda: not self.private_servers(), "its end")
        self.assertFalse(self.status()["running"])

    @contextlib.contextmanager
    def coordinator_of(self, version):
        os.makedirs(self.path("data/hone"), exist_ok=True)
        other = subprocess.Popen([os.environ["OLD_COORDINATOR"], self.path("data/hone/hone.sock"), self.path("data/hone"),
                                  version], stdout=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: self.status()["version"] == version, "the other coordinator")
            yield other
        finally:
            other.kill()
            other.wait()

    def test_an_older_one_gives_way(self):
        with self.coordinator_of("0.0.1") as old:
            self.compile(output="new.tar")
            self.assertEqual(old.communicate(timeout=60)[0], "asked to end now\n")
        self.assertEqual("hone " + self.status()["version"], self.hone("--version")[0].strip())
        self.assertEqual(len(self.private_servers()), 1)

    def test_a_newer_one_is_used_as_it_is(self):
        # It may be at work for a newer hone, and its data may be such that an older one cannot read them.
        for version in ("999.0.0", "0.999"):
            with self.coordinator_of(version) as newer:
                out, errors = self.start("jobs", "list").communicate(timeout=60)
                # This one knows no jobs, but it was asked.
                self.assertIn("hone", errors, out)
                self.assertIsNone(newer.poll())
                self.assertEqual(self.status()["version"], version)

    def programs(self, folder):
        """A copy of the programs, whose files are others than before."""
        os.makedirs(self.path(folder), exist_ok=True)
        for program in (HONE, WORKER, SERVER):
            place = os.path.join(self.path(folder), os.path.basename(program))
            shutil.copy2(program, place + ".new")
            os.rename(place + ".new", place)
        return os.path.join(self.path(folder), "hone")

    def test_whose_programs_were_replaced_ends_when_it_is_idle(self):
        hone = self.programs("installed")

        def ask():
            """The jobs that have not ended, and what else is said."""
            out, errors = self.start("jobs", "list", "--output-format", "json", program=hone).communicate(timeout=PATIENCE)
            return [job for job in json.loads(out) if job["state"] in ("pending", "running")], without_note(errors)

        self.assertEqual(ask(), ([], ""))
        first, = self.private_servers()
        self.assertEqual(ask(), ([], ""))
        self.assertEqual(self.private_servers(), [first])
        # While it has work, which cannot end here before its worker goes on, it stays as it is.
        def worker():
            return [pid for pid in children(first) if "--server" in processes().get(pid, [])]
        stopped = wait_until(worker, "its worker")[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            compiling = self.start("compile", "--no-cache", "classifier.onnx", "-o", "installed.tar", program=hone)
            wait_until(lambda: ask()[0], "the job")
            self.programs("installed")
            self.assertIn("note: the private server runs programs that have been replaced", ask()[1])
            self.assertEqual(self.private_servers(), [first])
        finally:
            os.kill(stopped, signal.SIGCONT)
        out, errors = compiling.communicate(timeout=PATIENCE)
        self.assertEqual((compiling.returncode, out, without_note(errors)), (0, "", ""))
        self.assertEqual(ask(), ([], ""))
        second, = self.private_servers()
        self.assertNotEqual(second, first)
        self.assertEqual(ask(), ([], ""))
        self.assertEqual(self.private_servers(), [second])

    def test_where_it_cannot_start_it_says_why(self):
        self.write("file", "no folder")
        for value, word in ((self.path("file/below"), self.path("file")), ("/proc/nowhere", "/proc/nowhere")):
            self.refused("compile", "classifier.onnx", code=5, words=[word, "XDG_DATA_HOME"],
                         environment={"XDG_DATA_HOME": value})
        # A store that is no store: the server's own words reach the person.
        os.makedirs(self.path("broken/hone"))
        self.write("broken/hone/hone.db", b"no database" * 1000)
        self.refused("compile", "classifier.onnx", code=5, words=["private server cannot start", "hone-server.log"],
                     environment={"XDG_DATA_HOME": self.path("broken")})

    def test_the_data_folder_alone_says_where_it_is(self):
        self.compile()
        # As in another login, or under cron and sudo.
        for runtime in (self.path("elsewhere"), "/nowhere", "relative", ""):
            self.assertTrue(self.status(XDG_RUNTIME_DIR=runtime)["running"], runtime)
        self.assertEqual(len(self.private_servers()), 1)
        # Other data are another server's.
        other = self.status(XDG_DATA_HOME=self.path("other"))
        self.assertEqual((other["running"], other["socket"]), (False, self.path("other/hone/hone.sock")))

    def test_a_long_data_folder_has_a_socket_of_its_own_elsewhere(self):
        sockets = [self.status(XDG_DATA_HOME=self.path(letter * 120))["socket"] for letter in "ab"]
        for socket in sockets:
            self.assertRegex(socket, f"^/tmp/hone-{os.getuid()}/[0-9a-f]{{16}}\\.sock$")
        self.assertNotEqual(*sockets)

    def test_doctor_finds_nothing_wrong_and_what_is_wrong(self):
        findings = json.loads(self.hone("doctor", "--output-format", "json")[0])
        self.assertEqual({finding["health"] for finding in findings} - {"ok", "warning"}, set(), findings)
        for check in ("folders", "programs", "contexts", "private", "server", "version", "clock", "disk", "quota", "workers"):
            self.assertIn(check, {finding["check"] for finding in findings})
        done = self.start("doctor", "--server", "127.0.0.1:1")
        out, errors = done.communicate(timeout=60)
        self.assertEqual(done.returncode, 5)
        self.assert_one_sentence(errors)
        self.assertRegex(out, r"broken +server +cannot reach the server 127.0.0.1:1 .*\n +fix: ")
