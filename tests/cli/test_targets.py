"""Targets: those that code can be made for, and the sentences about the others, which are wrong usage and no defect."""
import json
import os

from support import CliTest

# Pieces of what is missing, by target.
IMPOSSIBLE = {
    "llvm -mtriple=wasm32-unknown-unknown": "the architecture 'wasm32'",
    "llvm -mtriple=powerpc64le-linux-gnu": "the architecture 'powerpc64le'",
    "llvm -mtriple=s390x-linux-gnu": "the architecture 's390x'",
    "llvm -mtriple=riscv64-linux-gnu": "the architecture 'riscv64'",
    "llvm -mtriple=i686-linux-gnu": "the architecture 'i686'",
    "llvm -mtriple=armv7l-linux-gnueabihf": "the architecture 'armv7l'",
    "llvm -mtriple=thumbv7em-none-eabi": "the architecture 'thumbv7em'",
    "llvm -mtriple=aarch64_be-linux-gnu": "the architecture 'aarch64_be'",
    "llvm -mtriple=mips-linux-gnu": "the architecture 'mips'",
    "llvm -mtriple=nvptx64-nvidia-cuda": "the architecture 'nvptx64'",
    "llvm -mtriple=toaster-linux-gnu": "the architecture 'toaster'",
    "llvm -mtriple=x86_64-pc-windows-msvc": "the system 'windows'",
    "llvm -mtriple=x86_64-w64-mingw32": "the system",
    "llvm -mtriple=arm64-apple-darwin": "the system",
    "llvm -mtriple=x86_64-unknown-freebsd": "the system 'freebsd'",
    "llvm -mtriple=aarch64-none-elf": "the system 'none'",
    "llvm -mtriple=x86_64-linux-gnux32": "the binary interface 'gnux32'",
    "llvm -mtriple=aarch64-linux-gnu_ilp32": "the binary interface",
}


class Targets(CliTest):
    def refuse_target(self, target, *words):
        sentence = self.refused("compile", "classifier.onnx", "-o", "never.tar", "--target", target, code=2, words=words)
        self.assertFalse(os.path.exists(self.path("never.tar")))
        self.assertFalse(os.path.exists(self.path("state/hone")) and
                         [name for name in os.listdir(self.path("state/hone")) if name.startswith("defect")])
        return sentence

    def test_what_no_code_can_be_made_for_is_wrong_usage(self):
        for target, missing in IMPOSSIBLE.items():
            self.refuse_target(target, missing, "x86_64-linux-gnu and aarch64-linux-gnu")

    def test_what_every_machine_has_cannot_be_turned_off(self):
        for triple, feature in (("x86_64-linux-gnu", "sse2"), ("x86_64-linux-gnu", "sse"), ("aarch64-linux-gnu", "neon")):
            self.refuse_target(f"llvm -mtriple={triple} -mattr=-{feature}", "without", feature, "-mattr")

    def test_an_unknown_cpu_is_answered_with_the_nearest(self):
        sentence = self.refuse_target("llvm -mtriple=x86_64-linux-gnu -mcpu=znver9", "'znver9'", "nearest are", "znver3", "native")
        self.assertNotIn("haswell", sentence)
        self.assertLess(len(sentence), 300)
        self.refuse_target("llvm -mtriple=x86_64-linux-gnu -mcpu=skylake-avx51", "skylake-avx512")
        self.refuse_target("llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a711", "cortex-a71")
        self.assertLess(len(self.refuse_target("llvm -mtriple=x86_64-linux-gnu -mcpu=abacus", "x86-64 is any machine")), 300)
        # One of another architecture: what was forgotten is the triple.
        self.refuse_target("llvm -mtriple=x86_64-linux-gnu -mcpu=cortex-a72", "-mtriple=aarch64-linux-gnu")
        self.refuse_target("llvm -mtriple=aarch64-linux-gnu -mcpu=haswell", "-mtriple=x86_64-linux-gnu")

    def test_native_is_this_machine(self):
        def target_of(*flags):
            self.compile("classifier.onnx", "t.tar", *flags)
            return json.loads(self.hone("inspect", "t.tar", "--output-format", "json")[0])["mod"]["target"]

        plain = target_of("--target", "llvm")
        self.assertEqual(target_of("--target", "llvm -mcpu=native"), plain)
        self.assertEqual(target_of("--target-llvm-mcpu", "native"), plain)
        self.assertEqual(target_of("--target", '{"kind": "llvm", "mcpu": "native"}'), plain)
        self.assertEqual(target_of("--target", "llvm -mcpu=native -num-cores=3"), {**plain, "cores": 3})
        other = "aarch64" if plain["triple"].startswith("x86_64") else "x86_64"
        self.refuse_target(f"llvm -mcpu=native -mtriple={other}-linux-gnu", "native", plain["triple"], other)

    def test_a_triple_without_system_means_linux(self):
        self.compile("classifier.onnx", "t.tar", "--target", "llvm -mtriple=aarch64")
        target = json.loads(self.hone("inspect", "t.tar", "--output-format", "json")[0])["mod"]["target"]
        self.assertIn("linux", target["triple"])
