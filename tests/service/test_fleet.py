"""One coordinator, two builders, two devices of one key, three people at once with the command line: everybody gets what a
local compilation gives. Directly, and through a forwarder as `ssh -L` is one."""
import hashlib
import os
import threading
import zipfile

from harness import ServiceTest
from proxy import Proxy

PEOPLE = ("ann", "bob", "eve")
MODELS_EACH = 3


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


def arrays_of(path):
    """Members of an npz: their bytes, without the times of a zip file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Fleet(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service()
        self.one.start_coordinator()
        for name in ("builder-1", "builder-2"):
            self.one.start_worker(name, "builder")
        for name in ("board-1", "board-2"):
            self.one.start_worker(name, "device", key="board")
        self.one.wait_for_workers("builder-1", "builder-2", "board-1", "board-2")
        self.models = self.one.models(len(PEOPLE) * MODELS_EACH)
        self.local = self.one.reference([(number, 3) for number in range(len(self.models))])

    def work_as(self, user, numbers, address, problems):
        """Compiles and runs the models, and one that everybody compiles; compares with local work."""
        try:
            for number in numbers:
                artifact = os.path.join(self.one.folder, f"{user}-{number}.tar")
                self.one.hone("compile", self.models[number], "-o", artifact, "--server", address, user=user)
                sha256 = hashlib.sha256(content_of(artifact)).hexdigest()
                self.assertEqual(sha256, self.local[number, 3], f"{user}: the artifact of model {number}")
                here, there = (os.path.join(self.one.folder, f"{user}-{number}-{place}.npz") for place in ("here", "there"))
                fill = ("--fill-mode", "random", "--seed", number)
                self.one.hone("run", artifact, *fill, "-o", here, user=user)
                self.one.hone("run", artifact, *fill, "-o", there, "--rpc-tracker", address, "--rpc-key", "board", user=user)
                self.assertEqual(arrays_of(there), arrays_of(here), f"{user}: the outputs of model {number}")
        except Exception as error:  # pylint: disable=broad-except
            problems.append(f"{user}: {error}")

    def three_people_at_once(self, address):
        problems = []
        threads = []
        for place, user in enumerate(PEOPLE):
            numbers = [*range(place, len(self.models), len(PEOPLE)), 0]
            threads.append(threading.Thread(target=self.work_as, args=(user, numbers, address, problems)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])

    def attempts_by_worker(self):
        return dict(self.one.query("SELECT worker, count(*) FROM attempt WHERE outcome = 'done' GROUP BY worker"))

    def test_three_people_four_workers(self):
        self.three_people_at_once(self.one.address)
        done = self.attempts_by_worker()
        for name in ("builder-1", "builder-2", "board-1", "board-2"):
            self.assertGreater(done.get(name, 0), 0, f"{name} did nothing: {done}")
        # Everybody compiled model 0, some of them twice, and it was compiled once.
        self.assertEqual(self.one.query("SELECT count(*) FROM task WHERE device_key = ''")[0][0],
                         len(self.models) + len(PEOPLE))
        attempts = self.one.query("SELECT count(*) FROM attempt JOIN task ON task.id = attempt.task WHERE device_key = ''")
        self.assertEqual(attempts[0][0], len(self.models), "an equal model was compiled twice")
        self.assertEqual({row[0] for row in self.one.query("SELECT DISTINCT user FROM job")}, set(PEOPLE))

    def test_through_a_forwarder(self):
        proxy = Proxy(self.one.port)
        try:
            self.three_people_at_once(proxy.address)
            self.assertGreater(proxy.connections, 0)
        finally:
            proxy.close()
