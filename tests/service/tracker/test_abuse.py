"""What must not hurt the tracker: garbage, lies, slowness, crowds, and peers that die at the wrong moment."""
import json
import os
import random
import signal
import struct
import time
import unittest

from support import MAGIC, PENDING, PING, PUT, REQUEST, STOP, SUMMARY, UPDATE_INFO, Client, TrackerTest, frame


class GarbageTest(TrackerTest):
    def refuse(self, data, words, greet=True):
        client = self.client(greet=greet)
        client.send(data)
        self.assertTrue(client.is_closed())
        self.logged(words)
        self.assert_alive()

    def test_greetings(self):
        self.start()
        self.refuse(b"GET / HTTP/1.1\r\n\r\n", "does not speak TVM's tracker protocol", greet=False)
        self.refuse(struct.pack("<i", 0xFF271), "does not speak TVM's tracker protocol", greet=False)

    def test_lengths_that_lie(self):
        self.start()
        for length in (0, -1, -2**31, (1 << 20) + 1, 2**31 - 1):
            self.refuse(struct.pack("<i", length), f"announced a message of {length} bytes")

    def test_texts_that_are_no_messages(self):
        self.start()
        for text in (b"\0", b"{", b"[1", b"[1]]", b"[1] [1]", b"\xff\xfe", b'[6, "\xc3"]', b"nan"):
            self.refuse(frame(text), "it is no JSON")
        for text in (b"1", b"[]", b'"[1]"', b"{}", b"null", b"[null]", b"[1.0]", b'["1"]', b"[true]"):
            self.refuse(frame(text), "an array that begins with a code")

    def test_unknown_codes(self):
        self.start()
        for code in (0, -1, 8, 2**40, -2**63):
            self.refuse(frame([code]), f"there is no code {code}")

    def test_nesting(self):
        self.start()
        self.refuse(frame(b"[" * (1 << 20)), "nested too deeply")
        self.refuse(frame(b'[5,{"key":"server:k","addr":[[null],1]}]'), "nested too deeply")
        self.refuse(frame(b'{"a":' * 100000 + b"1" + b"}" * 100000), "nested too deeply")

    def test_arguments(self):
        self.start()
        for message in ([PUT], [PUT, "k"], [PUT, "k", [1, "k:1"], None, 0], [PUT, "k", "k:1"], [PUT, "k", [1]],
                        [PUT, "k", [1, "k:1", 2]]):
            self.refuse(frame(message), "PUT")
        for bad in ("", 1, None, "a" * 257, "a\nb", "\x7f", ["k"]):
            if bad != ["k"]:
                self.refuse(frame([PUT, "k", [1, bad], None]), "PUT's key, match key and address")
            self.refuse(frame([PUT, bad, [1, "k:1"], None]), "PUT's key, match key and address")
            self.refuse(frame([REQUEST, bad, "", 1]), "REQUEST's key")
            self.refuse(frame([UPDATE_INFO, {"key": bad, "addr": [None, 1]}]), "UPDATE_INFO's key")
        for bad in (0, -1, 65536, 1.5, "", "x", "70000", None, True):
            self.refuse(frame([PUT, "k", [bad, "k:1"], None]), "PUT's port")
            self.refuse(frame([UPDATE_INFO, {"key": "server:k", "addr": [None, bad]}]), "UPDATE_INFO's port")
        for bad in (None, "1", 1.0, 2**64 * 1.0, []):
            self.refuse(frame([REQUEST, "k", "", bad]), "REQUEST's priority")
        self.refuse(frame([REQUEST, "k"]), "REQUEST has 3 arguments")
        for bad in ({}, {"key": "server:"}, {"key": "server:k"}, {"key": "server:k", "addr": "x"}, [], "server:k"):
            self.refuse(frame([UPDATE_INFO, bad]), "UPDATE_INFO")
        self.assertEqual(self.summary(), {"queue_info": {}, "server_info": []})

    def test_stop_is_refused(self):
        self.start()
        for message in ([STOP], [STOP, ""], [STOP, "tracker:0.5"]):
            with Client(self.port) as client:
                self.assertEqual(client.ask(*message), -1)
        self.logged("refused to stop")
        self.assert_alive()

    def test_random_bytes(self):
        self.start()
        seed = int(os.environ.get("HONE_TEST_SEED", "1"))
        print(f"seed {seed}")
        source = random.Random(seed)
        good = [frame([PING]), frame([SUMMARY]), frame([PENDING]), frame([PUT, "k", [9090, "k:0.5"], None]),
                frame([REQUEST, "k", "", 1]), frame([UPDATE_INFO, {"key": "server:k", "addr": [None, 9090]}])]
        for _ in range(5000 if os.environ.get("HONE_TEST_MODE") == "full" else 300):
            data = bytearray(b"".join(source.choices(good, k=source.randint(1, 6))))
            for _ in range(source.randint(1, 4)):
                data[source.randrange(len(data))] = source.randrange(256)
            if source.random() < 0.3:
                del data[source.randrange(len(data)):]
            client = Client(self.port, greet=source.random() < 0.9)
            try:
                client.send(bytes(data))
            except OSError:
                pass
            client.close()
        self.assert_alive()
        self.wait_for(lambda: self.summary()["server_info"] == [], "nothing of them is left")


class SlownessTest(TrackerTest):
    def test_silence_instead_of_a_greeting(self):
        self.start("--message-time", "0.3")
        client = self.client(greet=False)
        self.assertTrue(client.is_closed())
        self.logged("sent no greeting for 300ms")

    def test_a_message_byte_by_byte_is_cut_off(self):
        self.start("--message-time", "0.5")
        client = self.client()
        began = time.monotonic()
        with self.assertRaises(OSError):
            for byte in frame(b"[1," + b" " * 1000000 + b"]"):
                client.send(bytes([byte]))
                time.sleep(0.02)
        self.assertGreaterEqual(time.monotonic() - began, 0.4)
        self.logged("was not whole after 500ms")

    def test_a_quiet_connection_is_left_alone(self):
        # TVM's servers say nothing during a session, and its clients nothing between two
        self.start("--message-time", "0.1")
        client = self.client()
        time.sleep(0.5)
        self.assertEqual(client.ask(PING), 0)

    def test_a_message_in_pieces_is_one(self):
        self.start()
        client = self.client(greet=False)
        for byte in MAGIC + frame([PING]):
            client.send(bytes([byte]))
            time.sleep(0.005)
        self.assertEqual(client.read(4), MAGIC)
        self.assertEqual(client.receive(), 0)

    def test_messages_in_one_piece_are_several(self):
        self.start()
        client = self.client(greet=False)
        client.send(MAGIC + frame([PING]) + frame([SUMMARY]) + frame([PENDING]) + frame([PING]))
        self.assertEqual(client.read(4), MAGIC)
        self.assertEqual([client.receive() for _ in range(4)],
                         [0, [0, {"queue_info": {}, "server_info": []}], [], 0])

    def test_replies_that_nobody_takes(self):
        self.start("--message-time", "0.5", *sum((["--worker", f"w{i:03}{'x' * 200}:k:device"] for i in range(100)), []))
        client = self.client()
        with self.assertRaises(OSError):
            while True:
                client.send(frame([SUMMARY]) * 100)
        self.logged("closed the connection")
        self.assert_alive()

    def test_talk_while_it_waits(self):
        self.start()
        self.server("k")
        client = self.requester("k")
        with self.assertRaises(OSError):
            while True:
                client.send(frame([PING]) * 10000)
        self.logged("while it waited for a reply")
        self.assertEqual(self.queue("k")["pending"], 0)

    def test_a_fleet_that_does_not_answer(self):
        self.start("--fleet", "silent", "--fleet-time", "0.3")
        self.server("k").put("k:1")
        waiting = self.client()
        waiting.send(frame([SUMMARY]))
        self.assert_alive()  # nobody else waits for it
        self.assertEqual(waiting.receive()[1]["queue_info"], {"k": {"free": 1, "pending": 0}})
        self.assertEqual(self.client().ask(REQUEST, "none", "", 1)[0], -1)
        self.logged("the fleet could not be read")

    def test_a_fleet_that_fails(self):
        self.start("--fleet", "fails", "--worker", "pi:rpi4:device")
        self.assertEqual(self.summary(), {"queue_info": {}, "server_info": []})


class CrowdTest(TrackerTest):
    def test_connections(self):
        self.start("--connections", "4")
        clients = [self.client() for _ in range(4)]
        for client in clients:
            self.assertEqual(client.ask(PING), 0)
        self.assertTrue(self.client(greet=False).is_closed())
        self.logged("turned a connection from 127.0.0.1 away: there are 4")
        clients.pop().close()
        self.wait_for(lambda: self.is_served(), "a place is free again")

    def is_served(self):
        try:
            self.assert_alive()
            return True
        except OSError:
            return False

    def test_tickets_and_keys_of_one_server(self):
        self.start()
        server = self.server("k")
        for i in range(64):
            self.assertEqual(server.put(f"k:{i}"), 0)
        self.assertEqual(server.put("k:0"), 0)  # the same again is no more
        self.assertEqual(self.queue("k"), {"free": 64, "pending": 0})
        server.send(frame([PUT, "k", [9090, "k:64"], None]))
        self.assertTrue(server.is_closed())
        self.logged("offers 64 tickets already")
        server = self.server("k")
        with self.assertRaises(ConnectionError):
            for i in range(17):
                server.ask(UPDATE_INFO, {"key": f"server:k{i}", "addr": [None, 1]})
        self.logged("serves 16 keys already")

    def test_keys_of_all_servers(self):
        self.start("--grace", "600")  # so that keys stay
        refused = 0
        for i in range(300):
            server = self.client()
            try:
                for j in range(16):
                    server.ask(PUT, f"key{i}.{j}", [9090, f"m{j}"], None)
            except ConnectionError:
                refused += 1
            server.close()
        self.assertEqual(refused, 300 - 4096 // 16)
        self.logged("there are 4096 keys already")

    def test_log_lines_are_few(self):
        self.start("--log-lines", "10")
        for _ in range(300):
            with Client(self.port, greet=False) as client:
                client.send(b"garbage")
                self.assertTrue(client.is_closed())
        time.sleep(1.1)
        self.client(greet=False).send(b"garbage")
        self.logged("more lines in a second were left out")
        self.assertLess(len(self.lines), 200)


class DeathTest(TrackerTest):
    def test_unknown_key(self):
        self.start("--worker", "pi-3:rpi4:device", "--worker", "big:rpi4:builder")
        client = self.client()
        code, sentence = client.ask(REQUEST, "rpi3", "", 1)
        self.assertEqual((code, sentence), (-1, "no TVM RPC server has the key 'rpi3': none is connected"))
        self.server("xavier")
        self.server("epyc")
        code, sentence = client.ask(REQUEST, "rpi3", "", 1)
        self.assertEqual((code, sentence), (-1, "no TVM RPC server has the key 'rpi3'; known keys: epyc, xavier"))
        code, sentence = client.ask(REQUEST, "rpi4", "", 1)
        self.assertEqual(code, -1)
        self.assertIn("hone run --rpc-tracker", sentence)
        self.logged("refused 127.0.0.1 the unknown key 'rpi3'")
        self.assertEqual(client.ask(PING), 0)

    def test_after_the_start_a_key_may_still_come(self):
        self.start("--grace", "600")
        waiting = self.requester("k")
        server = self.server("k", 4711)
        server.put("k:1")
        self.assertEqual(waiting.receive(), [0, ["127.0.0.1", 4711, "k:1"]])

    def test_a_key_that_does_not_come_back(self):
        self.start("--grace", "1")
        began = time.monotonic()
        self.assertEqual(self.client().ask(REQUEST, "k", "", 1)[0], -1)
        server = self.server("k")
        waiting = self.requester("k")
        began = time.monotonic()
        server.close()
        self.assertEqual(waiting.receive()[0], -1)
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        self.assertIsNone(self.queue("k"))

    def test_a_key_that_comes_back(self):
        self.start("--grace", "600")
        server = self.server("k")
        waiting = self.requester("k")
        server.close()
        self.wait_for(lambda: self.summary()["server_info"] == [], "the server is gone")
        self.assertEqual(self.queue("k"), {"free": 0, "pending": 1})
        self.server("k").put("k:2")
        self.assertEqual(waiting.receive()[1][2], "k:2")

    def test_a_dead_requester_leaves_at_once(self):
        self.start()
        server = self.server("k")
        self.requester("k").close()
        self.wait_for(lambda: self.queue("k") == {"free": 0, "pending": 0}, "its entry is gone")
        second = self.requester("k")
        server.put("k:1")
        self.assertEqual(second.receive()[1][2], "k:1")
        self.assertEqual(server.ask(PENDING), [])

    def test_a_dead_server_takes_its_tickets_along(self):
        self.start()
        server, other = self.server("k"), self.server("k")
        server.put("k:1")
        other.put("k:2")
        server.close()
        self.wait_for(lambda: self.queue("k") == {"free": 1, "pending": 0}, "its ticket is gone")
        self.assertEqual(self.client().ask(REQUEST, "k", "", 1)[1][2], "k:2")
        self.assertEqual(len(self.summary()["server_info"]), 1)

    def test_a_ticket_without_update_info_dies_too(self):
        self.start()
        server = self.client()
        self.assertEqual(server.ask(PUT, "k", [1234, "k:1"], None), 0)
        server.close()
        self.wait_for(lambda: self.queue("k") is None, "the ticket and its key are gone")

    def test_a_server_that_dies_in_the_instant_of_a_request(self):
        self.start()
        server, other = self.server("k"), self.server("k")
        server.put("k:1")
        client = self.client()
        self.suspend()  # what happens now happens at once for the tracker, the request first
        client.send(frame([REQUEST, "k", "", 1]))
        server.close()
        self.host.send_signal(signal.SIGCONT)
        self.wait_for(lambda: self.queue("k") == {"free": 0, "pending": 1}, "the request waits for the other server")
        self.assertFalse(client.has_answer())
        other.put("k:2")
        self.assertEqual(client.receive()[1][2], "k:2")

    def test_a_requester_that_dies_in_the_instant_of_a_ticket(self):
        self.start()
        server = self.server("k")
        client = self.requester("k")
        self.suspend()
        server.send(frame([PUT, "k", [9090, "k:1"], None]))
        client.close()
        self.host.send_signal(signal.SIGCONT)
        self.assertEqual(server.receive(), 0)
        self.wait_for(lambda: self.queue("k") == {"free": 1, "pending": 0}, "the ticket is still there")
        self.assertEqual(server.ask(PENDING), ["k:1"])


if __name__ == "__main__":
    unittest.main()
