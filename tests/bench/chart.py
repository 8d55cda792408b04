#!/usr/bin/env python3
"""Draws what `rpc --json` printed: replies in a second, a panel for each work, a bar for each peer.

usage: packetboat-bench rpc --json | tests/bench/chart.py > tests/bench/rpc.svg
"""

import html
import json
import sys

WORKS = {
    "sequential": "one connection, one request at a time",
    "c64": "64 connections, one request at a time on each",
    "pipelined": "one connection, 64 requests in flight",
}
OURS = {"ours", "classic", "own-client"}
WIDTH, LABEL, NUMBER, BAR, GAP, HEAD = 760, 150, 90, 16, 6, 44

# Readable on light and on dark paper.
STYLE = """
text { font: 13px sans-serif; fill: #666 }
.work { font-weight: bold }
.number, .name { dominant-baseline: central }
.name { text-anchor: end }
.ours { fill: #2a7fba }
.peer { fill: #a9b4bd }
"""


def rates(lines):
    """Replies in a second by work, then by peer, in the order in which they were printed."""
    found = {}
    for line in lines:
        result = json.loads(line)
        if result["bench"] == "rpc" and result["unit"] == "replies/s":
            found.setdefault(result["work"], {})[result["peer"]] = result["value"]
    return found


def panel(work, peers, top):
    """The lines of one work, and where the next one begins."""
    most = max(peers.values())
    room = WIDTH - LABEL - NUMBER
    title = html.escape(f"{work}: {WORKS.get(work, '')}")
    yield f'<text class="work" x="0" y="{top + 26}">{title}</text>'
    y = top + HEAD
    for peer, rate in sorted(peers.items(), key=lambda one: -one[1]):
        middle, long = y + BAR / 2, max(1, room * rate / most)
        kind = "ours" if peer in OURS else "peer"
        yield f'<text class="name" x="{LABEL - 8}" y="{middle}">{html.escape(peer)}</text>'
        yield f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{long:.1f}" height="{BAR}"/>'
        yield f'<text class="number" x="{LABEL + long + 8:.1f}" y="{middle}">{rate:,.0f}</text>'
        y += BAR + GAP


def draw(found):
    """The picture."""
    top, body = 0, []
    for work, peers in found.items():
        body.extend(panel(work, peers, top))
        top += HEAD + len(peers) * (BAR + GAP)
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    title = "<title>Replies in a second</title>"
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', title, f"<style>{STYLE}</style>", *body, "</svg>"]
    )


def main():
    """From standard input to standard output."""
    found = rates(line for line in sys.stdin if line.strip())
    if not found:
        sys.exit("chart.py: no line of `rpc --json`")
    print(draw(found))


if __name__ == "__main__":
    main()
