"""Names and labels that are not UTF-8, or long: shown with their bytes or refused with one sentence, never a crash."""
import json
import os
import subprocess

from support import HONE, CliTest, read_npz, without_note, write_npz


class Names(CliTest):
    def run_bytes(self, *arguments, code=0, **environment):
        """As hone(), with arguments of any bytes. Returns (stdout, stderr), which have to be UTF-8."""
        done = subprocess.run([HONE.encode(), *[word if isinstance(word, bytes) else word.encode() for word in arguments]],
                              cwd=self.folder, env=self.environment(**environment), capture_output=True, timeout=600,
                              check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        out, errors = done.stdout.decode(), without_note(done.stderr.decode())
        if code == 0:
            self.assertEqual(errors, "")
        else:
            self.assert_one_sentence(errors)
        return out, errors

    def test_a_model_of_another_encoding(self):
        # An error about it shows the names as the flags take them.
        _, errors = self.run_bytes("compile", "latin.onnx", "-o", "latin.tar", code=3)
        self.assertIn(r"'caf\xE9' [taille\xE9,4]", errors)
        _, errors = self.run_bytes("compile", "latin-unknown.onnx", "--input-shapes", b"caf\xe9:[2,4]", code=3)
        self.assertIn(r"Fr\xF6b", errors)
        for name in (b"caf\xe9", rb"caf\xE9"):
            self.run_bytes("compile", "latin.onnx", "-o", "latin.tar", "--input-shapes", name + b":[2,4]")
            out, _ = self.run_bytes("inspect", "latin.tar")
            self.assertIn(r"caf\xE9", out)
            self.assertIn(r"na\xEFve", out)
            self.run_bytes("run", "latin.tar", "-o", "latin.npz", "--print-top", "1")
            self.assertIn("na_xEFve", "".join(read_npz(self.path("latin.npz"))))
        write_npz(self.path("fed.npz"), {r"caf\xE9": ("<f4", (2, 4), [1.0, -1.0] * 4)})
        self.run_bytes("run", "latin.tar", "-i", "fed.npz", "-o", "latin.npz")
        self.assertEqual(read_npz(self.path("latin.npz"))["output_0"][2], (1.0, 0.0) * 4)
        self.run_bytes("compile", "latin.onnx", "-o", "bound.tar", "--input-shapes", b"caf\xe9:[2,4]", "--module-name", "x",
                       "--dump-code", "graph,plan,loops,ll", "--print-ir-after", "all", "-v")

    def test_words_that_are_not_utf8_are_refused_with_a_sentence(self):
        bad = b"caf\xe9"
        for arguments in (["compile", "classifier.onnx", "--label", bad], ["compile", "classifier.onnx", "--module-name", bad],
                          ["compile", "classifier.onnx", "--target", b"llvm -mcpu=" + bad],
                          ["compile", "classifier.onnx", "--disabled-pass", bad],
                          ["compile", "reshaped.onnx", "--bind", b"shape=" + bad],
                          ["sample", bad, "-o", "x.onnx"], ["context", "add", bad, "localhost"],
                          ["context", "add", "lab", "localhost", "--user", bad], ["context", "use", bad],
                          ["context", "add", "lab", b"unix:/tmp/" + bad], ["compile", b"--" + bad, "classifier.onnx"],
                          ["compile", "classifier.onnx", "--context", bad], ["jobs", "show", bad], ["jobs", "watch", bad],
                          ["jobs", "cancel", bad], ["jobs", "list", b"--" + bad], ["devices", "drain", bad], [bad],
                          ["run", b"--" + bad, "x.tar"], ["compile", "classifier.onnx", "--server", b"unix:/" + bad]):
            done = subprocess.run([HONE, *arguments], cwd=self.folder, env=self.environment(), capture_output=True,
                                  timeout=600, check=False)
            errors = without_note(done.stderr.decode())
            self.assertIn(done.returncode, (2, 3, 5), f"{arguments}: {errors}")
            self.assert_one_sentence(errors)
            self.assertIn(r"caf\xE9", errors, arguments)

    def test_files_of_any_name(self):
        for name in (b"mod\xe8le", b"mod\xe8le\x1b[31m", "modèle".encode()):
            with open(os.path.join(self.folder.encode(), name + b".onnx"), "wb") as file:
                file.write(self.read("classifier.onnx"))
            self.run_bytes("compile", name + b".onnx", "-o", name + b".tar")
            self.run_bytes("inspect", name + b".tar")
            self.run_bytes("run", name + b".tar", "-o", name + b".npz")
            self.run_bytes("run", name + b".tar", "-i", name + b".npz", code=3)
            self.run_bytes("compile", name + b".tar", "-o", "x.tar", code=3)
            _, errors = self.run_bytes("compile", name + b".absent", code=5)
            self.assertNotIn("\x1b", errors)

    def home(self, name):
        """The environment of a user whose folders are below the home of that name."""
        home = os.path.join(self.folder.encode(), name)
        os.makedirs(home, mode=0o700)
        return {f"XDG_{name}": os.fsdecode(home + b"/" + name.lower().encode())
                for name in ("STATE_HOME", "DATA_HOME", "CACHE_HOME", "CONFIG_HOME")}

    def test_homes_of_any_name(self):
        _, errors = self.run_bytes("compile", "classifier.onnx", "-o", "home.tar", code=5, **self.home(b"maison\xe9"))
        for word in (r"maison\xE9", "not UTF-8", "XDG_DATA_HOME"):
            self.assertIn(word, errors)
        environment = self.home("maison à côté".encode())
        try:
            self.run_bytes("compile", "classifier.onnx", "-o", "home.tar", **environment)
            self.run_bytes("jobs", "list", **environment)
            self.run_bytes("doctor", **environment)
            status = json.loads(self.run_bytes("server", "status", "--output-format", "json", **environment)[0])
            self.assertTrue(status["running"])
        finally:
            self.run_bytes("server", "stop", **environment)

    def test_labels_and_names_in_utf8_come_back(self):
        self.hone("compile", "classifier.onnx", "-o", "l.tar", "--label", "für später ✓", "--module-name", "模型")
        jobs = json.loads(self.hone("jobs", "list", "--output-format", "json")[0])
        self.assertIn("für später ✓", [job.get("label") for job in jobs])
        self.assertIn("模型", self.hone("inspect", "l.tar")[0])

    def test_long_names(self):
        name = "i" * 1000
        self.assertIn(name, self.refused("compile", "long.onnx", code=3))
        self.hone("compile", "long.onnx", "-o", "long.tar", "--input-shapes", name + ":[2,4]")
        self.hone("inspect", "long.tar")
        self.hone("run", "long.tar", "-o", "long.npz")
        self.assertEqual(sorted(map(len, read_npz(self.path("long.npz")))), [8, 251])
        write_npz(self.path("fed.npz"), {name: ("<f4", (2, 4), [1.0] * 8)})
        self.hone("run", "long.tar", "-i", "fed.npz")
        self.hone("compile", "classifier.onnx", "-o", "l.tar", "--label", "l" * 251, "--module-name", "m" * 251)
