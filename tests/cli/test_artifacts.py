"""Compiling and running: the right files, the same bytes, right results."""
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile

from support import HONE, CliTest, read_npz, write_npz


def pattern(count):
    return [((i * 37 + 11) % 101 - 50) / 256.0 for i in range(count)]


def classifier_in_python(data):
    """The model classifier.onnx (make_models.cpp), by its definition."""
    def convolution(image, channels, outputs):
        weights, bias, result = pattern(outputs * channels * 9), pattern(outputs), []
        for o in range(outputs):
            for y in range(14):
                for x in range(14):
                    total = bias[o]
                    for ky in range(max(0, 1 - y), min(3, 15 - y)):
                        for kx in range(max(0, 1 - x), min(3, 15 - x)):
                            at = (y + ky - 1) * 14 + x + kx - 1
                            tap = o * channels * 9 + ky * 3 + kx
                            for c in range(channels):
                                total += image[c * 196 + at] * weights[tap + c * 9]
                    result.append(max(total, 0.0))
        return result
    second = convolution(convolution(data, 16, 32), 32, 32)
    pooled = [sum(second[c * 196:(c + 1) * 196]) / 196 for c in range(32)]
    dense = pattern(320)
    return [sum(pooled[c] * dense[c * 10 + o] for c in range(32)) for o in range(10)]


class Artifacts(CliTest):
    def test_tutorial_commands_give_the_right_result(self):
        self.hone("compile", "--target", "llvm", "--input-shapes", "data:[1,16,14,14]", "--output", "tutorial.tar",
                  "classifier.onnx")
        data = [((i * 13) % 64 - 32) / 32 for i in range(16 * 14 * 14)]
        write_npz(self.path("cat.npz"), {"data": ("<f4", (1, 16, 14, 14), data)})
        self.hone("run", "--inputs", "cat.npz", "--output", "predictions.npz", "tutorial.tar")
        arrays = read_npz(self.path("predictions.npz"))
        self.assertEqual(sorted(arrays), ["output_0", "scores"])
        self.assertEqual(arrays["output_0"], arrays["scores"])
        self.assertEqual(arrays["scores"][1], (1, 10))
        expected = classifier_in_python(data)
        scale = max(map(abs, expected))
        self.assertGreater(scale, 0.01)
        for got, want in zip(arrays["scores"][2], expected):
            self.assertLessEqual(abs(got - want), 1e-4 * scale)

    def test_the_tar_holds_three_files_and_the_same_bytes_every_time(self):
        first = self.read(self.compile(output="a.tar"))
        for more in (("--no-cache",), ("--no-cache", "--threads", "1"), ("--no-cache", "--threads", "2"), ()):
            self.assertEqual(first, self.read(self.compile("classifier.onnx", "b.tar", *more)))
        with tarfile.open(fileobj=io.BytesIO(first)) as archive:
            self.assertEqual(archive.getnames(), ["mod.so", "mod.json", "mod.params"])

    def test_the_module_imports_nothing(self):
        with tarfile.open(self.path(self.compile())) as archive:
            archive.extract("mod.so", self.folder)
        def readelf(*flags):
            return subprocess.run(["readelf", "-W", *flags, self.path("mod.so")], check=True, capture_output=True,
                                  text=True).stdout
        self.assertNotIn("NEEDED", readelf("-d"))
        symbols = readelf("--dyn-syms")
        self.assertEqual(re.findall(r"UND (\S+)", symbols), [])
        self.assertEqual(re.findall(r"GLOBAL DEFAULT +\d+ (\S+)", symbols), ["hone_module_query"])

    def test_dump_code_writes_each_form(self):
        self.compile("classifier.onnx", "dump.tar", "--dump-code", "graph,plan,loops,estimate,ll,asm")
        for form, word in (("graph", "conv"), ("plan", "kernel"), ("loops", "for"), ("estimate", "arithmetic"), ("ll", "define"), ("asm", "ret")):
            self.assertIn(word, self.read(f"dump.tar.{form}").decode(), form)

    def test_stop_after_prints_and_writes_nothing(self):
        for phase in ("import", "graph", "plan", "schedule", "loops", "codegen"):
            out, _ = self.hone("compile", "classifier.onnx", "-o", "never.tar", "--stop-after", phase)
            self.assertGreater(len(out.splitlines()), 3, phase)
        self.assertFalse(os.path.exists(self.path("never.tar")))

    def test_print_ir_after_and_pass_times(self):
        out, _ = self.hone("compile", "classifier.onnx", "-o", "x.tar", "--print-ir-after", "simplify")
        self.assertIn("# after simplify", out)
        out, _ = self.hone("compile", "classifier.onnx", "-o", "x.tar", "--print-pass-times")
        for name in ("import", "  simplify", "codegen", "artifact"):
            self.assertIn("\n" + name, out)

    def test_optimisation_levels_compute_the_same(self):
        expected = self.outputs(self.compile(output="o3.tar"))
        for level in range(3):
            self.assert_close(expected, self.outputs(self.compile("classifier.onnx", "o.tar", f"-O{level}")))
        self.assert_close(expected, self.outputs(self.compile("classifier.onnx", "o.tar", "--disabled-pass",
                                                              "fold-scales,common-subexpressions")))

    def test_target_flags_are_honoured(self):
        for flags in (["--target", "llvm -mcpu=haswell -num-cores=3"],
                      ["--target", "llvm", "--target-llvm-mcpu", "haswell", "--target-llvm-num-cores=3"],
                      ["--target", "llvm -mcpu=nehalem", "--target-llvm-mcpu=haswell", "--target-llvm-num-c", "3"],
                      ["--target", '{"kind": "llvm", "mcpu": "haswell", "num-cores": 3}']):
            self.compile("classifier.onnx", "t.tar", *flags, "--target-llvm-mtriple", "x86_64-pc-linux-gnu")
            target = json.loads(self.hone("inspect", "t.tar", "--output-format", "json")[0])["mod"]["target"]
            self.assertEqual((target["cpu"], target["cores"]), ("haswell", 3), flags)

    def test_inspect_tells_the_same_as_text_and_as_json(self):
        self.compile("classifier.onnx", "named.tar", "--module-name", "mine")
        text, _ = self.hone("inspect", "named.tar")
        report = json.loads(self.hone("inspect", "named.tar", "--output-format", "json")[0])
        for word in ("mine", "data  float32[1,16,14,14]", "scores  float32[1,10]", report["identity"],
                     report["members"]["mod.so"]["sha256"], report["members"]["mod.params"]["sha256"], "MFLOP"):
            self.assertIn(word, text)
        self.assertEqual(report["mod"]["inputs"][0]["name"], "data")
        with tarfile.open(self.path("named.tar")) as archive:
            for name, entry in report["members"].items():
                self.assertEqual(archive.getmember(name).size, entry["bytes"])

    def test_indices_outside_of_their_axis_are_reported_when_asked_for(self):
        table = ("<f4", (5,), (0.0, 1.0, 2.0, 3.0, 4.0))
        write_npz(self.path("good.npz"), {"table": table, "rows": ("<i8", (3,), (-5, 4, 0))})
        write_npz(self.path("bad.npz"), {"table": table, "rows": ("<i8", (3,), (1, 5, 0))})
        self.compile("lookup.onnx", "plain.tar")
        _, error = self.hone("run", "plain.tar", "--inputs", "bad.npz", "--check-indices", code=3)
        self.assertIn("hone compile --check-indices", error)
        self.compile("lookup.onnx", "checked.tar", "--check-indices")
        self.hone("run", "checked.tar", "--inputs", "bad.npz", "--outputs", "bad-out.npz")
        self.assertEqual(read_npz(self.path("bad-out.npz"))["values"][2], (1.0, 4.0, 0.0))
        self.hone("run", "checked.tar", "--inputs", "good.npz", "--check-indices")
        _, error = self.hone("run", "checked.tar", "--inputs", "bad.npz", "--outputs", "never.npz", "--check-indices",
                             code=4)
        self.assertIn("error: node 'lookup' (Gather): 1 index lies outside of axis 0 with 5 elements: 5\n", error)
        self.assertFalse(os.path.exists(self.path("never.npz")))
        # Who does not check it sees the model's outputs alone.
        text, _ = self.hone("inspect", "checked.tar")
        self.assertNotIn("extent", text.split("memory")[0])

    def test_only_the_branch_that_is_taken_runs(self):
        self.compile("choice.onnx", "choice.tar")
        weights, data = pattern(128 * 128), pattern(17 * 128)

        def product(rows):
            return [sum(rows[r * 128 + k] * weights[k * 128 + c] for k in range(128)) for r in range(17) for c in range(128)]
        for taken in (True, False, True):
            write_npz(self.path("in.npz"), {"data": ("<f4", (17, 128), data), "other": ("<f4", (17, 128), data),
                                            "long": ("|b1", (), [taken])})
            report = json.loads(self.hone("run", "-i", "in.npz", "-o", "out.npz", "--profile", "--output-format", "json",
                                          "choice.tar")[0])
            expected = product(product(data)) if taken else product(data)
            scale = max(map(abs, expected))
            for got, want in zip(read_npz(self.path("out.npz"))["out"][2], expected):
                self.assertLessEqual(abs(got - want), 1e-4 * scale)
            skipped = [row for row in report["profile"] if row["time_ms"] == 0]
            self.assertEqual(len(skipped), 1 if taken else 2, report["profile"])
        self.assertIn("unless long", self.hone("inspect", "choice.tar")[0])

    def test_a_loop_runs_as_often_as_data_says(self):
        self.compile("counting.onnx", "counting.tar")
        for step, count in ((25, 1), (5, 5), (0.5, 50)):
            write_npz(self.path("in.npz"), {"data": ("<f4", (4,), [0.0] * 4), "step": ("<f4", (4,), [step] * 4)})
            report = json.loads(self.hone("run", "-i", "in.npz", "-o", "out.npz", "--profile", "--output-format", "json",
                                          "counting.tar")[0])
            self.assertEqual(read_npz(self.path("out.npz"))["out"][2], (step * count,) * 4)
            self.assertTrue(all(row["time_ms"] > 0 for row in report["profile"]), report["profile"])
            # What the loop repeats has a limit, but nobody knows how often; the rest has an estimate, too.
            self.assertTrue(all(row["limit"] for row in report["profile"]), report["profile"])
            loop = json.loads(self.hone("inspect", "counting.tar", "--output-format", "json")[0])["mod"]["loops"][0]
            for position, row in enumerate(report["profile"]):
                repeated = loop["first"] <= position < loop["first"] + loop["count"]
                self.assertEqual("estimate_ms" in row, not repeated, row)
        self.assertRegex(self.hone("inspect", "counting.tar")[0], r"the next \d calls again while ")
        self.assertRegex(self.hone("inspect", "counting.tar")[0], r"estimate \d+ cycles with \d+ threads?, limit \w+")
        loops = json.loads(self.hone("inspect", "counting.tar", "--output-format", "json")[0])["mod"]["loops"]
        self.assertEqual([sorted(loop) for loop in loops], [["condition", "count", "first"]])

    def test_symbolic_dimensions_are_bound_by_input_shapes(self):
        self.compile("unbound.onnx", "bound.tar", "--input-shapes", "tokens:[3,16]")
        self.assertEqual(self.outputs("bound.tar")["out"][1], (3, 16))

    def test_sizes_that_depend_on_data_come_back_as_they_are(self):
        self.compile("chosen.onnx", "chosen.tar")
        text, _ = self.hone("inspect", "chosen.tar")
        for word in ("places  int64[2,<=12]", "values  float32[<=12]"):
            self.assertIn(word, text)
        self.assertNotIn("extent", text.split("memory")[0])
        for data in ([1, -1, 2, 0] * 3, [-1] * 12, [5] * 12):
            write_npz(self.path("data.npz"), {"data": ("<f4", (3, 4), data)})
            self.hone("run", "--inputs", "data.npz", "--outputs", "out.npz", "chosen.tar")
            arrays = read_npz(self.path("out.npz"))
            places = [i for i, value in enumerate(data) if value > 0]
            self.assertEqual(sorted(arrays), ["output_0", "output_1", "places", "values"])
            indices = tuple(i // 4 for i in places) + tuple(i % 4 for i in places)
            self.assertEqual(arrays["places"][1:], ((2, len(places)), indices))
            self.assertEqual(arrays["values"][1:], ((len(places),), tuple(data[i] for i in places)))

    def test_output_replaces_what_a_link_points_to(self):
        self.write("real.tar", "old")
        os.symlink("real.tar", self.path("link.tar"))
        self.compile(output="link.tar")
        self.assertTrue(os.path.islink(self.path("link.tar")))
        self.assertNotEqual(self.read("real.tar"), b"old")
        self.assert_no_leftovers()


class Schedules(CliTest):
    def sections(self, text, header="kernel"):
        """Name of kernel or task -> lines, as they are between the headers."""
        found = {}
        for block in re.split(rf"^{header} ", text, flags=re.MULTILINE)[1:]:
            name, _, body = block.partition("\n")
            found[name] = body
        return found

    def test_schedules_given_back_unchanged_give_the_same_artifact(self):
        self.compile()
        text, _ = self.hone("inspect", "classifier.tar", "--schedules")
        self.write("same.txt", text)
        self.compile("classifier.onnx", "again.tar", "--schedules", "same.txt")
        self.assertEqual(self.read("classifier.tar"), self.read("again.tar"))
        self.assertEqual(text, self.hone("inspect", "again.tar", "--schedules")[0])

    def test_schedules_of_tasks_hold_for_every_kernel_that_is_the_task(self):
        self.compile("classifier.onnx", "by_task.tar", "--dump-code", "tasks")
        described = json.loads(self.hone("inspect", "by_task.tar", "--output-format", "json")[0])["mod"]
        hashes = [kernel["task"] for kernel in described["kernels"]]
        # The text that --dump-code writes is what the digest is of.
        blocks = re.split(r"^# task ([0-9a-f]{64})\n# of [^\n]*\n", self.read("by_task.tar.tasks").decode(), flags=re.M)[1:]
        texts = dict(zip(blocks[::2], blocks[1::2]))
        self.assertEqual(set(texts), set(hashes))
        for task, text in texts.items():
            self.assertEqual(hashlib.sha256(text.rstrip("\n").encode() + b"\n").hexdigest(), task)
        text, _ = self.hone("inspect", "by_task.tar", "--task-schedules")
        self.assertEqual(sorted(re.findall(r"^task (\w+)$", text, flags=re.M)), sorted(set(hashes)))
        self.write("tasks.txt", text)
        self.compile("classifier.onnx", "again.tar", "--schedules", "tasks.txt")
        self.assertEqual(self.read("by_task.tar"), self.read("again.tar"))
        # Scalar code for all.
        scalar = ""
        for task, body in self.sections(text, "task").items():
            algorithm = next(line for line in body.splitlines() if line.startswith("algorithm"))
            stages = [line.split()[0] for line in body.splitlines() if re.match(r"s\d", line)]
            scalar += "\n".join([f"task {task}", algorithm, *stages]) + "\n"
        self.write("scalar.txt", scalar)
        self.compile("classifier.onnx", "scalar.tar", "--schedules", "scalar.txt")
        self.assertNotIn("vector", self.hone("inspect", "scalar.tar", "--schedules")[0])
        self.assert_close(self.outputs("by_task.tar"), self.outputs("scalar.tar"))
        # A kernel's name wins over its task.
        by_name = self.hone("inspect", "by_task.tar", "--schedules")[0]
        name, body = next(iter(self.sections(by_name).items()))
        self.write("both.txt", scalar + f"kernel {name}\n{body}")
        self.compile("classifier.onnx", "both.tar", "--schedules", "both.txt")
        again = self.sections(self.hone("inspect", "both.tar", "--schedules")[0])
        self.assertEqual(again[name].split(), body.split())

    def test_a_task_that_the_model_has_not_is_a_note(self):
        self.write("other.txt", f"task {'0' * 64}\nalgorithm direct\n")
        done = subprocess.run([HONE, "compile", "classifier.onnx", "--schedules", "other.txt"], cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True, timeout=600, check=True)
        self.assertIn(f"note: no kernel of the model is task {'0' * 64} of the schedules file\n", done.stderr)

    def test_an_edited_tile_changes_the_loops_and_not_the_result(self):
        self.compile("classifier.onnx", "plain.tar", "--dump-code", "loops")
        text, _ = self.hone("inspect", "plain.tar", "--schedules")
        edited = None
        for name, body in self.sections(text).items():
            # A register tile of R rows of a dim, and the loop over that dim which steps by R.
            for dim, rows in re.findall(r"registers (\w+) (\d+)", body):
                if int(rows) > 1 and f"{dim}/{rows}" in body:
                    changed = body.replace(f"registers {dim} {rows}", f"registers {dim} 1")
                    changed = re.sub(rf"\b{dim}/{rows}\b", dim, changed)
                    edited = edited or f"kernel {name}\n{changed}"
        self.assertIsNotNone(edited, text)
        self.write("edited.txt", edited)
        self.compile("classifier.onnx", "edited.tar", "--schedules", "edited.txt", "--dump-code", "loops")
        self.assertNotEqual(self.read("plain.tar.loops"), self.read("edited.tar.loops"))
        self.assertNotEqual(self.read("plain.tar"), self.read("edited.tar"))
        self.assert_close(self.outputs("plain.tar"), self.outputs("edited.tar"))

    def test_algorithms_can_be_left_out(self):
        self.compile("classifier.onnx", "fast.tar")
        self.compile("classifier.onnx", "plain.tar", "--disabled-algorithms", "winograd")
        fast, plain = (self.hone("inspect", name, "--schedules")[0] for name in ("fast.tar", "plain.tar"))
        self.assertIn("algorithm winograd", fast)
        self.assertNotIn("winograd", plain)
        self.assert_close(self.outputs("plain.tar"), self.outputs("fast.tar"), 3e-4)
        # The algorithm is the schedule's: given back, or given to a task, it is there again.
        self.write("fast.txt", fast)
        self.write("tasks.txt", self.hone("inspect", "fast.tar", "--task-schedules")[0])
        for schedules in ("fast.txt", "tasks.txt"):
            self.compile("classifier.onnx", "again.tar", "--schedules", schedules)
            self.assertEqual(self.read("again.tar"), self.read("fast.tar"))
        self.refused("compile", "classifier.onnx", "--disabled-algorithms", "magic", code=2, words=["magic", "winograd"])

    def test_stop_after_schedule_prints_a_schedules_file(self):
        text, _ = self.hone("compile", "classifier.onnx", "--stop-after", "schedule")
        self.write("printed.txt", text)
        self.compile("classifier.onnx", "one.tar")
        self.compile("classifier.onnx", "two.tar", "--schedules", "printed.txt")
        self.assertEqual(self.read("one.tar"), self.read("two.tar"))

    def test_bad_schedules_are_refused_with_their_place(self):
        self.write("unknown.txt", "kernel nobody\nalgorithm direct\n")
        self.refused("compile", "classifier.onnx", "--schedules", "unknown.txt", code=3, words=["nobody"])
        name = next(iter(self.sections(self.hone("compile", "classifier.onnx", "--stop-after", "schedule")[0])))
        self.write("syntax.txt", f"# mine\nkernel {name}\nalgorithm direct\nx  ofen 3\n")
        self.refused("compile", "classifier.onnx", "--schedules", "syntax.txt", code=3, words=["line 4", name])
        self.write("illegal.txt", f"kernel {name}\nalgorithm nonsense\n")
        self.refused("compile", "classifier.onnx", "--schedules", "illegal.txt", code=3, words=[name])
        self.refused("compile", "classifier.onnx", "--schedules", "absent.txt", code=5, words=["absent.txt"])

