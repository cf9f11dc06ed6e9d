"""hone bench: artifacts against each other, here and on a device of a server."""
import json
import os
import signal
import subprocess

from server_support import ServerTest
from support import HONE, wait_until, write_npz


class Bench(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for level in ("0", "3"):
            subprocess.run([HONE, "compile", "classifier.onnx", "-O", level, "-o", f"o{level}.tar"], cwd=cls.folder,
                           env=dict(cls.user_environment(cls.folder), HONE_SERVER=cls.address()), check=True)

    def race(self, *arguments):
        found = json.loads(self.hone("bench", *arguments, "--output-format", "json")[0])
        self.assertGreater(found["threads"], 0)
        return found["artifacts"]

    def check(self, artifacts, names, rounds):
        self.assertEqual([artifact["artifact"] for artifact in artifacts], names)
        first, *others = artifacts
        self.assertEqual((first["ratio"], first["ratio_interval"], first["difference"]), (1, None, 0))
        for artifact in artifacts:
            self.assertEqual(list(artifact), ["artifact", "median_ms", "min_ms", "number", "ratio", "ratio_interval",
                                              "confidence", "difference", "samples_ms"])
            self.assertEqual(len(artifact["samples_ms"]), rounds)
            self.assertEqual(artifact["min_ms"], min(artifact["samples_ms"]))
            self.assertLessEqual(artifact["min_ms"], artifact["median_ms"])
        for artifact in others:
            ratios = sorted(mine / base for mine, base in zip(artifact["samples_ms"], first["samples_ms"]))
            self.assertAlmostEqual(artifact["ratio"], (ratios[(rounds - 1) // 2] + ratios[rounds // 2]) / 2, 5)
            low, high = artifact["ratio_interval"]
            self.assertLessEqual(low, artifact["ratio"])
            self.assertLessEqual(artifact["ratio"], high)
            self.assertGreaterEqual(artifact["confidence"], 0.95)
            # Levels of optimisation add up in another order.
            self.assertLess(artifact["difference"], 1e-5)

    def test_here(self):
        self.check(self.race("o0.tar", "o3.tar", "--repeat", "8", "--number", "3"), ["o0.tar", "o3.tar"], 8)
        write_npz(self.path("in.npz"), {"data": ("<f4", (1, 16, 14, 14), [i % 7 / 8 for i in range(16 * 14 * 14)])})
        self.check(self.race("-i", "in.npz", "o3.tar", "o3.tar", "o0.tar", "--repeat", "6", "--threads", "1", "--number",
                             "1"), ["o3.tar", "o3.tar", "o0.tar"], 6)

    def test_on_a_device(self):
        self.check(self.race("o0.tar", "o3.tar", "--rpc-key", "board", "--repeat", "9", "--number", "2"),
                   ["o0.tar", "o3.tar"], 9)
        out = self.hone("bench", "--rpc-tracker", self.address(), "--rpc-key", "board", "o0.tar", "o3.tar", "--repeat",
                        "6", "--number", "1", "--label", "the race")[0].splitlines()
        self.assertEqual(len(out), 4)
        self.assertEqual([line.split()[0] for line in out[:3]], ["artifact", "o0.tar", "o3.tar"])
        self.assertIn("6 x 1", out[2])
        job, = [job for job in json.loads(self.hone("jobs", "list", "--output-format", "json")[0])
                if job["label"] == "the race"]
        self.assertEqual((job["kind"], job["key"], job["state"], job["artifact"], job["outputs"]),
                         ("bench", "board", "succeeded", None, None))
        self.refused("jobs", "download", job["id"], "-o", "x", code=5, words=["no file"])

    def test_detached_it_tells_whoever_comes_back(self):
        job = self.hone("bench", "o0.tar", "o3.tar", "--rpc-key", "board", "--repeat", "6", "--detach")[0].strip()
        self.assertIn("o3.tar", self.hone("jobs", "watch", job)[0])

    def test_what_cannot_be_compared_is_refused_alike(self):
        self.hone("compile", "choice.onnx", "-o", "other.tar")
        self.write("garbage.tar", "this is no artifact")
        for place in ([], ["--rpc-key", "board"]):
            with self.subTest(place):
                self.refused("bench", "o0.tar", "other.tar", *place, code=3, words=["'o0.tar'", "'other.tar'", "input"])
                self.refused("bench", "o0.tar", "garbage.tar", *place, code=3, words=["'garbage.tar'"])
                self.refused("bench", "o0.tar", "absent.tar", *place, code=5, words=["absent.tar"])

    def test_wrong_usage(self):
        self.refused("bench", "o0.tar", code=2, words=["2 to 8 artifacts", "is 1"])
        self.refused("bench", *["o0.tar"] * 9, code=2, words=["2 to 8 artifacts", "are 9"])
        self.refused("bench", "o0.tar", "o3.tar", "--repeat", "5", code=2, words=["--repeat", "6"])
        self.refused("bench", "o0.tar", "o3.tar", "--label", "x", code=2, words=["--rpc-key"])
        self.refused("bench", "o0.tar", "o3.tar", "--rpc-key", "nosuch", code=5, words=["nosuch", "board"])
        self.refused("bench", "o0.tar", "o3.tar", "--rpc-key", "board", code=2, words=["--rpc-tracker"],
                     environment={"HONE_SERVER": ""})

    def test_an_interruption_ends_it(self):
        hone = subprocess.Popen([HONE, "bench", "o0.tar", "o3.tar", "--repeat", "10000", "--threads", "1"],
                                cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)
        self.addCleanup(hone.kill)
        def loaded():
            with open(f"/proc/{hone.pid}/maps", encoding="utf-8") as file:
                return "hone-module" in file.read()
        wait_until(loaded, "the artifacts to be loaded")
        os.kill(hone.pid, signal.SIGINT)
        out, errors = hone.communicate(timeout=60)
        self.assertEqual((hone.returncode, out), (130, ""))
        self.assert_one_sentence(errors)
