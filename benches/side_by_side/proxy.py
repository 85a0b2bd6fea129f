"""A slow line: passes TCP on, later or more slowly. TLS goes through as it is.

usage: python3 proxy.py PORT [--delay-ms N] [--mbit N]
It listens on a port of its own on loopback, which it prints, and ends with its stdin. What a client sends arrives N
milliseconds later, so that each request takes that much longer; what the server sends comes at N Mbit/s in all.
"""

import argparse
import queue
import socket
import sys
import threading
import time

CHUNK = 1 << 16


class Pace:
    """Lets this many bytes through in a second, over all connections together."""

    def __init__(self, mbit):
        self.rate = mbit * 125_000
        self.free = 0.0
        self.lock = threading.Lock()

    def wait(self, count):
        with self.lock:
            self.free = max(self.free, time.perf_counter()) + count / self.rate
            due = self.free
        time.sleep(max(0.0, due - time.perf_counter()))


def finish(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def pump(source, sink, pace):
    """Passes on what comes, at a pace if there is one."""
    try:
        while chunk := source.recv(CHUNK if pace is None else CHUNK // 4):
            if pace is not None:
                pace.wait(len(chunk))
            sink.sendall(chunk)
    except OSError:
        pass
    finish(source, sink)


def pump_later(source, sink, delay):
    """Passes on what comes `delay` seconds after it came; what comes meanwhile does not wait longer for it."""
    coming = queue.SimpleQueue()

    def deliver():
        while (item := coming.get()) is not None:
            due, chunk = item
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                sink.sendall(chunk)
            except OSError:
                break
        finish(source, sink)

    threading.Thread(target=deliver, daemon=True).start()
    try:
        while chunk := source.recv(CHUNK):
            coming.put((time.perf_counter() + delay, chunk))
    except OSError:
        pass
    coming.put(None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--mbit", type=float, default=0)
    told = parser.parse_args()
    pace = Pace(told.mbit) if told.mbit else None
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", told.port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if pace is not None:
                # Else the kernel would hold what the line has not let through yet.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
            if told.delay_ms:
                up = (pump_later, (client, server, told.delay_ms / 1000))
            else:
                up = (pump, (client, server, None))
            for target, arguments in (up, (pump, (server, client, pace))):
                threading.Thread(target=target, args=arguments, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
