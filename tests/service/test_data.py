"""The data folder: damaged blobs, a full disk, a database that is newer, broken or not ours; backup and restore."""
import os
import random
import shutil
import sqlite3
import subprocess
import time

from harness import SEED, SERVER, ServiceTest, small_disk
from jobs import Maker, outcome

DATA_LOSS, NOT_FOUND, EXHAUSTED = 15, 5, 8


class Data(ServiceTest):
    def begin(self, **options):
        self.one = self.service(**options)
        self.one.start_coordinator()
        self.probe = self.one.probe()
        self.maker = Maker(self.one)

    def path_of(self, digest):
        return os.path.join(self.one.data, "blobs", "sha256", digest["sha256"][:2], digest["sha256"])

    def damage(self, digest, how):
        path = self.path_of(digest)
        with open(path, "rb") as file:
            content = bytearray(file.read())
        if how == "flip":
            content[len(content) // 2] ^= 1
        elif how == "truncate":
            content = content[:-1]
        elif how == "empty":
            content = b""
        os.chmod(path, 0o600)
        with open(path, "wb") as file:
            file.write(content)

    def refused(self):
        """What a coordinator says that does not start on this folder."""
        self.one.start_coordinator(wait=False)
        code = self.one.coordinator.wait(60)
        self.assertNotEqual(code, 0)
        self.assertGreaterEqual(code, 0, self.one.log("coordinator"))
        return self.one.log("coordinator").strip().splitlines()[-1]

    def server(self, *arguments, code=0):
        done = subprocess.run([SERVER, *arguments], capture_output=True, text=True, timeout=120,
                              env=self.one.environment(), check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    # ------------------------------------------------------------------------------------------------------------ blobs
    def test_a_damaged_artifact_is_found_never_served_and_made_again(self):
        self.begin()
        self.one.start_worker("builder", "builder")
        for number, how in enumerate(("flip", "truncate", "empty")):
            with self.subTest(how):
                content = self.maker.content(number)
                first = self.probe.wait_for_job(self.maker.compile(self.probe, content))
                artifact = first["result"]["artifact"]
                whole = self.probe.download(artifact)[2]
                self.damage(artifact, how)
                code, sentence, got = self.probe.download(artifact)
                self.assertIn(code, (DATA_LOSS, NOT_FOUND), sentence)
                self.assertEqual(got, b"", "damaged bytes were served")
                if how == "flip":
                    self.assertEqual(self.one.metric("hone_blob_corrupt_total"), 1)
                second = self.probe.wait_for_job(self.maker.compile(self.probe, content))
                self.assertEqual(second["result"]["artifact"], artifact)
                self.assertFalse(second["result"].get("from_cache", False), "answered from a damaged cache")
                self.assertEqual(self.probe.download(artifact), (0, "", whole))

    def test_a_damaged_cache_is_found_by_the_job_that_it_would_answer(self):
        """Nobody has looked at the blob in between, and it is damaged while the coordinator is away."""
        self.begin()
        self.one.start_worker("builder", "builder")
        for number, how in enumerate(("flip", "truncate")):
            content = self.maker.content(number)
            artifact = self.probe.wait_for_job(self.maker.compile(self.probe, content))["result"]["artifact"]
            self.one.stop_coordinator()
            self.damage(artifact, how)
            self.one.start_coordinator()
            self.probe = self.one.probe()
            again = self.probe.wait_for_job(self.maker.compile(self.probe, content))
            self.assertEqual(again["result"]["artifact"], artifact)
            self.assertFalse(again["result"].get("from_cache", False), f"{how}: answered from a damaged cache")
            self.assertEqual(self.probe.download(artifact)[0], 0)

    def test_a_damaged_model_fails_its_job_with_a_sentence(self):
        self.begin()
        model = self.probe.upload(self.maker.content(0))
        job = self.maker.compile(self.probe, model)
        self.damage(model, "flip")
        self.one.start_worker("builder", "builder")
        state, _, sentence = outcome(self.probe.wait_for_job(job))
        self.assertEqual(state, "FAILED")
        self.assertIn(model["sha256"][:8], sentence)
        # Uploaded again, it is whole again.
        self.assertEqual(self.probe.ok("Blobs/FindMissing", {"digests": [model]}).get("missing"), [model])
        self.assertEqual(self.probe.upload(self.maker.content(0), "again"), model)
        self.assertEqual(outcome(self.probe.wait_for_job(self.maker.compile(self.probe, model)))[0], "SUCCEEDED")

    def test_fsck_names_what_is_damaged_and_repairs_it(self):
        self.begin()
        self.one.start_worker("builder", "builder")
        artifacts = [self.maker.artifact(self.probe, number) for number in range(3)]
        self.one.stop_coordinator()
        self.assertEqual(self.one.fsck()[0], 0, self.one.fsck()[1])
        self.damage(artifacts[0], "flip")
        os.unlink(self.path_of(artifacts[1]))
        code, output = self.one.fsck()
        self.assertNotEqual(code, 0)
        for artifact in artifacts[:2]:
            self.assertIn(artifact["sha256"][:12], output)
        self.assertNotIn(artifacts[2]["sha256"][:12], output)
        self.server("fsck", "--data", self.one.data, "--repair", code=None)
        self.assertEqual(self.one.fsck()[0], 0, self.one.fsck()[1])

    # ------------------------------------------------------------------------------------------------------- a full disk
    def begin_on_small_disk(self, size):
        """The data folder on a file system of its own; the test is skipped where that is not allowed."""
        self.one = self.service(disk_reserve=1 << 20)
        os.makedirs(self.one.data)
        problem = small_disk(self.one.data, size)
        if problem:
            self.skipTest(f"no small disk here: {problem}")
        self.mounts.append(self.one.data)
        self.one.start_coordinator()
        self.probe = self.one.probe()
        self.maker = Maker(self.one)

    def fill(self):
        """Takes all space that is left. The path of what takes it."""
        path = os.path.join(self.one.data, "ballast")
        with open(path, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass
        return path

    def test_a_full_disk(self):
        self.begin_on_small_disk(24 << 20)
        content = random.Random(SEED).randbytes(12 << 20)
        # More than there is beside the reserve is refused before it comes.
        big = self.probe.upload(content + content)
        self.assertIsInstance(big, tuple, "more was stored than fits")
        self.assertEqual(big[0], EXHAUSTED, big)
        before = self.maker.compile(self.probe, self.maker.content(0))
        ballast = self.fill()
        code, sentence, _, _ = self.probe.call("Jobs/Submit", {
            "request_id": "when-full", "spec": {"compile": {
                "model": self.probe.job(before)["spec"]["compile"]["model"],
                "options": {"opt_level": 2, "target_description": self.maker.target}}}})
        refused = self.probe.upload(b"some bytes")
        self.assertIsInstance(refused, tuple, "an upload to a full disk")
        self.assertEqual(refused[0], EXHAUSTED, refused)
        self.assertIn(code, (0, EXHAUSTED), sentence)
        # Reading goes on.
        self.assertEqual(self.probe.job(before)["state"], "JOB_PENDING")
        self.one.start_worker("builder", "builder")
        self.assertIsNone(self.one.coordinator.poll())
        os.unlink(ballast)
        self.assertEqual(outcome(self.probe.wait_for_job(before))[0], "SUCCEEDED")
        self.assertIn("sha256", self.probe.upload(b"some bytes"))
        self.assertEqual(outcome(self.probe.wait_for_job(self.maker.compile(self.probe, self.maker.content(1))))[0],
                         "SUCCEEDED")
        self.one.stop_coordinator()
        self.assertEqual(self.one.fsck()[0], 0, self.one.fsck()[1])

    def test_an_artifact_waits_for_room_on_the_disk(self):
        self.begin_on_small_disk(24 << 20)
        model = self.probe.upload(self.maker.content(0))
        job = self.maker.compile(self.probe, model)
        # Beside the reserve there is nothing left, but the database can be written.
        with open(os.path.join(self.one.data, "ballast"), "wb") as file:
            status = os.statvfs(self.one.data)
            file.write(bytes(status.f_bavail * status.f_frsize - (1 << 19)))
        self.one.start_worker("builder", "builder")
        self.probe.wait_for_job(job, "JOB_RUNNING")
        time.sleep(3)  # a tiny model is compiled long before
        self.assertEqual(self.probe.job(job)["state"], "JOB_RUNNING", "its work is done: it is not lost for a full disk")
        os.unlink(os.path.join(self.one.data, "ballast"))
        self.assertEqual(outcome(self.probe.wait_for_job(job))[0], "SUCCEEDED")
        self.assertEqual(len(self.probe.ok("Jobs/Attempts", {"id": job})["attempts"]), 1)

    # ---------------------------------------------------------------------------------------------------- the database
    def test_a_database_of_a_newer_version_is_refused(self):
        self.begin()
        self.one.stop_coordinator()
        database = sqlite3.connect(os.path.join(self.one.data, "hone.db"))
        database.execute("PRAGMA user_version = 99")
        database.close()
        sentence = self.refused()
        for word in ("99", "restore"):
            self.assertIn(word, sentence)

    def test_a_database_of_another_program_is_refused(self):
        self.begin()
        self.one.stop_coordinator()
        path = os.path.join(self.one.data, "hone.db")
        os.unlink(path)
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE music(title TEXT)")
        database.commit()
        database.close()
        self.assertNotEqual(self.refused(), "")
        database = sqlite3.connect(path)
        self.assertEqual(database.execute("SELECT count(*) FROM music").fetchone(), (0,))
        database.close()

    def test_a_broken_database_is_refused_and_a_backup_restored(self):
        self.begin()
        self.one.start_worker("builder", "builder")
        artifact = self.maker.artifact(self.probe, 0)
        jobs = self.probe.ok("Jobs/List")["jobs"]
        backup = os.path.join(self.one.folder, "backup")
        # While it serves.
        self.server("backup", "--data", self.one.data, backup)
        self.maker.artifact(self.probe, 1)
        self.one.stop_coordinator()
        path = os.path.join(self.one.data, "hone.db")
        pristine = path + ".pristine"
        shutil.copy(path, pristine)
        size = os.path.getsize(path)
        for place, count in ((0, 100), (4096, 4096), (size // 2 // 4096 * 4096, 8192), (20, size)):
            with self.subTest(place=place):
                shutil.copy(pristine, path)
                with open(path, "r+b") as file:
                    file.seek(place)
                    file.write(random.Random(SEED).randbytes(min(count, size - place)))
                self.assertIn("restore", self.refused())
        with open(path, "r+b") as file:
            file.truncate(size // 2)
        self.assertIn("restore", self.refused())
        self.server("restore", "--data", self.one.data, backup)
        self.one.start_coordinator()
        probe = self.one.probe()
        self.assertEqual(probe.ok("Jobs/List")["jobs"], jobs)
        self.assertEqual(probe.download(artifact)[0], 0)
        self.one.wait_for_workers("builder")
        again = probe.wait_for_job(self.maker.compile(probe, self.maker.content(0)))
        self.assertTrue(again["result"].get("from_cache", False))

    def test_one_folder_has_one_coordinator(self):
        self.begin()
        first, port = self.one.coordinator, self.one.port
        self.one.port = 0
        self.assertIn(str(first.pid), self.refused())
        self.one.coordinator, self.one.port = first, port
        self.assertEqual(self.probe.ok("Jobs/List"), {})
        backup = os.path.join(self.one.folder, "backup")
        self.server("backup", "--data", self.one.data, backup)
        for command in (("restore", backup), ("fsck",)):
            self.assertIn(str(first.pid), self.server(*command, "--data", self.one.data, code=5))
