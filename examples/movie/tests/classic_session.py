#!/usr/bin/env python3
"""A classic client's whole session, played against a running movie server.

    movie server --listen 127.0.0.1:7878 --data DIR --admin-registration open --wait 30s
    classic_session.py 127.0.0.1:7878 [--wait SECONDS] [--tls-ca FILE] [SCENE ...]

The server's folder must be fresh for the scene `session`, which comes first. Through TLS only the
scenes `session` and `spellings` are played: one recv(n) then gives 16 KiB at most, and a socket that
is shut one way gives what is encrypted.

Standard library only, and nothing shared with the Rust code: what it knows of the wire is the
`struct` and `json` that clients in the field use. Each reply is read with one recv(4) and one
recv(n), as they do. Replies are compared as JSON; keys beyond the expected ones are allowed.
"""

import argparse
import hashlib
import json
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time

TAG = "%08x" % random.SystemRandom().getrandbits(32)
PASSWORD = hashlib.md5(b"123").hexdigest()
SESSION = "<session>"
TIME = "<time>"
ANY = "<any>"
SHAPES = {SESSION: r"[0-9a-f]{32}", TIME: r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", ANY: r"(?s).*"}
NOT_LOGGED_IN = {"flag": False, "msg": "请先登录"}
UNKNOWN = {"flag": False, "msg": "请求不存在"}
CHECKS = 0
TLS = None


def check(holds, *said):
    """Counts a check; stops the script when it does not hold."""
    global CHECKS
    CHECKS += 1
    if not holds:
        raise AssertionError(" ".join(str(part) for part in said))


def matches(got, expected):
    """Whether a value is the expected one, with masks, and with more keys allowed."""
    if isinstance(expected, str) and expected in SHAPES:
        return isinstance(got, str) and re.fullmatch(SHAPES[expected], got) is not None
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            key in got and matches(got[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(matches(one, two) for one, two in zip(got, expected))
        )
    # In Python 1 == True; on the wire they differ, and clients compare with both.
    return type(got) is type(expected) and got == expected


class Client:
    """One connection of a client in the field."""

    def __init__(self, addr, wait=0):
        self.sock = socket.create_connection(addr, timeout=wait + 20)
        if TLS:
            self.sock = TLS.wrap_socket(self.sock, server_hostname=addr[0])
        self.session = None

    def send(self, request, body=b"", raw=None):
        message = raw if raw is not None else json.dumps(request).encode()
        self.sock.sendall(struct.pack("i", len(message)))
        self.sock.sendall(message)
        if body:
            self.sock.sendall(body)

    def reply(self):
        head = self.sock.recv(4)
        check(len(head) == 4, "one recv(4) gave", len(head), "bytes")
        (size,) = struct.unpack("i", head)
        check(size + 4 <= 65_000, "a reply of", size, "bytes")
        message = self.sock.recv(size)
        check(len(message) == size, "one recv(n) gave", len(message), "of", size)
        reply = json.loads(message)
        check(isinstance(reply.get("flag"), bool), "no flag in", reply)
        if not reply["flag"]:
            check(isinstance(reply.get("msg"), str), "no msg in", reply)
            check(isinstance(reply.get("code"), str), "no code in", reply)
        return reply

    def file(self, size):
        data = b""
        while len(data) < size:
            piece = self.sock.recv(min(size - len(data), 1 << 16))
            check(piece, "the file ended after", len(data), "of", size)
            data += piece
        return data

    def call(self, expected, type, body=b"", **keys):
        """One request with the session, and its reply compared."""
        request = {"type": type}
        if self.session is not None:
            request["session"] = self.session
        request.update(keys)
        self.send(request, body)
        reply = self.reply()
        check(matches(reply, expected), request, "got", reply, "instead of", expected)
        return reply

    def register(self, name, user_type):
        self.call({"flag": True, "msg": "注册成功"}, "register", name=name, password=PASSWORD,
                  user_type=user_type)

    def login(self, name, user_type, **more):
        reply = self.call({"flag": True, "msg": "登录成功", "session": SESSION}, "login", name=name,
                          password=PASSWORD, user_type=user_type, **more)
        self.session = reply["session"]
        return reply

    def upload(self, name, data, is_free, **keys):
        self.call({"flag": True, "msg": "上传成功"}, "upload_movie", data, file_size=len(data),
                  file_md5=sampled(data), is_free=is_free, file_name=name, **keys)

    def id_of(self, name, movie_type="all"):
        rows = self.call({"flag": True}, "get_movie_list", movie_type=movie_type)["movie_list"]
        ids = [row[2] for row in rows if row[0] == name]
        check(len(ids) == 1, name, "is listed", len(ids), "times")
        return ids[0]

    def silent(self):
        """Checks that nothing more comes while the connection is open."""
        self.sock.settimeout(0.05)
        try:
            check(self.sock.recv(1) is None, "something unsolicited, or the end")
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(20)

    def closed(self):
        """Checks that the server has ended the connection."""
        self.sock.settimeout(10)
        try:
            check(self.sock.recv(1) == b"", "more than a reply")
        except ConnectionResetError:
            pass


def sampled(data):
    """The hint that clients send: ten bytes at four places."""
    size = len(data)
    offsets = [0, size // 3, size // 3 * 2, max(size - 10, 0)]
    return hashlib.md5(b"".join(data[at : at + 10] for at in offsets)).hexdigest()


def some_bytes(size):
    return random.SystemRandom().getrandbits(8 * size).to_bytes(size, "little")


def scene_session(addr, wait):
    """The recorded session, exchange by exchange. Lists run from the newest to the oldest."""
    admin, user = f"adm_{TAG}", f"usr_{TAG}"
    free, pay = f"free_{TAG}.mp4", f"pay_{TAG}.mp4"
    free_data, pay_data = some_bytes(80), some_bytes(96)
    title, content = f"公告{TAG}", f"内容 content {TAG}"
    notice = {"title": title, "content": content}
    done = lambda msg: {"flag": True, "msg": msg}
    refused = lambda msg: {"flag": False, "msg": msg}
    account = dict(password=PASSWORD, user_type="admin")

    one = Client(addr, wait)
    one.session = "f" * 32
    one.call(NOT_LOGGED_IN, "get_movie_list", movie_type="all")
    one.session = None
    one.call(done("注册成功"), "register", name=admin, **account)
    one.call(refused("用户已存在"), "register", name=admin, **account)
    one.call(done("注册成功"), "register", name=admin + "2", **account)
    one.call(refused("密码错误"), "login", name=admin, password="2f93beb2c1264158fb89a4ab57695477",
             user_type="admin")
    one.session = one.call(
        {"flag": True, "msg": "登录成功", "session": SESSION, "is_vip": 0, "last_notice": False,
         "new_notice": None, "notice": []}, "login", name=admin, **account)["session"]
    for name, data, is_free in [(free, free_data, 1), (pay, pay_data, 0)]:
        one.call(done("可以上传"), "check_movie", file_md5=sampled(data))
        one.call(done("上传成功"), "upload_movie", data, file_size=len(data),
                 file_md5=sampled(data), is_free=is_free, file_name=name)
        if is_free:
            one.call(refused("电影已存在"), "check_movie", file_md5=sampled(data))
    one.call(done("公告发布成功"), "release_notice", **notice)

    two = Client(addr, wait)
    two.call(done("注册成功"), "register", name=user, password=PASSWORD, user_type="user")
    two.call(refused("登录类型不匹配"), "login", name=admin, password=PASSWORD, user_type="user")
    two.session = two.call(
        {"flag": True, "msg": "登录成功", "session": SESSION, "is_vip": 0,
         "last_notice": [{title: content}], "new_notice": notice, "notice": [notice]},
        "login", name=user, password=PASSWORD, user_type="user")["session"]
    ids = {name: two.id_of(name) for name in (free, pay)}
    check(ids[free] < ids[pay], "ids grow", ids)
    free_row, pay_row = [free, "免费", ids[free]], [pay, "收费", ids[pay]]

    def listed(client, movie_type, *rows):
        rows = list(rows)
        client.call({"flag": True, "movie_list": rows, "back_movie_list": rows}, "get_movie_list",
                    movie_type=movie_type)

    def download(name, data, wait_time, price, **keys):
        size = len(data)
        two.call({"flag": True, "wait_time": wait_time, "price": price, "file_name": name,
                  "filename": name, "file_size": size, "filesize": size, "movie_size": size},
                 "download_movie", movie_id=ids[name], **keys)
        start = time.monotonic()
        check(two.file(size) == data, "the bytes of", name)
        waited = time.monotonic() - start
        low = wait_time - 0.5 if wait_time else 0
        check(low <= waited <= wait_time + 5, "waited", waited, "and not", wait_time)
        two.silent()

    listed(two, "all", pay_row, free_row)
    listed(two, "free", free_row)
    download(free, free_data, int(wait), 0, movie_type="free")
    two.call(done("购买成功"), "buy_vip")
    listed(two, "free", free_row)
    download(free, free_data, 0, 0, movie_type="free")
    listed(two, "charge", pay_row)
    download(pay, pay_data, 0, 5, movie_type="charge")
    names = [pay, free, free]
    records = {"flag": True, "download_list": names,
               "record_list": [{"user": user, "movie": name, "download_time": TIME}
                               for name in names]}
    two.call(records, "check_download_record")
    two.call({"flag": True, "notice_list": [{title: content}], "back_notice_list": [notice],
              "back_list": [notice]}, "check_notice")
    listed(one, "all", pay_row, free_row)
    one.call(done("删除成功"), "delete_movie", movie_id=ids[free])
    listed(two, "all", pay_row)
    two.call(records, "check_download_record")
    # Not in the recording: the price is asked once.
    download(pay, pay_data, 0, 0)

    two.sock.close()
    three = Client(addr, wait)
    three.session = two.session
    three.call(NOT_LOGGED_IN, "check_notice")


def scene_spellings(addr, wait):
    """Every spelling of every key and type, and which of two wins."""
    tag = "spell" + TAG
    ok, no = {"flag": True}, {"flag": False}
    admin = Client(addr, wait)
    admin.call(ok, "register", username=tag + "a", password=PASSWORD, user_type="admin")
    admin.call(no, "register", name=tag + "a", password=PASSWORD, user_type="admin")
    admin.call(ok, "register", username=tag + "lost", name=tag + "b", password=PASSWORD,
               user_type="admin")
    admin.call(no, "login", username=tag + "lost", password=PASSWORD, user_type="admin")
    admin.call(ok, "login", username=tag + "lost", name=tag + "b", password=PASSWORD,
               user_type="admin")
    # The spelling that loses is not even looked at.
    admin.call(ok, "login", username=["?"], name=tag + "b", password=PASSWORD, user_type="admin")
    reply = admin.call(ok, "login", username=tag + "a", password=PASSWORD, user_type="admin")
    admin.session = reply["session"]

    # What cannot be is named by the spelling that was used.
    for type, keys in [("register", {"name": 5}), ("login", {"username": {}}),
                       ("delete_movie", {"delete_movie_id": "x"}), ("delete_movie", {"movie_id": [1]}),
                       ("put_notice", {"title": ["t"]}), ("put_notice", {"notice_name": None}),
                       ("release_notice", {"notice_content": 5, "title": "t"})]:
        reply = admin.call(no, type, **{"password": PASSWORD, "user_type": "admin", **keys})
        named = "title" if None in keys.values() else list(keys)[0]
        check(named in reply["msg"], type, keys, "got", reply)

    def upload(type, **names):
        data = some_bytes(64)
        admin.call(ok, type, data, file_size=len(data), file_md5=sampled(data), is_free=0, **names)

    upload("upload_movie", file_name=tag + "1")
    upload("upload_movie", movie_name=tag + "2")
    upload("upload", file_name=tag + "3")
    upload("upload", movie_name=tag + "4")
    upload("upload", movie_name=tag + "lost", file_name=tag + "5")
    for movie_type in ("all", "charge", "pay"):
        rows = admin.call(ok, "get_movie_list", movie_type=movie_type)
        check(rows["movie_list"] == rows["back_movie_list"], "two lists of one kind")
        mine = [row[0] for row in rows["movie_list"] if row[0].startswith(tag)]
        check(mine == [tag + n for n in "54321"], movie_type, mine)
    three, four = admin.id_of(tag + "3"), admin.id_of(tag + "4")

    admin.call(ok, "release_notice", title=tag + "1", content="c")
    admin.call(ok, "put_notice", notice_name=tag + "2", notice_content="c")
    admin.call(ok, "release_notice", notice_name="lost", title=tag + "3", notice_content="lost",
               content="c")

    user = Client(addr, wait)
    user.register(tag + "u", "user")
    reply = user.login(tag + "u", "user")
    newest = {"title": tag + "3", "content": "c"}
    check(reply["new_notice"] == newest and reply["notice"][0] == newest, reply)
    check(reply["last_notice"][0] == {tag + "3": "c"}, reply)
    for type in ("check_notice", "check_all_notice"):
        reply = user.call(ok, type)
        check(reply["back_list"] == reply["back_notice_list"], "two lists of one kind")
        check(reply["notice_list"] == [{n["title"]: n["content"]} for n in reply["back_list"]])
        mine = [n["title"] for n in reply["back_list"] if n["title"].startswith(tag)]
        check(mine == [tag + n for n in "321"], mine)
    user.call(no, "check_download_record")
    # A reused dict: keys of other requests come along and decide nothing.
    user.call(ok, "buy_member", movie_id=three, movie_type="free", is_vip=0)
    reply = user.call({"flag": True, "price": 5, "wait_time": 0}, "download_movie", movie_id=three,
                      movie_type="free", movie_name="another", is_free=1, price=0)
    check(len(user.file(reply["file_size"])) == 64, "the file")
    reply = user.call(ok, "check_download_record")
    check(reply["download_list"] == [row["movie"] for row in reply["record_list"]], reply)

    admin.call(ok, "delete_movie", movie_id=three)
    admin.call(no, "delete_movie", movie_id=three)
    admin.call(ok, "delete_movie", movie_id=three, delete_movie_id=four)
    admin.call(no, "delete_movie", delete_movie_id=four)
    admin.call(ok, "logout")
    admin.call(NOT_LOGGED_IN, "get_movie_list", movie_type="all")


def scene_stale(addr, wait):
    """A stale `file_size` in every request without a body is no body."""
    tag = "stale" + TAG
    stale = {"file_size": 5_000, "file_md5": "0" * 32, "unknown": None}
    ok = {"flag": True}
    admin = Client(addr, wait)
    account = dict(name=tag + "a", password=PASSWORD, user_type="admin", **stale)
    admin.call(ok, "register", **account)
    admin.session = admin.call(ok, "login", **account)["session"]
    data = some_bytes(70)
    admin.call(ok, "check_movie", file_size=5_000, file_md5=sampled(data))
    admin.upload(tag, data, 0)
    movie = admin.id_of(tag)
    admin.call(ok, "release_notice", title=tag, content="c", **stale)
    admin.call(ok, "put_notice", title=tag, content="c", **stale)

    user = Client(addr, wait)
    account = dict(name=tag + "u", password=PASSWORD, user_type="user", **stale)
    user.call(ok, "register", **account)
    user.session = user.call(ok, "login", **account)["session"]
    user.call(ok, "buy_vip", **stale)
    user.call({"flag": False}, "buy_member", **stale)
    user.call(ok, "get_movie_list", movie_type="all", **stale)
    user.call({"flag": True, "file_size": 70}, "download_movie", movie_id=movie, **stale)
    check(user.file(70) == data, "the file")
    for type in ("check_download_record", "check_notice", "check_all_notice", "logout"):
        user.call(ok, type, **stale)
    admin.call(ok, "delete_movie", movie_id=movie, **stale)
    admin.call(ok, "check_notice", **stale)

    # An unknown type is answered; with a size nobody knows whether a body follows, so it ends.
    admin.call(UNKNOWN, "fly")
    Client(addr, wait).call(UNKNOWN, "fly")
    admin.call(UNKNOWN, "fly", **stale)
    admin.closed()
    # So is a second literal `type`, `session` or `file_size`.
    for pair in ('"type": "check_notice", "type": "logout"',
                 '"type": "check_notice", "session": "a", "session": "b"',
                 '"type": "upload", "file_size": 1, "file_size": 2'):
        client = Client(addr, wait)
        client.send(None, raw=("{" + pair + "}").encode())
        check(client.reply()["flag"] is False, pair)
        client.closed()


def scene_long(addr, wait):
    """2,000 movies: a reply holds the newest that fit, and says so; pages reach all of them."""
    tag, count, threads = "long" + TAG, 2_000, 8

    def fill(part):
        client = Client(addr, wait)
        client.register(f"{tag}{part}", "admin")
        client.login(f"{tag}{part}", "admin")
        for n in range(part, count, threads):
            data = some_bytes(16) + b"%06d" % n
            client.upload(f"{tag}_{n:05}_a_name_of_common_length.mp4", data, 1)

    failed = []

    def guarded(part):
        try:
            fill(part)
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=guarded, args=(part,)) for part in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    check(not failed, failed)

    user = Client(addr, wait)
    user.register(tag + "u", "user")
    user.login(tag + "u", "user")
    reply = user.call({"flag": True, "more": True, "msg": ANY}, "get_movie_list", movie_type="free")
    rows = reply["movie_list"]
    check(rows == reply["back_movie_list"], "two lists of one kind")
    ids = [row[2] for row in rows]
    check(ids == sorted(ids, reverse=True), "newest first")
    size = len(json.dumps(reply, ensure_ascii=False).encode())
    check(size > 55_000, "only", size, "bytes of 65,000 are used")

    seen, offset = [], 0
    while True:
        user.send({"type": "get_movie_list", "session": user.session, "movie_type": "free",
                   "offset": offset})
        reply = user.reply()
        if not reply["flag"]:
            break
        seen += [row[0] for row in reply["movie_list"]]
        offset += len(reply["movie_list"])
        if not reply.get("more"):
            break
    mine = [name for name in seen if name.startswith(tag)]
    check(len(mine) == len(set(mine)) == count, "pages gave", len(mine))
    reply = user.call({"flag": True}, "get_movie_list", movie_type="free", offset=3, limit=2)
    check([row[2] for row in reply["movie_list"]] == ids[3:5], "offset and limit")


def scene_forbidden(addr, wait):
    """What Python sends and JSON forbids: NaN, Infinity, lone surrogates."""
    tag = "nan" + TAG
    admin = Client(addr, wait)
    admin.register(tag, "admin")
    admin.login(tag, "admin")
    odd = [float("nan"), float("inf"), float("-inf"), "\ud800", ["\udfff"], {"x": float("nan")}]
    for value in odd:
        # In a key that nobody reads it passes.
        admin.call({"flag": True}, "check_movie", file_md5="0" * 32, unknown=value)
        # In one that is read the answer names it, and the connection lives.
        reply = admin.call({"flag": False}, "check_movie", file_md5=value)
        check("file_md5" in reply["msg"], reply)
        reply = admin.call({"flag": False}, "login", name=value, password=PASSWORD,
                           user_type="admin")
        check("name" in reply["msg"], reply)
        # The body of what was refused is settled.
        reply = admin.call({"flag": False}, "upload_movie", b"x" * 3_000, file_name=value,
                           file_size=3_000, file_md5="0" * 32, is_free=1)
        check("file_name" in reply["msg"], reply)
        admin.call({"flag": True}, "check_movie", file_md5="0" * 32)
    for size in (None, -1, 1.5, "5", float("nan"), True, 2**63, 2**64):
        client = Client(addr, wait)
        client.register(f"{tag}{size}", "admin")
        client.login(f"{tag}{size}", "admin")
        client.call({"flag": False}, "upload_movie", b"x" * 50, file_name="n", file_size=size,
                    file_md5="0" * 32, is_free=1)
    for raw in (b"[]", b"5", b"null", b"\xff\xfe", b"{", b"\xef\xbb\xbf{}"):
        client = Client(addr, wait)
        client.send(None, raw=raw)
        check(client.reply()["flag"] is False, raw)
        client.closed()
    client = Client(addr, wait)
    for raw in (b"{}", b"{\"type\": 5}", b"{\"type\": NaN}"):
        client.send(None, raw=raw)
        check(client.reply()["flag"] is False, raw)


def scene_smuggled(addr, wait):
    """A refused upload whose body is a valid `delete_movie` frame deletes nothing."""
    tag = "smuggle" + TAG
    admin = Client(addr, wait)
    admin.register(tag, "admin")
    admin.login(tag, "admin", keep=True)
    data = some_bytes(90)
    admin.upload(tag, data, 1)
    movie = admin.id_of(tag)
    user = Client(addr, wait)
    user.register(tag + "u", "user")
    user.login(tag + "u", "user", keep=True)
    delete = json.dumps({"type": "delete_movie", "session": admin.session,
                         "delete_movie_id": movie}).encode()
    frame = struct.pack("i", len(delete)) + delete
    for body in (frame, frame * 7):
        for n in range(250):
            session = (None, "f" * 32, user.session, "\ud800")[n % 4]
            client = Client(addr, wait)
            client.session = session
            client.call({"flag": False}, "upload_movie", body, file_size=len(body),
                        file_md5="0" * 32, is_free=1, file_name="x.mp4")
            client.sock.shutdown(socket.SHUT_WR)
            try:
                check(client.sock.recv(1) == b"", "a second reply: the body was run")
            except ConnectionResetError:
                pass
            client.sock.close()
    # The frame itself is a good one: sent as a request it deletes.
    check(admin.id_of(tag) == movie, "the movie is still there")
    last = Client(addr, wait)
    last.sock.sendall(frame)
    check(matches(last.reply(), {"flag": True, "msg": "删除成功"}), "the frame is valid")


SCENES = {name[6:]: scene for name, scene in globals().items() if name.startswith("scene_")}


def main():
    global TLS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("addr", help="HOST:PORT of the server")
    parser.add_argument("--wait", type=float, default=30, help="the server's --wait in seconds")
    parser.add_argument("--tls-ca", metavar="FILE", help="go through TLS, and trust this certificate")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", default=[], help=" ".join(SCENES))
    args = parser.parse_intermixed_args()
    if args.tls_ca:
        TLS = ssl.create_default_context(cafile=args.tls_ca)
    host, port = args.addr.rsplit(":", 1)
    for name in args.scenes or (["session", "spellings"] if TLS else SCENES):
        before, start = CHECKS, time.monotonic()
        try:
            SCENES[name]((host, int(port)), args.wait)
        except (AssertionError, OSError, ValueError) as error:
            print(f"{name}: FAILED: {error!r}", file=sys.stderr)
            raise SystemExit(1)
        print(f"{name}: {CHECKS - before} checks, {time.monotonic() - start:.1f} s")


main()
