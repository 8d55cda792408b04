#!/usr/bin/env python3
"""A client for Packetboat servers in one file, on both wires. Standard library only, Python 3.9 and later.

    with Client("127.0.0.1", 7878) as client:
        client.call("login", name="ann", password="secret", user_type="user")
        movies = client.call("get_movie_list", movie_type="all")["movie_list"]
        client.download("download_movie", movie_id=movies[0][2]).save("movie.mp4")

The native wire is written from framing/WIRE.md: many requests at a time from any number of threads. On the classic
wire one request goes at a time, and other threads wait for their turn.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import io
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
from typing import Any, BinaryIO, Callable, Deque, Dict, Iterator, List, Mapping, Optional, Tuple, Union

try:
    from blake3 import blake3 as _blake3  # type: ignore
except ImportError:
    _blake3 = None

__all__ = [
    "Client", "Download", "Error", "DigestMismatch", "Lost", "ProtocolError", "Rejected", "SchemaError", "Timeout",
]

File = Union[str, "os.PathLike[str]", bytes, BinaryIO]
Progress = Callable[[int, int], None]

MESSAGE, REPLY, ERROR, PUSH, DATA, END, CREDIT, CANCEL, PING, GOING_AWAY = range(1, 11)
EXTENDED, ATTACHMENT, RESUMABLE, ABORTED, ANSWER = 1, 2, 4, 8, 16
FLAGS = {
    REPLY: EXTENDED | ATTACHMENT | RESUMABLE, ERROR: EXTENDED, PUSH: EXTENDED, DATA: EXTENDED,
    END: EXTENDED | ABORTED, CREDIT: EXTENDED, CANCEL: 0, PING: ANSWER, GOING_AWAY: 0,
}
# Number, name, and how it is packed.
FIELDS = {
    1: ("deadline", "!I"), 2: ("size", "!Q"), 3: ("offset", "!Q"), 4: ("digest", "32s"), 5: ("key", "16s"),
    6: ("name", None), 7: ("group", "32s"),
}
CODES = {
    0: "none", 1: "unsupported_version", 2: "unknown_kind", 3: "bad_flags", 4: "bad_field", 5: "bad_length",
    6: "bad_extension", 7: "bad_id", 8: "unexpected_frame", 9: "too_many_requests", 10: "credit_exceeded",
    11: "credit_overflow", 12: "wrong_size", 13: "frame_too_large", 14: "flood", 15: "timeout",
    16: "connection_internal", 64: "application", 65: "cancelled", 66: "deadline_exceeded", 67: "going_away",
    68: "unsupported_codec", 69: "message_too_large", 70: "attachment_too_large", 71: "unknown_type",
    72: "bad_message", 73: "digest_mismatch", 74: "source_failed", 75: "not_wanted", 76: "too_slow",
    77: "overloaded", 78: "internal",
}
NUMBERS = {name: number for number, name in CODES.items()}
# Answers to requests that were not begun: they can be sent again whatever they do.
NOT_BEGUN = {"going_away", "unsupported_codec", "message_too_large", "unknown_type", "overloaded"}

MAGIC = bytes.fromhex("b0a7b0a7")
HEADER = struct.Struct("!BBHIII")
JSON = 1
MAX_DATA = 1 << 20
MAX_MESSAGE = 16 << 20
# Bytes in one DATA frame: small enough that others get between, large enough to be quick.
PIECE = 256 << 10
# Bytes of a download that may wait to be read.
WINDOW = 1 << 20
PING_TIME, IDLE_TIME = 20.0, 120.0
# Bytes of an unread classic file that are thrown away to keep a connection.
DRAIN = 16 << 20


class Error(Exception):
    """Anything that went wrong."""


class Rejected(Error):
    """The server refused: `code` is a stable word, `msg` is for people, `begun` says whether it may have had effect."""

    def __init__(self, code: str, msg: str, number: int = 64) -> None:
        super().__init__(f"{code}: {msg}" if msg else code)
        self.code, self.msg, self.number = code, msg, number
        self.begun = code not in NOT_BEGUN


class Lost(Error):
    """The connection is gone. With `begun` false the request can be sent again whatever it does."""

    def __init__(self, why: str, begun: bool = True) -> None:
        super().__init__(why)
        self.begun = begun


class Timeout(Error, TimeoutError):
    """The answer, or the next piece of a file, did not come in time."""


class ProtocolError(Lost):
    """The server broke a rule of the wire; `code` is its name."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the server broke a rule: {code}")
        self.code = code


class DigestMismatch(Error):
    """A file is not what its digest says."""


class SchemaError(Error, ValueError):
    """A message is not what the schema says; nothing was sent."""


class Client:
    """One connection. A context manager; safe to use from many threads.

    `wire` is "native" or "classic", `tls` a context to encrypt with, `unix` the path of a socket in place of host and
    port, `timeout` the seconds that an answer, or a pause within a file, may take.
    """

    def __init__(
        self,
        host: Optional[str] = None,
        port: Optional[int] = None,
        wire: str = "native",
        tls: Optional[ssl.SSLContext] = None,
        unix: Optional[Union[str, "os.PathLike[str]"]] = None,
        timeout: float = 30.0,
    ) -> None:
        if wire not in ("native", "classic"):
            raise ValueError(f"wire is native or classic, not {wire!r}")
        self.session: Optional[str] = None
        self.timeout = timeout
        self._schema: Optional[Mapping[str, Any]] = None
        stream = _Stream.connect(host, port, tls, unix, timeout, wire)
        try:
            self._wire: Union[_Native, _Classic] = (_Native if wire == "native" else _Classic)(stream, timeout)
        except BaseException:
            stream.close()
            raise

    @classmethod
    def from_schema(cls, schema: Union[str, "os.PathLike[str]", Mapping[str, Any]], *args: Any, **kwargs: Any) -> "Client":
        """A client that checks messages before they are sent; the other arguments are those of `Client`."""
        loaded = _load_schema(schema)
        client = cls(*args, **kwargs)
        client._schema = loaded
        return client

    def use_schema(self, schema: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> None:
        """Checks messages from now on: a schema document, or the path of one."""
        self._schema = _load_schema(schema)

    def call(
        self,
        type: str,
        fields: Optional[Mapping[str, Any]] = None,
        /,
        *,
        file: Optional[File] = None,
        progress: Optional[Progress] = None,
        timeout: Optional[float] = None,
        size_key: str = "file_size",
        idempotency_key: Optional[bytes] = None,
        **more: Any,
    ) -> Dict[str, Any]:
        """Sends a request and gives its reply.

        `file` (a path, bytes, or an open file that can seek) follows the message, whose field `size_key` is its size;
        `progress(done, total)` is called on the way. Fields that have the name of an option go into `fields`.
        On the native wire the server may begin a file where an earlier attempt broke off, which it finds by the
        message, the digest or the `idempotency_key` of 16 bytes.

        Raises `Rejected`, `Timeout`, `Lost`, and `SchemaError` where a schema is in use.
        """
        with _Source.of(file) as source:
            message = self._message(type, fields, more, source, size_key)
            reply, download = self._wire.call(message, source, progress, self._until(timeout), idempotency_key, None)
        if download is not None:
            download.close()
        return self._keep(reply)

    def download(
        self,
        type: str,
        fields: Optional[Mapping[str, Any]] = None,
        /,
        *,
        file: Optional[File] = None,
        progress: Optional[Progress] = None,
        timeout: Optional[float] = None,
        size_key: str = "file_size",
        **more: Any,
    ) -> "Download":
        """Sends a request whose reply a file follows: read it, or `save` it.

        On the classic wire the reply's field `size_key` says how long it is.
        """
        with _Source.of(file) as source:
            message = self._message(type, fields, more, source, size_key)
            reply, download = self._wire.call(message, source, progress, self._until(timeout), None, size_key)
        if download is None:
            raise Error(f"no file follows the reply to {type!r}")
        download.reply = self._keep(reply)
        download.timeout = self.timeout if timeout is None else timeout
        return download

    def close(self) -> None:
        """Ends the connection, and what is in flight with it."""
        self._wire.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _until(self, timeout: Optional[float]) -> float:
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def _message(
        self, type: str, fields: Optional[Mapping[str, Any]], more: Mapping[str, Any], source: "_Source", size_key: str
    ) -> bytes:
        # The type and the session stand first, where a server finds them soonest.
        message: Dict[str, Any] = {"type": type}
        given = {**(fields or {}), **more}
        if source.file is not None:
            given.setdefault(size_key, source.size)
        if self._schema is not None:
            _check_message(self._schema, type, given)
        if self.session is not None:
            message["session"] = self.session
        message.update(given)
        return json.dumps(message, ensure_ascii=False, allow_nan=False).encode()

    def _keep(self, reply: Dict[str, Any]) -> Dict[str, Any]:
        if isinstance(reply.get("session"), str):
            self.session = reply["session"]
        return reply


class Download:
    """A file on its way. Read it to its end, save it, or close it."""

    def __init__(self, size: Optional[int], digest: Optional[bytes] = None) -> None:
        self.reply: Dict[str, Any] = {}
        #: Bytes of the whole, if that is known.
        self.size = size
        #: The position in the whole of the next byte.
        self.position = 0
        #: Seconds that a pause may last.
        self.timeout = 30.0
        #: Whether the whole was held against its digest: `None` where there is none, or no BLAKE3 to do it with.
        self.verified: Optional[bool] = None
        self._digest = digest

    @property
    def digest(self) -> Optional[bytes]:
        """The BLAKE3 of the whole, if frame or reply state it."""
        if self._digest is None and isinstance(self.reply.get("digest"), str):
            try:
                digest = bytes.fromhex(self.reply["digest"])
            except ValueError:
                return None
            return digest if len(digest) == 32 else None
        return self._digest

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes, or all of them; nothing at the end."""
        if size < 0:
            return b"".join(self)
        return self._read(size) if size else b""

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._read(PIECE):
            yield chunk

    def save(self, path: Union[str, "os.PathLike[str]"], progress: Optional[Progress] = None) -> Dict[str, Any]:
        """Saves the file under this path once it is whole; the reply.

        Until then it lies beside it as `.part`, where the next attempt goes on if the server can begin later and the
        file has the same size and digest. A server that states no digest is begun anew.
        """
        path = os.fspath(path)
        part, note = path + ".part", path + ".part.json"
        about = {"size": self.size, "digest": self.digest.hex() if self.digest else None}
        had = self._resume(part, note, about)
        hasher = _blake3() if _blake3 else None
        with open(part, "r+b" if had else "w+b") as out:
            _write_json(note, about)
            while hasher and (old := out.read(PIECE)):
                hasher.update(old)
            out.seek(had)
            for chunk in self:
                out.write(chunk)
                if hasher:
                    hasher.update(chunk)
                if progress:
                    progress(self.position, self.size or 0)
            out.flush()
            os.fsync(out.fileno())
        if hasher and self.digest:
            self.verified = hasher.digest() == self.digest
        if self.verified is False:
            os.remove(part)
            os.remove(note)
            raise DigestMismatch(f"{path} is not what its digest says")
        os.replace(part, path)
        os.remove(note)
        return self.reply

    def close(self) -> None:
        """Nothing more of it is wanted."""

    def __enter__(self) -> "Download":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _resume(self, part: str, note: str, about: Mapping[str, Any]) -> int:
        """Where to go on, if this is the file of which there is a part."""
        try:
            with open(note, encoding="utf-8") as file:
                is_same = json.load(file) == about and about["digest"] is not None
            had = os.path.getsize(part)
        except (OSError, ValueError):
            return 0
        if not is_same or had > (self.size or 0) or not self._begin_at(had):
            return 0
        return had

    def _begin_at(self, offset: int) -> bool:
        return False

    def _read(self, size: int) -> bytes:
        raise NotImplementedError


class _Source:
    """A file to send: its size, and what is read of it."""

    def __init__(self, file: Optional[BinaryIO], owned: bool) -> None:
        self.file, self._owned, self.size, self._start = file, owned, 0, 0
        if file is not None:
            self._start = file.tell()
            self.size = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)

    @classmethod
    def of(cls, file: Optional[File]) -> "_Source":
        if file is None or hasattr(file, "read"):
            return cls(file, False)  # type: ignore
        if isinstance(file, (bytes, bytearray, memoryview)):
            return cls(io.BytesIO(file), True)
        return cls(open(file, "rb"), True)  # type: ignore

    def seek(self, offset: int) -> None:
        assert self.file is not None
        self.file.seek(self._start + offset)

    def read(self, size: int) -> bytes:
        assert self.file is not None
        chunk = self.file.read(size)
        if not chunk:
            raise OSError("the file is shorter than it was")
        return chunk

    def digest(self) -> Optional[bytes]:
        """The BLAKE3 of all of it, where this Python can."""
        if _blake3 is None or self.file is None:
            return None
        hasher = _blake3()
        while chunk := self.file.read(PIECE):
            hasher.update(chunk)
        self.seek(0)
        return hasher.digest()

    def __enter__(self) -> "_Source":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._owned and self.file is not None:
            self.file.close()


class _Stream:
    """A socket that one thread reads while others write, with TLS or without."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        # OpenSSL wants one thread at a time; without TLS the lock is held for moments only.
        self._lock = threading.Lock()

    @classmethod
    def connect(
        cls, host: Optional[str], port: Optional[int], tls: Optional[ssl.SSLContext],
        unix: Optional[Union[str, "os.PathLike[str]"]], timeout: float, wire: str,
    ) -> "_Stream":
        try:
            if unix is not None:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.settimeout(timeout)
                sock.connect(os.fspath(unix))
            else:
                sock = socket.create_connection((host or "127.0.0.1", port or 7878), timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                if wire == "native":
                    tls.set_alpn_protocols(["packetboat/1"])
                sock = tls.wrap_socket(sock, server_hostname=host)
        except socket.timeout as error:
            raise Timeout("the server does not answer") from error
        except OSError as error:
            raise Lost(f"no connection: {error}", begun=False) from error
        return cls(sock)

    def read(self, size: int, until: float) -> bytes:
        """At least one byte, or none at the end."""
        return self._wait(lambda: self._sock.recv(size), until, True)

    def write(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            view = view[self._wait(lambda: self._sock.send(view), until, False):]

    def _wait(self, act: Callable[[], Any], until: float, is_read: bool) -> Any:
        while True:
            wants_read = is_read
            try:
                with self._lock:
                    return act()
            except ssl.SSLWantReadError:
                wants_read = True
            except ssl.SSLWantWriteError:
                wants_read = False
            except (BlockingIOError, InterruptedError):
                pass
            except (OSError, ValueError) as error:
                raise Lost(f"the connection is lost: {error}") from error
            left = until - time.monotonic()
            if left <= 0:
                raise Timeout("nothing came in time" if is_read else "the server takes nothing")
            if isinstance(self._sock, ssl.SSLSocket):
                # Another thread may have taken in what this one waits for.
                left = min(left, 0.05)
            try:
                _ready(self._sock.fileno(), wants_read, left)
            except (OSError, ValueError) as error:
                raise Lost("the connection is closed") from error

    def close(self) -> None:
        with self._lock:
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._sock.close()


def _ready(fd: int, wants_read: bool, seconds: float) -> None:
    """Waits until a socket can be read from, or written to, or for so long."""
    if fd < 0:
        raise ValueError("it is closed")
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN if wants_read else select.POLLOUT)
        poll.poll(seconds * 1000)
    else:
        select.select([fd] if wants_read else [], [] if wants_read else [fd], [], seconds)


class _Classic:
    """One request at a time: a little-endian length, the message, the file."""

    def __init__(self, stream: _Stream, timeout: float) -> None:
        self._stream, self._timeout = stream, timeout
        self._turn = threading.Lock()
        self._reader: Optional[int] = None
        self._gone: Optional[Exception] = None
        self._buffer = b""

    def call(
        self, message: bytes, source: _Source, progress: Optional[Progress], until: float,
        key: Optional[bytes], size_key: Optional[str],
    ) -> Tuple[Dict[str, Any], Optional[Download]]:
        if self._reader == threading.get_ident():
            raise Error("the file of the last reply has to be read or closed first")
        if not self._turn.acquire(timeout=max(0.0, until - time.monotonic())):
            raise Timeout("other requests took all the time")
        try:
            download = self._call(message, source, progress, until, size_key)
        except Rejected:
            self._turn.release()
            raise
        except BaseException as error:
            # Where the next reply begins is not known any more.
            self._fail(error)
            self._turn.release()
            raise
        if download[1] is None:
            self._turn.release()
        return download

    def _call(
        self, message: bytes, source: _Source, progress: Optional[Progress], until: float, size_key: Optional[str]
    ) -> Tuple[Dict[str, Any], Optional[Download]]:
        if self._gone is not None:
            raise Lost(f"the connection is closed: {self._gone}", begun=False)
        try:
            self._stream.write(struct.pack("<i", len(message)) + message, until)
            done = 0
            while done < source.size:
                chunk = source.read(min(PIECE, source.size - done))
                # Each piece has the whole time.
                until = time.monotonic() + self._timeout
                self._stream.write(chunk, until)
                done += len(chunk)
                if progress:
                    progress(done, source.size)
        except Lost:
            # It may have refused the file and said so before it closed.
            pass
        (length,) = struct.unpack("<i", self.exactly(4, until))
        if not 0 < length <= MAX_MESSAGE:
            raise ProtocolError("bad_length")
        reply = _object(self.exactly(length, until))
        if isinstance(reply.get("error"), dict) and "flag" not in reply:
            raise Rejected(str(reply["error"].get("code")), str(reply["error"].get("text", "")))
        if reply.pop("flag", True) is False:
            raise Rejected(str(reply.get("code", "refused")), str(reply.get("msg", "")))
        size = reply.get(size_key) if size_key is not None else None
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            return reply, None
        self._reader = threading.get_ident()
        return reply, _ClassicDownload(self, size)

    def some(self, size: int, until: float) -> bytes:
        if not self._buffer:
            self._buffer = self._stream.read(64 << 10, until)
        chunk, self._buffer = self._buffer[:size], self._buffer[size:]
        return chunk

    def exactly(self, size: int, until: float) -> bytes:
        chunks: List[bytes] = []
        while size:
            chunk = self.some(size, until)
            if not chunk:
                raise Lost("the server has closed the connection")
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def over(self, error: Optional[BaseException] = None) -> None:
        """A file has been read, or cannot be."""
        if error is not None:
            self._fail(error)
        self._reader = None
        self._turn.release()

    def _fail(self, error: BaseException) -> None:
        self._gone = self._gone or (error if isinstance(error, Exception) else Lost("it was broken off"))
        self._stream.close()

    def close(self) -> None:
        self._fail(Lost("it was closed here"))


class _ClassicDownload(Download):
    def __init__(self, wire: _Classic, size: int) -> None:
        super().__init__(size)
        self._wire, self._open = wire, True
        if not size:
            self._end()

    def _read(self, size: int) -> bytes:
        left = (self.size or 0) - self.position
        if not self._open:
            if left:
                raise Lost("the file was closed before its end")
            return b""
        try:
            chunk = self._wire.some(min(size, left), time.monotonic() + self.timeout)
            if not chunk:
                raise Lost(f"the server has closed the connection {left} bytes before the file's end")
        except BaseException as error:
            self._end(error)
            raise
        self.position += len(chunk)
        if self.position == self.size:
            self._end()
        return chunk

    def _end(self, error: Optional[BaseException] = None) -> None:
        self._open = False
        self._wire.over(error)

    def close(self) -> None:
        if not self._open:
            return
        if (self.size or 0) - self.position > DRAIN:
            # A new connection is cheaper than reading on.
            return self._end(Lost("a long file was not read"))
        while self._read(PIECE):
            pass


class _Frame:
    __slots__ = ("kind", "flags", "codec", "id", "value", "fields", "payload")

    def __init__(self, kind: int, flags: int, codec: int, id: int, value: int, body: bytes) -> None:
        self.kind, self.flags, self.codec, self.id, self.value = kind, flags, codec, id, value
        self.fields: Dict[str, Any] = {}
        self.payload = body
        if flags & EXTENDED:
            (size,) = struct.unpack_from("!H", body)
            if size > 1024 or 2 + size > len(body):
                raise ProtocolError("bad_extension")
            self.fields = _unpack_fields(body[2:2 + size])
            self.payload = body[2 + size:]


def _pack(kind: int, id: int = 0, value: int = 0, flags: int = 0, payload: bytes = b"", **fields: Any) -> bytes:
    block = b""
    for number, (name, form) in FIELDS.items():
        value_of = fields.get(name)
        if value_of is not None:
            packed = value_of.encode() if form is None else struct.pack(form, value_of)
            block += bytes([number, len(packed)]) + packed
    if block:
        flags |= EXTENDED
        payload = struct.pack("!H", len(block)) + block + payload
    codec = JSON if kind == MESSAGE else 0
    return HEADER.pack(kind, flags, codec, len(payload), id, value) + payload


def _unpack_fields(block: bytes) -> Dict[str, Any]:
    fields: Dict[str, Any] = {}
    last = 0
    while block:
        if len(block) < 2 or block[0] <= last or len(block) < 2 + block[1]:
            raise ProtocolError("bad_extension")
        last, packed, block = block[0], block[2:2 + block[1]], block[2 + block[1]:]
        if last >= 128:
            continue
        try:
            name, form = FIELDS[last]
            fields[name] = packed.decode() if form is None else struct.unpack(form, packed)[0]
        except (KeyError, struct.error, UnicodeDecodeError):
            raise ProtocolError("bad_extension") from None
    return fields


class _Exchange:
    """A request, until its answer and the end of each attachment have come or gone."""

    def __init__(self, lock: threading.Lock, sending: bool, size: int) -> None:
        self.id, self.size = 0, size
        self.changed = threading.Condition(lock)
        self.answer: Optional[_Frame] = None
        self.sending = sending
        #: Credit for our attachment, and the offset that came with the first of it.
        self.credit = 0
        self.offset: Optional[int] = None
        self.unwanted = False
        #: Their attachment.
        self.receiving = False
        self.chunks: Deque[bytes] = collections.deque()
        self.granted = 0
        self.discards = False
        self.end: Optional[_Frame] = None
        self.failure: Optional[Lost] = None

    def is_over(self) -> bool:
        return self.answer is not None and not self.sending and not self.receiving


class _Native:
    """Many requests at a time. One thread reads; whoever asks writes."""

    def __init__(self, stream: _Stream, timeout: float) -> None:
        self._stream, self._timeout = stream, timeout
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._exchanges: Dict[int, _Exchange] = {}
        self._last = 0
        # Counts those, too, that are about to be sent.
        self._in_flight = 0
        self._buffer = bytearray()
        self._gone: Optional[Lost] = None
        self._leaving = False
        until = time.monotonic() + timeout
        stream.write(MAGIC + bytes([1, 1, 0, 0]), until)
        preface = self._exactly(8, until)
        self._requests = int.from_bytes(preface[6:], "big")
        if preface[:4] != MAGIC:
            raise Lost("this server does not speak the native wire", begun=False)
        if preface[4] != 1 or not self._requests:
            raise ProtocolError("unsupported_version")
        self._thread = threading.Thread(target=self._read, name="packetboat", daemon=True)
        self._thread.start()

    # Asking.

    def call(
        self, message: bytes, source: _Source, progress: Optional[Progress], until: float,
        key: Optional[bytes], size_key: Optional[str],
    ) -> Tuple[Dict[str, Any], Optional[Download]]:
        digest = source.digest()
        exchange = self._begin(message, source, digest, until, key)
        try:
            if exchange.sending:
                self._upload(exchange, source, digest, progress)
                # The time is that of the answer; the file had its own.
                until = max(until, time.monotonic() + self._timeout)
            answer = self._answer(exchange, until)
        except BaseException as error:
            self._give_up(exchange, "deadline_exceeded" if isinstance(error, Timeout) else "cancelled")
            raise
        if answer.kind == ERROR:
            raise _refusal(answer)
        reply = _object(answer.payload)
        if not answer.flags & ATTACHMENT:
            return reply, None
        return reply, _NativeDownload(self, exchange, answer)

    def _begin(
        self, message: bytes, source: _Source, digest: Optional[bytes], until: float, key: Optional[bytes]
    ) -> _Exchange:
        sending = source.file is not None
        exchange = _Exchange(self._lock, sending, source.size)
        with self._lock:
            while self._gone is None and not self._leaving and self._in_flight >= self._requests:
                left = until - time.monotonic()
                if left <= 0 or not self._room.wait(left):
                    raise Timeout("as many requests are in flight as the server allows")
            self._in_flight += 1
        # Ids rise on the wire, so they are given out where it is written to.
        with self._writing:
            with self._lock:
                if self._gone is not None or self._leaving:
                    raise Lost(str(self._gone or "the server is going away"), begun=False)
                self._last = self._last + 1 if self._last < 0xFFFFFFFF else 1
                exchange.id = self._last
                self._exchanges[exchange.id] = exchange
            deadline = max(1, min(0xFFFFFFFF, int((until - time.monotonic()) * 1000)))
            self._write(_pack(
                MESSAGE, exchange.id, 0, ATTACHMENT | RESUMABLE if sending else 0, message,
                # A file takes as long as it takes.
                deadline=None if sending else deadline,
                size=source.size if sending else None, digest=digest, key=key,
            ))
        return exchange

    def _upload(
        self, exchange: _Exchange, source: _Source, digest: Optional[bytes], progress: Optional[Progress]
    ) -> None:
        done, begun = 0, False
        while True:
            with self._lock:
                is_whole = begun and done == source.size or not source.size
                until = time.monotonic() + self._timeout
                while not (is_whole or exchange.credit or exchange.unwanted or exchange.answer or exchange.failure):
                    left = until - time.monotonic()
                    if left <= 0 or not exchange.changed.wait(left):
                        raise Timeout("the server gives no credit for the file")
                if exchange.failure:
                    raise exchange.failure
                is_unwanted = not is_whole and (exchange.unwanted or exchange.answer is not None)
                if not begun and exchange.offset is not None:
                    done = exchange.offset
                begun, credit = True, exchange.credit
            if is_unwanted:
                return self._end(exchange, NUMBERS["not_wanted"])
            if is_whole or done == source.size:
                return self._end(exchange, 0, digest)
            source.seek(done)
            try:
                chunk = source.read(min(credit, PIECE, source.size - done))
            except OSError:
                self._end(exchange, NUMBERS["source_failed"])
                raise
            with self._lock:
                exchange.credit -= len(chunk)
            self._send(_pack(DATA, exchange.id, payload=chunk))
            done += len(chunk)
            if progress:
                progress(done, source.size)

    def _end(self, exchange: _Exchange, code: int, digest: Optional[bytes] = None) -> None:
        """Ends our attachment. Once, and before the request may be counted as over."""
        with self._lock:
            if not exchange.sending:
                return
        self._send(_pack(END, exchange.id, code, ABORTED if code else 0, digest=None if code else digest))
        with self._lock:
            exchange.sending = False
            self._settle(exchange)

    def _answer(self, exchange: _Exchange, until: float) -> _Frame:
        with self._lock:
            while exchange.answer is None:
                if exchange.failure:
                    raise exchange.failure
                left = until - time.monotonic()
                if left <= 0 or not exchange.changed.wait(left):
                    raise Timeout("no answer came in time")
            return exchange.answer

    def _give_up(self, exchange: _Exchange, why: str) -> None:
        """Nothing more is wanted of a request; what still comes of it is thrown away."""
        with self._lock:
            exchange.discards = True
            exchange.chunks.clear()
            if self._gone or exchange.is_over():
                return
        try:
            self._end(exchange, NUMBERS[why])
            with self._lock:
                is_over = exchange.is_over()
            if not is_over:
                self._send(_pack(CANCEL, exchange.id, NUMBERS[why]))
        except Error:
            pass

    # Receiving a file.

    def grant(self, exchange: _Exchange, size: int, offset: Optional[int] = None) -> None:
        with self._lock:
            if not exchange.receiving:
                return
            exchange.granted += size
        self._send(_pack(CREDIT, exchange.id, size, offset=offset))

    def take(self, exchange: _Exchange, size: int, until: float) -> bytes:
        with self._lock:
            while not exchange.chunks:
                if exchange.end is not None:
                    if exchange.end.flags & ABORTED:
                        raise Lost(f"the file was broken off: {_word(exchange.end.value)}")
                    return b""
                if exchange.failure:
                    raise exchange.failure
                left = until - time.monotonic()
                if left <= 0 or not exchange.changed.wait(left):
                    raise Timeout("nothing of the file came in time")
            chunk = exchange.chunks.popleft()
            if len(chunk) > size:
                exchange.chunks.appendleft(chunk[size:])
                chunk = chunk[:size]
            return chunk

    # Writing and reading.

    def _send(self, frame: bytes) -> None:
        with self._writing:
            self._write(frame)

    def _write(self, frame: bytes) -> None:
        try:
            self._stream.write(frame, time.monotonic() + self._timeout)
        except BaseException as error:
            # Half a frame may have gone.
            self._fail(error if isinstance(error, Lost) else Lost(str(error)))
            raise

    def _peek(self, size: int, until: float) -> None:
        """Reads until so many bytes are there, and takes none of them."""
        while len(self._buffer) < size:
            chunk = self._stream.read(64 << 10, until)
            if not chunk:
                raise Lost("the server has closed the connection")
            self._buffer += chunk

    def _exactly(self, size: int, until: float) -> bytes:
        self._peek(size, until)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _read(self) -> None:
        """The thread that reads, until the connection ends."""
        heard = time.monotonic()
        try:
            while True:
                try:
                    # Nothing is taken out of the buffer before all of a header has come.
                    frame = self._next(heard)
                except Timeout:
                    if time.monotonic() - heard >= IDLE_TIME:
                        raise Lost("the server is silent") from None
                    self._send(_pack(PING, 0, 1))
                    continue
                heard = time.monotonic()
                if frame.kind == PING:
                    if not frame.flags & ANSWER:
                        self._send(_pack(PING, 0, frame.value, ANSWER))
                else:
                    with self._lock:
                        self._handle(frame)
                        if self._leaving and not self._exchanges:
                            raise Lost("the server went away in good order", begun=False)
        except ProtocolError as error:
            try:
                self._send(_pack(GOING_AWAY, 0, NUMBERS.get(error.code, 16)))
            except Error:
                pass
            self._fail(error)
        except Error as error:
            self._fail(error if isinstance(error, Lost) else Lost(str(error)))

    def _next(self, heard: float) -> _Frame:
        self._peek(HEADER.size, time.monotonic() + PING_TIME)
        kind, flags, codec, length, id, value = HEADER.unpack_from(self._buffer)
        if kind not in FLAGS:
            raise ProtocolError("unexpected_frame" if kind == MESSAGE else "unknown_kind")
        if flags & ~FLAGS[kind] or flags & RESUMABLE and not flags & ATTACHMENT:
            raise ProtocolError("bad_flags")
        if kind != GOING_AWAY and (id == 0) != (kind in (PUSH, PING)):
            raise ProtocolError("bad_id")
        if (kind in (REPLY, PUSH)) != (codec != 0) and kind != ERROR:
            raise ProtocolError("bad_field")
        extended = flags & EXTENDED
        most = {DATA: MAX_DATA, REPLY: MAX_MESSAGE, ERROR: MAX_MESSAGE, PUSH: MAX_MESSAGE}.get(kind, 0)
        if length > most + (1026 if extended else 0) or extended and length < 2:
            raise ProtocolError("bad_length")
        self._peek(HEADER.size + length, heard + IDLE_TIME)
        body = self._exactly(HEADER.size + length, heard)[HEADER.size:]
        frame = _Frame(kind, flags, codec, id, value, body)
        if kind in (REPLY, PUSH, DATA) and not frame.payload:
            raise ProtocolError("bad_length")
        return frame

    def _handle(self, frame: _Frame) -> None:
        if frame.kind == PUSH:
            return
        if frame.kind == GOING_AWAY:
            return self._going_away(frame)
        exchange = self._exchanges.get(frame.id)
        if exchange is None:
            ahead = (frame.id - self._last) & 0xFFFFFFFF
            if 0 < ahead < 1 << 31:
                raise ProtocolError("bad_id")
            if frame.kind in (CREDIT, CANCEL):
                return
            raise ProtocolError("unexpected_frame")
        if frame.kind in (REPLY, ERROR):
            if exchange.answer is not None:
                raise ProtocolError("unexpected_frame")
            if frame.kind == ERROR and frame.value < 64:
                raise ProtocolError("bad_field")
            exchange.answer = frame
            exchange.receiving = bool(frame.flags & ATTACHMENT)
        elif frame.kind == DATA:
            if not exchange.receiving:
                raise ProtocolError("unexpected_frame")
            exchange.granted -= len(frame.payload)
            if exchange.granted < 0:
                raise ProtocolError("credit_exceeded")
            if not exchange.discards:
                exchange.chunks.append(frame.payload)
        elif frame.kind == END:
            if not exchange.receiving:
                raise ProtocolError("unexpected_frame")
            exchange.receiving, exchange.end = False, frame
        elif frame.kind == CREDIT:
            if not exchange.sending:
                return
            offset = frame.fields.get("offset")
            if offset is not None and (exchange.offset is not None or offset > exchange.size):
                raise ProtocolError("unexpected_frame")
            if exchange.offset is None:
                exchange.offset = offset or 0
            exchange.credit += frame.value
            if exchange.credit > 16 << 20:
                raise ProtocolError("credit_overflow")
        elif frame.kind == CANCEL:
            exchange.unwanted = True
        self._settle(exchange)
        exchange.changed.notify_all()

    def _going_away(self, frame: _Frame) -> None:
        self._leaving = True
        for id, exchange in list(self._exchanges.items()):
            # Later than the last that it took on.
            if exchange.answer is None and 0 < (id - frame.id) & 0xFFFFFFFF < 1 << 31 and frame.value:
                exchange.failure = Lost(f"the server ended the connection: {_word(frame.value)}", begun=False)
                exchange.changed.notify_all()
        if frame.value:
            raise Lost(f"the server ended the connection: {_word(frame.value)}")
        self._room.notify_all()

    def _settle(self, exchange: _Exchange) -> None:
        if exchange.is_over() and self._exchanges.pop(exchange.id, None) is not None:
            self._in_flight -= 1
            self._room.notify()

    def _fail(self, error: Lost) -> None:
        with self._lock:
            self._gone = self._gone or error
            for exchange in self._exchanges.values():
                exchange.failure = exchange.failure or self._gone
                exchange.changed.notify_all()
            self._exchanges.clear()
            self._room.notify_all()
        self._stream.close()

    def close(self) -> None:
        with self._lock:
            is_gone, self._leaving = self._gone is not None, True
        if not is_gone:
            try:
                self._send(_pack(GOING_AWAY))
            except Error:
                pass
        self._fail(Lost("it was closed here"))
        if threading.current_thread() is not self._thread:
            self._thread.join(self._timeout)


class _NativeDownload(Download):
    def __init__(self, wire: _Native, exchange: _Exchange, answer: _Frame) -> None:
        offset, size = answer.fields.get("offset", 0), answer.fields.get("size")
        super().__init__(None if size is None else offset + size, answer.fields.get("digest"))
        self._wire, self._exchange, self.position = wire, exchange, offset
        self._resumable = bool(answer.flags & RESUMABLE)
        self._credit, self._begun = 0, False

    @property
    def digest(self) -> Optional[bytes]:
        end = self._exchange.end
        return super().digest or (end.fields.get("digest") if end is not None else None)

    def _begin_at(self, offset: int) -> bool:
        if not self._resumable or self._begun or offset < self.position:
            return False
        self._grant(offset if offset > self.position else None)
        self.position = offset
        return True

    def _grant(self, offset: Optional[int] = None) -> None:
        """Fills the window, when half of it has been read."""
        at = self.position if offset is None else offset
        left = WINDOW if self.size is None else self.size - at
        room = min(WINDOW - self._credit, left - self._credit)
        if not self._begun or room > 0 and self._credit <= WINDOW // 2:
            self._begun = True
            # At the end nothing is needed, but the offset has to be told.
            if room > 0 or offset is not None:
                self._credit += max(room, 1)
                self._wire.grant(self._exchange, max(room, 1), offset)

    def _read(self, size: int) -> bytes:
        self._grant()
        try:
            chunk = self._wire.take(self._exchange, size, time.monotonic() + self.timeout)
        except BaseException:
            self.close()
            raise
        self.position += len(chunk)
        self._credit -= len(chunk)
        if not chunk and self.size is not None and self.position != self.size:
            raise Lost(f"the file ended at {self.position} of {self.size} bytes")
        return chunk

    def close(self) -> None:
        if self._exchange.receiving:
            self._wire._give_up(self._exchange, "not_wanted")


def _object(message: bytes) -> Dict[str, Any]:
    try:
        value = json.loads(message)
    except ValueError:
        raise ProtocolError("bad_message") from None
    # A reply that is no object has no names for its parts.
    return value if isinstance(value, dict) else {"value": value}


def _word(code: int) -> str:
    return CODES.get(code) or ("internal" if code >= 64 else "connection_internal")


def _refusal(frame: _Frame) -> Error:
    said = _object(frame.payload) if frame.payload else {}
    word = _word(frame.value)
    code, msg = str(said.get("code", word)), str(said.get("msg", ""))
    if word == "going_away":
        return Lost("the server is going away", begun=False)
    if word == "deadline_exceeded":
        return Timeout(msg or "the deadline has passed")
    return Rejected(code, msg, frame.value)


def _write_json(path: str, value: Any) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


# The schema.


def _load_schema(schema: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        with open(schema, encoding="utf-8") as file:
            schema = json.load(file)
    if not isinstance(schema, Mapping) or not isinstance(schema.get("messages"), Mapping):
        raise SchemaError("a schema is an object with `messages`")
    return schema


def _message_schema(document: Mapping[str, Any], type: str) -> Mapping[str, Any]:
    """The JSON Schema of a message: the one place that knows how the document is laid out."""
    messages = document["messages"]
    names = {alias: name for name, message in messages.items() for alias in message.get("aliases") or []}
    name = type if type in messages else names.get(type)
    if name is None:
        raise SchemaError(f"there is no message {type!r}{_near(type, [*messages, *names])}")
    return messages[name].get("message") or {}


def _check_message(document: Mapping[str, Any], type: str, fields: Mapping[str, Any]) -> None:
    schema = _resolve(_message_schema(document, type), [document])
    roots = [_message_schema(document, type), document]
    properties = schema.get("properties", {})
    # What the client itself adds.
    ours = {"type", "session"}
    if schema.get("type") == "object" and schema.get("additionalProperties") in (None, False):
        for name in fields:
            if name not in properties and name not in ours:
                raise SchemaError(f"{type}: there is no `{name}`{_near(name, properties)}")
    for name in schema.get("required", []):
        if name not in fields and name not in ours:
            raise SchemaError(f"{type}: `{name}` is missing")
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        needed = [choice.get("required", []) for choice in choices or []]
        if needed and not any(all(name in fields or name in ours for name in names) for names in needed):
            words = " or ".join(f"`{name}`" for names in needed for name in names)
            raise SchemaError(f"{type}: {words} is missing")
    for name, value in fields.items():
        if name in properties:
            _check_value(f"{type}: `{name}`", value, properties[name], roots)


_TYPES: Dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, (list, tuple)),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "string": lambda value: isinstance(value, str),
}


def _check_value(where: str, value: Any, schema: Any, roots: List[Mapping[str, Any]]) -> None:
    schema = _resolve(schema, roots)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_TYPES.get(name, lambda _: True)(value) for name in types):
        raise SchemaError(f"{where} is {value!r}, not {' or '.join(types)}")
    if "enum" in schema and value not in schema["enum"]:
        raise SchemaError(f"{where} is {value!r}, not one of {', '.join(map(repr, schema['enum']))}")
    if "const" in schema and value != schema["const"]:
        raise SchemaError(f"{where} is {value!r}, not {schema['const']!r}")
    if _TYPES["number"](value):
        if value < schema.get("minimum", value):
            raise SchemaError(f"{where} is {value}, less than {schema['minimum']}")
        if value > schema.get("maximum", value):
            raise SchemaError(f"{where} is {value}, more than {schema['maximum']}")
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            raise SchemaError(f"{where} has {len(value)} characters")
    if _TYPES["array"](value) and isinstance(schema.get("items"), Mapping):
        for at, item in enumerate(value):
            _check_value(f"{where}[{at}]", item, schema["items"], roots)
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        if choices:
            faults = [_fault(where, value, choice, roots) for choice in choices]
            words = [_resolve(choice, roots).get("const") for choice in choices]
            if all(faults) and None not in words:
                raise SchemaError(f"{where} is {value!r}, not one of {', '.join(map(repr, words))}")
            if all(faults):
                raise SchemaError(str(faults[0]))


def _fault(where: str, value: Any, schema: Any, roots: List[Mapping[str, Any]]) -> Optional[SchemaError]:
    try:
        _check_value(where, value, schema, roots)
    except SchemaError as error:
        return error
    return None


def _resolve(schema: Any, roots: List[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a local `$ref` names: in the message's own schema, or else in the document."""
    for _ in range(16):
        if not isinstance(schema, Mapping):
            return {}
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return schema
        for root in roots:
            found: Any = root
            for step in ref[2:].split("/"):
                step = step.replace("~1", "/").replace("~0", "~")
                found = found.get(step) if isinstance(found, Mapping) else None
            if found is not None:
                break
        schema = found
    return {}


def _near(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


# The command line.


def _field(text: str) -> Tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is no key=value")
    if not name.endswith(":"):
        return name, value
    return name[:-1], json.loads(value)


def _steps(words: List[str]) -> List[Tuple[str, Dict[str, Any]]]:
    steps: List[Tuple[str, Dict[str, Any]]] = []
    begins = True
    for word in words:
        if word == "+":
            begins = True
        elif begins:
            steps.append((word, {}))
            begins = False
        else:
            name, value = _field(word)
            steps[-1][1][name] = value
    if not steps or begins:
        raise ValueError("a request begins with its type")
    return steps


def _bar(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} bytes", end=end, file=sys.stderr, flush=True)


def main(arguments: Optional[List[str]] = None) -> int:
    """Sends requests and prints their replies, one JSON object a line."""
    parser = argparse.ArgumentParser(
        description="Sends requests to a Packetboat server and prints their replies, one JSON object a line.",
        epilog="key=value is text, key:=value is JSON. A + between requests sends several on one connection, which "
        "share a session; a file goes with the last. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 lost or too late.",
    )
    parser.add_argument("addr", metavar="ADDR", help="HOST:PORT, or the path of a Unix socket")
    parser.add_argument("request", nargs="+", metavar="TYPE key=value", help="the requests")
    parser.add_argument("--file", metavar="PATH", help="a file that follows the last message")
    parser.add_argument("--save", metavar="PATH", help="where to save the file that follows the last reply")
    parser.add_argument("--wire", choices=["native", "classic"], default="native")
    parser.add_argument("--tls", action="store_true", help="encrypts, and verifies the server's certificate")
    parser.add_argument("--ca", metavar="PATH", help="with --tls: the certificates to trust")
    parser.add_argument("--schema", metavar="PATH", help="checks messages before they are sent")
    parser.add_argument("--session", help="a session that is held already")
    parser.add_argument("--size-key", default="file_size", help="the field that has a file's size (%(default)s)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    args = parser.parse_intermixed_args(arguments)
    try:
        steps = _steps(args.request)
        host, _, port = args.addr.rpartition(":")
        unix = None if host and port.isdigit() else args.addr
        where = {"unix": unix} if unix else {"host": host.strip("[]"), "port": int(port)}
    except ValueError as error:
        parser.error(str(error))
    tls = ssl.create_default_context(cafile=args.ca) if args.tls else None
    try:
        with Client(wire=args.wire, tls=tls, timeout=args.timeout, **where) as client:
            client.session = args.session
            if args.schema:
                client.use_schema(args.schema)
            for number, (type, fields) in enumerate(steps, 1):
                is_last = number == len(steps)
                options = {"size_key": args.size_key, "file": args.file if is_last else None, "progress": _bar}
                if args.save and is_last:
                    download = client.download(type, fields, **options)
                    reply = download.save(args.save, _bar)
                    if download.verified is None:
                        print("saved; its digest was not verified", file=sys.stderr)
                else:
                    reply = client.call(type, fields, **options)
                print(json.dumps(reply, ensure_ascii=False), flush=True)
    except Rejected as error:
        print(json.dumps({"code": error.code, "msg": error.msg}, ensure_ascii=False))
        return 1
    except SchemaError as error:
        print(f"packetboat: {error}", file=sys.stderr)
        return 2
    except (Error, OSError) as error:
        print(f"packetboat: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
