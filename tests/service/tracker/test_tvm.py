"""TVM's own server, client and query program against hone's tracker. Run by run_tvm_test.sh, which has TVM."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from tvm import rpc

from support import PATIENCE, TrackerTest

DEVICES = ["--worker", "pi-3:rpi4:device", "--worker", "big::builder"]


class TvmTest(TrackerTest):
    def start_server(self, key):
        """TVM's RPC server as a person starts it; in a group of its own, since it has children."""
        program = subprocess.Popen([sys.executable, "-m", "tvm.exec.rpc_server", "--host", "127.0.0.1", "--port", "19090",
                                    "--port-end", "19990", "--tracker", f"127.0.0.1:{self.port}", "--key", key],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(self.end_server, program)
        free = (self.queue(key) or {"free": 0})["free"]
        self.wait_for(lambda: (self.queue(key) or {"free": 0})["free"] == free + 1, "TVM's server offers a ticket")
        return program

    @staticmethod
    def end_server(program):
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait(PATIENCE)

    def query(self):
        done = subprocess.run([sys.executable, "-m", "tvm.exec.query_rpc_tracker", "--host", "127.0.0.1",
                               "--port", str(self.port)], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    def rows(self):
        return [line.split() for line in self.query().splitlines()]


class SessionTest(TvmTest):
    """One tracker and one server for all: TVM's programs take seconds to start."""

    @classmethod
    def setUpClass(cls):
        owner = TvmTest()
        cls.addClassCleanup(owner.doCleanups)
        owner.start(*DEVICES)
        owner.start_server("epyc")
        cls.port = owner.port

    def setUp(self):
        self.wait_for(lambda: self.queue("epyc") == {"free": 1, "pending": 0}, "the server is free")

    def test_query_shows_the_fleet(self):
        rows = self.rows()
        self.assertIn(["hone:pi-3", "server:rpi4"], rows)
        self.assertIn(["rpi4", "1", "1", "3"], rows)
        self.assertIn(["epyc", "1", "1", "0"], rows)
        self.assertEqual(len([row for row in rows if row[-1:] == ["server:epyc"]]), 1)

    def test_a_session_computes(self):
        tracker = rpc.connect_tracker("127.0.0.1", self.port)
        for i in range(3):  # each session uses a ticket up, and the server brings a new one
            session = tracker.request("epyc", session_timeout=PATIENCE)
            self.assertEqual(session.get_function("rpc.test.addone")(41 + i), 42 + i)
            self.assertEqual(self.queue("epyc"), {"free": 0, "pending": 0})
            del session
            self.wait_for(lambda: self.queue("epyc")["free"] == 1, "the server offers its next ticket")

    def test_requests_wait_for_one_server_in_turn(self):
        results = []

        def work(number):
            tracker = rpc.connect_tracker("127.0.0.1", self.port)
            session = tracker.request("epyc", session_timeout=PATIENCE)
            results.append(session.get_function("rpc.test.addone")(number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(sorted(results), [1, 2, 3, 4])

    def test_request_and_run(self):
        tracker = rpc.connect_tracker("127.0.0.1", self.port)
        self.assertEqual(tracker.request_and_run("epyc", lambda session: session.get_function("rpc.test.strcat")("a", 1)),
                         "a:1")

    def test_an_unknown_key_is_told_at_once(self):
        tracker = rpc.connect_tracker("127.0.0.1", self.port)
        with self.assertRaisesRegex(RuntimeError, r"no TVM RPC server has the key 'rpi5'; known keys: epyc"):
            tracker.request("rpi5")
        with self.assertRaisesRegex(RuntimeError, r"hone run --rpc-tracker"):
            tracker.request("rpi4")
        # and the connection that was told so goes on
        self.assertEqual(tracker.request("epyc").get_function("rpc.test.addone")(1), 2)

    def test_a_ticket_that_nobody_uses_is_offered_again(self):
        with self.client() as client:
            self.assertEqual(client.ask(4, "epyc", "", 1)[0], 0)
        self.wait_for(lambda: self.queue("epyc")["free"] == 1, "the server makes a new ticket")


class LifeTest(TvmTest):
    def test_query_of_nothing(self):
        self.start()
        self.assertIn("Queue Status", self.query())

    def test_a_killed_server_disappears(self):
        self.start()
        first = self.start_server("epyc")
        self.start_server("epyc")
        self.end_server(first)
        self.wait_for(lambda: self.queue("epyc") == {"free": 1, "pending": 0}, "its ticket is gone")
        self.assertEqual(len(self.summary()["server_info"]), 1)
        tracker = rpc.connect_tracker("127.0.0.1", self.port)
        self.assertEqual(tracker.request("epyc").get_function("rpc.test.addone")(1), 2)

    def test_servers_come_back_to_a_tracker_that_was_restarted(self):
        self.start("--grace", "60")
        self.start_server("epyc")
        port = self.port
        self.end()
        until = time.monotonic() + PATIENCE
        self.start("--grace", "60", "--port", str(port))
        tracker = rpc.connect_tracker("127.0.0.1", port)
        # asked before the server is back: waits for it
        self.assertEqual(tracker.request("epyc").get_function("rpc.test.addone")(1), 2)
        self.assertLess(time.monotonic(), until)


if __name__ == "__main__":
    unittest.main()
