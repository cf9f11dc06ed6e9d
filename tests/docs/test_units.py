#!/usr/bin/env python3
"""The systemd units are accepted by systemd itself where it is installed, and say what the program's options need."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
UNITS = ["hone-server.service", "hone-worker@.service"]
# What unit files of ours may hold, for machines without systemd.
SECTIONS = {
    "Unit": r"Description|After|StartLimit\w+",
    "Service": r"Type|Exec\w+|EnvironmentFile|User|Group|DynamicUser|SupplementaryGroups|\w+Directory(Mode|Preserve)?|UMask|KillMode|"
               r"TimeoutStopSec|Restart\w*|SuccessExitStatus|ReadWritePaths|Limit\w+|OOMScoreAdjust|IPAddress\w+|Restrict\w+|Protect\w+|Private\w+|"
               r"NoNewPrivileges|CapabilityBoundingSet|AmbientCapabilities|RemoveIPC|LockPersonality|MemoryDenyWriteExecute|"
               r"SystemCall\w+|TasksMax|Delegate",
    "Install": r"WantedBy",
}


def unit(name):
    """The unit as installing makes it, with the programs of this build."""
    with open(os.path.join(ROOT, "deploy", "systemd", name + ".in"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace("@HONE_SERVER_PATH@", os.environ["HONE_SERVER_PROGRAM"])
    return text.replace("@HONE_WORKER_PATH@", os.environ["HONE_WORKER"])


def settings(text):
    """(section, key, value) of each line that sets something."""
    section = None
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match.group(1)
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield section, key, value


def seconds(text):
    units = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
    number, name = re.fullmatch(r"(\d+) ?(\w*)", text).groups()
    return int(number) * units[name]


class Units(unittest.TestCase):
    def test_nothing_is_left_to_replace(self):
        for name in UNITS:
            self.assertNotRegex(unit(name), r"@\w+@", name)

    def test_settings_are_known(self):
        for name in UNITS:
            for section, key, _ in settings(unit(name)):
                self.assertRegex(key, rf"^({SECTIONS[section]})$", name)

    def test_systemd_accepts_them(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name in UNITS:
                paths.append(os.path.join(folder, name.replace("@", "@builder")))
                with open(paths[-1], "w", encoding="utf-8") as file:
                    file.write(unit(name))
            result = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *paths],
                                    capture_output=True, text=True, timeout=60)
            said = [line for line in (result.stdout + result.stderr).splitlines() if "hone" in line]
            self.assertEqual((result.returncode, said), (0, []), result.stderr)

    def test_systemd_waits_longer_than_the_drain(self):
        table = subprocess.run([os.environ["HONE_SERVER_PROGRAM"], "options", "--markdown"], capture_output=True, text=True,
                               timeout=60, check=True).stdout
        row = next(line for line in table.splitlines() if "`drain-timeout`" in line)
        drain = seconds(row.split("|")[2].strip().strip("`"))
        stop = next(value for _, key, value in settings(unit("hone-server.service")) if key == "TimeoutStopSec")
        self.assertGreater(seconds(stop), drain)


if __name__ == "__main__":
    sys.exit(unittest.main())
