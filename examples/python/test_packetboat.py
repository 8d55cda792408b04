#!/usr/bin/env python3
"""Tests of packetboat.py: against scripted servers, and with an address against a movie server as well.

    movie server --listen 127.0.0.1:7878 --data FRESH --admin-registration open --wait 0s
    test_packetboat.py [127.0.0.1:7878 [path/of/movie]]

With the path of the program, too, it starts servers of its own, kills them, and starts them again.
"""

import contextlib
import doctest
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import packetboat
from packetboat import (
    ABORTED, ANSWER, ATTACHMENT, CANCEL, CREDIT, DATA, END, ERROR, EXTENDED, GOING_AWAY, HEADER, MAGIC, MESSAGE, PING,
    REPLY, RESUMABLE, Client,
)

HERE = pathlib.Path(__file__).resolve().parent
MOVIE = None
PROGRAM = None
CLIP = bytes(range(256)) * 12_000 + b"the end"
DIGEST = bytes(range(32))


WIRE = HERE.parent.parent / "framing/tests/native/wire.py"


class Blake3:
    """The hash as the module `blake3` has it, out of the slow one of the wire's own codec."""

    def __init__(self, data=b""):
        self.data = data

    def update(self, chunk):
        self.data += chunk

    def digest(self):
        spec = importlib.util.spec_from_file_location("wire", WIRE)
        wire = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(wire)
        return bytes.fromhex(wire.to_hex(wire.subtree(self.data, root=True)))


class Script:
    """A server that plays one connection as it is told to, with a codec of its own."""

    def __init__(self, play, tls=None, unix=None):
        if unix is not None:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix)
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        self.listener.settimeout(20)
        self.tls = tls
        self.fault = None
        self.thread = threading.Thread(target=self.run, args=(play,), daemon=True)
        self.thread.start()

    def run(self, play):
        try:
            self.sock, _ = self.listener.accept()
            if self.tls is not None:
                self.sock = self.tls.wrap_socket(self.sock, server_side=True)
            self.sock.settimeout(20)
            with self.sock:
                play(self)
        except BaseException as error:
            self.fault = error

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.thread.join(20)
        self.listener.close()
        if self.fault is not None and kind is None:
            raise self.fault

    def greet(self, requests=128):
        assert self.take(8) == MAGIC + bytes([1, 1, 0, 0])
        self.sock.sendall(MAGIC + struct.pack("!BBH", 1, 1, requests))

    def take(self, size):
        data = b""
        while len(data) < size:
            chunk = self.sock.recv(size - len(data))
            assert chunk, f"the client has closed, {size - len(data)} bytes are missing"
            data += chunk
        return data

    def frame(self):
        """Kind, flags, id, type field, extension fields by number, payload."""
        kind, flags, _, length, id, value = HEADER.unpack(self.take(16))
        body, fields = self.take(length), {}
        if flags & EXTENDED:
            (size,) = struct.unpack_from("!H", body)
            block, body = body[2:2 + size], body[2 + size:]
            while block:
                fields[block[0]], block = block[2:2 + block[1]], block[2 + block[1]:]
        return kind, flags, id, value, fields, body

    def expect(self, kind):
        frame = self.frame()
        assert frame[0] == kind, frame
        return frame

    def send(self, kind, id, value=0, flags=0, payload=b"", fields=None):
        block = b"".join(bytes([n, len(v)]) + v for n, v in sorted((fields or {}).items()))
        if block:
            flags |= EXTENDED
            payload = struct.pack("!H", len(block)) + block + payload
        codec = 1 if payload and kind in (REPLY, ERROR) else 0
        self.sock.sendall(HEADER.pack(kind, flags, codec, len(payload), id, value) + payload)

    def reply(self, id, value, flags=0, fields=None):
        self.send(REPLY, id, 0, flags, json.dumps(value).encode(), fields)

    def closed(self):
        """Goodbye, and nothing behind it."""
        self.expect(GOING_AWAY)
        assert self.sock.recv(1) == b""


def client(server, **options):
    return Client("127.0.0.1", server.port, timeout=10, **options)


def u64(number):
    return struct.pack("!Q", number)


class Native(unittest.TestCase):
    def test_an_upload_goes_on_at_the_offset_of_the_first_credit(self):
        def play(server):
            server.greet()
            _, flags, id, _, fields, body = server.expect(MESSAGE)
            assert flags == EXTENDED | ATTACHMENT | RESUMABLE, flags
            assert fields[2] == u64(10) and fields[5] == b"k" * 16
            assert json.loads(body) == {"type": "put", "file_size": 10}
            server.send(CREDIT, id, 2, fields={3: u64(7)})
            assert server.expect(DATA)[5] == b"78"
            server.send(CREDIT, id, 5)
            assert server.expect(DATA)[5] == b"9"
            server.expect(END)
            server.reply(id, {"ok": True})
            server.closed()

        seen = []
        with Script(play) as server, client(server) as peer:
            reply = peer.call("put", file=b"0123456789", idempotency_key=b"k" * 16, progress=lambda *at: seen.append(at))
            self.assertEqual(reply, {"ok": True})
        self.assertEqual(seen, [(9, 10), (10, 10)])

    def test_an_upload_that_the_server_has_whole_is_an_end_alone(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.send(CREDIT, id, 1, fields={3: u64(10)})
            assert server.expect(END)[1] & ABORTED == 0
            server.reply(id, {"ok": True})
            server.closed()

        with Script(play) as server, client(server) as peer:
            peer.call("put", file=b"0123456789")

    def test_an_upload_that_is_not_wanted_is_broken_off(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.send(ERROR, id, 71, payload=b'{"code":"unknown_type","msg":"no"}')
            server.send(CANCEL, id, 75)
            end = server.expect(END)
            assert end[1] == ABORTED and end[3] >= 64, end
            server.reply(server.expect(MESSAGE)[2], {"ok": 1})
            server.closed()

        with Script(play) as server, client(server) as peer:
            with self.assertRaises(packetboat.Rejected) as refused:
                peer.call("put", file=b"0123456789")
            self.assertEqual((refused.exception.code, refused.exception.begun), ("unknown_type", False))
            self.assertEqual(peer.call("next"), {"ok": 1})

    def download_in_parts(self, part, note, resumable, begins):
        """What the first credit says, of a client that has this part of ten bytes."""
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            flags = ATTACHMENT | (RESUMABLE if resumable else 0)
            server.reply(id, {"name": "x"}, flags, {2: u64(10), 4: DIGEST})
            credit = server.expect(CREDIT)
            assert credit[4] == ({3: u64(begins)} if begins else {}), credit
            if begins < 10:
                assert credit[3] == 10 - begins, credit
                server.send(DATA, id, payload=b"0123456789"[begins:])
            server.send(END, id)
            server.closed()

        with tempfile.TemporaryDirectory() as folder, Script(play) as server, client(server) as peer:
            path = os.path.join(folder, "movie")
            pathlib.Path(path + ".part").write_bytes(part)
            pathlib.Path(path + ".part.json").write_text(json.dumps(note))
            blake3, packetboat._blake3 = packetboat._blake3, None
            try:
                download = peer.download("get")
                self.assertEqual(download.save(path), {"name": "x"})
            finally:
                packetboat._blake3 = blake3
            # Nothing was there to verify it with, and that is said.
            self.assertIsNone(download.verified)
            self.assertEqual(pathlib.Path(path).read_bytes(), b"0123456789")
            self.assertEqual(os.listdir(folder), ["movie"])

    def test_a_download_goes_on_where_its_part_ends(self):
        same = {"size": 10, "digest": DIGEST.hex()}
        self.download_in_parts(b"0123", same, True, 4)
        self.download_in_parts(b"0123456789", same, True, 10)

    def test_a_download_begins_anew_where_the_part_may_be_of_another(self):
        same = {"size": 10, "digest": DIGEST.hex()}
        self.download_in_parts(b"XXXX", {"size": 10, "digest": "00" * 32}, True, 0)
        self.download_in_parts(b"XXXX", {"size": 10, "digest": None}, True, 0)
        self.download_in_parts(b"XXXX", same, False, 0)
        self.download_in_parts(b"X" * 11, same, True, 0)

    def test_a_wrong_digest_leaves_nothing(self):
        class Zeros(Blake3):
            def digest(self):
                return b"\0" * 32

        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.reply(id, {}, ATTACHMENT, {2: u64(3), 4: DIGEST})
            server.expect(CREDIT)
            server.send(DATA, id, payload=b"abc")
            server.send(END, id)
            server.closed()

        blake3, packetboat._blake3 = packetboat._blake3, Zeros
        try:
            with tempfile.TemporaryDirectory() as folder, Script(play) as server, client(server) as peer:
                with self.assertRaises(packetboat.DigestMismatch):
                    peer.download("get").save(os.path.join(folder, "movie"))
                self.assertEqual(os.listdir(folder), [])
        finally:
            packetboat._blake3 = blake3

    def test_credit_is_given_as_a_file_is_read(self):
        size = 5 << 20

        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.reply(id, {}, ATTACHMENT, {2: u64(size)})
            sent = credit = 0
            while sent < size:
                while not credit:
                    credit = server.expect(CREDIT)[3]
                    assert credit <= packetboat.WINDOW, credit
                piece = min(credit, 64 << 10)
                server.send(DATA, id, payload=b"x" * piece)
                sent, credit = sent + piece, credit - piece
            server.send(END, id)
            while server.frame()[0] == CREDIT:
                pass

        with Script(play) as server, client(server) as peer:
            self.assertEqual(len(peer.download("get").read()), size)

    def test_replies_come_in_any_order(self):
        def play(server):
            server.greet()
            asked = [server.expect(MESSAGE) for _ in range(8)]
            for _, _, id, _, _, body in reversed(asked):
                server.reply(id, {"n": json.loads(body)["n"]})
            server.closed()

        with Script(play) as server, client(server) as peer:
            got = {}
            threads = [
                threading.Thread(target=lambda n=n: got.update({n: peer.call("x", n=n)["n"]})) for n in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            self.assertEqual(got, {n: n for n in range(8)})

    def test_no_more_are_in_flight_than_the_server_allows(self):
        def play(server):
            server.greet(requests=1)
            first = server.expect(MESSAGE)[2]
            server.sock.settimeout(0.2)
            with contextlib.suppress(socket.timeout):
                raise AssertionError(server.frame())
            server.sock.settimeout(20)
            server.reply(first, {})
            server.reply(server.expect(MESSAGE)[2], {})
            server.closed()

        with Script(play) as server, client(server) as peer:
            threads = [threading.Thread(target=peer.call, args=("x",)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)

    def test_pings_are_answered_and_pushes_passed_over(self):
        def play(server):
            server.greet()
            server.send(PING, 0, 4711)
            pong = server.expect(PING)
            assert pong[1] == ANSWER and pong[3] == 4711, pong
            server.sock.sendall(HEADER.pack(packetboat.PUSH, 0, 1, 2, 0, 0) + b"{}")
            server.reply(server.expect(MESSAGE)[2], {})
            server.closed()

        with Script(play) as server, client(server) as peer:
            peer.call("x")

    def test_what_is_too_late_is_cancelled_and_the_connection_goes_on(self):
        def play(server):
            server.greet()
            _, _, id, _, fields, _ = server.expect(MESSAGE)
            assert 0 < struct.unpack("!I", fields[1])[0] <= 100, fields
            cancel = server.expect(CANCEL)
            assert cancel[2:4] == (id, 66), cancel
            server.send(ERROR, id, 65)
            server.reply(server.expect(MESSAGE)[2], {"ok": 1})
            server.closed()

        with Script(play) as server, client(server) as peer:
            with self.assertRaises(packetboat.Timeout):
                peer.call("slow", timeout=0.1)
            self.assertEqual(peer.call("next"), {"ok": 1})

    def test_a_file_that_is_closed_is_cancelled(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.reply(id, {}, ATTACHMENT, {2: u64(1 << 30)})
            server.expect(CREDIT)
            server.send(DATA, id, payload=b"abc")
            assert server.expect(CANCEL)[2] == id
            server.send(END, id, 65, ABORTED)
            server.reply(server.expect(MESSAGE)[2], {"ok": 1})
            server.closed()

        with Script(play) as server, client(server) as peer:
            with peer.download("get") as download:
                self.assertEqual(download.read(3), b"abc")
            self.assertEqual(peer.call("next"), {"ok": 1})

    def test_a_file_that_is_broken_off_is_an_error(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.reply(id, {}, ATTACHMENT, {2: u64(10)})
            server.expect(CREDIT)
            server.send(DATA, id, payload=b"abc")
            server.send(END, id, 74, ABORTED)
            server.closed()

        with Script(play) as server, client(server) as peer:
            with self.assertRaises(packetboat.Lost) as lost:
                peer.download("get").read()
            self.assertIn("source_failed", str(lost.exception))

    def test_a_server_that_goes_away_finishes_what_is_in_flight(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.sock.sendall(HEADER.pack(GOING_AWAY, 0, 0, 0, id, 0))
            server.reply(id, {"ok": 1})

        with Script(play) as server, client(server) as peer:
            self.assertEqual(peer.call("x"), {"ok": 1})
            with self.assertRaises(packetboat.Lost) as lost:
                peer.call("x")
            self.assertFalse(lost.exception.begun)

    def test_a_server_that_breaks_a_rule_is_told(self):
        def breach(code, *frames):
            def play(server):
                server.greet()
                server.expect(MESSAGE)
                for frame in frames:
                    server.sock.sendall(frame)
                goodbye = server.expect(GOING_AWAY)
                assert goodbye[3] == packetboat.NUMBERS[code], (code, goodbye)

            with Script(play) as server, client(server) as peer:
                with self.assertRaises(packetboat.ProtocolError) as broken:
                    peer.call("x")
                self.assertEqual(broken.exception.code, code)

        breach("unknown_kind", HEADER.pack(99, 0, 0, 0, 0, 0))
        breach("bad_flags", HEADER.pack(PING, 64, 0, 0, 0, 0))
        breach("bad_id", HEADER.pack(REPLY, 0, 1, 2, 9, 0) + b"{}")
        breach("bad_id", HEADER.pack(REPLY, 0, 1, 2, 0, 0) + b"{}")
        breach("bad_field", HEADER.pack(REPLY, 0, 0, 2, 1, 0) + b"{}")
        breach("bad_field", HEADER.pack(ERROR, 0, 0, 0, 1, 9))
        breach("bad_length", HEADER.pack(REPLY, 0, 1, 0xFFFFFFFF, 1, 0))
        breach("bad_length", HEADER.pack(PING, 0, 0, 1, 0, 0) + b"!")
        breach("bad_extension", HEADER.pack(REPLY, 1, 1, 6, 1, 0) + b"\0\2\x09\0{}")
        breach("unexpected_frame", HEADER.pack(DATA, 0, 0, 1, 1, 0) + b"x")
        breach("unexpected_frame", HEADER.pack(MESSAGE, 0, 1, 2, 1, 0) + b"{}")
        breach("unexpected_frame", HEADER.pack(END, 0, 0, 0, 1, 0))

    def test_more_data_than_credit_is_a_breach(self):
        def play(server):
            server.greet()
            id = server.expect(MESSAGE)[2]
            server.reply(id, {}, ATTACHMENT, {2: u64(5)})
            assert server.expect(CREDIT)[3] == 5
            server.send(DATA, id, payload=b"123456")
            assert server.expect(GOING_AWAY)[3] == packetboat.NUMBERS["credit_exceeded"]

        with Script(play) as server, client(server) as peer:
            with self.assertRaises(packetboat.ProtocolError):
                peer.download("get").read()

    def test_credit_that_is_too_much_or_has_no_good_offset_is_a_breach(self):
        for code, credits in [
            ("unexpected_frame", [(1, {}), (1, {3: u64(3)})]),
            ("unexpected_frame", [(1, {3: u64(11)})]),
            ("credit_overflow", [((16 << 20) + 2, {})]),
        ]:
            def play(server):
                server.greet()
                id = server.expect(MESSAGE)[2]
                for credit, fields in credits:
                    server.send(CREDIT, id, credit, fields=fields)
                while (frame := server.frame())[0] == DATA:
                    pass
                assert (frame[0], frame[3]) == (GOING_AWAY, packetboat.NUMBERS[code]), frame

            with Script(play) as server, client(server) as peer:
                with self.assertRaises(packetboat.ProtocolError) as broken:
                    peer.call("put", file=b"0123456789")
                self.assertEqual(broken.exception.code, code)

    def test_a_connection_that_breaks_is_lost(self):
        def play(server):
            server.greet()
            server.expect(MESSAGE)

        with Script(play) as server, client(server) as peer:
            with self.assertRaises(packetboat.Lost) as lost:
                peer.call("x")
            self.assertTrue(lost.exception.begun)


class Over(unittest.TestCase):
    """What the wires run over."""

    def test_a_unix_socket(self):
        def play(server):
            server.greet()
            server.reply(server.expect(MESSAGE)[2], {"ok": 1})
            server.closed()

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            with Script(play, unix=path), Client(unix=path, timeout=10) as peer:
                self.assertEqual(peer.call("x"), {"ok": 1})

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl to make a certificate with")
    def test_tls_with_a_file_each_way_at_a_time(self):
        size = 4 << 20

        def play(server):
            assert server.sock.selected_alpn_protocol() == "packetboat/1"
            server.greet()
            down = server.expect(MESSAGE)[2]
            server.reply(down, {}, ATTACHMENT, {2: u64(size)})
            sent = credit = came = up = 0
            while sent < size or came < size:
                # Bytes of the one go out while those of the other come in.
                while credit and sent < size:
                    piece = min(credit, 64 << 10)
                    server.send(DATA, down, payload=b"d" * piece)
                    sent, credit = sent + piece, credit - piece
                kind, _, id, value, _, body = server.frame()
                if kind == MESSAGE:
                    up = id
                    server.send(CREDIT, up, 1 << 20)
                elif kind == CREDIT:
                    credit += value
                elif kind == DATA:
                    came += len(body)
                    server.send(CREDIT, up, len(body))
            server.send(END, down)
            while server.frame()[0] != END:
                pass
            server.reply(up, {"came": came})
            server.expect(GOING_AWAY)

        with tempfile.TemporaryDirectory() as folder:
            cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
            make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
            make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
            subprocess.run(make, check=True, capture_output=True)
            theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            theirs.load_cert_chain(cert, key)
            theirs.set_alpn_protocols(["packetboat/1"])
            ours = ssl.create_default_context(cafile=cert)
            with Script(play, tls=theirs) as server, client(server, tls=ours) as peer:
                download = peer.download("get")
                got = []
                reading = threading.Thread(target=lambda: got.append(len(download.read())))
                reading.start()
                self.assertEqual(peer.call("put", file=b"u" * size), {"came": size})
                reading.join(20)
                self.assertEqual(got, [size])


class Classic(unittest.TestCase):
    @staticmethod
    def message(server):
        (length,) = struct.unpack("<i", server.take(4))
        return json.loads(server.take(length))

    @staticmethod
    def answer(server, value):
        message = json.dumps(value).encode()
        server.sock.sendall(struct.pack("<i", len(message)) + message)

    def test_files_both_ways_and_a_session_that_is_sent_along(self):
        def play(server):
            assert self.message(server) == {"type": "login", "name": "ann"}
            self.answer(server, {"flag": True, "session": "s"})
            assert self.message(server) == {"type": "put", "session": "s", "file_size": 4}
            assert server.take(4) == b"abcd"
            self.answer(server, {"flag": True})
            self.message(server)
            self.answer(server, {"flag": True, "file_size": 6})
            server.sock.sendall(b"efghij")
            self.message(server)
            self.answer(server, {"flag": False, "code": "gone", "msg": "it is gone"})

        with Script(play) as server, client(server, wire="classic") as peer:
            peer.call("login", name="ann")
            peer.call("put", file=io.BytesIO(b"abcd"))
            download = peer.download("get")
            self.assertEqual(download.read(2), b"ef")
            with self.assertRaisesRegex(packetboat.Error, "read or closed first"):
                peer.call("x")
            self.assertEqual(download.read(), b"ghij")
            with self.assertRaises(packetboat.Rejected) as refused:
                peer.call("x")
            self.assertEqual((refused.exception.code, refused.exception.msg), ("gone", "it is gone"))

    def test_what_is_too_late_ends_the_connection(self):
        with Script(lambda server: (self.message(server), server.sock.recv(1))) as server:
            with client(server, wire="classic") as peer:
                with self.assertRaises(packetboat.Timeout):
                    peer.call("x", timeout=0.1)
                with self.assertRaises(packetboat.Lost):
                    peer.call("x")

    def test_a_length_that_is_none_is_refused(self):
        def play(server):
            self.message(server)
            server.sock.sendall(b"\xff\xff\xff\x7f")
            server.sock.recv(1)

        with Script(play) as server, client(server, wire="classic") as peer:
            with self.assertRaises(packetboat.ProtocolError):
                peer.call("x")


class Schema(unittest.TestCase):
    DOCUMENT = {
        "messages": {
            "register": {
                "message": {
                    "type": "object",
                    "required": ["name", "user_type", "file_size"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 5},
                        "user_type": {"$ref": "#/$defs/UserType"},
                        "file_size": {"type": "integer", "minimum": 0},
                        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                    },
                    "$defs": {"UserType": {"enum": ["admin", "user"]}},
                },
                "reply": {},
            }
        }
    }

    def test_a_message_is_checked_before_it_is_sent(self):
        right = {"name": "ann", "user_type": "user", "file_size": 1}
        check = lambda **fields: packetboat._check_message(self.DOCUMENT, "register", {**right, **fields})
        check()
        check(limit=None)
        check(limit=3)
        for fields, said in [
            ({"name": 7}, "`name` is 7, not string"),
            ({"name": "longer"}, "`name` has 6 characters"),
            ({"user_type": "boss"}, "`user_type` is 'boss', not one of 'admin', 'user'"),
            ({"file_size": -1}, "`file_size` is -1, less than 0"),
            ({"file_size": True}, "not integer"),
            ({"limit": "x"}, "`limit` is 'x', not integer"),
            ({"user_typ": "user"}, "there is no `user_typ`; did you mean 'user_type'?"),
        ]:
            with self.assertRaises(packetboat.SchemaError) as fault:
                check(**fields)
            self.assertIn(said, str(fault.exception))
        for name in right:
            with self.assertRaisesRegex(packetboat.SchemaError, f"`{name}` is missing"):
                packetboat._check_message(self.DOCUMENT, "register", {k: v for k, v in right.items() if k != name})
        with self.assertRaisesRegex(packetboat.SchemaError, "did you mean 'register'"):
            packetboat._check_message(self.DOCUMENT, "regster", {})

    def test_nothing_is_sent_that_does_not_fit_and_the_file_states_its_size(self):
        def play(server):
            server.greet()
            _, _, id, _, _, body = server.expect(MESSAGE)
            assert json.loads(body)["file_size"] == 0
            server.expect(END)
            server.reply(id, {"ok": 1})
            server.closed()

        with Script(play) as server:
            with Client.from_schema(self.DOCUMENT, "127.0.0.1", server.port, timeout=10) as peer:
                with self.assertRaises(packetboat.SchemaError):
                    peer.call("register", name="ann")
                peer.call("register", name="ann", user_type="user", file=b"")


class Movie:
    """A whole story against a movie server, on one wire."""

    wire = ""

    def peer(self, **options):
        host, port = MOVIE.rsplit(":", 1)
        return Client(host, int(port), wire=self.wire, timeout=30, **options)

    def member(self, kind):
        who = {"name": f"{kind}-{self.wire}", "password": hashlib.md5(b"pw").hexdigest(), "user_type": kind}
        peer = self.peer()
        try:
            peer.call("register", **who)
        except packetboat.Rejected:
            pass
        peer.call("login", **who)
        return peer

    def clip(self, salt):
        return salt.encode() + CLIP

    def upload(self, admin, name, clip, **options):
        md5 = hashlib.md5(clip).hexdigest()
        return admin.call("upload_movie", file_name=name, file_md5=md5, is_free=1, file=clip, **options)

    def movie(self, user, name):
        rows = user.call("get_movie_list", movie_type="all")["movie_list"]
        return next(row[2] for row in rows if row[0] == name)

    def test_a_movie_comes_back_as_it_went(self):
        seen, name, clip = [], f"clip-{self.wire}.mp4", self.clip(self.wire)
        with self.member("admin") as admin, self.member("user") as user, tempfile.TemporaryDirectory() as folder:
            self.upload(admin, name, clip, progress=lambda *at: seen.append(at))
            self.assertEqual(seen[-1], (len(clip), len(clip)))
            self.assertEqual(sorted(seen), seen)
            path = os.path.join(folder, "movie")
            download = user.download("download_movie", movie_id=self.movie(user, name))
            self.assertEqual(download.save(path)["file_name"], name)
            self.assertEqual(pathlib.Path(path).read_bytes(), clip)
            self.assertEqual(os.listdir(folder), ["movie"])
            self.assertIsNot(download.verified, False)
            with user.download("download_movie", movie_id=self.movie(user, name)) as again:
                self.assertEqual(again.read(100), clip[:100])
            self.assertIn("movie_list", user.call("get_movie_list", movie_type="all"))
            # Known already, so it is refused, and the connection lives.
            with self.assertRaises(packetboat.Rejected):
                self.upload(admin, name, clip)
            with self.assertRaises(packetboat.Rejected):
                admin.call("check_movie", file_md5=hashlib.md5(clip).hexdigest())

    @unittest.skipUnless(WIRE.exists(), "it lies beside no codec with a BLAKE3")
    def test_a_digest_is_stated_and_verified(self):
        clip, name = self.clip("digest" + self.wire)[:3000], f"digest-{self.wire}.mp4"
        blake3, packetboat._blake3 = packetboat._blake3, Blake3
        try:
            with self.member("admin") as admin, self.member("user") as user, tempfile.TemporaryDirectory() as folder:
                self.upload(admin, name, clip)
                download = user.download("download_movie", movie_id=self.movie(user, name))
                download.save(os.path.join(folder, "movie"))
                self.assertIs(download.verified, True)
                if self.wire == "native":
                    with self.assertRaises(packetboat.Rejected) as refused:
                        packetboat._blake3 = lambda: Blake3(b"of something else")
                        self.upload(admin, "other.mp4", clip + b"!")
                    self.assertEqual(refused.exception.code, "digest_mismatch")
        finally:
            packetboat._blake3 = blake3

    def test_what_is_refused_has_its_code(self):
        with self.peer() as peer:
            for code, type, fields in [
                ("not_logged_in", "get_movie_list", {"movie_type": "all"}),
                ("unknown_type", "no such type", {}),
                ("bad_message", "login", {"name": "ann"}),
            ]:
                with self.assertRaises(packetboat.Rejected) as refused:
                    peer.call(type, fields)
                self.assertEqual(refused.exception.code, code)
        self.member("user").close()
        with self.peer() as peer:
            with self.assertRaises(packetboat.Rejected) as refused:
                peer.call("login", name=f"user-{self.wire}", password="wrong", user_type="user")
            self.assertEqual(refused.exception.code, "wrong_password")
            self.assertIsNone(peer.session)

    def test_eight_threads_have_one_connection(self):
        with self.member("admin") as admin, self.member("user") as user:
            name, clip = f"threads-{self.wire}.mp4", self.clip("threads" + self.wire)
            self.upload(admin, name, clip)
            movie, faults, done = self.movie(user, name), [], []

            def work(number):
                try:
                    for turn in range(4):
                        if (number + turn) % 3:
                            rows = user.call("get_movie_list", movie_type="all")["movie_list"]
                            assert any(row[2] == movie for row in rows), rows
                        else:
                            assert user.download("download_movie", movie_id=movie).read() == clip
                    done.append(number)
                except BaseException as error:
                    faults.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual((faults, sorted(done)), ([], list(range(8))))

    def test_the_command_line(self):
        who = [f"name=cli-{self.wire}", "password=pw", "user_type=admin"]
        with tempfile.TemporaryDirectory() as folder:
            path, clip = os.path.join(folder, "clip"), self.clip("cli" + self.wire)
            pathlib.Path(path).write_bytes(clip)
            md5 = hashlib.md5(clip).hexdigest()
            run = [sys.executable, str(HERE / "packetboat.py"), MOVIE, "--wire", self.wire]
            upload = ["upload_movie", "file_name=cli.mp4", f"file_md5={md5}", "is_free:=1", "--file", path]
            words = ["register", *who, "+", "login", *who, "+", *upload]
            output = subprocess.run([*run, *words], capture_output=True, encoding="utf-8", timeout=60)
            self.assertEqual(output.returncode, 0, output)
            self.assertEqual(len([json.loads(line) for line in output.stdout.splitlines()]), 3)
            refused = subprocess.run([*run, "login", *who[:2], "user_type=user"], capture_output=True, encoding="utf-8")
            self.assertEqual(refused.returncode, 1, refused)
            self.assertIn("code", json.loads(refused.stdout))
            wrong = subprocess.run([*run, "login", "name"], capture_output=True, encoding="utf-8", timeout=60)
            self.assertEqual(wrong.returncode, 2, wrong)


class MovieOnNative(Movie, unittest.TestCase):
    wire = "native"


class MovieOnClassic(Movie, unittest.TestCase):
    wire = "classic"


class Proxy:
    """Passes connections on to a server: counts what goes up, and cuts a connection after so many bytes either way."""

    def __init__(self, addr, up=None, down=None):
        self.addr, self.limits, self.passed = addr, {"up": up, "down": down}, {"up": 0, "down": 0}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.addr)
                for way, one, two in [("up", near, far), ("down", far, near)]:
                    threading.Thread(target=self.pump, args=(way, one, two), daemon=True).start()

    def pump(self, way, one, two):
        with contextlib.suppress(OSError):
            while chunk := one.recv(64 << 10):
                limit = self.limits[way]
                if limit is not None and self.passed[way] + len(chunk) > limit:
                    break
                self.passed[way] += len(chunk)
                two.sendall(chunk)
        for end in (one, two):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class House:
    """A movie server that is killed and started again on the same data."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self):
        options = ["--listen", "127.0.0.1:0", "--admin-registration", "open", "--wait", "0s"]
        with open(os.path.join(self.folder.name, "log"), "ab") as log:
            data = os.path.join(self.folder.name, "data")
            command = [PROGRAM, "server", *options, "--data", data]
            self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, encoding="utf-8")
        word, addr = self.server.stdout.readline().split()
        assert word == "READY", word
        host, port = addr.rsplit(":", 1)
        self.addr = (host, int(port))

    def kill(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def member(self, kind, port=None):
        who = {"name": kind, "password": "pw", "user_type": kind}
        peer = Client("127.0.0.1", port or self.addr[1], timeout=20)
        with contextlib.suppress(packetboat.Rejected):
            peer.call("register", **who)
        peer.call("login", **who)
        return peer

    def parts(self):
        return os.listdir(os.path.join(self.folder.name, "data/parts"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()


class Known:
    """The hash as the module `blake3` has it, of the one file whose digest a server has told."""

    sha256, told = None, None

    def __init__(self, data=b""):
        self.hasher = hashlib.sha256(data)

    def update(self, chunk):
        self.hasher.update(chunk)

    def digest(self):
        return Known.told if self.hasher.digest() == Known.sha256 else b"another".ljust(32)


class Resumed(unittest.TestCase):
    """Files that are cut on their way to and from a movie server, and go on."""

    MIB = 1 << 20
    SIZE = 40 * MIB + 11
    # What a server that is killed may lose, for it is not synced, and what is on its way.
    LOST = 21 * MIB

    @classmethod
    def setUpClass(cls):
        seed = hashlib.shake_256(b"a film").digest(cls.MIB + 1)
        cls.film = (seed * (cls.SIZE // len(seed) + 1))[:cls.SIZE]
        cls.about = {"file_name": "film", "file_md5": hashlib.md5(cls.film[:9]).hexdigest(), "is_free": 1}
        cls.blake3, packetboat._blake3 = packetboat._blake3, None
        # Of this file a server says what its digest is, so that no slow hash is needed here.
        with House() as house, house.member("admin") as admin, house.member("user") as user:
            admin.call("upload_movie", cls.about, file=cls.film)
            with user.download("download_movie", movie_id=1) as download:
                Known.told, Known.sha256 = download.digest, hashlib.sha256(cls.film).digest()
        packetboat._blake3 = Known

    @classmethod
    def tearDownClass(cls):
        packetboat._blake3 = cls.blake3

    def upload(self, peer, **options):
        """Sends the film, once the server has noticed how the last try ended."""
        for _ in range(100):
            try:
                return peer.call("upload_movie", self.about, file=self.film, **options)
            except packetboat.Rejected as refused:
                if refused.code != "part_in_use":
                    raise
                time.sleep(0.05)
        raise AssertionError("the part stays in use")

    def comes_back(self, house, folder):
        """What the server has is the film, and nothing but the film."""
        path = os.path.join(folder, "back")
        with house.member("user") as user:
            rows = user.call("get_movie_list", movie_type="all")["movie_list"]
            self.assertEqual([row[0] for row in rows], ["film"])
            download = user.download("download_movie", movie_id=rows[0][2])
            download.save(path)
        self.assertEqual((download.digest, download.verified), (Known.told, True))
        self.assertEqual(hashlib.sha256(pathlib.Path(path).read_bytes()).digest(), Known.sha256)
        self.assertEqual(house.parts(), [])

    def test_an_upload_whose_connection_is_cut_goes_on(self):
        key = b"k" * 16
        with House() as house, tempfile.TemporaryDirectory() as folder:
            for cut in (7 * self.MIB, 23 * self.MIB):
                with Proxy(house.addr, up=cut) as proxy, house.member("admin", proxy.port) as admin:
                    with self.assertRaises(packetboat.Lost) as lost:
                        self.upload(admin, idempotency_key=key)
                    self.assertTrue(lost.exception.begun)
            with Proxy(house.addr) as proxy, house.member("admin", proxy.port) as admin:
                self.upload(admin, idempotency_key=key)
                # 30 MiB came before, less what was no whole group each time.
                self.assertLess(proxy.passed["up"], self.SIZE - 24 * self.MIB)
                # The answer once more, for its key, and for next to nothing.
                before = proxy.passed["up"]
                self.upload(admin, idempotency_key=key)
                self.assertLess(proxy.passed["up"] - before, 4 * self.MIB)
                with self.assertRaises(packetboat.Rejected) as refused:
                    self.upload(admin)
                self.assertEqual(refused.exception.code, "movie_exists")
            self.comes_back(house, folder)

    def test_an_upload_outlives_the_kill_of_its_server(self):
        with House() as house, tempfile.TemporaryDirectory() as folder:
            def kill(done, total):
                if done > 32 * self.MIB:
                    house.server.kill()

            with house.member("admin") as admin, self.assertRaises(packetboat.Lost):
                self.upload(admin, progress=kill)
            house.kill()
            house.start()
            self.assertTrue(house.parts())
            with Proxy(house.addr) as proxy, house.member("admin", proxy.port) as admin:
                self.upload(admin)
                self.assertLess(proxy.passed["up"], self.SIZE - 32 * self.MIB + self.LOST)
            self.comes_back(house, folder)

    def test_a_download_goes_on_after_a_cut_and_after_a_kill(self):
        with House() as house, tempfile.TemporaryDirectory() as folder:
            with house.member("admin") as admin:
                self.upload(admin)
            path = os.path.join(folder, "film")
            with Proxy(house.addr, down=9 * self.MIB) as proxy, house.member("user", proxy.port) as user:
                with self.assertRaises(packetboat.Lost):
                    user.download("download_movie", movie_id=1).save(path)
            had = os.path.getsize(path + ".part")
            self.assertGreater(had, 6 * self.MIB)

            def kill(done, total):
                if done > 25 * self.MIB:
                    house.server.kill()

            with house.member("user") as user, self.assertRaises(packetboat.Lost):
                user.download("download_movie", movie_id=1).save(path, kill)
            house.kill()
            house.start()
            self.assertGreaterEqual(os.path.getsize(path + ".part"), 25 * self.MIB)
            with Proxy(house.addr) as proxy, house.member("user", proxy.port) as user:
                download = user.download("download_movie", movie_id=1)
                download.save(path)
                self.assertIs(download.verified, True)
                self.assertLess(proxy.passed["down"], self.SIZE - 24 * self.MIB)
            self.assertEqual(hashlib.sha256(pathlib.Path(path).read_bytes()).digest(), Known.sha256)
            self.assertEqual(os.listdir(folder), ["film"])

    def test_a_part_that_was_damaged_is_found_out(self):
        with House() as house, tempfile.TemporaryDirectory() as folder:
            with house.member("admin") as admin:
                self.upload(admin)
            path = os.path.join(folder, "film")
            with Proxy(house.addr, down=9 * self.MIB) as proxy, house.member("user", proxy.port) as user:
                with self.assertRaises(packetboat.Lost):
                    user.download("download_movie", movie_id=1).save(path)
            with open(path + ".part", "r+b") as part:
                part.seek(self.MIB)
                part.write(bytes([self.film[self.MIB] ^ 1]))
            with house.member("user") as user:
                with self.assertRaises(packetboat.DigestMismatch):
                    user.download("download_movie", movie_id=1).save(path)
                self.assertEqual(os.listdir(folder), [])
                user.download("download_movie", movie_id=1).save(path)
            self.assertEqual(hashlib.sha256(pathlib.Path(path).read_bytes()).digest(), Known.sha256)


class MovieSchema(unittest.TestCase):
    """What `movie schema` prints, in use against a movie server."""

    def setUp(self):
        printed = subprocess.run([PROGRAM, "schema"], capture_output=True, check=True, encoding="utf-8", timeout=60)
        self.schema = json.loads(printed.stdout)
        self.proxy = Proxy((MOVIE.rsplit(":", 1)[0], int(MOVIE.rsplit(":", 1)[1])))
        self.peer = Client.from_schema(self.schema, "127.0.0.1", self.proxy.port, timeout=20)

    def tearDown(self):
        self.peer.close()
        self.proxy.listener.close()

    def member(self, kind):
        who = {"name": f"schema-{kind}", "password": "pw", "user_type": kind}
        with contextlib.suppress(packetboat.Rejected):
            self.peer.call("register", who)
        self.peer.call("login", who)

    def test_what_fits_is_sent_under_every_name_that_a_message_has(self):
        clip = b"a clip that goes by the schema"
        about = {"file_md5": hashlib.md5(clip).hexdigest(), "is_free": 1}
        self.member("admin")
        self.peer.call("upload_movie", about, file_name="schema one", file=clip)
        # Other spellings, which clients in the field use.
        self.peer.call("upload", about, movie_name="schema two", file=clip + b"!")
        self.peer.call("put_notice", title="A title", content="and more")
        self.member("user")
        rows = self.peer.call("get_movie_list", movie_type="all", limit=100)["movie_list"]
        movie = next(id for name, _, id in rows if name == "schema two")
        self.assertEqual(self.peer.download("download_movie", movie_id=movie).read(), clip + b"!")
        self.peer.call("buy_member")

    def test_what_does_not_fit_is_named_and_nothing_is_sent(self):
        who = {"password": "pw", "user_type": "user"}
        movie = {"file_name": "x", "file_md5": "0" * 32, "is_free": 1}
        # What has been sent so far has arrived.
        with contextlib.suppress(packetboat.Rejected):
            self.peer.call("login", who, name="nobody")
        before = self.proxy.passed["up"]
        for type, fields, file, said in [
            ("login", who, None, "`name` or `username` is missing"),
            ("login", {**who, "nam": "ann"}, None, "there is no `nam`; did you mean 'name'?"),
            ("login", {**who, "name": "ann", "kep": True}, None, "there is no `kep`; did you mean 'keep'?"),
            ("login", {**who, "name": 7}, None, "`name` is 7, not string or null"),
            ("register", {**who, "name": "ann", "user_type": "boss"}, None, "'boss', not one of 'admin', 'user'"),
            ("upload_movie", {**movie, "is_free": 2}, b"x", "`is_free` is 2"),
            ("upload_movie", {**movie, "file_size": -1}, b"x", "`file_size` is -1, less than 0"),
            ("upload_movie", {"file_name": "x", "is_free": 1}, b"x", "`file_md5` is missing"),
            ("get_movie_list", {"movie_type": "all", "limit": "9"}, None, "`limit` is '9', not integer"),
            ("get_movie_list", {}, None, "`movie_type` is missing"),
            ("download_movie", {"movie_id": "1"}, None, "`movie_id` is '1', not integer"),
            ("delete_movie", {}, None, "`delete_movie_id` or `movie_id` is missing"),
            ("buy_vip", {"price": 0}, None, "there is no `price`"),
            ("get_movies", {}, None, "did you mean 'get_movie_list'?"),
            ("put_notic", {}, None, "did you mean 'put_notice'?"),
        ]:
            with self.subTest(type, **fields), self.assertRaises(packetboat.SchemaError) as fault:
                self.peer.call(type, fields, file=file)
            self.assertIn(said, str(fault.exception))
        self.assertEqual(self.proxy.passed["up"], before)
        # Without a schema the server says so, in its own words.
        with self.assertRaises(packetboat.Rejected):
            with Client("127.0.0.1", self.proxy.port) as peer:
                peer.call("login", who)
        self.assertGreater(self.proxy.passed["up"], before)

    def test_the_command_line_takes_the_schema_as_it_was_printed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "schema.json")
            pathlib.Path(path).write_text(json.dumps(self.schema), encoding="utf-8")
            run = [sys.executable, str(HERE / "packetboat.py"), MOVIE, "--schema", path]
            wrong = subprocess.run([*run, "login", "nam=ann", "password=x"], capture_output=True, encoding="utf-8", timeout=60)
            self.assertEqual(wrong.returncode, 2, wrong)
            self.assertIn("there is no `nam`; did you mean 'name'?", wrong.stderr)


class Readme(unittest.TestCase):
    def test_its_examples_hold(self):
        host, port = MOVIE.rsplit(":", 1)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "clip.mp4")
            path.write_bytes(b"a clip of few bytes")
            names = {"HOST": host, "PORT": int(port), "CLIP": str(path), "FOLDER": folder}
            result = doctest.testfile(str(HERE / "README.md"), module_relative=False, globs=names)
        self.assertGreater(result.attempted, 8)
        self.assertEqual(result.failed, 0)


def load_tests(loader, _, __):
    suite = unittest.TestSuite()
    cases = [Native, Over, Classic, Schema]
    if MOVIE is not None:
        cases += [MovieOnNative, MovieOnClassic, Readme]
    if PROGRAM is not None:
        cases += [MovieSchema, Resumed]
    for case in cases:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    if len(sys.argv) > 1:
        MOVIE = sys.argv.pop(1)
    if len(sys.argv) > 1:
        PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
