"""Timers of fourteen days: the wheel beside the timers of libevent, libuv and libev, and a 4-ary heap."""
import subprocess

from bench import Missing, cell, in_turn, output, package, table

PACKAGES = {"libevent": "libevent-dev", "libuv": "libuv1-dev", "libev": "libev-dev"}
HEADERS = {"libuv": "uv.h", "libev": "ev.h"}

NOTES = """
- Burst: all expire in one turn. One by one: at each timer's very instant, spread over ten years, the longest that a
  deadline can lie ahead; the bench fails if any comes early, late or out of order.
- libevent, libuv and libev know no time but the clock's: their bursts are of timers spread over a fifth of a second
  that has gone by, their turns ask the kernel, and libevent reads the clock at each set. A timer of libuv has
  milliseconds.
- Bytes are those of a timer and of its place in a heap or list; what libraries keep for callbacks is in them. A timer
  of the 4-ary heap is a 32-bit place in one array of instants and pointers, which has to be moved when it grows; one of
  the wheel is two addresses of 48 bits and an instant, wherever the caller has it.
- Processor time.
"""


def has_header(peer):
    found = subprocess.run(["cc", "-E", "-include", HEADERS[peer], "-x", "c", "/dev/null"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    if found.returncode != 0:
        raise Missing(f"there is no {HEADERS[peer]} (package {PACKAGES[peer]})")


def versions(peers):
    for peer in peers:
        if peer in PACKAGES:
            try:
                yield f"{peer} {package(PACKAGES[peer])}"
            except Missing:
                yield f"{peer} of unknown version"


def run(bench):
    count = 20000 if bench.quick else 1000000
    names = ["slated", "heap", "libevent"]
    names += [peer for peer in HEADERS if bench.has(peer, lambda peer=peer: has_header(peer))]
    bench.make(*[f"bench/wheel_{name}" for name in names])

    def measure(name):
        lines = output(bench.build / "bench" / f"wheel_{name}", count).splitlines()
        return {step: float(value) for step, value in (line.split("\t") for line in lines)}

    took = in_turn(bench.rounds, {name: lambda name=name: measure(name) for name in names})
    rows = [[step, *[cell(took[name].get(step)) for name in names]] for step in took["slated"]]
    heads = ["slated's wheel" if name == "slated" else "4-ary heap" if name == "heap" else name for name in names]
    bench.report("wheel", f"Timers: {count:,} over 14 days, nanoseconds each",
                 "\n" + table(["", *heads], rows) + NOTES, versions(names))
