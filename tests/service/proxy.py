"""A TCP forwarder between programs and the coordinator, as `ssh -L` is one: and one that can be cut, stopped in one
direction, or slowed down. Runs in a thread of its own with an event loop of its own."""
import asyncio
import threading


class Proxy:
    """Forwards 127.0.0.1:port to 127.0.0.1:target. Its switches may be thrown from any thread."""

    def __init__(self, target):
        self.target = target
        self.port = 0
        self.connections = 0
        self._up_open = self._down_open = True  # towards the coordinator; from it
        self._bytes_per_second = 0
        self._accepting = True
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait(30)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def cut(self):
        """Breaks all connections and refuses new ones."""
        self._accepting = False
        self._loop.call_soon_threadsafe(self._break_all)

    def stall(self, up=False, down=False):
        """Nothing is delivered in these directions any more, and nobody is told: as when a cable is pulled."""
        self._up_open, self._down_open = not up, not down

    def slow(self, bytes_per_second):
        """Of each connection and direction; 0: as fast as it goes."""
        self._bytes_per_second = bytes_per_second

    def heal(self):
        self._accepting = True
        self._up_open = self._down_open = True
        self._bytes_per_second = 0

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._break_all()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _break_all(self):
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader, writer):
        if not self._accepting:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer, lambda: self._up_open),
                                 self._pump(far_reader, writer, lambda: self._down_open))
        finally:
            self._writers -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader, writer, is_open):
        try:
            while True:
                limit = self._bytes_per_second
                content = await reader.read(max(1, limit // 10) if limit else 1 << 16)
                if not content:
                    break
                while not is_open():
                    await asyncio.sleep(0.02)
                writer.write(content)
                await writer.drain()
                if limit:
                    await asyncio.sleep(len(content) / limit)
            writer.write_eof()
        except (OSError, RuntimeError):
            writer.transport.abort()
