"""Uploads that lie, dawdle or want too much, and messages that no honest client sends: cut off at the documented limits, and
nobody else notices."""
import base64
import hashlib
import os
import random
import time

from harness import SEED, ServiceTest, wait_until

OK, INVALID, NOT_FOUND, EXHAUSTED, ABORTED = 0, 3, 5, 8, 10
MOST = 8 << 20
GRACE = 2


def digest_of(content, size=None):
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": str(len(content) if size is None else size)}


def data(content):
    return {"data": base64.b64encode(content).decode()}


class Uploads(ServiceTest):
    def setUp(self):
        super().setUp()
        self.one = self.service(max_blob_bytes=MOST, upload_grace=f"{GRACE}s", least_upload_rate="256KiB", max_user_bytes=32 << 20)
        self.one.start_coordinator()
        self.probe = self.one.probe()
        self.random = random.Random(SEED)

    def begin(self, digest, upload_id="one", offset=0, probe=None):
        stream = (probe or self.probe).open("Blobs/Upload")
        stream.send({"header": {"digest": digest, "upload_id": upload_id, "offset": str(offset)}})
        return stream

    def refused(self, stream, code, reason="", words=()):
        got, sentence, detail, _ = stream.finish()
        self.assertEqual(got, code, sentence)
        if reason:
            self.assertEqual(detail.get("reason"), reason, sentence)
        for word in words:
            self.assertIn(word, sentence)
        self.assertRegex(sentence, r"^\S.*[^.\s]$")
        return sentence

    def committed(self, digest, upload_id="one"):
        return int(self.probe.ok("Blobs/QueryUpload", {"digest": digest, "upload_id": upload_id})
                   .get("committed_bytes", 0))

    def is_missing(self, digest):
        return bool(self.probe.ok("Blobs/FindMissing", {"digests": [digest]}).get("missing"))

    def files_of_uploads(self):
        return [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.one.data, "uploads"))
                for name in names]

    def test_more_than_a_blob_may_have_is_refused_before_the_first_byte(self):
        self.refused(self.begin(digest_of(b"", MOST + 1)), EXHAUSTED, "TOO_LARGE", [str(MOST + 1), str(MOST)])
        self.assertEqual(self.files_of_uploads(), [])
        # Just as much as is allowed is taken.
        self.assertIn("sha256", self.probe.upload(self.random.randbytes(MOST)))

    def test_more_than_was_declared_is_cut_off(self):
        content = self.random.randbytes(1000)
        stream = self.begin(digest_of(content))
        sent = 0
        while sent < 400 and stream.send(data(bytes(1 << 18))):
            sent += 1
        self.assertLess(sent, 400, "100 MiB were taken for a blob of 1000 bytes")
        self.refused(stream, INVALID, "WRONG_DIGEST", ["1000"])
        self.assertTrue(self.is_missing(digest_of(content)))
        self.assertLessEqual(sum(os.path.getsize(path) for path in self.files_of_uploads()), 1000)

    def test_one_byte_more_is_too_much(self):
        content = self.random.randbytes(1000)
        stream = self.begin(digest_of(content))
        stream.send(data(content))
        stream.send(data(b"x"))
        self.refused(stream, INVALID, "WRONG_DIGEST")

    def test_less_than_was_declared_is_kept_and_can_be_gone_on_with(self):
        content = self.random.randbytes(100000)
        stream = self.begin(digest_of(content))
        stream.send(data(content[:60000]))
        self.refused(stream, INVALID, words=["60000", "100000"])
        self.assertTrue(self.is_missing(digest_of(content)))
        self.assertEqual(self.committed(digest_of(content)), 60000)
        # In the wrong place it does not go on, in the right one it does.
        self.assertNotEqual(self.begin(digest_of(content), offset=70000).finish()[0], OK)
        stream = self.begin(digest_of(content), offset=60000)
        stream.send(data(content[60000:]))
        self.assertEqual(stream.finish()[0], OK)
        self.assertEqual(self.probe.download(digest_of(content)), (OK, "", content))

    def test_other_bytes_than_declared_leave_nothing(self):
        content = self.random.randbytes(5000)
        for lie in (content[:-1] + bytes([content[-1] ^ 1]), bytes(5000)):
            stream = self.begin(digest_of(content))
            stream.send(data(lie))
            self.refused(stream, INVALID, "WRONG_DIGEST")
            self.assertTrue(self.is_missing(digest_of(content)))
            self.assertEqual(self.committed(digest_of(content)), 0)
        self.assertEqual(self.files_of_uploads(), [])
        self.assertEqual(self.probe.upload(content, "one"), digest_of(content))

    def test_dawdling_is_cut_off_and_starves_nobody(self):
        content = self.random.randbytes(1 << 20)
        other = self.one.probe("bob")
        for piece in (b"", b"x"):
            begun = time.monotonic()
            stream = self.begin(digest_of(content), "slow" + str(len(piece)))
            answer = None
            while answer is None:
                if piece:
                    stream.send(data(piece), 5)
                answer = stream.receive(0.2)
                self.assertEqual(other.ok("Blobs/FindMissing", {}), {})
            self.assertEqual(answer[1], EXHAUSTED, answer)
            self.assertEqual(answer[3].get("reason"), "TOO_SLOW")
            self.assertGreaterEqual(time.monotonic() - begun, GRACE)

    def test_one_upload_is_not_written_by_two(self):
        content = self.random.randbytes(200000)
        first = self.begin(digest_of(content))
        first.send(data(content[:100000]))
        wait_until(lambda: self.files_of_uploads(), "the first upload to begin")
        second = self.begin(digest_of(content), probe=self.one.probe())
        self.assertEqual(second.finish()[0], ABORTED)
        first.send(data(content[100000:]))
        self.assertEqual(first.finish()[0], OK)
        self.assertEqual(self.probe.download(digest_of(content))[2], content)

    def test_quota_of_one_user_is_not_that_of_another(self):
        for _ in range(4):
            self.assertIn("sha256", self.probe.upload(self.random.randbytes(MOST)))
        self.refused(self.begin(digest_of(b"x", MOST), "five"), EXHAUSTED, "QUOTA")
        self.assertIn("sha256", self.one.probe("bob").upload(self.random.randbytes(1000)))

    def test_uploads_at_once_are_limited(self):
        streams = [self.begin(digest_of(bytes([number])), f"up-{number}") for number in range(100)]
        ends = [stream.receive(0.05) for stream in streams]
        refused = [end for end in ends if end is not None]
        self.assertGreater(len(refused), 0, "a hundred uploads of one user at once")
        self.assertTrue(all(end[1] == EXHAUSTED for end in refused), refused)
        for stream in streams:
            stream.drop()
        # Those that were dropped do not count any more.
        wait_until(lambda: "sha256" in self.probe.upload(b"after all", "after"), "an upload after the crowd", 30, 0.2)

    def test_names_that_are_no_names(self):
        good = digest_of(b"good")
        for upload_id in ("", "../../../x", "a/b", "x" * 65, "ü", "a b"):
            self.refused(self.begin(good, upload_id), INVALID)
        for sha256 in ("", "../" + good["sha256"][3:], good["sha256"].upper(), good["sha256"][1:], good["sha256"] + "0"):
            self.refused(self.begin({"sha256": sha256, "size_bytes": "4"}), INVALID)
            self.assertEqual(self.probe.call("Blobs/FindMissing", {"digests": [{"sha256": sha256, "size_bytes": "4"}]})[0],
                             INVALID)
            self.assertEqual(self.probe.download({"sha256": sha256, "size_bytes": "4"})[0], INVALID)
        self.refused(self.begin({"sha256": good["sha256"], "size_bytes": "-1"}), INVALID)
        self.assertEqual(self.files_of_uploads(), [])

    def test_order_of_messages(self):
        stream = self.probe.open("Blobs/Upload")
        stream.send(data(b"no header"))
        self.refused(stream, INVALID)
        stream = self.begin(digest_of(b"good"))
        stream.send({"header": {"digest": digest_of(b"good"), "upload_id": "one"}})
        self.refused(stream, INVALID)
        stream = self.probe.open("Blobs/Upload")
        self.refused(stream, INVALID)

    def test_pieces_that_are_too_big(self):
        content = self.random.randbytes(6 << 20)
        limit = int(self.probe.ok("Server/GetCapabilities")["max_chunk_bytes"])
        stream = self.begin(digest_of(content))
        stream.send(data(content[:limit + 1]))
        self.refused(stream, INVALID, words=[str(limit)])
        stream = self.begin(digest_of(content))
        stream.send(data(content))  # beyond what gRPC takes in one message
        self.assertEqual(stream.finish()[0], EXHAUSTED)

    def test_garbage_as_messages(self):
        """Every method: refused with a sentence, or taken as an empty request; the coordinator goes on."""
        methods = ["Blobs/FindMissing", "Blobs/Upload", "Blobs/QueryUpload", "Blobs/Download", "Blobs/Import",
                   "Blobs/Locate", "Jobs/Submit", "Jobs/Get", "Jobs/List", "Jobs/Watch", "Jobs/Cancel", "Jobs/Attempts",
                   "Fleet/Attach", "Fleet/List", "Fleet/Drain", "Records/Query", "Records/Import", "Records/Export",
                   "Server/GetCapabilities", "Server/Stop"]
        for method in methods:
            for content in (b"", b"\xff" * 11, self.random.randbytes(40), b"\x0a\xff\xff\xff\x7f", b"\x0a\x01\xff"):
                stream = self.probe.open(method, deadline=20)
                stream.send_raw(content)
                code, sentence, _, _ = stream.finish()
                self.assertNotIn(code, (2, 4, 13, 14), f"{method} {content!r}: {code} {sentence}")
        self.assertIsNone(self.one.coordinator.poll())

    def test_requests_that_mean_nothing(self):
        target = {"triple": "x86_64-linux-gnu", "cpu": "generic", "vector_bytes": "16", "vector_registers": "16",
                  "l1_bytes": "32768", "l2_bytes": "262144", "l3_bytes": "1048576", "cores": "1"}
        compile_job = {"model": self.probe.upload(b"model"), "options": {"target_description": target}}
        for request in ({"request_id": "r"}, {"request_id": "", "spec": {"compile": compile_job}},
                        {"request_id": "x y", "spec": {"compile": compile_job}},
                        {"request_id": "r", "spec": {"compile": compile_job}, "priority": 101},
                        {"request_id": "r", "spec": {"compile": compile_job}, "label": "x" * 257},
                        {"request_id": "r", "spec": {"compile": dict(compile_job, options={})}},
                        {"request_id": "r", "spec": {"compile": {"options": {"target_description": target}}}}):
            code, sentence, _, _ = self.probe.call("Jobs/Submit", request)
            self.assertEqual(code, INVALID, f"{request}: {sentence}")
        missing = dict(compile_job, model=digest_of(b"never uploaded"))
        code, sentence, detail, _ = self.probe.call("Jobs/Submit", {"request_id": "r", "spec": {"compile": missing}})
        self.assertEqual((code, detail.get("reason")), (9, "MISSING_BLOB"), sentence)
        for method, request, expected in (
                ("Jobs/List", {"page_token": "forged"}, INVALID), ("Jobs/List", {"page_size": -1}, INVALID),
                ("Jobs/Get", {"id": "j-000000000000"}, NOT_FOUND), ("Jobs/Get", {"id": "' OR 1=1 --"}, None),
                ("Jobs/Watch", {"id": "j-000000000000"}, NOT_FOUND), ("Jobs/Cancel", {"id": "j-000000000000"}, NOT_FOUND),
                ("Fleet/Drain", {"name": "nobody"}, NOT_FOUND), ("Records/Query", {"page_token": "forged"}, INVALID),
                ("Server/Stop", {}, 7), ("Blobs/Import", {"path": "/etc/passwd"}, 12),
                ("Blobs/Locate", {"digest": digest_of(b"model")}, 12)):
            code, sentence, _, _ = self.probe.call(method, request)
            self.assertIn(code, (INVALID, NOT_FOUND) if expected is None else (expected,), f"{method} {request}: {sentence}")
            self.assertNotEqual(sentence, "")
