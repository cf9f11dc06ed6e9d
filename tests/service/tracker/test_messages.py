"""Every message of TVM's tracker protocol, and what the replies look like on the wire."""
import json
import struct
import unittest

from support import PENDING, PING, PUT, REQUEST, SUMMARY, UPDATE_INFO, TrackerTest, frame


class MessageTest(TrackerTest):
    def test_replies_are_framed_json(self):
        self.start()
        client = self.client()
        client.send(frame([PING]))
        self.assertEqual(client.read(5), struct.pack("<i", 1) + b"0")  # TVM's C++ server takes it for a number
        client.send(frame([PENDING]))
        self.assertEqual(client.read(6), struct.pack("<i", 2) + b"[]")

    def test_put_and_request(self):
        self.start()
        server = self.server("rpi4", 9091)
        self.assertEqual(server.put("rpi4:0.25"), 0)
        self.assertEqual(server.ask(PENDING), ["rpi4:0.25"])
        self.assertEqual(self.queue("rpi4"), {"free": 1, "pending": 0})
        client = self.client()
        self.assertEqual(client.ask(REQUEST, "rpi4", "", 1), [0, ["127.0.0.1", 9091, "rpi4:0.25"]])
        self.assertEqual(server.ask(PENDING), [])
        self.assertEqual(self.queue("rpi4"), {"free": 0, "pending": 0})
        # the next one, from the same connection, waits for the next ticket
        client.send(frame([REQUEST, "rpi4", "", 1]))
        server.put("rpi4:0.75")
        self.assertEqual(client.receive(), [0, ["127.0.0.1", 9091, "rpi4:0.75"]])

    def test_addresses(self):
        self.start()
        server = self.server("k", 9090, address="pi.example")
        server.put("k:1")
        self.assertEqual(self.client().ask(REQUEST, "k", "", 1), [0, ["pi.example", 9090, "k:1"]])
        # TVM's C++ server gives ports as text in UPDATE_INFO, and leaves the address out of PUT
        cpp = self.client()
        self.assertEqual(cpp.ask(UPDATE_INFO, {"key": "server:c", "addr": [None, "9099"]}), 0)
        self.assertEqual(cpp.ask(PUT, "c", [9099, "c:1"]), 0)
        self.assertEqual(self.client().ask(REQUEST, "c", "", 1), [0, ["127.0.0.1", 9099, "c:1"]])
        self.assertIn({"key": "server:c", "addr": ["127.0.0.1", 9099]}, self.summary()["server_info"])

    def test_priority_then_arrival(self):
        self.start()
        server = self.server("k")
        order = [("low", 0), ("first", 1), ("second", 1), ("lowest", -2**63), ("high", 2**63 - 1)]
        waiting = {name: self.requester("k", priority) for name, priority in order}
        for name in ("high", "first", "second", "low", "lowest"):
            server.put("k:" + name)
            self.assertEqual(waiting[name].receive()[1][2], "k:" + name)

    def test_tickets_go_first_come_first_served(self):
        self.start()
        server, other = self.server("k"), self.server("k")
        server.put("k:1")
        other.put("k:2")
        server.put("k:3")
        client = self.client()
        self.assertEqual([client.ask(REQUEST, "k", "", 1)[1][2] for _ in range(3)], ["k:1", "k:2", "k:3"])

    def test_replies_keep_the_order_of_messages(self):
        self.start()
        server = self.server("k")
        client = self.requester("k")
        client.send(frame([PING]) + frame([SUMMARY]))
        server.put("k:1")
        self.assertEqual(client.receive()[1][2], "k:1")
        self.assertEqual(client.receive(), 0)
        self.assertEqual(client.receive()[0], 0)

    def test_keys_do_not_mix(self):
        self.start()
        one, two = self.server("one"), self.server("two")
        waiting = self.requester("two")
        one.put("one:1")
        self.assertEqual(self.queue("two"), {"free": 0, "pending": 1})
        self.assertFalse(waiting.has_answer())
        two.put("two:1")
        self.assertEqual(waiting.receive()[1][2], "two:1")

    def test_summary_shows_servers_and_hones_devices(self):
        self.start("--worker", "pi-3:rpi4:device", "--worker", "big::builder", "--worker", "old:rpi4:device:gone")
        self.server("rpi4", 9091).put("rpi4:1")
        # a client may introduce itself; it is no server
        self.assertEqual(self.client().ask(UPDATE_INFO, {"key": "client:me", "addr": 3}), 0)
        content = self.summary()
        self.assertEqual(content["server_info"], [{"key": "server:rpi4", "addr": ["127.0.0.1", 9091]},
                                                  {"key": "server:rpi4", "addr": ["hone", "pi-3"]}])
        # the test's fleet says 3 pending for each of its two entries, the last one counts none free
        self.assertEqual(content["queue_info"]["rpi4"], {"free": 2, "pending": 6})
        self.assertEqual(list(content["queue_info"]), ["rpi4"])

    def test_names_in_any_script(self):
        self.start()
        server = self.server("树莓派")
        server.put("树莓派:1")
        client = self.client()
        client.send(frame(json.dumps([REQUEST, "树莓派", "", 1], ensure_ascii=False).encode()))
        self.assertEqual(client.receive()[1][2], "树莓派:1")


if __name__ == "__main__":
    unittest.main()
