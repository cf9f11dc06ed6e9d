"""What the tests of the command line share: starting the programs, small models, npz files without numpy."""
import ast
import contextlib
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zipfile

HONE = os.environ["HONE"]
WORKER = os.environ["HONE_WORKER"]
SERVER = os.environ["HONE_SERVER_PROGRAM"]
PATIENCE = 120  # seconds; only a broken program needs them
SIZES = {"<f4": ("f", 4), "<f8": ("d", 8), "<i8": ("q", 8), "|b1": ("?", 1)}


def npy(dtype, shape, data):
    """The bytes of an npy file; dtype as numpy writes it."""
    shape_text = "(" + "".join(f"{extent}, " for extent in shape) + ")"
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape_text}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def write_npz(path, arrays):
    """arrays: name -> (dtype as numpy writes it, shape, flat values)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (dtype, shape, values) in arrays.items():
            data = struct.pack(f"<{len(values)}{SIZES[dtype][0]}", *values)
            archive.writestr(name + ".npy", npy(dtype, shape, data))


def read_npz(path):
    """name -> (dtype, shape, flat values)."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            raw = archive.read(name)
            length = struct.unpack("<H", raw[8:10])[0]
            header = ast.literal_eval(raw[10:10 + length].decode().strip())
            letter, size = SIZES[header["descr"]]
            data = raw[10 + length:]
            values = struct.unpack(f"<{len(data) // size}{letter}", data)
            arrays[name.removesuffix(".npy")] = (header["descr"], header["shape"], values)
    return arrays


def wait_until(condition, what, seconds=PATIENCE):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def processes():
    """pid -> command line, of every process that still lives."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if line := file.read():
                    found[int(name)] = line.decode(errors="replace").split("\0")[:-1]
    return found


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                found += [int(child) for child in file.read().split()]
    return found


def descendants(pid):
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def without_note(errors):
    """Errors without notes on what goes on around the tests: whoever starts the private coordinator from a process that has
    less than others gets one (as `nice ctest`), whoever measures while another test does or builds, and whoever's job waits."""
    return re.sub(r"^(note: (the private server keeps|waits until nothing is measured) .*|job \S+ waits; \d+ (is|are) before it)\n",
                  "", errors, flags=re.MULTILINE)


class CliTest(unittest.TestCase):
    """Each test class has a folder with the small models, and the folders of a user in it, with a private coordinator of
    its own; each test starts programs there."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="hone-cli-")
        subprocess.run([os.environ["MAKE_MODELS"], cls.folder], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.kill_private()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def private_servers(cls):
        data = os.path.join(cls.folder, "data/hone")
        return [pid for pid, line in processes().items() if "--private" in line and data in line]

    @classmethod
    def kill_private(cls):
        """kill -9 of the private coordinator; whoever it had started must end by itself."""
        started = [child for pid in cls.private_servers() for child in [pid, *descendants(pid)]]
        for pid in cls.private_servers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(pid in processes() for pid in started), f"the end of {started}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    @staticmethod
    def user_environment(folder):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HONE_"))}
        # Nothing may outlive for long a test that is killed.
        return dict(inherited, HONE_SERVER_IDLE="120s", **{
            f"XDG_{name}": os.path.join(folder, place)
            for name, place in (("STATE_HOME", "state"), ("DATA_HOME", "data"), ("CACHE_HOME", "cache"),
                                ("CONFIG_HOME", "config"))})

    def environment(self, **more):
        return {**self.user_environment(self.folder), **more}

    def hone(self, *arguments, code=0, environment=None):
        """Runs hone, expects the exit code and, for errors, exactly one sentence. Returns (stdout, stderr)."""
        done = subprocess.run([HONE, *map(str, arguments)], cwd=self.folder, env=self.environment(**(environment or {})),
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, code, f"hone {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        errors = without_note(done.stderr)
        if code == 0:
            self.assertEqual(errors, "")
        else:
            self.assert_one_sentence(errors)
        return done.stdout, errors

    def refused(self, *arguments, code, words=(), environment=None):
        """Runs hone, expects it to fail with a sentence that holds the words."""
        sentence = self.hone(*arguments, code=code, environment=environment)[1]
        for word in words:
            self.assertIn(word, sentence)
        return sentence

    def assert_one_sentence(self, text):
        lines = text.splitlines()
        self.assertEqual(len(lines), 1, text)
        self.assertRegex(lines[0], r"^error: \S.*[^.\s]$")

    def assert_no_leftovers(self):
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith(".")], [])

    def compile(self, model="classifier.onnx", output="classifier.tar", *more):
        self.hone("compile", model, "-o", output, *more)
        return output

    def outputs(self, artifact, *more):
        self.hone("run", artifact, "--fill-mode", "random", "--seed", "7", "-o", "out.npz", *more)
        return read_npz(self.path("out.npz"))

    def assert_close(self, one, other, tolerance=1e-5):
        self.assertEqual(one.keys(), other.keys())
        for name in one:
            self.assertEqual(one[name][:2], other[name][:2])
            scale = max(abs(value) for value in one[name][2])
            for a, b in zip(one[name][2], other[name][2]):
                self.assertTrue(math.isfinite(a))
                self.assertLessEqual(abs(a - b), tolerance * scale)
