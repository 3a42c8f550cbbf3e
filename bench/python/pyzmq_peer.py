"""pyzmq: ROUTER and DEALER sockets, one message per call, no protocol around it."""

import os
import threading
import time

import zmq

import results


def unbounded(kind):
    """Returns a socket whose queues have no bound, so that any number of messages may be in flight."""
    socket = zmq.Context.instance().socket(kind)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = 0
    return socket


def serve():
    router = unbounded(zmq.ROUTER)
    router.bind("tcp://127.0.0.1:*")
    results.tell({"endpoint": router.last_endpoint.decode()})
    results.serve_until_stdin_ends()
    while True:
        router.send_multipart(router.recv_multipart())


def connect(endpoint):
    dealer = unbounded(zmq.DEALER)
    dealer.connect(endpoint)
    return dealer


def call(dealer):
    dealer.send(results.PAYLOAD)
    dealer.recv()


def calls_for(dealer, payload, seconds):
    """Sends a message for each reply. Reads the clock only once per batch of messages."""
    calls, start = 0, time.perf_counter()
    between = 1 if len(payload) > 1024 else 50
    while time.perf_counter() - start < seconds:
        for _ in range(between):
            dealer.recv()
            dealer.send(payload)
        calls += between
    return calls, time.perf_counter() - start


def load(name, endpoint, warm_up, window):
    """Keeps a fixed number of messages in flight."""
    in_flight, size = results.LOADS[name]
    dealer, payload = connect(endpoint), b"\x07" * size
    for _ in range(in_flight):
        dealer.send(payload)
    calls_for(dealer, payload, warm_up)
    results.tell_rate(name, *calls_for(dealer, payload, window))


def sync_clients(name, endpoint, warm_up, window):
    """Runs one thread per client, as a program without an event loop would."""
    counts = [0] * results.SYNC_CLIENTS

    def calling(index):
        dealer = connect(endpoint)
        while True:
            call(dealer)
            counts[index] += 1

    for index in range(results.SYNC_CLIENTS):
        threading.Thread(target=calling, args=[index], daemon=True).start()
    time.sleep(warm_up)
    before, start = sum(counts), time.perf_counter()
    time.sleep(window)
    results.tell_rate(name, sum(counts) - before, time.perf_counter() - start)


def drive(measure, endpoint, warm_up, window):
    if measure in ("latency", "cold-start"):
        dealer = connect(endpoint)
        calling = lambda: call(dealer)
        if measure == "latency":
            results.latency(calling, warm_up, window)
        else:
            results.tell_first_answer(calling)
    elif measure in results.LOADS:
        load(measure, endpoint, warm_up, window)
    elif measure == "sync-clients":
        sync_clients(measure, endpoint, warm_up, window)
    else:
        return False
    # Threads that are in the middle of calls do not end by themselves.
    os._exit(0)


results.main(serve, drive)
