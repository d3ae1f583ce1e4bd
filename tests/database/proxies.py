"""A TCP proxy on loopback between the driver and Neo4j, which cuts connections as a cluster or a network may."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""A message of Bolt: one chunk of two bytes, a structure without fields of tag 0x12, and the end of the message."""

_PIECE_BYTES = 1 << 16
_COMMIT_SECONDS = 0.5  # after which the server has done what it was sent, and its answer is lost


class Proxy:
    """Leads each connection to the server, until it is told to do harm.

    Attributes:
        port: where it listens.
        cut_every: every how many connections one is cut in the middle of an answer; 0 for none.
        cut_after_bytes: how much of the answers on such a connection arrives.
        lose_commits: how many more commits reach the server without their answer reaching the driver.
        refuse: how many more connections are closed at once.
        accepted, cut, lost: what was done so far.
    """

    def __init__(self, port_of_server: int) -> None:
        self._server = port_of_server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.cut_every = self.lose_commits = 0
        self.refuse = 0.0
        self.cut_after_bytes = 600
        self.accepted = self.cut = self.lost = 0
        self._open: list[socket.socket] = []

    def run(self) -> None:
        """Accept connections until the proxy is closed."""
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self.accepted += 1
                if self.refuse:
                    self.refuse -= 1
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open += [client, server]
                harmful = bool(self.cut_every) and self.accepted % self.cut_every == 0
                left = self.cut_after_bytes if harmful else None
                for target, ends in ((self._ask, (client, server)), (self._answer, (server, client, left))):
                    threading.Thread(target=target, args=ends, daemon=True).start()

    def cut_all(self) -> None:
        """Cut every connection that is open."""
        while self._open:
            _cut(self._open.pop())

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut_all()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(_PIECE_BYTES):
                if self.lose_commits and COMMIT in piece:
                    self.lose_commits -= 1
                    self.lost += 1
                    _cut(client)
                    server.sendall(piece)
                    time.sleep(_COMMIT_SECONDS)
                    break
                server.sendall(piece)
        _cut(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while piece := server.recv(_PIECE_BYTES):
                if left is not None:
                    client.sendall(piece[:left])
                    left -= len(piece)
                    if left <= 0:
                        self.cut += 1
                        break
                else:
                    client.sendall(piece)
        _cut(client, server)


@contextmanager
def proxied(port_of_server: int) -> Iterator[Proxy]:
    """Run a proxy before a server."""
    proxy = Proxy(port_of_server)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(10)


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
