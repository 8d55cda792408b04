#!/usr/bin/env python3
"""The native wire in plain Python, written from WIRE.md alone, and a check of the golden vectors.

Standard library only. Run it without arguments: it exits with an error if anything differs.
"""

import json
import pathlib
import struct
import sys

HEADER = struct.Struct("!BBHIII")
MAGIC = bytes.fromhex("b0a7b0a7")

MESSAGE, REPLY, ERROR, PUSH, DATA, END, CREDIT, CANCEL, PING, GOING_AWAY = range(1, 11)
EXTENDED, ATTACHMENT, RESUMABLE, ABORTED, ANSWER = 1, 2, 4, 8, 16
FLAGS = {
    MESSAGE: EXTENDED | ATTACHMENT | RESUMABLE,
    REPLY: EXTENDED | ATTACHMENT | RESUMABLE,
    ERROR: EXTENDED,
    PUSH: EXTENDED,
    DATA: EXTENDED,
    END: EXTENDED | ABORTED,
    CREDIT: EXTENDED,
    CANCEL: 0,
    PING: ANSWER,
    GOING_AWAY: 0,
}
# number: name, packed as
FIELDS = {
    1: ("deadline_ms", "!I"),
    2: ("size", "!Q"),
    3: ("offset", "!Q"),
    4: ("digest", "32s"),
    5: ("idempotency_key", "16s"),
    6: ("name", None),
    7: ("group", "32s"),
}
MAX_DATA = 1024 * 1024
MAX_BLOCK = 1024


class Refused(Exception):
    """A rule is broken; the argument is the name of its code."""


def type_hash(name):
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value or 1


def client_preface(lowest, highest):
    return MAGIC + bytes([lowest, highest, 0, 0])


def server_preface(client, spoken, requests):
    """The answer to a client's eight bytes, of a server that speaks these versions."""
    common = [v for v in spoken if client[4] <= v <= client[5]]
    chosen = max(common, default=0)
    return MAGIC + struct.pack("!BBH", chosen, max(spoken), requests if chosen else 0)


def pack_fields(fields):
    block = b""
    for number, (name, form) in FIELDS.items():
        if name in fields:
            value = fields[name]
            if form is None:
                value = value.encode()
            elif form.endswith("s"):
                value = bytes.fromhex(value)
            else:
                value = struct.pack(form, value)
            block += bytes([number, len(value)]) + value
    return struct.pack("!H", len(block)) + block


def unpack_fields(block, kind, flags):
    fields, last = {}, 0
    while block:
        if len(block) < 2 or block[0] <= last or len(block) < 2 + block[1]:
            raise Refused("bad_extension")
        last, value, block = block[0], block[2 : 2 + block[1]], block[2 + block[1] :]
        if last >= 128:
            continue
        if last not in FIELDS:
            raise Refused("bad_extension")
        name, form = FIELDS[last]
        try:
            if form is None:
                if not value:
                    raise ValueError
                fields[name] = value.decode("utf-8")
            elif form.endswith("s"):
                fields[name] = struct.unpack(form, value)[0].hex()
            else:
                fields[name] = struct.unpack(form, value)[0]
        except (struct.error, ValueError):
            raise Refused("bad_extension") from None
    attached = bool(flags & ATTACHMENT)
    place = {
        "deadline_ms": kind == MESSAGE,
        "size": attached,
        "offset": attached or kind == CREDIT,
        "digest": attached or (kind == END and not flags & ABORTED),
        "idempotency_key": kind == MESSAGE,
        "name": attached,
        "group": kind == DATA,
    }
    if not all(place[name] for name in fields):
        raise Refused("bad_extension")
    if fields.get("offset", 0) + fields.get("size", 0) >= 1 << 64:
        raise Refused("bad_extension")
    return fields


def encode(kind, flags=0, codec=0, id=0, type=0, fields=None, payload=b""):
    if fields:
        flags |= EXTENDED
        payload = pack_fields(fields) + payload
    return HEADER.pack(kind, flags, codec, len(payload), id, type) + payload


def decode(data):
    """The first frame of these bytes and what is behind it. Refuses as WIRE.md says."""
    kind, flags, codec, length, id, type = HEADER.unpack_from(data)
    if kind not in FLAGS:
        raise Refused("unknown_kind")
    if flags & ~FLAGS[kind] or (flags & RESUMABLE and not flags & ATTACHMENT):
        raise Refused("bad_flags")
    if kind != GOING_AWAY and (id == 0) != (kind in (PUSH, PING)):
        raise Refused("bad_id")
    right = {
        MESSAGE: codec != 0,
        REPLY: codec != 0,
        PUSH: codec != 0,
        ERROR: type >= 64,
        DATA: codec == 0 and type == 0,
        END: codec == 0 and (type >= 64 if flags & ABORTED else type == 0),
        CREDIT: codec == 0 and type > 0,
        CANCEL: codec == 0 and type >= 64,
        PING: codec == 0,
        GOING_AWAY: codec == 0 and type < 64,
    }
    if not right[kind]:
        raise Refused("bad_field")
    least, most = (2, 2 + MAX_BLOCK) if flags & EXTENDED else (0, 0)
    if kind in (MESSAGE, REPLY, PUSH):
        fits = length > least
    elif kind == ERROR:
        fits = length >= least
    elif kind == DATA:
        fits = least < length <= most + MAX_DATA
    else:
        fits = least <= length <= most
    if not fits:
        raise Refused("bad_length")
    body, rest = data[16 : 16 + length], data[16 + length :]
    fields = {}
    if flags & EXTENDED:
        (size,) = struct.unpack_from("!H", body)
        block, body = body[2 : 2 + size], body[2 + size :]
        if size > MAX_BLOCK:
            raise Refused("bad_extension")
        left = length - 2 - size
        if kind == DATA:
            if not 1 <= left <= MAX_DATA:
                raise Refused("bad_length")
        elif left < (1 if kind in (MESSAGE, REPLY, PUSH) else 0):
            raise Refused("bad_extension")
        elif left > 0 and kind not in (MESSAGE, REPLY, PUSH, ERROR):
            raise Refused("bad_extension")
        fields = unpack_fields(block, kind, flags)
    if kind == ERROR and (codec != 0) != bool(body):
        raise Refused("bad_field")
    frame = dict(kind=kind, flags=flags, codec=codec, id=id, type=type, fields=fields, payload=body)
    return frame, rest


# BLAKE3, from its paper: enough for digests and chaining values.

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
GROUP = 1024 * 1024
MIX = [
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
]


def compress(value, block, counter, length, flags):
    mask = 0xFFFFFFFF
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    v = value + IV[:4] + [counter & mask, counter >> 32, length, flags]
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(MIX):
            v[a] = (v[a] + v[b] + m[2 * i]) & mask
            t = v[d] ^ v[a]
            v[d] = (t >> 16 | t << 16) & mask
            v[c] = (v[c] + v[d]) & mask
            t = v[b] ^ v[c]
            v[b] = (t >> 12 | t << 20) & mask
            v[a] = (v[a] + v[b] + m[2 * i + 1]) & mask
            t = v[d] ^ v[a]
            v[d] = (t >> 8 | t << 24) & mask
            v[c] = (v[c] + v[d]) & mask
            t = v[b] ^ v[c]
            v[b] = (t >> 7 | t << 25) & mask
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def parent(left, right, root=False):
    return compress(IV[:], struct.pack("<16I", *left, *right), 0, 64, PARENT | (ROOT if root else 0))


def subtree(data, chunk=0, root=False):
    """The chaining value of bytes that begin with this chunk; the digest if they are the whole."""
    if len(data) <= 1024:
        value = IV[:]
        blocks = [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            flags = CHUNK_START if i == 0 else 0
            if i == len(blocks) - 1:
                flags |= CHUNK_END | (ROOT if root else 0)
            value = compress(value, block, chunk, len(block), flags)
        return value
    left = 1024
    while left * 2 < len(data):
        left *= 2
    return parent(subtree(data[:left], chunk), subtree(data[left:], chunk + left // 1024), root)


def merge(values, root=True):
    """The digest of a whole, from the chaining values of its groups."""
    if len(values) == 1:
        return values[0]
    left = 1
    while left * 2 < len(values):
        left *= 2
    return parent(merge(values[:left], False), merge(values[left:], False), root)


def to_hex(value):
    return struct.pack("<8I", *value).hex()


def check(vectors):
    count = 0

    def same(what, ours, golden):
        nonlocal count
        count += 1
        if ours != golden:
            sys.exit(f"{what}:\n  ours   {ours}\n  golden {golden}")

    for row in vectors["types"]:
        same(f"type {row['name']!r}", type_hash(row["name"]), row["hash"])
    for row in vectors["prefaces"]:
        client = bytes.fromhex(row["client"])
        same("client preface", client_preface(row["lowest"], row["highest"]).hex(), row["client"])
        same("server preface", server_preface(client, [1], row["requests"]).hex(), row["server"])
    for row in vectors["frames"]:
        want = {k: row[k] for k in ("kind", "flags", "codec", "id", "type", "fields")}
        want["payload"] = bytes.fromhex(row["payload"])
        same(row["name"], encode(**want).hex(), row["bytes"])
        got, rest = decode(bytes.fromhex(row["bytes"]))
        if got["fields"]:
            want["flags"] |= EXTENDED
        same(row["name"], got, want)
        same(row["name"], rest, b"")
    for row in vectors["refused"]:
        try:
            frame, _ = decode(bytes.fromhex(row["bytes"]))
            sys.exit(f"{row['name']}: taken as {frame}")
        except Refused as code:
            same(row["name"], str(code), row["code"])
    for row in vectors["digests"]:
        data = bytes(i % 251 for i in range(row["size"]))
        groups = [data[i : i + GROUP] for i in range(0, len(data), GROUP)]
        values = [subtree(group, i * 1024) for i, group in enumerate(groups)]
        same(f"groups of {row['size']}", [to_hex(v) for v in values], row["groups"])
        whole = merge(values) if len(values) > 1 else subtree(data, root=True)
        same(f"digest of {row['size']}", to_hex(whole), row["digest"])
    for row in vectors["merges"]:
        values = [list(struct.unpack("<8I", bytes.fromhex(value))) for value in row["groups"]]
        same(f"digest of {len(values)} groups", to_hex(merge(values)), row["digest"])
    return count


if __name__ == "__main__":
    path = pathlib.Path(__file__).with_name("vectors.json")
    print(f"{check(json.loads(path.read_text(encoding='utf-8')))} checks of golden vectors hold")
