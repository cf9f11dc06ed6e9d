"""Which server a command asks: contexts, precedence, addresses that are none, servers that are not there."""
import json
import os
import subprocess

from support import HONE, CliTest

# Ports of this machine where nobody listens (the reserved port 0 cannot be named).
NOBODY = [f"127.0.0.1:{port}" for port in (1, 2, 3, 4)]


class Contexts(CliTest):
    def setUp(self):
        path = self.path("config/hone/config.json")
        if os.path.exists(path):
            os.unlink(path)

    def contexts(self):
        return {entry["name"]: entry for entry in json.loads(self.hone("context", "list", "--output-format", "json")[0])}

    def test_added_used_and_removed(self):
        self.assertEqual(list(self.contexts()), ["private"])
        self.assertTrue(self.contexts()["private"]["current"])
        self.hone("context", "add", "lab", "lab.example")
        self.hone("context", "add", "desk", "unix:/run/hone/hone.sock", "--user", "ann")
        self.assertEqual(self.contexts()["lab"], {"name": "lab", "server": "lab.example:9190", "user": "", "current": True})
        self.assertEqual(self.contexts()["desk"]["user"], "ann")
        self.hone("context", "use", "desk")
        self.assertEqual([name for name, entry in self.contexts().items() if entry["current"]], ["desk"])
        self.hone("context", "use", "private")
        self.assertTrue(self.contexts()["private"]["current"])
        self.hone("context", "use", "lab")
        self.hone("context", "remove", "lab")
        self.assertEqual(list(self.contexts()), ["private", "desk"])
        self.assertTrue(self.contexts()["private"]["current"])
        table = self.hone("context", "list")[0].splitlines()
        self.assertEqual(table[0].split(), ["CURRENT", "NAME", "SERVER", "USER"])

    def test_changes_at_once(self):
        commands = [subprocess.Popen([HONE, "context", "add", f"lab-{number}", f"host-{number}:1"], env=self.environment(),
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for number in range(8)]
        path = self.path("config/hone/config.json")
        while any(command.poll() is None for command in commands):
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    json.load(file)  # never a part of it
        for command in commands:
            self.assertEqual((command.returncode, command.stderr.read()), (0, b""))
            command.stderr.close()
        self.assertEqual(set(self.contexts()), {"private", *(f"lab-{number}" for number in range(8))})
        removals = [subprocess.Popen([HONE, "context", "remove", f"lab-{number}"], env=self.environment())
                    for number in range(0, 8, 2)]
        additions = [subprocess.Popen([HONE, "context", "add", f"desk-{number}", f"host-{number}:1"],
                                      env=self.environment()) for number in range(4)]
        self.assertEqual([command.wait() for command in removals + additions], [0] * 8)
        self.assertEqual(set(self.contexts()), {"private", *(f"lab-{number}" for number in range(1, 8, 2)),
                                                *(f"desk-{number}" for number in range(4))})

    def test_names_that_are_none(self):
        for name in ("", "a b", "a/b", "private", "-x" * 40, "x" * 65):
            self.refused("context", "add", "--", name, "localhost", code=2)
        self.refused("context", "use", "nosuch", code=2, words=["nosuch", "hone context add"])
        self.hone("context", "add", "lab", "localhost")
        for command in ("use", "remove"):
            self.refused("context", command, "nosuch", code=2, words=["nosuch", "lab"])
        self.refused("jobs", "list", "--context", "nosuch", code=2, words=["nosuch", "lab"])

    def test_addresses_that_are_none(self):
        for address in ("", ":9190", "host:", "host:0", "host:65536", "host:abc", "host:1:2", "::1", "[::1", "[x]:1",
                        "a host:1", "unix:relative", "unix:/" + "x" * 200, "http://host:9190"):
            self.refused("context", "add", "bad", address, code=2)
            if address:
                self.refused("jobs", "list", "--server", address, code=2, words=["--server"])
                self.refused("jobs", "list", code=2, words=["HONE_SERVER"], environment={"HONE_SERVER": address})
        self.assertEqual(list(self.contexts()), ["private"])

    def test_addresses_in_full(self):
        for given, full in (("localhost", "localhost:9190"), ("a.b-c:1", "a.b-c:1"), ("[::1]", "[::1]:9190"),
                            ("[::1]:7", "[::1]:7"), ("unix:/x/y", "unix:/x/y")):
            self.hone("context", "add", "one", given)
            self.assertEqual(self.contexts()["one"]["server"], full)

    def test_precedence(self):
        """Nobody listens anywhere: the sentence tells who was asked, and why."""
        def asked(*flags, environment=None):
            done = subprocess.run([HONE, "jobs", "list", *flags], env=self.environment(**(environment or {})),
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 5, done.stderr)
            return done.stderr
        flag, variable, current, named = NOBODY
        self.hone("context", "add", "current", current)
        self.hone("context", "add", "named", named)
        in_environment = {"HONE_SERVER": variable}
        self.assertIn(f"{flag} (--server)", asked("--server", flag, "--context", "named", environment=in_environment))
        self.assertIn(f"{named} (context named)", asked("--context", "named", environment=in_environment))
        self.assertIn(f"{variable} (HONE_SERVER)", asked(environment=in_environment))
        self.assertIn(f"{named} (context named)", asked("--context", "named"))
        self.assertIn(f"{current} (context current)", asked())
        self.assertIn(f"{current} (context current)", asked(environment={"HONE_SERVER": ""}))
        self.assertEqual(self.hone("jobs", "list", "--server", "private")[0].split()[0], "ID")
        self.assertEqual(self.hone("jobs", "list", "--context", "private")[0].split()[0], "ID")

    def test_the_help_tells_the_precedence_as_it_is(self):
        text = " ".join(self.hone("context", "--help")[0].split())
        places = [text.index(word) for word in ("--server", "--context", "HONE_SERVER", "current context", "private")]
        self.assertEqual(places, sorted(places), text)

    def test_no_server(self):
        for arguments in (["compile", "classifier.onnx"], ["jobs", "list"], ["devices", "list"], ["jobs", "watch", "j-1"]):
            self.refused(*arguments, "--server", NOBODY[0], code=5, words=[NOBODY[0], "hone-server"])
        self.compile(output="local.tar")
        self.refused("run", "--rpc-tracker", NOBODY[0], "--rpc-key", "k", "local.tar", code=5, words=[NOBODY[0]])
        # A name that is no host of this machine's: the way there is a tunnel.
        self.refused("jobs", "list", "--server", "no.such.host.invalid", code=5, words=["ssh -L"])
        self.assert_no_leftovers()

    def test_a_folder_in_the_place_of_the_file_of_contexts(self):
        os.makedirs(self.path("config/hone/config.json"))
        self.addCleanup(os.rmdir, self.path("config/hone/config.json"))
        self.refused("context", "list", code=5, words=["config.json", "directory"])

    def test_a_damaged_file_of_contexts(self):
        os.makedirs(self.path("config/hone"), exist_ok=True)
        for text in ("", "[]", "{", '{"contexts": 1}', '{"contexts": {"a": {}}}', '{"current": "a"}'):
            self.write("config/hone/config.json", text)
            self.refused("context", "list", code=3, words=["config.json", "remove"])
            self.refused("jobs", "list", code=3, words=["config.json"])
            self.refused("context", "add", "a", "localhost", code=3, words=["config.json"])
            self.assertEqual(self.read("config/hone/config.json").decode(), text)

    def test_many_at_once_lose_nothing(self):
        started = [subprocess.Popen([HONE, "context", "add", f"c{number}", "localhost"], env=self.environment())
                   for number in range(8)]
        self.assertEqual([process.wait() for process in started], [0] * 8)
        self.assertEqual(sorted(self.contexts()), [f"c{number}" for number in range(8)] + ["private"])
