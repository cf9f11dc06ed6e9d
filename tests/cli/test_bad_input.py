"""Everything that comes from outside and is wrong: one sentence, the documented exit code, no output file."""
import io
import json
import os
import random
import tarfile

from support import CliTest, read_npz, write_npz


class BadModels(CliTest):
    def refuse_model(self, name, *words, more=()):
        self.refused("compile", name, "-o", "never.tar", *more, code=3, words=[name, *words])
        self.assertFalse(os.path.exists(self.path("never.tar")))
        self.assert_no_leftovers()

    def test_empty_random_and_truncated_models(self):
        self.write("empty.onnx", b"")
        self.refuse_model("empty.onnx")
        generator = random.Random(1)
        for length in (1, 10, 1000, 100000):
            self.write("random.onnx", generator.randbytes(length))
            self.refuse_model("random.onnx")

    def test_models_truncated_at_every_sixty_fourth(self):
        model = self.read("classifier.onnx")
        for part in range(1, 64):
            self.write("truncated.onnx", model[:len(model) * part // 64])
            self.refuse_model("truncated.onnx")

    def test_models_that_mean_harm(self):
        self.refuse_model("million.onnx", "1000000 nodes", "the limit is")
        self.refuse_model("deep.onnx", "nest deeper than")
        self.refuse_model("circle.onnx", "form a cycle")
        self.refuse_model("immense.onnx", "elements")
        self.refuse_model("elsewhere.onnx", "'/etc/passwd'", "absolute name")

    def test_names_are_names_and_nothing_else(self):
        before = sorted(os.listdir(self.folder))
        self.hone("compile", "strange.onnx", "-o", "strange.tar")
        printed = "".join(self.hone("inspect", "strange.tar"))
        self.assertNotIn("\x1b", printed)
        self.hone("run", "strange.tar", "-o", "strange.npz")
        self.assertEqual(sorted(os.listdir(self.folder)), sorted([*before, "strange.tar", "strange.npz"]))
        self.assertEqual(list(read_npz(self.path("strange.npz"))), ["output_0", "out_.._.._put"])

    def test_every_unknown_operator_is_named_at_once(self):
        self.refuse_model("unknown.onnx", "Frobnicate", "Transmogrify", "node_middle", "node_out")

    def test_an_unbound_dimension_names_the_flag_to_add(self):
        self.refuse_model("unbound.onnx", "--input-shapes", "tokens")
        # What the flag leaves open is as unbound as without it; 0 is an extent.
        for extent in (-1, -7):
            self.refuse_model("unbound.onnx", "'tokens' [batch,16]", "not bound",
                              more=["--input-shapes", f"tokens:[{extent},16]"])
        self.hone("compile", "unbound.onnx", "-o", "bound.tar", "--input-shapes", "tokens:[3,-1]")
        self.assertIn("float32[3,16]", self.hone("inspect", "bound.tar")[0])

    def test_shapes_that_do_not_fit(self):
        self.refuse_model("classifier.onnx", "data", more=["--input-shapes", "data:[1,16,14]"])
        self.refuse_model("classifier.onnx", "nosuch", more=["--input-shapes", "nosuch:[1,16]"])

    def test_files_that_are_not_there(self):
        self.refused("compile", "absent.onnx", code=5, words=["absent.onnx", "No such file"])
        self.refused("compile", ".", code=5, words=["not a regular file"])
        self.refused("inspect", "absent.tar", code=5, words=["absent.tar"])
        self.refused("run", "absent.tar", code=5, words=["absent.tar"])

    def test_folders_in_the_place_of_files(self):
        self.refused("compile", "classifier.onnx", "--schedules", ".", code=5, words=["'.'", "directory"])
        os.makedirs(self.path("folder.json"), exist_ok=True)
        self.refused("compile", "classifier.onnx", "--target", "folder.json", code=2, words=["folder.json"])
        os.makedirs(self.path("folder.npy"), exist_ok=True)
        self.refused("compile", "classifier.onnx", "--bind", "x=folder.npy", code=5, words=["folder.npy"])

    def test_outputs_that_cannot_be_written(self):
        self.refused("compile", "classifier.onnx", "-o", "no/such/folder.tar", code=5, words=["no/such/folder.tar"])
        self.refused("compile", "classifier.onnx", "-o", ".", code=5, words=["folder"])
        self.refused("sample", "minilm-l6", "-o", "no/such.onnx", code=5, words=["no/such.onnx"])
        if os.path.exists("/dev/full"):
            self.refused("compile", "classifier.onnx", "-o", "/dev/full", code=5, words=["No space"])

    def test_a_failed_compile_leaves_the_old_output(self):
        self.write("old.tar", "precious")
        self.refused("compile", "unknown.onnx", "-o", "old.tar", code=3)
        self.assertEqual(self.read("old.tar"), b"precious")
        self.assert_no_leftovers()


class BadArtifactsAndTensors(CliTest):
    def setUp(self):
        if not os.path.exists(self.path("good.tar")):
            self.compile(output="good.tar")

    def test_damaged_artifacts_are_refused_by_run_and_inspect(self):
        good = self.read("good.tar")
        generator = random.Random(2)
        self.write("empty.tar", b"")
        self.write("random.tar", generator.randbytes(5000))
        self.write("cut.tar", good[:len(good) // 2])
        names = ["empty.tar", "random.tar", "cut.tar"]
        # A bit in each member (the headers and members are blocks of 512 bytes; padding may be anything).
        for member in (b"mod.json", b"mod.so", b"mod.params"):
            at = good.index(member) + 512 + 100
            broken = bytearray(good)
            broken[at] ^= 0x10
            names.append(self.write(member.decode() + ".tar", bytes(broken)))
        for name in names:
            self.refused("run", name, code=3)
            self.refused("inspect", name, code=3, words=[name])

    def test_artifacts_of_tvm_are_called_so(self):
        graph = {"nodes": [{"op": "null", "name": "data", "inputs": []}], "arg_nodes": [0], "heads": [[0, 0, 0]],
                 "attrs": {}, "node_row_ptr": [0, 1]}
        forms = {"classic": ["mod.so", "mod.json", "mod.params"], "objects": ["mod.tar", "mod.json", "mod.params"],
                 "machine": ["lib.so"], "library": ["./metadata.json", "./codegen/host/lib/lib0.o"]}
        for form, members in forms.items():
            with tarfile.open(self.path(form + ".tar"), "w") as archive:
                for member in members:
                    content = json.dumps(graph).encode() if member == "mod.json" else b"\xb7\x9c\x04\x05" * 10
                    info = tarfile.TarInfo(member)
                    info.size = len(content)
                    # As a file's own: python writes what is no whole number into a header before the member.
                    info.mtime = 1700000000.25
                    archive.addfile(info, io.BytesIO(content))
            for command in ("run", "inspect"):
                self.refused(command, form + ".tar", code=3, words=[form + ".tar", "TVM", "hone compile"])
        os.makedirs(self.path("unpacked"))
        with tarfile.open(self.path("classic.tar")) as archive:
            for member in archive.getnames():
                self.write(os.path.join("unpacked", member), archive.extractfile(member).read())
        self.refused("run", "unpacked", code=3, words=["unpacked", "TVM", "hone compile"])

    def test_an_artifact_for_another_machine_is_refused(self):
        self.compile("classifier.onnx", "arm.tar", "--target", "llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72")
        self.hone("inspect", "arm.tar")
        if os.uname().machine != "aarch64":
            self.refused("run", "arm.tar", code=3, words=["aarch64"])

    def test_tensors_that_do_not_fit(self):
        good = [0.5] * (16 * 14 * 14)
        shape = (1, 16, 14, 14)
        for name, arrays in {"name": {"nosuch": ("<f4", shape, good)}, "shape": {"data": ("<f4", (1, 4), [1.0] * 4)},
                             "dtype": {"data": ("<i8", shape, [1] * len(good))}}.items():
            write_npz(self.path(name + ".npz"), arrays)
            self.refused("run", "-i", name + ".npz", "good.tar", code=3, words=["nosuch" if name == "name" else "data"])
        self.write("garbage.npz", b"PK garbage")
        self.refused("run", "-i", "garbage.npz", "good.tar", code=3)
        self.refused("run", "-i", "absent.npz", "good.tar", code=5, words=["absent.npz"])
        self.refused("run", "-o", "no/such/out.npz", "good.tar", code=5, words=["no/such/out.npz"])
