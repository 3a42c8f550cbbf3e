"""zerorpc: a method that returns its argument, and greenlets that call it.

Server and client use the defaults, including heartbeats.
"""

import os
import time

import gevent
import zerorpc

import results


class Echo:
    """The served object."""

    def echo(self, payload):
        return payload

    @zerorpc.stream
    def items(self, size):
        item = b"\x07" * size
        while True:
            yield item


def serve():
    server = zerorpc.Server(Echo())
    [bound] = server.bind("tcp://127.0.0.1:*")
    results.tell({"endpoint": bound.addr})
    results.serve_until_stdin_ends()
    server.run()


def connect(endpoint):
    client = zerorpc.Client()
    client.connect(endpoint)
    return client


def rate(name, clients, payload, warm_up, window):
    """Counts the calls of one greenlet per entry of `clients`, which may contain one client many times."""
    calls, over = 0, False

    def calling(client):
        nonlocal calls
        while not over:
            client.echo(payload)
            calls += 1

    def wait(seconds, rounds):
        """Runs until the time is over and every greenlet has made a minimum of calls: 1,000 in flight come and go in bursts."""
        before, start = calls, time.perf_counter()
        while time.perf_counter() - start < seconds or calls - before < rounds * len(greenlets):
            gevent.sleep(0.01)
            for greenlet in greenlets:
                if greenlet.exception:
                    raise greenlet.exception
        return calls - before, time.perf_counter() - start

    greenlets = [gevent.spawn(calling, client) for client in clients]
    wait(warm_up, rounds=1)
    made, seconds = wait(window, rounds=2)
    over = True
    # Calls in flight finish first, so that the server has no work left from them.
    gevent.joinall(greenlets, timeout=30, raise_error=True)
    results.tell_rate(name, made, seconds)


def stream(name, client, warm_up, window):
    """Counts the items of one stream."""
    size = results.ITEMS[name]
    counted = results.Items(name, warm_up, window)
    for item in client.items(size):
        assert len(item) == size
        if counted.take():
            break
    counted.tell()


def drive(measure, endpoint, warm_up, window):
    client = connect(endpoint)
    calling = lambda: client.echo(results.PAYLOAD)
    if measure == "latency":
        results.latency(calling, warm_up, window)
    elif measure == "cold-start":
        results.tell_first_answer(calling)
    elif measure in results.LOADS:
        in_flight, size = results.LOADS[measure]
        rate(measure, [client] * in_flight, b"\x07" * size, warm_up, window)
    elif measure in results.ITEMS:
        stream(measure, client, warm_up, window)
    elif measure == "sync-clients":
        clients = [connect(endpoint) for _ in range(results.SYNC_CLIENTS)]
        rate(measure, clients, results.PAYLOAD, warm_up, window)
    else:
        return False
    # The heartbeats do not end by themselves.
    os._exit(0)


results.main(serve, drive)
