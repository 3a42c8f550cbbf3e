"""What the Python peers share: arguments, the measured time, and results as lines of JSON.

`PEER.py serve` prints its endpoint and serves until its standard input ends.
`PEER.py drive MEASURE ENDPOINT WARM_UP WINDOW` warms up and measures, both times in seconds, and prints its results.
"""

import asyncio
import json
import os
import sys
import threading
import time

PAYLOAD = b"\x07" * 64

# Calls in flight over one connection, and payload size in bytes, for each measure of a rate.
LOADS = {
    "in-flight-1": (1, 64),
    "in-flight-8": (8, 64),
    "in-flight-64": (64, 64),
    "in-flight-1000": (1000, 64),
    "payload-1k": (8, 1024),
    "payload-64k": (8, 64 * 1024),
    "payload-1m": (8, 1024 * 1024),
}

# Size in bytes of the items of a stream, for each measure of one.
ITEMS = {"items": 64, "items-4k": 4096}

# Number of clients of `sync-clients`. Each has a connection and makes one call at a time.
SYNC_CLIENTS = 12


# The parent process reads UTF-8, whatever the user's locale is.
sys.stdout.reconfigure(encoding="utf-8")


def tell(line):
    """Prints one line and flushes it: the parent process reads along."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


def serve_until_stdin_ends():
    """Ends the process when the parent process is gone. A thread watches, since the loops of the servers do not end."""

    def watch():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def latency(call, warm_up, window):
    """Makes one call after another, and prints the median and the 99th percentile of their times."""
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
    """Prints calls per second, or bytes per second for the payload measures."""
    if name.startswith("payload-"):
        tell({"name": name, "value": calls * LOADS[name][1] / seconds, "unit": "bytes/s"})
    else:
        tell({"name": name, "value": calls / seconds, "unit": "calls/s"})


class Items:
    """Counts the items of one stream, once the time to warm up is over."""

    def __init__(self, name, warm_up, window):
        self.name, self.window = name, window
        self.warm, self.start, self.count, self.seconds = time.perf_counter() + warm_up, None, 0, 0.0

    def take(self):
        """Counts an item. Returns whether enough were measured."""
        now = time.perf_counter()
        if self.start is None:
            self.start = now if now >= self.warm else None
            return False
        self.count += 1
        self.seconds = now - self.start
        return self.seconds >= self.window

    def tell(self):
        """Prints items per second."""
        tell({"name": self.name, "value": self.count / self.seconds, "unit": "items/s"})


async def load_by_tasks(name, call, warm_up, window):
    """Keeps calls in flight by as many tasks, and prints their rate."""
    calls, over = 0, False

    async def calling():
        nonlocal calls
        while not over:
            await call()
            calls += 1

    tasks = [asyncio.ensure_future(calling()) for _ in range(LOADS[name][0])]
    await asyncio.sleep(warm_up)
    before, start = calls, time.perf_counter()
    await asyncio.sleep(window)
    made, seconds = calls - before, time.perf_counter() - start
    over = True
    await asyncio.gather(*tasks)
    tell_rate(name, made, seconds)


def by_loop(measure):
    """Returns what runs a measure in an event loop of its own."""
    return lambda *arguments: asyncio.run(measure(*arguments))


def drives(load, stream, most=None):
    """Returns what measures by two functions: rates of up to `most` calls in flight, and items of a stream."""

    def drive(measure, endpoint, warm_up, window):
        if measure in LOADS and (most is None or LOADS[measure][0] <= most):
            load(measure, endpoint, warm_up, window)
        elif measure in ITEMS:
            stream(measure, endpoint, warm_up, window)
        else:
            return False
        return True

    return drive


def tell_first_answer(call):
    """Makes one call. The parent process measures the time since this process was started."""
    call()
    tell({"name": "cold-start", "value": 0.0, "unit": "ms"})


def main(serve, drive):
    """Runs the command that the arguments name."""
    arguments = sys.argv[1:]
    if arguments == ["serve"]:
        serve()
    elif len(arguments) == 5 and arguments[0] == "drive":
        _, measure, endpoint, warm_up, window = arguments
        if not drive(measure, endpoint, float(warm_up), float(window)):
            print(f"there is no measure `{measure}` here", file=sys.stderr)
            sys.exit(3)
    else:
        sys.exit(__doc__)
