"""A model of more weights than protobuf could hold compiles in little more memory than they have, and computes with them."""
import array
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

from support import HONE, CliTest, children, read_npz, write_npz
from test_data_files import external, field, value_info

GIB = 1 << 30
WIDTH = 8192
LAYERS = 12
LAYER_BYTES = WIDTH * WIDTH * 4


def write_weights(path, seed):
    """LAYERS matrices: a megabyte of random floats again and again, turned by one more each time."""
    generator = random.Random(seed)
    block = array.array("f", (generator.uniform(-1, 1) for _ in range(1 << 18)))
    with open(path, "wb") as file:
        for turn in range(LAYERS * LAYER_BYTES >> 20):
            (block[turn:] + block[:turn]).tofile(file)


def model():
    """out = the sums x * W of each layer, one after the other."""
    graph = b""
    for i in range(LAYERS):
        graph += field(1, field(1, "x") + field(1, f"w{i}") + field(2, f"y{i}") + field(4, "MatMul"))
        graph += field(5, external(f"w{i}", [WIDTH, WIDTH], [("location", "weights"), ("offset", str(i * LAYER_BYTES)),
                                                             ("length", str(LAYER_BYTES))]))
        graph += field(12, value_info(f"y{i}", [1, WIDTH]))
    graph += field(2, "g") + field(11, value_info("x", [1, WIDTH]))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


class Memory(threading.Thread):
    """The most memory that each of the processes has had, looked at again and again."""

    def __init__(self, roots):
        super().__init__()
        self.roots, self.peaks, self.is_over = roots, {}, False

    def run(self):
        while not self.is_over:
            seen = list(self.roots())
            for pid in seen:
                seen += children(pid)
                try:
                    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                        lines = dict(line.split(":", 1) for line in file)
                    self.peaks[pid] = max(self.peaks.get(pid, 0), int(lines["VmHWM"].split()[0]) << 10)
                except (OSError, KeyError):
                    pass  # it has ended
            time.sleep(0.02)

    def stop(self):
        self.is_over = True
        self.join()
        return sorted(self.peaks.values(), reverse=True)


@unittest.skipUnless(os.environ.get("HONE_TEST_MODE") == "full", "takes minutes: HONE_TEST_MODE=full")
class LargeModel(CliTest):
    def test_compiles_in_little_more_memory_than_its_weights(self):
        weights = LAYERS * LAYER_BYTES
        self.assertGreaterEqual(weights, 3 * GIB)
        if shutil.disk_usage(self.folder).free < 5 * weights:
            self.skipTest(f"{self.folder} has less than {5 * weights} bytes free")
        os.makedirs(self.path("m"))
        write_weights(self.path("m/weights"), seed=1)
        self.write("m/m.onnx", model())
        command = subprocess.Popen([HONE, "compile", "m/m.onnx", "-o", "m.tar"], cwd=self.folder, env=self.environment())
        memory = Memory(lambda: [command.pid, *self.private_servers()])
        memory.start()
        code = command.wait()
        peaks = memory.stop()
        self.assertEqual(code, 0)
        print(f"peaks of {[peak >> 20 for peak in peaks]} MiB for {weights >> 20} MiB of weights")
        self.assertLessEqual(sum(peaks), 1.3 * weights + GIB)
        os.remove(self.path("m/m.onnx"))
        row = 4711
        write_npz(self.path("in.npz"), {"x": ("<f4", (1, WIDTH), [float(i == row) for i in range(WIDTH)])})
        self.hone("run", "m.tar", "-i", "in.npz", "-o", "out.npz")
        outputs = read_npz(self.path("out.npz"))
        with open(self.path("m/weights"), "rb") as file:
            for i in range(LAYERS):
                file.seek(i * LAYER_BYTES + row * WIDTH * 4)
                wanted = array.array("f", file.read(WIDTH * 4))
                self.assertEqual(list(outputs[f"y{i}"][2]), list(wanted), f"layer {i}")


if __name__ == "__main__":
    unittest.main()
