#!/usr/bin/env python3
"""Runs a program in a network of its own, from which a server is reached through bad weather.

    unshare --map-root-user --net python3 weather.py SEED SERVER... -- PROGRAM...

Packets are lost (5 %), late (100 ms and up to 25 more or less, each way), out of order and doubled (1 % each). The
server runs in this network at 10.99.0.1, the program in another one at 10.99.0.2; between them is this script, which
passes IP packets between two TUN devices: what `tc netem` does, where the kernel has it, and on kernels without it.
Its exit code is the program's; the last line says what the weather was.
"""

import collections
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time

LOSS, REORDERED, DOUBLED = 0.05, 0.01, 0.01
DELAY, JITTER = 0.100, 0.025
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def run(*command):
    subprocess.run(command, check=True)


def tun(name, own, other):
    """A device in the present network that leads to `other`: what is routed there is read here."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    run("ip", "addr", "add", own, "peer", other, "dev", name)
    run("ip", "link", "set", name, "up")
    run("ip", "link", "set", "lo", "up")
    return device


def weather(one, two, chance, seen):
    """Passes packets for ever."""
    late, number = [], 0
    other, last = {one: two, two: one}, {one: 0.0, two: 0.0}
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        ready, _, _ = select.select([one, two], [], [], wait)
        for device in ready:
            try:
                packet = os.read(device, 65536)
            except BlockingIOError:
                continue
            seen["packets"] += 1
            if chance.random() < LOSS:
                seen["lost"] += 1
                continue
            copies = 1 + (chance.random() < DOUBLED)
            seen["doubled"] += copies - 1
            for _ in range(copies):
                at = time.monotonic() + DELAY + chance.uniform(-JITTER, JITTER)
                if chance.random() < REORDERED:
                    # It overtakes those before it.
                    seen["reordered"] += 1
                    at -= DELAY / 2
                else:
                    at = last[device] = max(at, last[device])
                number += 1
                heapq.heappush(late, (at, number, other[device], packet))
        while late and late[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(late)
            try:
                os.write(device, packet)
            except BlockingIOError:
                seen["lost"] += 1


def main():
    cut = sys.argv.index("--")
    seed, server, program = int(sys.argv[1]), sys.argv[2:cut], sys.argv[cut + 1:]
    near = tun("near", "10.99.0.1", "10.99.0.2")
    serving = subprocess.Popen(server, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        line = serving.stdout.readline()
        if not line.startswith("READY "):
            raise SystemExit(f"the server is not ready: {line}")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network of its own")
        far = tun("far", "10.99.0.2", "10.99.0.1")
        seen = collections.Counter()
        threading.Thread(target=weather, args=(near, far, random.Random(seed), seen), daemon=True).start()
        code = subprocess.run(program).returncode
    finally:
        serving.kill()
        serving.wait()
    print("weather:", ", ".join(f"{seen[what]} {what}" for what in ("packets", "lost", "doubled", "reordered")), flush=True)
    sys.exit(code)


main()
