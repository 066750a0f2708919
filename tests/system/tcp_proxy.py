"""A TCP proxy between the daemon and its server, which passes bytes on badly where it is told to."""
import contextlib
import re
import socket
import struct
import threading

from harness import pause, wait_until

CHUNK = 65536
# The end of a query in the extended protocol, and of the server's answer to it.
SYNC = b"S\0\0\0\4"
READY = b"Z\0\0\0\5"
FLUSH = b"sla.flush("
# What the daemon prepares: the name, then the text.
PREPARED = re.compile(rb"(slated\d+)\0([^\0]{10,})\0")


class Link:
    """One connection: two threads, each of which passes on what one side sends."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", proxy.target))
        self.name = None  # the application_name
        self.asked = b""  # by the client since its last query's end
        self.prepared = {}  # names of statements, and their texts
        self.answered = b""
        self.muted = self.dead = self.cutting = False
        self.held = None  # of a flush that is on its way for long
        for source, sink in (self.client, self.server), (self.server, self.client):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if self.dead:
                    return
                self.watch(source, data)
                if self.held is not None:
                    self.hold(source, data)
                    continue
                if self.muted or (self.cutting and source is self.server):
                    if self.cutting and self.is_answered(data):
                        self.cut()
                    continue
                self.pass_on(sink, data)
        if not self.dead and not self.muted and self.held is None:
            self.end()

    def pass_on(self, sink, data):
        proxy = self.proxy
        if proxy.delay:
            proxy.stopped.wait(proxy.delay)
        while data:
            n = proxy.drip or len(data)
            sink.sendall(data[:n])
            data = data[n:]
            if data:
                proxy.stopped.wait(0.01)

    def watch(self, source, data):
        """Looks for the query whose answer is not to arrive."""
        if source is self.server:
            return
        if self.name is None:
            found = re.search(rb"application_name\0([^\0]+)\0", data)
            self.name = found and found[1].decode()
        self.asked = (self.asked + data)[-4 * CHUNK:]
        self.prepared.update(PREPARED.findall(self.asked))
        with self.proxy.lock:
            if self.proxy.cuts and self.asks(FLUSH) and not self.cutting:
                self.proxy.cuts -= 1
                self.cutting = True
            if self.proxy.holds and self.asks(self.proxy.holds) and self.held is None:
                self.proxy.holds = None
                self.held = b""  # what comes with this piece is added by pump()
        if self.asked.endswith(SYNC):
            self.asked = b""

    def asks(self, words):
        """Whether the query, or the prepared one that it names, has these words."""
        return words in self.asked or any(b"\0" + name + b"\0" in self.asked
                                          for name, text in self.prepared.items() if words in text)

    def hold(self, source, data):
        """Keeps what the client sends and the server's answer to itself."""
        if source is self.client:
            self.held += data
        else:
            self.answered += data

    def is_holding(self):
        return self.held is not None and self.held.endswith(SYNC)

    def release(self):
        """Lets the server have what was held, and returns what it says to that."""
        self.server.sendall(self.held)
        while READY not in self.answered[-6:]:
            pause()
        answer = self.answered
        self.end()
        return answer

    def is_answered(self, data):
        self.answered += data
        return READY in self.answered[-6:]

    def cut(self):
        """Both sides get a reset."""
        self.dead = True
        for end in self.client, self.server:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)
                end.close()
        self.proxy.forget(self)

    def end(self):
        self.dead = True
        for end in self.client, self.server:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.proxy.forget(self)

    def half_open(self):
        """The server's side is gone, which the client is not told."""
        self.muted = True
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
            self.server.close()


class Proxy:
    """`delay`: seconds that each piece waits. `drip`: so many bytes each 10 ms. `deaf`: new connections are accepted, and
    nothing more."""

    def __init__(self, target):
        self.target = int(target)
        self.delay = 0
        self.drip = 0
        self.deaf = False
        self.cuts = 0  # flushes whose answer is still to be cut off
        self.holds = None  # what the next query that is to be held has in it
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.links = []
        self.held = []  # accepted while deaf
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.deaf:
                    self.held.append(client)
                    continue
                try:
                    link = Link(self, client)
                except OSError:
                    client.close()
                    continue
                with self.lock:
                    self.links.append(link)

    def forget(self, link):
        with self.lock:
            if link in self.links:
                self.links.remove(link)

    def all(self, name=None):
        with self.lock:
            return [link for link in self.links if name in (None, link.name)]

    def mute(self, name=None):
        """What is connected now is heard no more, in either direction, for ever; new connections are."""
        for link in self.all(name):
            link.muted = True

    def half_open(self, name=None):
        for link in self.all(name):
            link.half_open()

    def cut(self, name=None):
        for link in self.all(name):
            link.cut()

    def cut_flush(self):
        """Lets the next flush through to the server and cuts the connection when its answer is there."""
        with self.lock:
            self.cuts = 1
        wait_until("a flush that is cut off", lambda: self.cuts == 0)

    def hold(self, what=FLUSH):
        """Keeps the next query with these words on its way. Returns its connection, whose release() lets it arrive."""
        with self.lock:
            self.holds = what
        return wait_until("a query that is held", lambda: next((link for link in self.all() if link.is_holding()), None))

    def close(self):
        self.stopped.set()
        self.listener.close()
        for link in self.all():
            link.end()
        for client in self.held:
            client.close()
