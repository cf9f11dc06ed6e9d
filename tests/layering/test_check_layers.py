"""check_layers.py finds what it is there to find: each test breaks one rule in a small tree."""

import pathlib
import tempfile
import unittest

import check_layers


class CheckLayersTest(unittest.TestCase):
    def check(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return check_layers.check(pathlib.Path(folder))[0]

    def test_allowed(self):
        self.assertEqual(self.check({
            "compiler/loop/nest.cpp": '#include "compiler/tensor/tensor_op.h"\n// lowers a conv; "relu"\nint convert;\n',
            "compiler/loop/CMakeLists.txt": "hone_library(hone_loop SOURCES nest.cpp LINKS hone_tensor)\n",
            "compiler/tensor/CMakeLists.txt": "hone_library(hone_tensor SOURCES a.cpp LINKS hone_base)\n",
            "runtime/session.cpp": '#include "abi/hone_abi.h"\n#include <vector>\n',
        }), [])

    def test_include_against_the_arrow(self):
        self.assertEqual(self.check({"runtime/session.cpp": '\n#include "compiler/base/dtype.h"\n'}),
                         ["runtime/session.cpp:2: runtime must not include compiler/base"])

    def test_link_against_the_arrow(self):
        self.assertEqual(self.check({
            "compiler/tensor/CMakeLists.txt": "hone_library(hone_tensor SOURCES a.cpp\n  PRIVATE_LINKS hone_plan)\n",
            "compiler/plan/CMakeLists.txt": "hone_library(hone_plan SOURCES b.cpp)\n",
        }), ["compiler/tensor/CMakeLists.txt: compiler/tensor must not link hone_plan of compiler/plan"])

    def test_llvm_outside_codegen(self):
        self.assertEqual(self.check({"compiler/loop/nest.cpp": "#include <llvm/IR/Module.h>\n"}),
                         ["compiler/loop/nest.cpp:1: only compiler/codegen may include llvm/"])

    def test_operator_by_name(self):
        wrong = self.check({"compiler/schedule/choose.cpp": "bool isConv();\nint kMatMul, softmax_axis;\n"})
        self.assertEqual([line.split(",")[0] for line in wrong], [
            "compiler/schedule/choose.cpp:1: 'isConv' names an operator (conv)",
            "compiler/schedule/choose.cpp:2: 'kMatMul' names an operator (matmul)",
            "compiler/schedule/choose.cpp:2: 'softmax_axis' names an operator (softmax)"])

    def test_unknown_folder(self):
        self.assertEqual(self.check({"compiler/magic/a.cpp": ""}),
                         ["compiler/magic/a.cpp: lies in no folder that check_layers.py knows"])


if __name__ == "__main__":
    unittest.main()
