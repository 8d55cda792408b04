#!/usr/bin/env python3
"""A second implementation of the wire, with struct and json only. It shares no code with the first.

    wire.py write FOLDER              writes the golden frames
    wire.py check FOLDER              reads golden frames, whoever wrote them
    wire.py talk PORT FORMAT COUNT    sends random messages to an echo server and checks its answers
    wire.py serve FORMAT COUNT        is that echo server; prints its port first

A message is JSON. If its type is "upload", file_size bytes follow it. An echo server sends back
the same value, serialised by itself, and the same bytes.
"""

import json
import os
import random
import socket
import struct
import sys

FORMATS = [order + code for order in "<>" for code in "bBhHiIlLqQ"]


def body(size, seed):
    return bytes((seed + i * 7) % 256 for i in range(size))


def attachment_size(value):
    is_upload = isinstance(value, dict) and value.get("type") == "upload"
    return value["file_size"] if is_upload else 0


def pack(fmt, value, data=b""):
    message = json.dumps(value).encode()
    return struct.pack(fmt, len(message)) + message + data


def unpack(fmt, stream):
    """All frames of a stream that ends after the last one."""
    frames, at, width = [], 0, struct.calcsize(fmt)
    while at < len(stream):
        (length,) = struct.unpack_from(fmt, stream, at)
        at += width
        assert length >= 1 and at + length <= len(stream), "a length out of range"
        value = json.loads(stream[at:at + length])
        at += length
        size = attachment_size(value)
        assert at + size <= len(stream), "an attachment is cut"
        frames.append((value, stream[at:at + size]))
        at += size
    return frames


def golden():
    """The values of the golden frames, and their attachments."""
    return [
        ({}, b""),
        ({"type": "login", "name": "安娜", "keep": True}, b""),
        ({"type": "upload", "file_size": 0}, b""),
        ({"type": "upload", "file_size": 300, "name": "a\"b\\c\n"}, body(300, 3)),
        ({"type": "list", "file_size": 300}, b""),
        ([1, -2.5, None, "\U0001f6a2"], b""),
    ]


def name(fmt):
    order = {"<": "little", ">": "big"}[fmt[0]]
    case = "unsigned" if fmt[1].isupper() else "signed"
    return "%s-%s-%s.bin" % (fmt[1].lower(), case, order)


def write(folder):
    index = []
    for fmt in FORMATS:
        with open(os.path.join(folder, name(fmt)), "wb") as file:
            file.write(b"".join(pack(fmt, value, data) for value, data in golden()))
        index.append({"file": name(fmt), "format": fmt})
    frames = [{"message": json.dumps(v), "attachment": d.hex()} for v, d in golden()]
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump({"files": index, "frames": frames}, file, indent=1)
        file.write("\n")


def check(folder):
    for fmt in FORMATS:
        with open(os.path.join(folder, name(fmt)), "rb") as file:
            assert unpack(fmt, file.read()) == golden(), fmt
    print("%d files of %d frames" % (len(FORMATS), len(golden())))


def receive(connection, size):
    parts = []
    while size > 0:
        part = connection.recv(size)
        assert part, "closed too early"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def longest(fmt):
    bits = struct.calcsize(fmt) * 8 - fmt[-1].islower()
    return min(2 ** bits - 1, 60000)


def random_value(choose, depth=0):
    kind = choose.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return choose.choice([None, True, False])
    if kind == 1:
        return choose.randrange(-2 ** 63, 2 ** 64)
    if kind == 2:
        return choose.randrange(-10 ** 6, 10 ** 6) / 8
    if kind < 6:
        return "".join(choose.choice("ab \"\\\n\0é安🚢") for _ in range(choose.randrange(12)))
    if kind == 6:
        return [random_value(choose, depth + 1) for _ in range(choose.randrange(5))]
    return {"k%d" % i: random_value(choose, depth + 1) for i in range(choose.randrange(5))}


def random_frame(choose, fmt):
    while True:
        value = {"n": random_value(choose)}
        data = b""
        if choose.randrange(2):
            size = choose.choice([0, 1, 100, 5000, 200000])
            value.update(type="upload", file_size=size)
            data = body(size, choose.randrange(256))
        if len(json.dumps(value)) <= longest(fmt):
            return value, data


def talk(port, fmt, count):
    choose = random.Random(count)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for _ in range(count):
            value, data = random_frame(choose, fmt)
            connection.sendall(pack(fmt, value, data))
            # One recv each and no loop, as the clients in the field do it.
            (length,) = struct.unpack(fmt, connection.recv(struct.calcsize(fmt)))
            message = connection.recv(length)
            assert len(message) == length, "the reply came in pieces"
            assert json.loads(message) == value, "another value came back"
            assert receive(connection, len(data)) == data, "other bytes came back"
    print("%d frames there and back" % count)


def serve(fmt, count):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        listener.settimeout(20)
        connection, _ = listener.accept()
    with connection:
        connection.settimeout(20)
        for _ in range(count):
            (length,) = struct.unpack(fmt, receive(connection, struct.calcsize(fmt)))
            value = json.loads(receive(connection, length))
            data = receive(connection, attachment_size(value))
            connection.sendall(pack(fmt, value, data))
        assert connection.recv(1) == b"", "more than was agreed"


if __name__ == "__main__":
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "write":
        write(*rest)
    elif command == "check":
        check(*rest)
    elif command == "talk":
        talk(int(rest[0]), rest[1], int(rest[2]))
    elif command == "serve":
        serve(rest[0], int(rest[1]))
    else:
        sys.exit(__doc__)
