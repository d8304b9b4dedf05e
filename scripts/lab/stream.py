"""A numbered stream between two kernel stacks, to see what a change costs."""

import socket
import struct
import threading
import time

from .netns import inside, wait_until


class Stream:
    """Numbered datagrams from one namespace to another at a steady pace, each one accounted for."""

    PORT = 7000

    def __init__(self, source, target, address, per_second=500, port=PORT):
        self._received = []
        self._sent = 0
        self._refused = 0
        self._stopping = False
        with inside(target):
            self._sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self._sink.bind((address, port))
            self._sink.settimeout(0.1)
        with inside(source):
            self._source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._source.connect((address, port))
        self._interval = 1 / per_second
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._receive, self._send)]
        for thread in self._threads:
            thread.start()

    @property
    def sent(self):
        return self._sent

    def wait_for(self, more, seconds=10.0):
        """Waits until this many further datagrams were sent; True when they were."""
        goal = self._sent + more
        return wait_until(lambda: self._sent >= goal, seconds)

    def stop(self):
        """Ends the stream once what was sent has arrived, or two seconds later."""
        self._stopping = True
        self._threads[1].join(5)
        wait_until(lambda: len(self._received) >= self._sent, 2)
        self._threads[0].join(5)
        self._sink.close()
        self._source.close()
        return self

    def verdict(self):
        """(nothing lost, doubled or reordered; a sentence with the figures)."""
        numbers = list(self._received)
        lost = self._sent - len(set(numbers))
        doubled = len(numbers) - len(set(numbers))
        overtaken = sum(later < earlier for earlier, later in zip(numbers, numbers[1:]))
        return (self._sent > 0 and not (lost or doubled or overtaken or self._refused),
                f"{self._sent} sent, {lost} lost, {doubled} doubled, {overtaken} out of order")

    def _send(self):
        due = time.monotonic()
        while not self._stopping:
            try:
                self._source.send(struct.pack("!Q", self._sent))
            except OSError:
                self._refused += 1
            self._sent += 1
            due += self._interval
            time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self):
        while True:
            try:
                self._received.append(struct.unpack("!Q", self._sink.recv(64)[:8])[0])
            except TimeoutError:
                if self._stopping and not self._threads[1].is_alive():
                    return
            except OSError:
                return
