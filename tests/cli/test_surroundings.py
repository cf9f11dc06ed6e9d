"""What the private coordinator takes over from the process that starts it, which is nothing; and homes with little room."""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import HONE, CliTest, children, read_npz, wait_until, without_note

LIMITS = {"RLIMIT_AS": 4 << 30, "RLIMIT_DATA": 4 << 30, "RLIMIT_FSIZE": 1 << 20, "RLIMIT_CPU": 500, "RLIMIT_NOFILE": 64,
          "RLIMIT_STACK": 512 << 10}
CAP_SYS_NICE, CAP_SYS_RESOURCE = 23, 24  # bits of CapEff, as capabilities(7) numbers them


def limits_of(pid):
    """name -> soft limit, of /proc."""
    limits = {}
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        for line in file.read().splitlines()[1:]:
            soft = line[26:].split()[0]
            limits[line[:26].strip()] = None if soft == "unlimited" else int(soft)
    return limits


def field_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line.split(":", 1)[1].strip() for line in file if line.startswith(name + ":"))


class Surroundings(CliTest):
    def setUp(self):
        self.kill_private()

    def start_from(self, preparation, *arguments, command=(), **environment):
        """`hone compile` in a process that preparation() has made odd. Returns the coordinator's pid and the errors."""
        done = subprocess.run([*command, HONE, "compile", "classifier.onnx", "-o", "x.tar", *arguments], cwd=self.folder,
                              env=self.environment(**environment), preexec_fn=preparation, capture_output=True, text=True,
                              timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        server, = self.private_servers()
        return server, done.stderr

    def unprivileged(self):
        """The beginning of a command that may lift no limit."""
        if os.geteuid() != 0:
            return []
        if shutil.which("setpriv") is None:
            raise unittest.SkipTest("there is no setpriv to give up root's privileges with")
        return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]

    def both(self, server):
        """The coordinator and its worker."""
        return [server, wait_until(lambda: children(server), "its worker")[0]]

    def test_priority_processors_and_masks_are_its_own(self):
        plain, _ = self.start_from(lambda: None)
        processors = os.sched_getaffinity(plain)
        self.kill_private()

        def prepare():
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            os.umask(0)
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1])
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGQUIT, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)

        server, errors = self.start_from(prepare)
        self.assertEqual(without_note(errors), "")
        for pid in self.both(server):
            self.assertEqual(os.sched_getaffinity(pid), processors)
            self.assertEqual(os.sched_getscheduler(pid), os.SCHED_OTHER)
            self.assertEqual(field_of(pid, "Umask"), "0077")
            ignored = int(field_of(pid, "SigIgn"), 16)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGQUIT, signal.SIGUSR1):
                self.assertFalse(ignored >> (number - 1) & 1, number)
        # It hears the signals that its starter did not.
        os.kill(server, signal.SIGTERM)
        wait_until(lambda: not self.private_servers(), "its end")

    def test_limits_are_lifted(self):
        def prepare():
            for name, value in LIMITS.items():
                number = getattr(resource, name)
                resource.setrlimit(number, (value, resource.getrlimit(number)[1]))
            resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

        server, errors = self.start_from(prepare)
        self.assertEqual(without_note(errors), "")
        for pid in self.both(server):
            limits = limits_of(pid)
            for name in ("Max address space", "Max data size", "Max file size", "Max cpu time"):
                self.assertIsNone(limits[name], name)
            self.assertGreaterEqual(limits["Max open files"], 1024)
            self.assertGreaterEqual(limits["Max stack size"], 1 << 20)
            self.assertEqual(limits["Max core file size"], 0)
        # Somebody else's larger work has what it needs.
        self.hone("sample", "mobilenet-v2", "-o", "larger.onnx")
        self.hone("compile", "larger.onnx", "-o", "larger.tar")

    def test_descriptors_folder_and_environment_stay_behind(self):
        lock = os.open(self.path("held"), os.O_CREAT | os.O_RDWR)
        os.makedirs(self.path("temporary"))
        try:
            server, _ = self.start_from(lambda: [os.dup2(lock, number) for number in (3, 9, 63)], "--label", "x",
                                        TMPDIR=self.path("temporary"), LD_BIND_NOW="1", GRPC_VERBOSITY="debug", SECRET="s",
                                        http_proxy="http://127.0.0.1:1", HONE_SERVER_LOG_LEVEL="debug")
        finally:
            os.close(lock)
        for pid in self.both(server):
            targets = []
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    targets.append(os.readlink(f"/proc/{pid}/fd/{number}"))
            self.assertNotIn(self.path("held"), targets)
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().decode()
            for name in ("TMPDIR", "LD_BIND_NOW", "GRPC_VERBOSITY", "SECRET", "http_proxy"):
                self.assertNotIn(name + "=", environment)
            self.assertIn("HONE_SERVER_LOG_LEVEL=debug", environment)
        # What its starter called temporary may go.
        shutil.rmtree(self.path("temporary"))
        self.hone("compile", "--no-cache", "classifier.onnx", "-o", "y.tar")

    def test_without_standard_streams(self):
        # In a shell, since Python gives a process all three. What is printed must not go into the files that are open.
        for command in ("compile -v classifier.onnx -o closed.tar", "run --print-time closed.tar -o closed.npz"):
            # With the note that cannot be lifted: what it prints first.
            done = subprocess.run([*self.unprivileged(), "sh", "-c", f'exec "$0" {command} <&- >&- 2>&-', HONE],
                                  cwd=self.folder, env=self.environment(), timeout=600, check=False,
                                  preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 17))
            self.assertEqual(done.returncode, 0)
        self.hone("inspect", "closed.tar")
        self.assertIn("output_0", read_npz(self.path("closed.npz")))

    def test_what_cannot_be_lifted_is_said_once(self):
        def prepare():
            os.setpriority(os.PRIO_PROCESS, 0, 17)
            resource.setrlimit(resource.RLIMIT_FSIZE, (512 << 20, 512 << 20))

        _, errors = self.start_from(prepare, command=self.unprivileged())
        self.assertRegex(errors, r"^note: the private server keeps a nice value of 17, at most 536870912 bytes in a file "
                                 r".*`hone server stop`.*\n$")
        self.hone("compile", "--no-cache", "classifier.onnx", "-o", "y.tar")
        self.kill_private()
        # Who is privileged lifts them. Not every root is.
        privileges = int(field_of(os.getpid(), "CapEff"), 16)
        server, errors = self.start_from(prepare)
        self.assertEqual("nice value" in errors, not privileges >> CAP_SYS_NICE & 1)
        self.assertEqual("bytes in a file" in errors, not privileges >> CAP_SYS_RESOURCE & 1)
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, server), 17 if "nice value" in errors else 0)


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a file system with little room")
class LittleRoom(CliTest):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="hone-room-")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "hone-test", self.home], capture_output=True,
                                 text=True, check=False)
        if mounted.returncode != 0:
            os.rmdir(self.home)
            raise unittest.SkipTest(f"this root may not mount: {mounted.stderr.strip()}")
        os.makedirs(os.path.join(self.home, "run"), mode=0o700)

    def tearDown(self):
        self.hone("server", "stop", environment=self.user_environment(self.home))
        subprocess.run(["umount", "-l", self.home], check=True)
        os.rmdir(self.home)

    def free(self):
        place = os.statvfs(self.home)
        return place.f_bavail * place.f_frsize

    def fill(self, left):
        with open(os.path.join(self.home, "ballast"), "wb") as file:
            file.write(bytes(self.free() - left))

    def test_a_home_with_less_than_a_gibibyte_compiles_small_models(self):
        environment = self.user_environment(self.home)
        self.hone("compile", "classifier.onnx", "-o", "roomy.tar", environment=environment)
        self.fill(6 << 20)
        self.hone("compile", "--module-name", "tight", "classifier.onnx", "-o", "tight.tar", environment=environment)
        self.hone("inspect", "tight.tar")

    def test_a_full_home_says_which_setting_there_is(self):
        environment = self.user_environment(self.home)
        self.hone("compile", "classifier.onnx", "-o", "roomy.tar", environment=environment)
        self.fill(600 << 10)
        self.hone("sample", "minilm-l6", "-o", "other.onnx")
        sentence = self.refused("compile", "other.onnx", "-o", "never.tar", code=5, environment=environment)
        for word in ("free", "disk-reserve", "HONE_SERVER_DISK_RESERVE"):
            self.assertIn(word, sentence)
        os.unlink(os.path.join(self.home, "ballast"))
        # The setting is heard when it starts, and no more than it says is kept.
        self.hone("server", "stop", environment=environment)
        sentence = self.refused("compile", "--module-name", "big", "other.onnx", "-o", "never.tar", code=5,
                                environment={**environment, "HONE_SERVER_DISK_RESERVE": "1GiB"})
        self.assertIn(str(1 << 30), sentence)
