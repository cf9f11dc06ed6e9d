"""Flags: TVMC's names, their prefixes, those that hone does not have; help and versions."""
import os
import re
import subprocess

from support import HONE, CliTest

UNSUPPORTED = ["--cross-compiler=gcc", "--cross-compiler-options=-O2", "--desired-layout=NCHW", "--desired-layout-ops=x",
               "--mixed-precision", "--mixed-precision-ops=x", "--mixed-precision-calculation-type=float16",
               "--mixed-precision-acc-type=float16", "--dump-offloads=-", "--pass-config=a=1", "--tuning-records=x",
               "--executor=aot", "--executor-graph-link-params=1", "--executor-aot-unpacked-api=1", "--runtime=crt",
               "--runtime-cpp-system-lib=1", "--runtime-crt-system-lib=1", "--print-ir-before=x", "--use-vm",
               "--workspace-pools=a", "--workspace-pools-targets=a:b", "--target-llvm-fast-math=1",
               "--target-llvm-opt-level=3", "--target-cuda-arch=sm_80", "--target-c-mcpu=x"]


class CommandLine(CliTest):
    def test_flags_of_tvmc_that_hone_lacks_get_a_sentence(self):
        for flag in UNSUPPORTED:
            name = flag.split("=")[0]
            self.refused("compile", flag, "classifier.onnx", code=2, words=["not supported by hone", name])

    def test_values_that_ask_for_what_hone_does_anyway_are_taken(self):
        self.hone("compile", "--executor", "graph", "--runtime=cpp", "-f", "so", "--model-format", "onnx", "-o", "h.tar",
                  "classifier.onnx")

    def test_values_that_hone_lacks_get_a_sentence(self):
        for flags in (["-f", "mlf"], ["--output-format=tar"], ["--model-format", "tflite"], ["--dump-code", "relay"]):
            self.refused("compile", *flags, "classifier.onnx", code=2, words=["not supported by hone"])

    def test_prefixes_of_long_flags(self):
        self.hone("compile", "--target", "llvm", "--input-s", "data:[1,16,14,14]", "--output", "p.tar", "--module",
                  "short", "classifier.onnx")
        self.assertIn("short", self.hone("insp" + "ect", "p.tar")[0])
        self.hone("run", "--output", "o.npz", "p.tar")
        self.hone("run", "--outputs", "o.npz", "--fill", "ones", "p.tar")

    def test_what_tvmc_documents_as_shortened(self):
        self.hone("compile", "--out", "short.tar", "classifier.onnx")
        self.hone("compile", "--outp=short.tar", "classifier.onnx")
        self.assertTrue(os.path.exists(self.path("short.tar")))
        self.hone("run", "--out", "short.npz", "short.tar")
        self.assertTrue(os.path.exists(self.path("short.npz")))
        # hone's own flags take nothing from TVMC's: --device there is alone with its letter.
        self.hone("run", "--d", "cpu", "short.tar")
        self.hone("--verbose", "inspect", "short.tar")
        self.refused("compile", "--desired", "NCHW", "classifier.onnx", code=2,
                     words=["not supported by hone", "--desired-layout "])

    def test_an_exact_name_wins_and_an_ambiguous_prefix_is_refused(self):
        self.refused("compile", "--print", "x", "classifier.onnx", code=2,
                     words=["ambiguous", "--print-ir-after", "--print-pass-times"])
        self.refused("compile", "--dump", "x", "classifier.onnx", code=2, words=["--dump-code", "--dump-offloads"])
        # A flag about servers is not taken for one about printing.
        self.refused("run", "--pri", "1", "x.tar", code=2,
                     words=["ambiguous", "--print-time", "--print-top", "--priority"])
        self.refused("run", "--se", "1", "x.tar", code=2, words=["ambiguous", "--seed", "--server"])

    def test_wrong_usage(self):
        self.refused("compile", code=2, words=["FILE"])
        self.refused("compile", "--nonsense", "classifier.onnx", code=2, words=["--nonsense"])
        self.refused("compile", "-O7", "classifier.onnx", code=2)
        self.refused("compile", "-O", "high", "classifier.onnx", code=2)
        self.refused("compile", "--input-shapes", "data=1,2", "classifier.onnx", code=2, words=["--input-shapes"])
        self.refused("compile", "--input-shapes", "a:[1] data:[1,x]", "classifier.onnx", code=2, words=["input 'data'"])
        self.refused("compile", "--input-shapes", "data:[1] data:[1]", "classifier.onnx", code=2, words=["'data' twice"])
        self.refused("compile", "--input-shapes", "a:[1] data:[1,9999999999999]", "classifier.onnx", code=2,
                     words=["input 'data'", "9999999999999"])
        self.refused("compile", "--target", "cuda", "classifier.onnx", code=2, words=["cuda"])
        self.refused("compile", "--target", "llvm -mcpu=nosuchcpu", "classifier.onnx", code=2, words=["nosuchcpu"])
        self.refused("compile", "--target", "llvm -nosuchflag=1", "classifier.onnx", code=2, words=["nosuchflag"])
        self.refused("compile", "--disabled-pass", "nosuchpass", "classifier.onnx", code=2, words=["simplify"])
        self.refused("compile", "--print-ir-after", "nosuchpass", "classifier.onnx", code=2, words=["nosuchpass"])
        self.refused("compile", "--stop-after", "nosuchphase", "classifier.onnx", code=2, words=["codegen"])
        self.refused("compile", "--dump-code", "nosuchform", "classifier.onnx", code=2, words=["loops"])
        self.refused("frobnicate", code=2, words=["frobnicate", "compile"])
        self.refused("tune", "model.onnx", code=2, words=["tune"])
        self.refused("micro", code=2, words=["not supported by hone"])
        self.refused("--config", "x", code=2, words=["not supported by hone"])
        self.refused("inspect", "--output-format", "xml", "x.tar", code=2)
        self.refused("sample", code=2, words=["--list"])
        self.refused("sample", "resnet50-v2", code=2, words=["-o"])
        self.refused("sample", "nosuchnet", "-o", "x.onnx", code=2, words=["nosuchnet", "resnet50-v2"])
        self.refused("run", "--nonsense", "x.tar", code=2, words=["nonsense"])
        self.refused("run", "--device", "cuda", "x.tar", code=2, words=["not supported by hone"])
        self.refused("run", "--rpc-key", "k", "x.tar", code=2, words=["--rpc-tracker", "HONE_SERVER", "hone context use"])
        self.refused("run", "--rpc-tracker", "localhost", "x.tar", code=2, words=["--rpc-key", "hone devices list"])
        self.refused("run", "--rpc-tracker", code=2, words=["--rpc-tracker", "value"])
        self.refused("run", "--rpc-tracker", "h", "--rpc-key", "k", "--priority", "101", "x.tar", code=2, words=["101"])
        self.refused("compile", "--rpc-key", "k", "--target", "llvm -mcpu=haswell", "classifier.onnx", code=2,
                     words=["--target", "--rpc-key"])
        for command in ("jobs", "devices", "context", "server"):
            self.refused(command, code=2, words=["needs one of"])
            self.refused(command, "frobnicate", code=2, words=["frobnicate", command])

    def test_a_mistyped_word_is_answered_with_the_nearest(self):
        for arguments, word in ((["complie"], "compile"), (["job"], "jobs"), (["jobs", "lst"], "list"),
                                (["devices", "undrian"], "undrain"), (["compile", "--optlevel", "1"], "--opt-level")):
            self.refused(*arguments, code=2, words=[f"the nearest is {word}"])
        self.assertNotIn("nearest", self.refused("xyzzy", code=2))

    def test_help_and_version(self):
        self.assertRegex(self.hone("--version")[0], r"^hone \d+\.\d+\.\d+\n$")
        self.assertIn("exit codes", self.hone("--help")[0])
        for command in ("compile", "run", "bench", "inspect", "sample", "jobs", "devices", "context", "server", "doctor"):
            self.assertIn(f"  {command} ", self.hone("--help")[0])
            out, _ = self.hone(command, "--help")
            self.assertIn("--", out)
            self.assertIn(command, out)
        done = subprocess.run([HONE], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage", done.stderr)

    def test_samples_are_listed_and_written_the_same_each_time(self):
        names = self.hone("sample", "--list")[0].split()
        self.assertIn("resnet50-v2", names)
        self.hone("sample", "mobilenet-v2", "-o", "a.onnx", "--seed", "3")
        self.hone("sample", "mobilenet-v2", "-o", "b.onnx", "--seed", "3")
        self.hone("sample", "mobilenet-v2", "-o", "c.onnx", "--seed", "4")
        self.assertEqual(self.read("a.onnx"), self.read("b.onnx"))
        self.assertNotEqual(self.read("a.onnx"), self.read("c.onnx"))

    def test_documented_exit_codes(self):
        """docs/exit-codes.md and --help name the same codes."""
        with open("../../docs/exit-codes.md", encoding="utf-8") as file:
            documented = set(re.findall(r"^\| (\d+) \|", file.read(), re.MULTILINE))
        helped = set(re.findall(r"\b(\d+) [a-z]", self.hone("--help")[0].split("exit codes:")[1]))
        self.assertEqual(documented, helped)
