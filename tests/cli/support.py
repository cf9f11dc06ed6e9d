"""What the tests of the command line share: starting the programs, small models, npz files without numpy."""
import ast
import math
import os
import struct
import subprocess
import tempfile
import unittest
import zipfile

HONE = os.environ["HONE"]
SIZES = {"<f4": ("f", 4), "<f8": ("d", 8), "<i8": ("q", 8)}


def write_npz(path, arrays):
    """arrays: name -> (dtype as numpy writes it, shape, flat values)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (dtype, shape, values) in arrays.items():
            shape_text = "(" + "".join(f"{extent}, " for extent in shape) + ")"
            header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape_text}, }}"
            header += " " * (-(len(header) + 11) % 64) + "\n"
            data = struct.pack(f"<{len(values)}{SIZES[dtype][0]}", *values)
            archive.writestr(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


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


class CliTest(unittest.TestCase):
    """Each test class has a folder with the small models; each test starts programs in it."""

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = cls._folder.name
        subprocess.run([os.environ["MAKE_MODELS"], cls.folder], check=True)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def environment(self):
        return dict(os.environ, XDG_STATE_HOME=self.path("state"))

    def hone(self, *arguments, code=0):
        """Runs hone, expects the exit code and, for errors, exactly one sentence. Returns (stdout, stderr)."""
        done = subprocess.run([HONE, *arguments], cwd=self.folder, env=self.environment(), capture_output=True,
                              text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, code, f"hone {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        if code == 0:
            self.assertEqual(done.stderr, "")
        else:
            self.assert_one_sentence(done.stderr)
        return done.stdout, done.stderr

    def refused(self, *arguments, code, words=()):
        """Runs hone, expects it to fail with a sentence that holds the words."""
        sentence = self.hone(*arguments, code=code)[1]
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
