"""What the tests of TVM's tracker share: the host program, and clients that speak the protocol byte by byte."""
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

MAGIC = struct.pack("<i", 0x2F271)
PING, STOP, PUT, REQUEST, UPDATE_INFO, SUMMARY, PENDING = range(1, 8)
PATIENCE = 60  # seconds: no test depends on how soon something happens, only on that it does


def frame(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<i", len(text)) + text


class Client:
    """One connection; greets at once unless told otherwise."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if greet:
            self.send(MAGIC)
            assert self.read(4) == MAGIC

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("closed")
            data += piece
        return data

    def receive(self):
        return json.loads(self.read(struct.unpack("<i", self.read(4))[0]).decode())

    def ask(self, *message):
        self.send(frame(list(message)))
        return self.receive()

    def is_closed(self):
        """Waits for the end of the connection; anything else that comes is an error."""
        try:
            data = self.socket.recv(1)
        except ConnectionResetError:
            return True
        assert not data, f"expected the end, got {data!r}"
        return True

    def has_answer(self):
        self.socket.setblocking(False)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(PATIENCE)


class Server(Client):
    """A TVM RPC server as the tracker sees it."""

    def __init__(self, port, key, serving_port=9090, address=None):
        super().__init__(port)
        self.key, self.serving_port, self.address = key, serving_port, address
        assert self.ask(UPDATE_INFO, {"key": "server:" + key, "addr": [address, serving_port]}) == 0

    def put(self, ticket):
        return self.ask(PUT, self.key, [self.serving_port, ticket], self.address)


class TrackerTest(unittest.TestCase):
    def start(self, *arguments):
        self.host = subprocess.Popen([os.environ["TRACKER_HOST"], *arguments], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        line = self.host.stdout.readline()
        self.assertRegex(line, r"^port \d+$")
        self.port = int(line.split()[1])
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.host.stdout), daemon=True)
        self.reader.start()

    def end(self):
        """The host must still be there and end in order: that is where leaks and crashes show."""
        if self.host.stdin.closed:
            return
        self.host.send_signal(signal.SIGCONT)
        self.host.stdin.close()
        self.assertEqual(self.host.wait(PATIENCE), 0)
        self.reader.join(PATIENCE)
        self.host.stdout.close()

    def client(self, **options):
        client = Client(self.port, **options)
        self.addCleanup(client.close)
        return client

    def server(self, key, *arguments, **options):
        server = Server(self.port, key, *arguments, **options)
        self.addCleanup(server.close)
        return server

    def summary(self):
        with Client(self.port) as client:
            code, content = client.ask(SUMMARY)
        self.assertEqual(code, 0)
        return content

    def suspend(self):
        """Stops the tracker; a signal alone leaves it the time to do something more."""
        self.host.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self.host.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status), "the tracker has ended")

    def queue(self, key):
        return self.summary()["queue_info"].get(key)

    def wait_for(self, condition, what):
        until = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), until, f"never: {what}")
            time.sleep(0.01)

    def requester(self, key, priority=1):
        """A client that waits for a ticket, seen by the tracker as such."""
        before = (self.queue(key) or {"pending": 0})["pending"]
        client = self.client()
        client.send(frame([REQUEST, key, "", priority]))
        self.wait_for(lambda: (self.queue(key) or {"pending": 0})["pending"] == before + 1, "the request is queued")
        return client

    def assert_alive(self):
        with Client(self.port) as client:
            self.assertEqual(client.ask(PING), 0)

    def logged(self, words):
        self.wait_for(lambda: any(words in line for line in list(self.lines)), f"a log line with '{words}'")
