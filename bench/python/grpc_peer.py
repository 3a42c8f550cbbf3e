"""gRPC with threads: the service of `proto/echo.proto`. The client keeps futures in flight."""

import os
import threading
import time
from concurrent import futures

import echo_pb2
import echo_pb2_grpc
import grpc
import results

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Echoing(echo_pb2_grpc.EchoServicer):
    """The served object."""

    def Echo(self, request, context):
        return request

    def Items(self, request, context):
        item = echo_pb2.Payload(data=b"\x07" * request.size)
        while context.is_active():
            yield item


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(32), options=OPTIONS)
    echo_pb2_grpc.add_EchoServicer_to_server(Echoing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    results.tell({"endpoint": f"127.0.0.1:{port}"})
    results.serve_until_stdin_ends()
    server.wait_for_termination()


def load(name, endpoint, warm_up, window):
    in_flight, size = results.LOADS[name]
    request, lock, count = echo_pb2.Payload(data=b"\x07" * size), threading.Lock(), [0]
    stub = echo_pb2_grpc.EchoStub(grpc.insecure_channel(endpoint, options=OPTIONS))

    def calling():
        stub.Echo.future(request).add_done_callback(done)

    def done(answer):
        assert len(answer.result().data) == size
        with lock:
            count[0] += 1
        calling()

    def one_by_one():
        while True:
            stub.Echo(request)
            count[0] += 1

    if in_flight == 1:
        threading.Thread(target=one_by_one, daemon=True).start()
    else:
        for _ in range(in_flight):
            calling()
    time.sleep(warm_up)
    before, start = count[0], time.perf_counter()
    time.sleep(window)
    results.tell_rate(name, count[0] - before, time.perf_counter() - start)
    # Calls that are in flight do not end by themselves.
    os._exit(0)


def stream(name, endpoint, warm_up, window):
    size = results.ITEMS[name]
    stub = echo_pb2_grpc.EchoStub(grpc.insecure_channel(endpoint, options=OPTIONS))
    call = stub.Items(echo_pb2.Size(size=size))
    counted = results.Items(name, warm_up, window)
    for item in call:
        assert len(item.data) == size
        if counted.take():
            break
    counted.tell()
    os._exit(0)


results.main(serve, results.drives(load, stream))
