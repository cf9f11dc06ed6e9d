"""kill -9 of coordinator, workers and clients during a dense stream of jobs: nothing acknowledged is lost or doubled, and
nothing is done again but what was in flight. HONE_TEST_MODE=full: 200 random instants, and each failpoint five times."""
import os
import random
import re
import time

import checker
from harness import FULL, SEED, ServiceTest, wait_until

RANDOM_KILLS = 200 if FULL else 12
VISITS = 5 if FULL else 1
MAX_ATTEMPTS = 50  # the kills of a whole test may all meet one job
COMPARED = 400 if FULL else 40
FAILPOINTS = os.path.join(os.path.dirname(__file__), "..", "..", "server", "base", "failpoint.h")
TURNS = 10  # of history_client: chain 0 takes the first of them when the seed is a multiple
WORKERS = {"builder-1": "builder", "builder-2": "builder", "board-1": "device", "board-2": "device"}
CLIENTS = ("client-1", "client-2", "client-3")


def failpoints():
    with open(FAILPOINTS, encoding="utf-8") as file:
        names = re.search(r"kFailpoints\[\] = \{(.*?)\}", file.read(), re.S)
    return re.findall(r'"([^"]+)"', names.group(1))


class Stream(ServiceTest):
    """A coordinator, workers, and clients that keep them busy; what was killed; the comparison at the end."""

    clients_at_start = CLIENTS

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.kills = []
        self.in_flight = []
        self.clients = {}
        self.one = self.service(max_attempts=MAX_ATTEMPTS, strikes_to_quarantine=1000)
        self.one.start_coordinator()
        for name in WORKERS:
            self.start_worker(name)
        self.one.wait_for_workers(*WORKERS)
        for name in self.clients_at_start:
            self.start_client(name)

    def start_worker(self, name):
        self.one.start_worker(name, WORKERS[name], key="board" if WORKERS[name] == "device" else "", slots=2)

    def start_client(self, name):
        self.clients[name] = self.one.start_history_client(name, SEED + CLIENTS.index(name))

    def wait_for_leases(self):
        wait_until(self.one.leases, "a lease")

    def remember(self, who, times, in_flight):
        self.kills.append({"who": who, "micros": times[0], "until": times[1]})
        self.in_flight.append(in_flight)

    def finish(self):
        """The clients end what they have begun, then everything stops, and the books are compared."""
        open(os.path.join(self.one.folder, "stop"), "w", encoding="utf-8").close()
        for name, client in self.clients.items():
            code = client.wait(300)
            self.assertEqual(code, 0, f"{name} ended with {code}")
        self.one.stop_coordinator()
        code, output = self.one.fsck()
        self.assertEqual(code, 0, output)
        check = checker.Checker(checker.Store(self.one.data),
                                [checker.read_history(self.one.history(name)) for name in self.clients], self.kills,
                                MAX_ATTEMPTS, self.one.reference, COMPARED)
        violations = check.check()
        with_leases = sum(count > 0 for count in self.in_flight)
        print(f"seed {SEED}: {len(self.kills)} kills, {with_leases} of them with leases in flight; {dict(check.counts)}",
              flush=True)
        self.assertEqual(violations[:20], [], f"{len(violations)} violations")
        return check.counts


class Kills(Stream):
    def finish_dense(self):
        """As finish(); and the stream had something of everything."""
        counts = self.finish()
        for what in ("succeeded", "failed", "from_cache", "compared"):
            self.assertGreater(counts[what], 0, f"the stream had nothing that {what}")

    def kill_one(self):
        """The instant is random: some lease is held, then some milliseconds pass."""
        self.wait_for_leases()
        time.sleep(self.random.uniform(0, 0.15))
        victim = self.random.choice(["coordinator"] * 5 + list(WORKERS) + list(CLIENTS))
        in_flight = len(self.one.leases())
        if victim == "coordinator":
            self.remember(victim, self.one.kill(self.one.coordinator), in_flight)
            self.one.start_coordinator()
        elif victim in WORKERS:
            self.remember(victim, self.one.kill(self.one.workers[victim]), in_flight)
            self.start_worker(victim)
        else:
            self.remember("client", self.one.kill(self.clients[victim]), in_flight)
            self.start_client(victim)

    def test_random_instants(self):
        for _ in range(RANDOM_KILLS):
            self.kill_one()
            time.sleep(self.random.uniform(0, 0.3))
        self.finish_dense()
        # At a failpoint the place decides, not the density of the stream.
        self.assertGreaterEqual(sum(count > 0 for count in self.in_flight), 0.9 * len(self.kills))

    def test_every_failpoint(self):
        names = failpoints()
        self.assertGreaterEqual(len(names), 9)
        for visit in range(VISITS):
            for name in names:
                self.wait_for_leases()
                # The coordinator is replaced by one that is going to kill itself there.
                self.remember("coordinator", self.one.kill(self.one.coordinator), len(self.one.leases()))
                place = f"{name}:{self.random.randint(2, 12)}"
                doomed = self.one.start_coordinator(failpoint=place)
                wait_until(lambda: doomed.poll() is not None, f"the end at {place}")
                self.assertEqual(doomed.returncode, -9, f"{place} in visit {visit}\n{self.one.log('coordinator')}")
                self.remember("coordinator", [time.time_ns() // 1000] * 2, len(self.one.leases()))
                self.one.start_coordinator()
        self.finish_dense()


class Transitions(Stream):
    """Nothing is known to the coordinator that its store does not tell: killed after any of its commits, during one small
    chain of a compile and a run, it comes to the same end."""

    clients_at_start = ()

    def test_after_every_commit(self):
        commits = range(1, 40) if FULL else sorted(self.random.sample(range(1, 9), 5))
        for number in commits:
            self.one.kill(self.one.coordinator)
            doomed = self.one.start_coordinator(failpoint=f"store.commit.after:{number}")
            name = f"client-{number}"
            # Chain 0 is a plain one, with a model of its own.
            seed = TURNS * (SEED * 100 + number)
            client = self.clients[name] = self.one.start_history_client(name, seed, threads=1, more=("--chains", 1))
            wait_until(lambda: doomed.poll() is not None or client.poll() is not None, "the end of either", pause=0.005)
            is_at_end = doomed.poll() is None  # there are no more commits in it
            self.one.kill(doomed)
            self.remember("coordinator", [time.time_ns() // 1000] * 2, len(self.one.leases()))
            self.one.start_coordinator()
            self.assertEqual(client.wait(120), 0)
            if is_at_end:
                break
        counts = self.finish()
        self.assertGreaterEqual(len(self.kills), 3)
        self.assertEqual(counts["succeeded"], sum(counts[state] for state in ("succeeded", "failed", "cancelled")))
        self.assertGreaterEqual(counts["succeeded"], len(self.kills))
