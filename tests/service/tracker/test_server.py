"""The tracker inside the real coordinator: it shows the coordinator's own devices, and nothing serves it unless asked."""
import os
import signal
import subprocess
import tempfile
import time
import unittest

from support import PATIENCE, PING, REQUEST, SUMMARY, Client, Server


class ServerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *arguments):
        with open(self.path("log"), "w", encoding="utf-8") as log:
            self.server = subprocess.Popen(
                [os.environ["HONE_SERVER_PROGRAM"], "--data", self.path("data"), "--listen", "127.0.0.1:0",
                 "--port-file", self.path("port"), "--disk-reserve", "0", "--drain-timeout", "100ms", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self.end)
        self.address = self.read_when_there("port")

    def end(self):
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(PATIENCE), 0, self.log())

    def path(self, name):
        return os.path.join(self.folder, name)

    def log(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def wait_for(self, condition, what):
        until = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), until, f"never: {what}\n{self.log()}")
            self.assertIsNone(self.server.poll(), self.log())
            time.sleep(0.02)

    def read_when_there(self, name):
        self.wait_for(lambda: os.path.exists(self.path(name)) and os.path.getsize(self.path(name)), name)
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().strip()

    def test_the_coordinators_devices_are_shown(self):
        self.start("--tvm-tracker-port", "0", "--tvm-tracker-port-file", self.path("tracker"))
        host, port = self.read_when_there("tracker").rsplit(":", 1)
        self.assertEqual(host, "127.0.0.1")
        fleet = subprocess.Popen([os.environ["FLEET_SIMULATOR"], "--server", self.address, "--workers", "3", "--items", "50",
                                  "--work-ms", "60000", "60000", "--key", "rpi4"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = Client(int(port))
            self.addCleanup(client.close)
            # three devices, all of them busy, 47 items that wait
            self.wait_for(lambda: client.ask(SUMMARY)[1]["queue_info"].get("rpi4") == {"free": 0, "pending": 47},
                          "the fleet in the summary")
            servers = client.ask(SUMMARY)[1]["server_info"]
            self.assertEqual(sorted((one["key"], *one["addr"]) for one in servers),
                             [("server:rpi4", "hone", f"sim-{i}") for i in range(3)])
            self.assertIn("hone run --rpc-tracker", client.ask(REQUEST, "rpi4", "", 1)[1])
            with Server(int(port), "epyc", 9091) as server:
                server.put("epyc:1")
                self.assertEqual(client.ask(REQUEST, "epyc", "", 1), [0, ["127.0.0.1", 9091, "epyc:1"]])
        finally:
            fleet.kill()
            fleet.wait(PATIENCE)

    def test_it_ends_with_the_coordinator_whoever_is_connected(self):
        self.start("--tvm-tracker-port", "0", "--tvm-tracker-port-file", self.path("tracker"))
        port = int(self.read_when_there("tracker").rsplit(":", 1)[1])
        clients = [Client(port) for _ in range(20)]
        self.assertEqual(clients[0].ask(PING), 0)
        self.end()
        for client in clients:
            self.assertTrue(client.is_closed())
            client.close()

    def test_it_is_off_by_default(self):
        self.start()
        with open("/proc/net/tcp", encoding="utf-8") as file:
            inodes = {line.split()[9] for line in file.readlines()[1:] if line.split()[3] == "0A"}
        mine = set()
        for name in os.listdir(f"/proc/{self.server.pid}/fd"):
            try:
                mine.add(os.readlink(f"/proc/{self.server.pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        self.assertLessEqual(len([inode for inode in inodes if f"socket:[{inode}]" in mine]), 1)


if __name__ == "__main__":
    unittest.main()
