"""hone run --print-time and the builders of this machine keep out of each other's way."""
import fcntl
import os
import struct
import subprocess
import unittest

from support import CliTest, HONE, wait_until

OFD_SETLK = 37
CORES = 1024
MEASURING, BUILDING = 0, CORES


def cores_file():
    folder = "/run/hone-worker"
    return f"{folder if os.access(folder, os.X_OK) else f'/tmp/hone-{os.geteuid()}'}/cores"


class Mark:
    """A mark on all cores, as another process makes it."""

    def __init__(self, kind):
        self.file = os.open(cores_file(), os.O_RDONLY | os.O_CREAT, 0o644)
        fcntl.fcntl(self.file, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, kind, CORES, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)


class Cores(CliTest):
    def setUp(self):
        super().setUp()
        self.hone("compile", "classifier.onnx", "-o", "classifier.tar")
        self.hone("run", "classifier.tar", "--print-time")

    def start(self, *flags):
        process = subprocess.Popen([HONE, "run", "classifier.tar", *flags], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_what_is_measured_waits_for_another_measurement_and_for_builders(self):
        for kind in (MEASURING, BUILDING):
            with Mark(kind):
                # What is not measured need not wait.
                self.hone("run", "classifier.tar")
                process = self.start("--print-time")
                self.assertIn("note: waits until nothing is measured or built", process.stderr.readline())
                self.assertIsNone(process.poll())
            self.assertEqual(process.wait(60), 0)

    def test_a_measurement_is_seen_while_it_runs_and_not_after(self):
        def measured():
            with open(cores_file(), "rb") as file:
                probe = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, MEASURING, CORES, 0)
                return struct.unpack("hhqqi4x", fcntl.fcntl(file, OFD_SETLK - 1, probe))[0] != fcntl.F_UNLCK
        process = self.start("--print-time", "--repeat", "1000000000")
        wait_until(measured, "the measurement to be seen")
        process.kill()
        process.wait()
        wait_until(lambda: not measured(), "the mark to go")


if __name__ == "__main__":
    unittest.main()
