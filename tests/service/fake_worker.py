"""A worker played by a test: attaches, takes leases, and answers what the test wants, true or not."""
import time


class FakeWorker:
    """A device with the service's own target. Heartbeats are sent while it waits."""

    def __init__(self, service, name, key="board", held=(), roles=("ROLE_DEVICE",), **more):
        self.probe = service.probe("worker")
        self.held = [dict(lease) for lease in held]
        self.api_version = self.probe.ok("Server/GetCapabilities")["api_version"]
        self.stream = self.probe.open("Fleet/Attach", deadline=600)
        hello = {"name": name, "key": key, "roles": roles, "builder_slots": 1, "target": service.target_json(),
                 "memory_bytes": str(1 << 34), "api_version": self.api_version, "abi_version": 1, "version": "test",
                 "build_id": "test", "held": self.held, **more}
        self.stream.send({"hello": hello})
        self.greeting = self.next("welcome", "farewell")

    def next(self, *kinds, seconds=60):
        """The next message of these kinds; others are passed over. ("end", …) when the stream ends; None in vain."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.stream.receive(0.3)
            if isinstance(message, tuple):
                return message
            if message is None:
                self.stream.send({"heartbeat": {"held": self.held}})
            elif not kinds or kinds[0] in message or any(kind in message for kind in kinds):
                return message
        return None

    def lease(self, seconds=60):
        """The next lease, which is held from then on."""
        message = self.next("lease", seconds=seconds)
        if not message or "lease" not in message:
            raise AssertionError(f"no lease came, but {message}")
        lease = message["lease"]
        self.held.append({"task": lease["task"], "epoch": lease["epoch"]})
        return lease

    def answer(self, lease, **result):
        """Sends a result and waits for its acknowledgement. Was it accepted?"""
        message = {"task": lease["task"], "epoch": lease["epoch"], "result": {"outcome": "DONE"}, **result}
        self.stream.send({"result": message})
        self.held = [held for held in self.held if held["task"] != lease["task"]]
        ack = self.next("ack")
        if not ack or "ack" not in ack:
            raise AssertionError(f"no acknowledgement came, but {ack}")
        return ack["ack"].get("accepted", False)

    def leave(self):
        self.stream.drop()
        self.probe.process.stdin.close()
