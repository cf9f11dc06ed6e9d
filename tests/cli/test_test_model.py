"""hone test-model: a folder with a model and test data, as ONNX keeps them."""
import json
import os
import shutil
import struct
import unittest

from support import CliTest

FLOAT, INT64 = 1, 7
VALUES = [1.0, -2.0, 3.0, 4.0, 5.0, 6.0]


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def tensor(dtype, shape, values, name=""):
    """One TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    data = struct.pack(f"<{len(values)}{'f' if dtype == FLOAT else 'q'}", *values)
    text = b"".join(b"\x08" + varint(extent) for extent in shape) + b"\x10" + varint(dtype)
    if name:
        text += b"\x42" + varint(len(name)) + name.encode()
    return text + b"\x4a" + varint(len(data)) + data


class TestModel(CliTest):
    def setUp(self):
        shutil.rmtree(self.path("case"), ignore_errors=True)

    def case(self, model, *sets):
        """A folder with the model and, for each set, (inputs, outputs) as bytes of tensors."""
        os.makedirs(self.path("case"), exist_ok=True)
        shutil.copy(self.path(model), self.path("case/model.onnx"))
        for number, tensors in enumerate(sets):
            folder = f"case/test_data_set_{number}"
            os.makedirs(self.path(folder), exist_ok=True)
            for kind, files in zip(("input", "output"), tensors):
                for i, content in enumerate(files):
                    self.write(f"{folder}/{kind}_{i}.pb", content)

    def relu(self, rows, values=None, name="tokens"):
        """One set for unbound.onnx: f32[rows,16]."""
        given = [float(i % 7 - 3) for i in range(rows * 16)]
        wanted = values or [max(value, 0.0) for value in given]
        return [tensor(FLOAT, (rows, 16), given, name)], [tensor(FLOAT, (rows, 16), wanted)]

    def reshaped(self, *shape, name="shape"):
        return ([tensor(FLOAT, (2, 3), VALUES, "data" if name else ""), tensor(INT64, (len(shape),), shape, name)],
                [tensor(FLOAT, shape, [-value for value in VALUES])])

    def test_folders_without_data_or_with_damaged_data_are_refused(self):
        _, error = self.hone("test-model", "nowhere", code=5)
        self.assertIn("model.onnx", error)
        self.case("unbound.onnx")
        _, error = self.hone("test-model", "case", code=5)
        self.assertIn("test_data_set_0", error)
        inputs, outputs = self.relu(1)
        self.case("unbound.onnx", (inputs, []))
        self.assertIn("output_0.pb", self.hone("test-model", "case", code=5)[1])
        self.case("unbound.onnx", (inputs, [b"junk"]))
        self.assertIn("holds no tensor", self.hone("test-model", "case", code=3)[1])
        self.case("unbound.onnx", (inputs, outputs * 2))
        self.assertIn("holds 2 outputs, but the model has 1", self.hone("test-model", "case", code=3)[1])
        os.remove(self.path("case/test_data_set_0/input_0.pb"))
        os.makedirs(self.path("case/test_data_set_0/input_0.pb"))
        self.assertIn("directory", self.hone("test-model", "case", code=5)[1])
        os.rmdir(self.path("case/test_data_set_0/input_0.pb"))
        self.case("unknown.onnx", (inputs, outputs))
        self.assertIn("Frobnicate", self.hone("test-model", "case", code=3)[1])

    def test_a_difference_is_shown_and_is_an_exit_code(self):
        wanted = [0.0] * 16
        wanted[3] = 1.0
        self.case("unbound.onnx", self.relu(1), self.relu(1, wanted))
        out, error = self.hone("test-model", "case", code=4)
        self.assertIn("1 of 2 outputs differs", error)
        self.assertRegex(out, r"test_data_set_0\s+out\s+float32\[1,16\]\s+yes")
        self.assertRegex(out, r"test_data_set_1\s+out\s+float32\[1,16\]\s+no")
        self.assertIn("[0,3]: 0 instead of 1", out)
        self.hone("test-model", "case", "--atol", "7", code=0)
        self.hone("test-model", "case", "--rtol", "-1", code=2)

    def test_sets_of_several_shapes_agree(self):
        self.case("unbound.onnx", self.relu(1), self.relu(3), self.relu(1))
        report = json.loads(self.hone("test-model", "case", "--output-format", "json")[0])
        self.assertEqual([(row["data_set"], row["type"], row["agrees"]) for row in report],
                         [(f"test_data_set_{i}", f"float32[{rows},16]", True) for i, rows in enumerate((1, 3, 1))])
        self.assertEqual(report[0]["max_absolute_difference"], 0)

    def test_only_numbered_folders_are_sets(self):
        self.case("unbound.onnx", self.relu(1))
        for name in ("test_data_set_", "test_data_set_1x", "test_data_set_99999999999"):
            os.makedirs(self.path(f"case/{name}"))
        out, _ = self.hone("test-model", "case")
        self.assertIn("test_data_set_0", out)

    def test_data_without_names_go_by_position(self):
        self.case("unbound.onnx", self.relu(2, name=""))
        self.assertIn("--input-shapes", self.hone("test-model", "case", code=3)[1])
        self.hone("test-model", "case", "--input-shapes", "tokens:[2,16]")
        self.assertIn("float32[2,16]", self.hone("test-model", "case", "--input-shapes", "tokens:[3,16]", code=3)[1])

    def test_inputs_can_be_bound_to_their_data(self):
        self.case("reshaped.onnx", self.reshaped(3, 2), self.reshaped(6))
        self.assertIn("'shape'", self.hone("test-model", "case", code=3)[1])
        self.hone("test-model", "case", "--bind", "shape")
        self.assertIn("'form'", self.hone("test-model", "case", "--bind", "form", code=2)[1])
        self.case("reshaped.onnx", self.reshaped(3, 2), self.reshaped(3, 2))
        self.hone("test-model", "case", "--bind", "shape=3,2")
        out, _ = self.hone("test-model", "case", "--bind", "shape=2,3", code=4)
        self.assertIn("float32[2,3] instead of float32[3,2]", out)

    def test_indices_outside_of_their_axis_are_reported_when_asked_for(self):
        def rows(*indices):
            clamped = [min(max(i + 5 if i < 0 else i, 0), 4) for i in indices]
            return ([tensor(FLOAT, (5,), [0.0, 1.0, 2.0, 3.0, 4.0], "table"), tensor(INT64, (3,), indices, "rows")],
                    [tensor(FLOAT, (3,), [float(i) for i in clamped])])
        self.case("lookup.onnx", rows(0, -5, 4))
        self.hone("test-model", "case", "--check-indices")
        self.case("lookup.onnx", rows(0, -5, 4), rows(9, 1, -7))
        self.hone("test-model", "case")
        _, error = self.hone("test-model", "case", "--check-indices", code=4)
        self.assertIn("error: test_data_set_1: node 'lookup' (Gather): 2 indices lie outside of axis 0 with 5 elements, "
                      "for example 9", error)

    def test_nothing_is_left_behind(self):
        self.case("unbound.onnx", self.relu(1))
        os.makedirs(self.path("tmp"), exist_ok=True)
        self.hone("test-model", "case", environment={"TMPDIR": self.path("tmp")})
        self.assertEqual([name for name in os.listdir(self.path("tmp")) if name.startswith("hone-")], [])

    def test_a_folder_for_temporary_files_that_is_missing(self):
        self.case("unbound.onnx", self.relu(1))
        out, err = self.hone("test-model", "case", environment={"TMPDIR": self.path("missing")}, code=5)
        self.assertIn("set TMPDIR", err)


if __name__ == "__main__":
    unittest.main()
