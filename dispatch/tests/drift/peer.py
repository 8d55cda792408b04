#!/usr/bin/env python3
"""The classic wire as CPython has it, with struct, json and hashlib only, on either end.

    peer.py client PORT SEED COUNT   sends random messages and files, and checks each answer
    peer.py server COUNT             answers as many; prints its port first

A message is {"type": "up" or "down", "values": {..}, ..}. The answer says what its receiver has
understood ("told", a text in which no two values look alike), and gives the values back.
"""

import hashlib
import json
import math
import random
import socket
import struct
import sys

TEXT = "ab \"\\/\n\t\0\x1f\x7fé\u2028安\ufffd🚢\U0010ffff"
KEYS = ["", "type", "session", "file_size", "values", "a\"b", "é", "🚢", "\0"]


def told(value):
    """What a value is, to the last bit: a float is no integer, and -0.0 is not 0.0."""
    if value is None or value is True or value is False:
        return {None: "n", True: "t", False: "f"}[value]
    if isinstance(value, int):
        return "i%d" % value
    if isinstance(value, float):
        return "d" + struct.pack(">d", value).hex()
    if isinstance(value, str):
        return "s" + value.encode().hex()
    if isinstance(value, list):
        return "[" + ",".join(told(v) for v in value) + "]"
    return "{" + ",".join(told(k) + ":" + told(value[k]) for k in sorted(value)) + "}"


def body(seed, size):
    return hashlib.shake_128(b"%d" % seed).digest(size)


def random_int(choose):
    return choose.choice([
        choose.randrange(-100, 100),
        choose.randrange(-2 ** 63, 2 ** 64),
        choose.choice([-2 ** 63, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 2 ** 53 + 1, 0]),
    ])


def random_float(choose):
    while True:
        value = choose.choice([
            struct.unpack(">d", choose.randbytes(8))[0],
            choose.uniform(-1e6, 1e6),
            choose.randrange(-10 ** 6, 10 ** 6) / 100,
            float(choose.randrange(-2 ** 70, 2 ** 70)),
            choose.choice([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 1e22, 0.1]),
        ])
        if math.isfinite(value):
            return value


def random_text(choose):
    return "".join(choose.choice(TEXT) for _ in range(choose.choice([0, 1, 5, 30])))


def random_value(choose, depth=0):
    kind = choose.randrange(7 if depth < 4 else 5)
    if kind == 0:
        return choose.choice([None, True, False])
    if kind == 1:
        return random_int(choose)
    if kind == 2:
        return random_float(choose)
    if kind < 5:
        return random_text(choose)
    if kind == 5:
        return [random_value(choose, depth + 1) for _ in range(choose.randrange(4))]
    keys = [choose.choice(KEYS) for _ in range(choose.randrange(4))]
    return {key: random_value(choose, depth + 1) for key in keys}


def random_values(choose):
    return {
        "signed": choose.choice([-2 ** 63, 2 ** 63 - 1, choose.randrange(-2 ** 63, 2 ** 63)]),
        "unsigned": choose.choice([2 ** 64 - 1, choose.randrange(2 ** 64)]),
        "float": random_float(choose),
        "flag": choose.choice([True, False]),
        "text": random_text(choose),
        "maybe": choose.choice([None, random_text(choose)]),
        "list": [random_float(choose) for _ in range(choose.randrange(4))],
        "any": random_value(choose),
    }


def dumps(choose, message):
    """The same dict in any order and any of the ways that json has of writing it."""
    keys = list(message)
    choose.shuffle(keys)
    text = json.dumps(
        {key: message[key] for key in keys},
        ensure_ascii=choose.choice([True, False]),
        indent=choose.choice([None, None, 1]),
        separators=choose.choice([None, (",", ":")]),
    )
    return text.encode()


def receive(connection, size):
    parts = []
    while size > 0:
        part = connection.recv(size)
        assert part, "closed too early"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive_message(connection):
    (length,) = struct.unpack("<i", receive(connection, 4))
    return json.loads(receive(connection, length))


def client(port, seed, count):
    choose = random.Random(seed)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in range(count):
            try:
                one(connection, choose)
            except AssertionError as error:
                sys.exit("seed %d, turn %d: %s" % (seed, turn, error))
    print("%d messages there and back" % count)


def one(connection, choose):
    values = random_values(choose)
    large = choose.choice([65536, 70001]) if choose.randrange(20) == 0 else 0
    size = choose.choice([large, 1, choose.randrange(2000)])
    file_seed = choose.randrange(2 ** 32)
    message = {"type": choose.choice(["up", "down"]), "values": values}
    is_up, sent = message["type"] == "up", b""
    if is_up:
        message["file_size"] = size
        sent = body(file_seed, size)
    else:
        message.update(seed=file_seed, len=size)
    # What the type does not know is nobody's affair, be it ever so odd.
    for key in choose.sample(["odd", "Type", "types", "len ", "é"], choose.randrange(3)):
        odd = [math.nan, math.inf, -math.inf, "\ud800", 2 ** 200, random_value(choose)]
        message[key] = choose.choice([choose.choice(odd), [choose.choice(odd)]])
    if "file_size" not in message and choose.randrange(4) == 0:
        message["file_size"] = 99  # a stale one
    refused = choose.randrange(20) == 0
    if refused:
        values[choose.choice(["float", "any"])] = choose.choice([math.nan, math.inf, -math.inf])
    try:
        text = dumps(choose, message)
    except UnicodeEncodeError:  # a lone surrogate goes only as an escape
        text = json.dumps(message).encode()
    connection.sendall(struct.pack("<i", len(text)) + text + sent)
    reply = receive_message(connection)
    if refused:
        assert reply["flag"] is False and reply["code"] == "bad_message", (text, reply)
        return
    assert reply["flag"] is True, (text, reply)
    assert reply["told"] == told(values), (text, reply)
    assert told(reply["values"]) == told(values), (text, reply)
    if is_up:
        assert reply["sha256"] == hashlib.sha256(sent).hexdigest(), "another file came"
    else:
        assert reply["file_size"] == size
        assert receive(connection, size) == body_of(file_seed, size), "another file came back"


def body_of(seed, size):
    """What a server sends for a seed."""
    pattern = bytes((seed + i * 7) % 256 for i in range(256))
    return (pattern * (size // 256 + 1))[:size]


def server(count):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        listener.settimeout(60)
        connection, _ = listener.accept()
    choose = random.Random(count)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(60)
        for _ in range(count):
            message = receive_message(connection)
            reply = {"flag": True, "told": told(message["values"]), "values": message["values"]}
            sent = b""
            if message["type"] == "up":
                came = receive(connection, message["file_size"])
                reply["sha256"] = hashlib.sha256(came).hexdigest()
            else:
                sent = body_of(message["seed"], message["len"])
                reply["file_size"] = len(sent)
            text = dumps(choose, reply)
            connection.sendall(struct.pack("<i", len(text)) + text + sent)
        assert connection.recv(1) == b"", "more than was agreed"


if __name__ == "__main__":
    command, *numbers = sys.argv[1:]
    {"client": client, "server": server}[command](*map(int, numbers))
