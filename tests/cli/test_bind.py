"""hone compile --bind: inputs that become constants."""
import json
import unittest

from support import CliTest, npy, write_npz

VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


class Bind(CliTest):
    def refuses(self, *flags, code, words):
        self.write("out.tar", "old")
        _, error = self.hone("compile", "reshaped.onnx", "-o", "out.tar", *flags, code=code)
        for word in words:
            self.assertIn(word, error)
        self.assertEqual(self.read("out.tar"), b"old", flags)

    def test_what_cannot_be_meant_is_refused_in_a_sentence(self):
        self.refuses(code=3, words=["'shape'", "dimensions that are not bound", "--bind shape=VALUE"])
        self.refuses("--input-shapes", "shape:[2]", code=3, words=["'shape'", "has to be known at compile time", "--bind"])
        self.refuses("--bind", "shape", code=2, words=["'shape'", "NAME=VALUE"])
        self.refuses("--bind", "=3", code=2, words=["'=3'", "NAME=VALUE"])
        self.refuses("--bind", "form=3,2", code=3, words=["'form'", "'data', 'shape'"])
        self.refuses("--bind", "shape=3,x", code=3, words=["'shape'", "'x' is no number of type int64"])
        self.refuses("--bind", "shape=3,2", "--bind", "shape=2,3", code=2, words=["'shape' twice"])
        self.refuses("--bind", "shape=no.npy", code=5, words=["no.npy"])

    def test_files_that_hold_something_else_are_refused(self):
        self.write("pickle.npy", npy("|O", (1,), b"\x80\x04K\x01."))
        self.refuses("--bind", "shape=pickle.npy", code=3, words=["pickle.npy", "Python objects"])
        self.write("text.npy", b"3,2")
        self.refuses("--bind", "shape=text.npy", code=3, words=["text.npy", "not an array"])
        self.write("cut.npy", npy("<i8", (2,), bytes(15)))
        self.refuses("--bind", "shape=cut.npy", code=3, words=["cut.npy", "15 bytes"])
        self.write("large.npy", npy("<i8", (1 << 17,), bytes(1 << 20)))
        self.refuses("--bind", "shape=large.npy", code=3, words=["large.npy", "initializers"])
        self.write("floats.npy", npy("<f4", (2,), bytes(8)))
        self.refuses("--bind", "shape=floats.npy", code=3, words=["float32[2]", "int64[?]"])

    def test_the_input_is_gone_and_the_value_counts(self):
        self.write("shape.npy", npy("<i8", (2,), (3).to_bytes(8, "little") + (2).to_bytes(8, "little")))
        write_npz(self.path("in.npz"), {"data": ("<f4", (2, 3), VALUES)})
        for value in ("3,2", "-1, 2", "shape.npy"):
            self.hone("compile", "reshaped.onnx", "-o", "bound.tar", "--bind", f"shape={value}")
            report = json.loads(self.hone("inspect", "bound.tar", "--output-format", "json")[0])
            self.assertEqual([entry["name"] for entry in report["mod"]["inputs"]], ["data"])
            self.assertEqual(report["mod"]["outputs"][0]["shape"], [3, 2])
            outputs = self.outputs("bound.tar", "--inputs", "in.npz")
            self.assertEqual(outputs["out"][2], tuple(-value for value in VALUES))

    def test_another_value_is_another_artifact(self):
        artifacts = set()
        for value in ("3,2", "2,3", "6"):
            self.hone("compile", "reshaped.onnx", "-o", "bound.tar", "--bind", f"shape={value}")
            artifacts.add(self.read("bound.tar"))
        self.assertEqual(len(artifacts), 3, "the cache took one for another")


if __name__ == "__main__":
    unittest.main()
