"""A real coordinator with one worker, for tests of the command line against a server; and a forwarder that can be cut."""
import contextlib
import os
import socket
import subprocess
import threading

from support import SERVER, WORKER, CliTest, wait_until


class Forwarder:
    """Forwards 127.0.0.1:port to the target port, as `ssh -L` does. After so many bytes towards the target the connection
    is cut, or nothing more is delivered; 0: never."""

    def __init__(self, target, cut_after=0, hold_after=0):
        self.target, self.left, self.hold_after = target, cut_after, hold_after
        self.cuts = 0
        self.sent = 0  # bytes towards the target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source, sink, is_up):
        try:
            while piece := source.recv(1 << 16):
                if is_up and 0 < self.hold_after <= self.sent:
                    continue
                sink.sendall(piece)
                self.sent += len(piece) if is_up else 0
                if not is_up or self.left <= 0:
                    continue
                self.left -= len(piece)
                if self.left <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass  # the other end is gone
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


class ServerTest(CliTest):
    """A coordinator on a port that is free, and one worker: builder, and device of the key board."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.processes = []
        cls.port = 0
        cls.start_coordinator()
        cls.start_worker("first", "--roles", "builder,device", "--key", "board")
        cls.wait_for_worker("first")

    @classmethod
    def tearDownClass(cls):
        for process in reversed(cls.processes):
            process.kill()
            process.wait()
        super().tearDownClass()

    @classmethod
    def spawn(cls, name, *arguments):
        with open(os.path.join(cls.folder, name + ".log"), "ab") as log:
            process = subprocess.Popen(arguments, cwd=cls.folder, env=cls.user_environment(cls.folder), stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL)
        cls.processes.append(process)
        return process

    @classmethod
    def start_coordinator(cls):
        port_file = os.path.join(cls.folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        cls.coordinator = cls.spawn("coordinator", SERVER, "--data", os.path.join(cls.folder, "store"), "--listen",
                                    f"127.0.0.1:{cls.port}", "--port-file", port_file, "--heartbeat", "500ms")
        wait_until(lambda: os.path.exists(port_file) and os.path.getsize(port_file) > 0, "the coordinator's port")
        with open(port_file, encoding="utf-8") as file:
            cls.port = int(file.read().split(":")[-1])

    @classmethod
    def start_worker(cls, name, *more):
        return cls.spawn("worker-" + name, WORKER, "--server", f"127.0.0.1:{cls.port}", "--name", name, "--data",
                         os.path.join(cls.folder, "scratch-" + name), *more)

    @classmethod
    def wait_for_worker(cls, name):
        def is_ready():
            done = subprocess.run([os.environ["HONE"], "devices", "list", "--server", cls.address()], text=True,
                                  env=cls.user_environment(cls.folder), capture_output=True, check=False)
            return any(name in line.split() and "ready" in line.split() for line in done.stdout.splitlines())
        wait_until(is_ready, f"the worker {name}")

    @classmethod
    def address(cls):
        return f"127.0.0.1:{cls.port}"

    def environment(self, **more):
        return super().environment(**{"HONE_SERVER": self.address(), **more})
