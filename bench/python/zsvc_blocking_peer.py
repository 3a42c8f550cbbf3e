"""zsvc's client for threads, each of which makes one call at a time; the server is that of `zsvc_peer.py`."""

import os
import threading
import time

import results
import zsvc_peer
from api.bench.v1 import EchoBlockingClient

MOST_THREADS = 64


def load(name, endpoint, warm_up, window):
    threads, size = results.LOADS[name]
    counts, payload = [0] * threads, b"\x07" * size
    client = EchoBlockingClient.connect(endpoint)

    def calling(index):
        while True:
            client.echo(payload)
            counts[index] += 1

    for index in range(threads):
        threading.Thread(target=calling, args=[index], daemon=True).start()
    time.sleep(warm_up)
    before, start = sum(counts), time.perf_counter()
    time.sleep(window)
    results.tell_rate(name, sum(counts) - before, time.perf_counter() - start)
    # Threads that are in the middle of calls do not end by themselves.
    os._exit(0)


def stream(name, endpoint, warm_up, window):
    size = results.ITEMS[name]
    with EchoBlockingClient.connect(endpoint) as client, client.items(size) as answers:
        counted = results.Items(name, warm_up, window)
        for _ in answers:
            if counted.take():
                break
        counted.tell()


if __name__ == "__main__":
    results.main(zsvc_peer.serve, results.drives(load, stream, MOST_THREADS))
