#!/usr/bin/env python3
"""check_layers.py finds what it is there to find: each rule is shown one small tree that breaks it."""
import os
import tempfile
import unittest

import check_layers


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.write("compiler/base/dtype.h", "")
        self.write("compiler/graph/graph.h", '#include "compiler/base/dtype.h"\n#include <vector>\n')
        self.write("compiler/codegen/codegen.h", "#include <llvm/IR/Module.h>\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def expect(self, problems, *words):
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])

    def test_a_good_tree_has_no_problems(self):
        self.assertEqual(check_layers.check_sources(self.root) + check_layers.check_paths(self.root), [])

    def test_runtime_must_not_include_the_compiler(self):
        self.write("runtime/model.cpp", '#include "compiler/base/dtype.h"\n')
        self.expect(check_layers.check_sources(self.root), "runtime", "must not include")

    def test_llvm_belongs_to_codegen(self):
        self.write("compiler/plan/plan.cpp", '#include "llvm/IR/Module.h"\n')
        self.expect(check_layers.check_sources(self.root), "compiler/codegen", "llvm/")

    def test_unknown_and_upward_includes(self):
        self.write("client/main.cpp", '#include "elsewhere/thing.h"\n')
        self.expect(check_layers.check_sources(self.root), "neither in the tree")
        self.write("client/main.cpp", '#include "../compiler/base/dtype.h"\n')
        self.expect(check_layers.check_sources(self.root), "upwards")

    def test_operators_have_no_name_in_schedules_but_in_comments(self):
        self.write("compiler/schedule/choose.cpp", "// as for a conv\nint convert; bool isConvLike();\n")
        self.expect(check_layers.check_sources(self.root), "operator 'conv'")
        self.write("compiler/schedule/choose.cpp", 'const char *text = "softmax";\n')
        self.expect(check_layers.check_sources(self.root), "operator 'softmax'")

    def test_locks_of_the_service_are_checked_ones(self):
        self.write("common/mutex.h", "#include <mutex>\nstd::mutex mutex_;\n")
        self.write("runtime/pool.h", "#include <mutex>\nstd::mutex mutex_;\n")
        self.assertEqual(check_layers.check_sources(self.root), [])
        self.write("server/rpc/upload.h", "// no std::mutex\nabsl::Mutex mutex_;\n")
        self.expect(check_layers.check_sources(self.root), "absl::Mutex", "common/mutex.h")
        self.write("server/rpc/upload.h", "const std::lock_guard lock(mutex_);\n")
        self.expect(check_layers.check_sources(self.root), "std::lock_guard")
        os.remove(os.path.join(self.root, "server/rpc/upload.h"))
        self.write("client/service/interrupts.h", "std::condition_variable woken_;\n")
        self.expect(check_layers.check_sources(self.root), "std::condition_variable")
        os.remove(os.path.join(self.root, "client/service/interrupts.h"))
        self.write("worker/agent/agent.cpp", "const std::scoped_lock lock(mutex_);\n")
        self.expect(check_layers.check_sources(self.root), "std::scoped_lock")

    def test_paths_out_of_the_tree(self):
        self.write("scripts/go.sh", "cat ../secret/file\n")
        self.expect(check_layers.check_paths(self.root), "../secret/file")
        self.write("scripts/go.sh", "cat ../scripts/go.sh /usr/bin/env\n")
        self.assertEqual(check_layers.check_paths(self.root), [])
        self.write("scripts/go.sh", "cat /home/me/file\n")
        self.expect(check_layers.check_paths(self.root), "/home/me")

    def test_links(self):
        lines = ["hone_base|compiler/base|", "hone_runtime|runtime|hone_base;Threads::Threads"]
        self.expect(check_layers.check_links(lines), "hone_runtime", "hone_base")
        lines = ["hone_base|compiler/base|", "hone_plan|compiler/plan|$<LINK_ONLY:LLVM-19>;hone_base"]
        self.expect(check_layers.check_links(lines), "hone_plan", "LLVM")

    def test_link_commands(self):
        block = "\nbuild bin/hone: CXX_EXECUTABLE_LINKER__hone_Release a.o\n  LINK_LIBRARIES = proto/libhone_proto.a {}\n"
        self.assertEqual(check_layers.check_link_commands(block.format("")), [])
        self.expect(check_layers.check_link_commands(block.format("x/libhone_driver.a")), "bin/hone", "libhone_driver.a")


if __name__ == "__main__":
    unittest.main()
