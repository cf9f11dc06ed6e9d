"""kill -9 of worker and client at every place that they name: nothing is lost or doubled, no part of an output file is left,
hone-server fsck finds nothing. HONE_TEST_MODE=full: each place five times. The coordinator's places: test_kills.py."""
import hashlib
import os
import re
import signal

from harness import FULL, HONE, ServiceTest, wait_until

VISITS = 5 if FULL else 1
ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
WORKERS = os.path.join(ROOT, "worker", "agent", "failpoints.h")
CLIENTS = os.path.join(ROOT, "client", "service", "failpoints.h")
# What is at its place before the job is known to the coordinator; after them the same command goes on with the same job.
BEFORE_SUBMISSION = ("client.upload.middle", "client.upload.done")


def names_in(header):
    with open(header, encoding="utf-8") as file:
        names = re.search(r"kFailpoints\[\] = \{(.*?)\}", file.read(), re.S)
    return re.findall(r'"([^"]+)"', names.group(1))


class Failpoints(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service(max_attempts=20, strikes_to_quarantine=1000)
        self.one.start_coordinator()

    def start_builder(self, failpoint=""):
        worker = self.one.start_worker("builder", "builder", environment={"HONE_FAILPOINT": failpoint} if failpoint else {})
        return worker

    def compile(self, model, output, failpoint=""):
        """The command line as a process."""
        more = {"HONE_FAILPOINT": failpoint} if failpoint else {}
        return self.one.start("client", HONE, "compile", model, "-o", output,
                              environment={"HONE_SERVER": self.one.address, "USER": "ann", "LOGNAME": "ann", **more})

    def digest(self, path):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def jobs(self):
        return self.one.query("SELECT id, state, attempts FROM job ORDER BY number")

    def check_stored(self, digests):
        self.one.stop_coordinator()
        code, output = self.one.fsck()
        self.assertEqual(code, 0, output)
        for job, digest in digests.items():
            ended = self.one.query("SELECT count(*) FROM attempt WHERE outcome = 'done' AND task IN "
                                   "(SELECT task.id FROM task JOIN job ON job.number = task.job WHERE job.id = ?)", job)
            self.assertEqual(ended, [(1,)], f"{job} {digest}: done once")

    def test_every_place_of_the_worker(self):
        names = names_in(WORKERS)
        self.assertGreaterEqual(len(names), 8)
        models = self.one.models(len(names) * VISITS)
        expected = self.one.reference([(number, 3) for number in range(len(models))])
        digests = {}
        for number, model in enumerate(models):
            name = names[number % len(names)]
            doomed = self.start_builder(name)
            output = os.path.join(self.one.folder, f"out-{number}.tar")
            client = self.compile(model, output)
            wait_until(lambda: doomed.poll() is not None, f"the end at {name}")
            self.assertEqual(doomed.returncode, -signal.SIGKILL, name + self.one.log("worker-builder"))
            worker = self.start_builder()
            self.assertEqual(client.wait(120), 0, name + self.one.log("client"))
            self.assertEqual(self.digest(output), expected[(number, 3)], name)
            self.one.wait_for_workers("builder")
            self.one.kill(worker, signal.SIGTERM)
            self.assertEqual(worker.wait(60), 0)
            digests[self.jobs()[-1][0]] = self.digest(output)
        jobs = self.jobs()
        self.assertEqual([state for _, state, _ in jobs], ["succeeded"] * len(models))
        self.check_stored(digests)

    def test_every_place_of_the_client(self):
        names = names_in(CLIENTS)
        self.assertGreaterEqual(len(names), 6)
        worker = self.start_builder()
        models = self.one.models(len(names) * VISITS)
        expected = self.one.reference([(number, 3) for number in range(len(models))])
        digests = {}
        for number, model in enumerate(models):
            name = names[number % len(names)]
            folder = os.path.join(self.one.folder, f"outputs-{number}")
            os.mkdir(folder)
            output = os.path.join(folder, "out.tar")
            before = len(self.jobs())
            doomed = self.compile(model, output, name)
            self.assertEqual(doomed.wait(120), -signal.SIGKILL, name + self.one.log("client"))
            self.assertEqual(os.listdir(folder), [], f"{name}: a part of the output is left")
            self.assertEqual(len(self.jobs()) - before, 0 if name in BEFORE_SUBMISSION else 1, name)
            again = self.compile(model, output)
            self.assertEqual(again.wait(120), 0, name + self.one.log("client"))
            self.assertEqual(self.digest(output), expected[(number, 3)], name)
            self.assertEqual(os.listdir(folder), ["out.tar"])
            self.assertEqual(len(self.jobs()) - before, 1, f"{name}: the same job")
            digests[self.jobs()[-1][0]] = self.digest(output)
        self.one.kill(worker, signal.SIGTERM)
        self.assertEqual(worker.wait(60), 0)
        self.check_stored(digests)
