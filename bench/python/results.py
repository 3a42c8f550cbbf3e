"""What both peers have in common: arguments, the time that is measured in, and results as lines of JSON.

`PEER.py serve` prints where it listens and serves until its standard input ends.
`PEER.py drive MEASURE ENDPOINT WARM_UP WINDOW` measures, for so many seconds, and prints its results.
"""

import json
import os
import sys
import threading
import time

PAYLOAD = b"\x07" * 64

# How many calls each measure of a rate keeps in flight over one connection, and with how many bytes.
LOADS = {
    "in-flight-8": (8, 64),
    "in-flight-64": (64, 64),
    "in-flight-1000": (1000, 64),
    "payload-1k": (8, 1024),
    "payload-64k": (8, 64 * 1024),
    "payload-1m": (8, 1024 * 1024),
}

# The connections of `sync-clients`, each of which makes one call at a time.
SYNC_CLIENTS = 12


# Whatever the user's locale, the other end reads UTF-8.
sys.stdout.reconfigure(encoding="utf-8")


def tell(line):
    """Prints one line, now: whoever started this reads along."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


def serve_until_stdin_ends():
    """Ends the process when whoever started it is gone. A thread watches, since loops of servers know no other end."""

    def watch():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def latency(call, warm_up, window):
    """Makes one call after the other, and tells the median and the 99th percentile of their times."""
    end = time.perf_counter() + warm_up
    while time.perf_counter() < end:
        call()
    times = []
    now = time.perf_counter()
    end = now + window
    while now < end:
        call()
        then, now = now, time.perf_counter()
        times.append(now - then)
    times.sort()
    for name, share in (("latency p50", 0.50), ("latency p99", 0.99)):
        tell({"name": name, "value": times[int(share * (len(times) - 1))] * 1e6, "unit": "µs"})


def tell_rate(name, calls, seconds):
    """Tells how many calls were made in a second, or how many bytes they had where these are measured."""
    if name.startswith("payload-"):
        tell({"name": name, "value": calls * LOADS[name][1] / seconds, "unit": "bytes/s"})
    else:
        tell({"name": name, "value": calls / seconds, "unit": "calls/s"})


def tell_first_answer(call):
    """Makes one call. How long it took since this process began is for whoever has started it to say."""
    call()
    tell({"name": "cold-start", "value": 0.0, "unit": "ms"})


def main(serve, drive):
    """Does what the arguments say."""
    arguments = sys.argv[1:]
    if arguments == ["serve"]:
        serve()
    elif len(arguments) == 5 and arguments[0] == "drive":
        _, measure, endpoint, warm_up, window = arguments
        if not drive(measure, endpoint, float(warm_up), float(window)):
            sys.exit(f"there is no measure `{measure}` here")
    else:
        sys.exit(__doc__)
