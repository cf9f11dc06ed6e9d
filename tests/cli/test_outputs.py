"""Outputs: never over an input, by whatever spelling; whole; under names as long as there are."""
import os
import stat
import subprocess

from support import CliTest, read_npz, write_npz


class Outputs(CliTest):
    def spellings(self, name):
        """Paths that lead to the file: its name, a longer way, and links of both kinds."""
        os.makedirs(self.path("folder"), exist_ok=True)
        for link in ("hard", "soft", "softer"):
            if os.path.lexists(self.path(link)):
                os.unlink(self.path(link))
        os.link(self.path(name), self.path("hard"))
        os.symlink(name, self.path("soft"))
        os.symlink("folder/../soft", self.path("softer"))
        return [name, "./" + name, "folder/../" + name, self.path(name), "hard", "soft", "softer"]

    def refuse_over(self, name, *arguments):
        """arguments: of hone, with None where the output stands."""
        before = self.read(name)
        for spelling in self.spellings(name):
            self.refused(*[spelling if word is None else word for word in arguments], code=2,
                         words=[spelling, "is the input", "another file"])
            self.assertEqual(self.read(name), before)
        self.assert_no_leftovers()

    def test_no_output_is_an_input_of_compile(self):
        self.hone("sample", "mobilenet-v2", "-o", "model.onnx")
        self.refuse_over("model.onnx", "compile", "model.onnx", "-o", None)
        self.compile(output="module.tar")
        self.write("schedules.txt", self.hone("inspect", "module.tar", "--schedules")[0])
        self.refuse_over("schedules.txt", "compile", "classifier.onnx", "--schedules", "schedules.txt", "-o", None)
        self.write("target.json", '{"kind": "llvm"}')
        self.refuse_over("target.json", "compile", "classifier.onnx", "--target", "target.json", "-o", None)
        self.write("shape.npy", b"never read")
        self.refuse_over("shape.npy", "compile", "reshaped.onnx", "--bind", "shape=shape.npy", "-o", None)
        # What is dumped is an output, too, and nothing else is written before that is seen.
        os.rename(self.path("model.onnx"), self.path("out.graph"))
        self.refused("compile", "out.graph", "-o", "out", "--dump-code", "graph", code=2, words=["out.graph"])
        self.refused("compile", "out.graph", "-o", "out", "--dump-code", "graph", "--stop-after", "graph", code=2,
                     words=["out.graph"])
        self.assertFalse(os.path.exists(self.path("out")))

    def test_no_output_is_an_input_of_run(self):
        self.compile(output="a.tar")
        write_npz(self.path("in.npz"), {"data": ("<f4", (1, 16, 14, 14), [0.5] * (16 * 14 * 14))})
        self.refuse_over("a.tar", "run", "a.tar", "-o", None)
        self.refuse_over("in.npz", "run", "a.tar", "-i", "in.npz", "-o", None)
        self.refuse_over("a.tar", "run", "a.tar", "--server", "127.0.0.1:1", "--rpc-key", "k", "-o", None)
        # An unpacked artifact is three files.
        os.makedirs(self.path("unpacked"), exist_ok=True)
        for member in ("mod.so", "mod.json", "mod.params"):
            self.write("unpacked/" + member, b"x")
            self.refuse_over("unpacked/" + member, "run", "unpacked", "-o", None)

    def test_outputs_that_are_nothing_like_inputs_are_written(self):
        self.compile("classifier.onnx", "fresh.tar")
        self.compile("classifier.onnx", "fresh.tar")  # over itself
        os.symlink("fresh.tar", self.path("way.tar"))
        self.compile("classifier.onnx", "way.tar")  # through a link, which stays one
        self.assertTrue(os.path.islink(self.path("way.tar")))
        os.symlink("to.npz", self.path("way.npz"))
        self.hone("run", "fresh.tar", "-o", "way.npz")
        self.hone("run", "fresh.tar", "-o", "way.npz")
        if os.path.exists(self.path("to.npz")):
            self.assertTrue(os.path.islink(self.path("way.npz")))
        self.assertIn("output_0", read_npz(self.path("way.npz")))

    def test_what_is_no_file_is_written_to_and_not_replaced(self):
        self.compile("classifier.onnx", "piped.tar")
        # A pipe of ours stands for devices: with a mistake here, root would lose /dev/null.
        os.mkfifo(self.path("pipe"))
        for command in (["run", "piped.tar", "-o", "pipe"], ["compile", "classifier.onnx", "-o", "pipe"]):
            with open(self.path("piped"), "wb") as file:
                reader = subprocess.Popen(["cat", self.path("pipe")], stdout=file)
            try:
                self.hone(*command)
                reader.wait(60)
            finally:
                reader.kill()
                reader.wait()
            self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))
            self.assertGreater(len(self.read("piped")), 500)
        self.assertEqual(self.read("piped"), self.read("piped.tar"))

    def test_names_as_long_as_a_file_system_takes(self):
        longest = os.pathconf(self.folder, "PC_NAME_MAX")
        for length in (251, longest):
            model, artifact, outputs = (letter * (length - 4) + end for letter, end in
                                        (("m", ".onx"), ("a", ".tar"), ("o", ".npz")))
            self.write(model, self.read("classifier.onnx"))
            self.hone("compile", model, "-o", artifact)
            self.hone("compile", model, "-o", artifact)
            self.hone("inspect", artifact)
            self.hone("run", artifact, "-o", outputs)
            self.assertIn("output_0", read_npz(self.path(outputs)))
        self.refused("compile", "classifier.onnx", "-o", "x" * (longest + 1), code=5, words=["too long"])
        self.assert_no_leftovers()
