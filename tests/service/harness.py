"""Starts the real programs of the service in a folder of their own, kills them, and leaves nothing behind.

A Service is a data folder, a coordinator that may be killed and started again on the same port, workers, and whatever else
is started through it. stop() ends everything, and looks through /proc for what survived."""
import base64
import ctypes
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.request

SERVER = os.environ["HONE_SERVER_PROGRAM"]
WORKER = os.environ["HONE_WORKER"]
HONE = os.environ["HONE"]
TOOL = os.environ["SERVICE_TOOL"]
PROBE = os.environ["SERVICE_PROBE"]
HISTORY_CLIENT = os.environ["HISTORY_CLIENT"]
FULL = os.environ.get("HONE_TEST_MODE") == "full"
SEED = int(os.environ.get("HONE_TEST_SEED") or time.strftime("%Y%m%d"))
PATIENCE = 90  # seconds; only a broken program needs them
MARK = "HONE_TEST_MARK"

_libc = ctypes.CDLL(None)


def end_with_parent():
    """In a child before exec: SIGKILL when this process ends, however it ends."""
    _libc.prctl(1, signal.SIGKILL)


def small_disk(folder, size):
    """Mounts a file system of so many bytes at folder, seen by this process and its children only: it goes with them. Why it
    could not be done; empty when it was."""
    if _libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        return "no mount namespace for us"
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "-o", f"size={size}", "hone-test", folder]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stderr.strip()
    return ""


def wait_until(condition, what, seconds=PATIENCE, pause=0.01):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)


def process_state(pid):
    """R, S, D, T, Z, …; empty when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                found += [int(child) for child in file.read().split()]
    except FileNotFoundError:
        pass
    return found


def busy_child(pid, seconds=0.4):
    """A child that has worked for so long: not one that is kept in reserve. 0 when there is none."""
    for child in children(pid):
        try:
            with open(f"/proc/{child}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") >= seconds:
            return child
    return 0


class Probe:
    """One service_probe: any call, step by step. Used by one thread."""

    def __init__(self, process, user):
        self.process = process
        self.metadata = {"hone-user": user} if user else {}
        self.numbers = itertools.count()

    def command(self, **fields):
        self.process.stdin.write(json.dumps(fields) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("service_probe has died")
        answer = json.loads(line)
        if "problem" in answer:
            raise AssertionError(answer["problem"])
        return answer

    def open(self, method, deadline=60, metadata=None):
        return Stream(self, method, deadline, metadata or self.metadata)

    def call(self, method, message=None, deadline=60, metadata=None):
        """One request. (code, sentence, detail, list of responses)."""
        stream = self.open(method, deadline, metadata)
        stream.send(message or {})
        return stream.finish()

    def ok(self, method, message=None, deadline=60):
        """The only response of a call that must succeed."""
        code, sentence, detail, responses = self.call(method, message, deadline)
        if code != 0 or len(responses) != 1:
            raise AssertionError(f"{method} {str(message)[:300]}: {code} {sentence} {detail} {responses}")
        return responses[0]

    # ---------------------------------------------------------------------------------------------- what is often done
    def upload(self, content, upload_id="up", piece=1 << 18):
        """The digest of a blob that is durable; or (code, sentence, detail, []) of the refusal."""
        import hashlib
        digest = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": str(len(content))}
        stream = self.open("Blobs/Upload")
        stream.send({"header": {"digest": digest, "upload_id": upload_id}})
        for at in range(0, len(content), piece):
            if not stream.send({"data": base64.b64encode(content[at:at + piece]).decode()}):
                break
        answer = stream.finish()
        return digest if answer[0] == 0 else answer

    def download(self, digest):
        """(code, sentence, bytes)."""
        stream = self.open("Blobs/Download")
        stream.send({"digest": digest})
        code, sentence, _, responses = stream.finish()
        return code, sentence, b"".join(base64.b64decode(response.get("data", "")) for response in responses)

    def job(self, job):
        return self.ok("Jobs/Get", {"id": job})

    def wait_for_job(self, job, *states, seconds=PATIENCE):
        """The job, once it is in one of the states (by default: in a final one)."""
        states = states or ("JOB_SUCCEEDED", "JOB_FAILED", "JOB_CANCELLED")
        last = {}

        def reached():
            last.clear()
            last.update(self.job(job))
            return last if last["state"] in states else None
        try:
            return dict(wait_until(reached, f"job {job} to be {states}", seconds, 0.03))
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}") from None

    def workers(self, key=""):
        return {worker["name"]: worker for worker in self.ok("Fleet/List", {"key": key}).get("workers", [])}


class Stream:
    def __init__(self, probe, method, deadline, metadata):
        self.probe = probe
        self.name = str(next(probe.numbers))
        probe.command(do="open", stream=self.name, method=method, deadline=deadline, metadata=metadata)

    def send(self, message, seconds=30):
        return self.probe.command(do="send", stream=self.name, message=message, seconds=seconds)["sent"]

    def send_raw(self, content, seconds=30):
        return self.probe.command(do="send", stream=self.name, raw=base64.b64encode(content).decode(),
                                  seconds=seconds)["sent"]

    def close(self):
        self.probe.command(do="close", stream=self.name)

    def receive(self, seconds=30):
        """A message as a dict; None when nothing came; ("end", code, sentence, detail) at the end."""
        answer = self.probe.command(do="receive", stream=self.name, seconds=seconds)
        if "message" in answer:
            return answer["message"]
        if "waiting" in answer:
            return None
        return "end", answer["code"], answer["sentence"], answer.get("detail", {})

    def finish(self, seconds=120):
        """(code, sentence, detail, responses)."""
        self.close()
        responses = []
        while True:
            answer = self.receive(seconds)
            if isinstance(answer, tuple):
                self.drop()
                return (*answer[1:], responses)
            if answer is None:
                raise AssertionError("the call does not end")
            responses.append(answer)

    def drop(self):
        self.probe.command(do="drop", stream=self.name)


class Service:
    # Short, so that a test waits seconds; long enough for a machine that has much else to do.
    TIMES = {"heartbeat": "0.5s", "silence": "10s", "lease": "12s"}

    def __init__(self, folder, **options):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.options = {**self.TIMES, **options}
        self.port = 0
        self.coordinator = None
        self.server = SERVER  # or a program that takes more kinds of work
        self.workers = {}
        self.started = []
        self.mark = f"{os.getpid()}-{id(self)}-{time.monotonic_ns()}"
        self.target = os.path.join(folder, "target")

    # ------------------------------------------------------------------------------------------------------- processes
    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "HOME": self.folder, "TMPDIR": self.folder, "LANG": "C.UTF-8",
                "XDG_DATA_HOME": os.path.join(self.folder, "share"), "XDG_CONFIG_HOME": os.path.join(self.folder, "config"),
                "XDG_STATE_HOME": os.path.join(self.folder, "state"), MARK: self.mark,
                **{name: value for name, value in os.environ.items() if "SAN_OPTIONS" in name}, **more}

    def start(self, name, *arguments, environment=None, **more):
        """A process whose output goes to NAME.log, appended."""
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            process = subprocess.Popen(
                [str(argument) for argument in arguments], env=self.environment(**(environment or {})), cwd=self.folder,
                stdin=more.pop("stdin", subprocess.DEVNULL), stdout=more.pop("stdout", log), stderr=log,
                preexec_fn=end_with_parent, **more)
        self.started.append(process)
        return process

    def flags(self):
        return [f"--{name.replace('_', '-')}={value}" for name, value in self.options.items()]

    def start_coordinator(self, failpoint="", wait=True, environment=None):
        """On the port of the time before, once there was one."""
        os.makedirs(self.data, exist_ok=True)
        port_file = os.path.join(self.folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        more = dict(environment or {})
        if failpoint:
            more["HONE_FAILPOINT"] = failpoint
        self.coordinator = self.start("coordinator", self.server, "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                                      "--port-file", port_file, "--admin", "127.0.0.1:0", "--admin-port-file",
                                      port_file + ".admin", *self.flags(), environment=more)
        if not wait:
            return self.coordinator

        def ready():
            if self.coordinator.poll() is not None and not failpoint:
                raise AssertionError(f"the coordinator ended with {self.coordinator.returncode}:\n" + self.log("coordinator"))
            if self.coordinator.poll() is not None:
                return True
            return os.path.exists(port_file) and os.path.getsize(port_file) > 0
        wait_until(ready, "the coordinator's port")
        if not self.port:
            with open(port_file, encoding="utf-8") as file:
                self.port = int(file.read().split(":")[-1])
        return self.coordinator

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start_worker(self, name, roles="device", key="", server="", slots=1, environment=None, more=(), program=WORKER):
        arguments = [program, "--server", server or self.address, "--name", name, "--roles", roles,
                     "--data", os.path.join(self.folder, "data-" + name), "--quiet-lock",
                     os.path.join(self.folder, "quiet.lock")]
        if key:
            arguments += ["--key", key]
        if "builder" in roles:
            arguments += ["--slots", slots]
        self.workers[name] = self.start("worker-" + name, *arguments, *more, environment=environment)
        return self.workers[name]

    def probe(self, user="ann", server=""):
        process = self.start("probe", PROBE, "--server", server or self.address, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        return Probe(process, user)

    def hone(self, *arguments, user="ann", server="", code=0):
        """Runs the command line against the coordinator. (stdout, stderr)."""
        done = subprocess.run([HONE, *[str(argument) for argument in arguments]], cwd=self.folder,
                              env=self.environment(HONE_SERVER=server or self.address, USER=user, LOGNAME=user),
                              capture_output=True, text=True, timeout=300, check=False)
        if code is not None and done.returncode != code:
            raise AssertionError(f"hone {arguments}: {done.returncode}\n{done.stdout}{done.stderr}{self.logs()}")
        return done.stdout, done.stderr

    def start_history_client(self, name, seed, threads=6, more=()):
        return self.start(name, HISTORY_CLIENT, "--server", self.address, "--user", name, "--name", name, "--history",
                          self.history(name), "--target", self.target_file(), "--key", "board", "--seed", seed,
                          "--threads", threads, "--stop-file", os.path.join(self.folder, "stop"), *more)

    def history(self, name):
        return os.path.join(self.folder, name + ".jsonl")

    def wait_for_workers(self, *names, state="WORKER_READY"):
        probe = self.probe()

        def all_there():
            code, _, _, responses = probe.call("Fleet/List", deadline=5)
            workers = {worker["name"]: worker for worker in responses[0].get("workers", [])} if code == 0 else {}
            return all(workers.get(name, {}).get("state") == state for name in names)
        wait_until(all_there, f"the workers {names} to be {state}", pause=0.05)
        self.end(probe.process)

    @staticmethod
    def kill(process, number=signal.SIGKILL):
        """When it was sent, and when it was over, as Unix times in microseconds."""
        sent = time.time_ns() // 1000
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()
        return sent, time.time_ns() // 1000

    @staticmethod
    def end(process, seconds=PATIENCE):
        """Asks it to end and waits. Its exit code."""
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        if process.poll() is None:
            process.terminate()
        return process.wait(seconds)

    def stop_coordinator(self):
        """As an operator does. Must end with 0."""
        code = self.end(self.coordinator)
        if code != 0:
            raise AssertionError(f"the coordinator ended with {code}:\n{self.log('coordinator')}")

    def survivors(self):
        """Processes that were started here, or by one that was."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0") and process_state(name) != "Z":
                        with open(f"/proc/{name}/cmdline", "rb") as line:
                            found[int(name)] = line.read().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def stop(self):
        """Ends everything. What its parent left behind, a sentence each."""
        for process in self.started:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        pass
            if process.poll() is None:
                process.kill()
        for process in self.started:
            process.wait()
        left = {}
        try:
            # The children of what was just killed may still be on their way out.
            wait_until(lambda: not self.survivors(), "the last process", 15, 0.05)
        except AssertionError:
            left = self.survivors()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return [f"left behind: {pid} {line}" for pid, line in left.items()]

    # ------------------------------------------------------------------------------------------------------------ looks
    def log(self, name, most=8000):
        try:
            with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-most:]
        except FileNotFoundError:
            return ""

    def logs(self):
        names = sorted(name[:-4] for name in os.listdir(self.folder) if name.endswith(".log"))
        return "".join(f"\n--- {name}\n{self.log(name)}" for name in names)

    def target_file(self):
        """This machine's TargetDescription, serialized."""
        if not os.path.exists(self.target):
            subprocess.run([TOOL, "target", WORKER, self.target], check=True)
        return self.target

    def target_json(self):
        """The same as JSON."""
        done = subprocess.run([TOOL, "show-target", self.target_file()], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def models(self, count):
        """Paths of tiny models, each another one."""
        subprocess.run([TOOL, "models", self.folder, str(count)], check=True)
        return [os.path.join(self.folder, f"tiny-{number}.onnx") for number in range(count)]

    def reference(self, pairs):
        """(model, optimisation level) -> SHA-256 of the artifact that a local compilation gives."""
        lines = "".join(f"{model} {level}\n" for model, level in pairs)
        done = subprocess.run([TOOL, "compile", WORKER, self.target_file()], input=lines, check=True, capture_output=True,
                              text=True)
        answers = (line.split() for line in done.stdout.splitlines())
        return {(int(model), int(level)): sha256 for model, level, sha256 in answers}

    def query(self, sql, *arguments):
        """Reads the live database, as any reader does."""
        connection = sqlite3.connect(f"file:{self.data}/hone.db?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            connection.close()

    def leases(self, worker=""):
        """Task, epoch and worker of every lease that is held now."""
        return [row for row in self.query("SELECT id, epoch, worker FROM task WHERE state = 'leased'")
                if not worker or row[2] == worker]

    def metric(self, name):
        """The sum over all labels of what the coordinator counts now."""
        with open(os.path.join(self.folder, "port.admin"), encoding="utf-8") as file:
            address = file.read().strip()
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name]
        if not values:
            raise AssertionError(f"no metric {name}")
        return sum(values)

    def fsck(self):
        """(exit code, output) of the coordinator's own check of its data, while no coordinator runs."""
        done = subprocess.run([self.server, "fsck", "--data", self.data], capture_output=True, text=True, timeout=300,
                              env=self.environment(), check=False)
        return done.returncode, done.stdout + done.stderr


class ServiceTest(unittest.TestCase):
    """A fresh folder for each test; nothing outlives it; its logs are shown when it fails."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hone-service-")
        self.services = []
        self.mounts = []

    def service(self, name="one", **options):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        service = Service(folder, **options)
        self.services.append(service)
        return service

    def tearDown(self):
        result = getattr(self, "_outcome").result
        failed = any(self.id() in test.id() for test, _ in result.failures + result.errors)
        left = [sentence for service in self.services for sentence in service.stop()]
        if failed or left:
            for service in self.services:
                print(service.logs(), flush=True)
        for folder in self.mounts:
            subprocess.run(["umount", folder], check=True)
        if failed and os.environ.get("HONE_TEST_KEEP"):
            print("kept:", self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(left, [])
