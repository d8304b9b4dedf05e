"""`lab.transfer send|receive ADDRESS PORT FILE`: one end of a TCP transfer, in a namespace.

The receiver prints octets, SHA-256 and seconds, from the first octet to the last.
"""

import hashlib
import json
import socket
import sys
import time


def receive(address, port):
    """Accepts one connection and hashes what comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(1)
        server.settimeout(30)
        print("ready", flush=True)
        connection, _ = server.accept()
    digest, octets, buffer = hashlib.sha256(), 0, bytearray(1 << 20)
    connection.settimeout(20)
    began = time.monotonic()
    with connection:
        while count := connection.recv_into(buffer):
            digest.update(memoryview(buffer)[:count])
            octets += count
    print(json.dumps({"octets": octets, "sha256": digest.hexdigest(),
                      "seconds": time.monotonic() - began}), flush=True)


def send(address, port, path):
    """Connects and sends a file."""
    with socket.create_connection((address, port), timeout=20) as connection:
        with open(path, "rb") as file:
            connection.sendfile(file)


def main():
    verb, address, port, *path = sys.argv[1:]
    if verb == "receive":
        receive(address, int(port))
    else:
        send(address, int(port), *path)


if __name__ == "__main__":
    main()
