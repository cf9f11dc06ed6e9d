"""Models whose data are in files beside them: taken from the model's folder and nowhere else; one sentence for the rest."""
import os
import shutil
import socket
import struct
import unittest

from support import CliTest, read_npz
from test_test_model import FLOAT, tensor, varint

VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def field(number, content):
    """A field of protobuf: an integer, or bytes (texts and messages)."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    if isinstance(content, str):
        content = content.encode()
    return varint(number << 3 | 2) + varint(len(content)) + content


def external(name, shape, entries):
    """A TensorProto of floats whose data are in another file."""
    text = b"".join(field(1, extent) for extent in shape) + field(2, FLOAT) + field(8, name)
    for key, value in entries:
        text += field(13, field(1, key) + field(2, value))
    return text + field(14, 1)


def value_info(name, shape):
    dims = b"".join(field(1, field(1, extent)) for extent in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def model(*tensors, names=("w",), width=4):
    """out = x + the tensors of the names."""
    nodes, last = b"", "x"
    for i, name in enumerate(names):
        result = "out" if i + 1 == len(names) else f"sum{i}"
        nodes += field(1, field(1, last) + field(1, name) + field(2, result) + field(4, "Add"))
        last = result
    graph = nodes + field(2, "g") + b"".join(field(5, tensor) for tensor in tensors)
    graph += field(11, value_info("x", [width])) + field(12, value_info("out", [width]))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


class DataFiles(CliTest):
    def setUp(self):
        shutil.rmtree(self.path("m"), ignore_errors=True)
        os.makedirs(self.path("m/sub"))
        self.write("m/w.bin", floats(VALUES))
        self.write("secret", floats(VALUES))

    def model(self, *entries):
        self.write("m/m.onnx", model(external("w", [4], entries)))

    def refuse(self, *words, code=3):
        sentence = self.refused("compile", "m/m.onnx", "-o", "never.tar", code=code, words=["m/m.onnx: ", *words])
        self.assertFalse(os.path.exists(self.path("never.tar")))
        self.assert_no_leftovers()
        return sentence

    def run_it(self, artifact="m.tar"):
        self.hone("run", artifact, "--fill-mode", "zeros", "-o", "out.npz")
        return list(read_npz(self.path("out.npz"))["out"][2])

    def test_are_taken_from_the_folder_and_below(self):
        for location in ("w.bin", "./w.bin", "sub/w.bin"):
            self.write("m/sub/w.bin", floats(VALUES))
            self.model(("location", location), ("offset", "8"), ("length", "16"), ("checksum", "nonsense"))
            self.hone("compile", "m/m.onnx", "-o", "m.tar")
            self.assertEqual(self.run_it(), VALUES[2:6])
        self.assert_no_leftovers()

    def test_are_part_of_what_is_compiled(self):
        """The cache tells models of the same bytes and other data files apart."""
        self.model(("location", "w.bin"))
        self.hone("compile", "m/m.onnx", "-o", "m.tar")
        self.assertEqual(self.run_it(), VALUES[:4])
        self.write("m/w.bin", floats([-value for value in VALUES]))
        self.hone("compile", "m/m.onnx", "-o", "m.tar")
        self.assertEqual(self.run_it(), [-value for value in VALUES[:4]])

    def test_may_be_many_and_overlap(self):
        count = 600  # more than travel to the worker's child at once
        names = [f"w{i}" for i in range(count)]
        for name in names:
            self.write(f"m/{name}", floats(VALUES))
        self.write("m/m.onnx", model(*(external(name, [4], [("location", name), ("offset", str(i % 5 * 4))])
                                       for i, name in enumerate(names)), names=names))
        self.hone("compile", "m/m.onnx", "-o", "m.tar")
        wanted = [sum(VALUES[i % 5 + place] for i in range(count)) for place in range(4)]
        for got, value in zip(self.run_it(), wanted):
            self.assertAlmostEqual(got, value, delta=1e-4 * value)

    def test_thousands_of_them_are_refused(self):
        names = [f"w{i}" for i in range(5000)]
        self.write("m/m.onnx", model(*(external(name, [4], [("location", name)]) for name in names), names=names))
        self.refuse("more than 1000 data files", "in one file")

    def test_are_never_the_output(self):
        self.model(("location", "sub/w.bin"))
        self.write("m/sub/w.bin", floats(VALUES))
        self.refused("compile", "m/m.onnx", "-o", "m/sub/../sub/w.bin", code=2, words=["m/sub/../sub/w.bin"])
        self.assertEqual(self.read("m/sub/w.bin"), floats(VALUES))

    def test_elsewhere_are_refused(self):
        for location in ("/etc/passwd", self.path("secret"), self.path("m/w.bin")):
            self.model(("location", location))
            self.refuse(f"'{location}'", "absolute name")
        for location in ("../secret", "sub/../../secret", "sub/../w.bin"):
            self.model(("location", location))
            self.refuse(f"'{location}'", "'..' in its name")

    def test_behind_links_are_refused(self):
        os.symlink("../secret", self.path("m/link"))
        os.symlink("w.bin", self.path("m/inside"))
        os.symlink("..", self.path("m/up"))
        for location in ("link", "inside", "up/secret"):
            self.model(("location", location))
            self.refuse(f"'{location}'", "symbolic link")

    def test_that_are_no_plain_files_are_refused(self):
        os.mkfifo(self.path("m/pipe"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("m/socket"))
            for location in ("pipe", "socket", "sub", "."):
                self.model(("location", location))
                self.refuse(f"'{location}'", "no plain file")

    def test_that_are_not_there_are_named_with_the_folder(self):
        self.model(("location", "absent.bin"))
        self.refuse("'absent.bin' is not there", f"looked for in '{self.path('m')}'", code=5)
        os.chmod(self.path("m/w.bin"), 0)
        self.model(("location", "w.bin"))
        if not os.access(self.path("m/w.bin"), os.R_OK):
            self.refuse("cannot open its data file 'w.bin'", "Permission denied", code=5)

    def test_with_names_that_are_none_are_refused(self):
        for location in (b"a\0b", b"\xff\xfe"):
            self.model(("location", location))
            self.refuse("bytes that are no text")
        self.model(("location", "x" * 2000))
        self.refuse("more than 1024 bytes")
        self.model()
        self.refuse("'w'", "does not say in which")

    def test_with_places_outside_of_the_file_are_refused(self):
        for entries, words in ((("offset", "32"), "16 bytes at offset 32 of 'w.bin', which has 32 bytes"),
                               (("offset", str(2**63 - 1)), "which has 32 bytes"),
                               (("offset", "-1"), "the offset '-1', which is no number of bytes"),
                               (("offset", str(2**64)), "no number of bytes"),
                               (("length", "0x10"), "the length '0x10', which is no number of bytes"),
                               (("length", "12"), "keeps 12 bytes in 'w.bin', its shape asks for 16"),
                               (("length", "99999999"), "its shape asks for 16"),
                               (("location", "w.bin"), "says twice which location")):
            self.model(("location", "w.bin"), entries)
            self.refuse("tensor 'w'", words)

    def test_of_a_model_without_a_folder_are_not_looked_for(self):
        self.refused("compile", "-", code=2, words=["standard input", "give its path"])
        self.model(("location", "w.bin"))
        descriptor = os.open(self.path("m/m.onnx"), os.O_RDONLY)
        try:
            place = f"/proc/{os.getpid()}/fd/{descriptor}"
            self.refused("compile", place, "-o", "never.tar", code=3, words=[place, "'w.bin'", "without a folder"])
        finally:
            os.close(descriptor)

    def test_of_a_test_folder_are_beside_its_model(self):
        self.model(("location", "w.bin"))
        os.rename(self.path("m/m.onnx"), self.path("m/model.onnx"))
        os.makedirs(self.path("m/test_data_set_0"))
        self.write("m/test_data_set_0/input_0.pb", tensor(FLOAT, (4,), [1.0] * 4, "x"))
        self.write("m/test_data_set_0/output_0.pb", tensor(FLOAT, (4,), [value + 1 for value in VALUES[:4]]))
        self.hone("test-model", "m")
        os.remove(self.path("m/w.bin"))
        self.refused("test-model", "m", code=5, words=["'w.bin' is not there"])


if __name__ == "__main__":
    unittest.main()
