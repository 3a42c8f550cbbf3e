"""gRPC's asyncio: the service of `proto/echo.proto`, with the defaults but for the size of messages."""

import asyncio
import time

import echo_pb2
import echo_pb2_grpc
import grpc
import results

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Echoing(echo_pb2_grpc.EchoServicer):
    """The served object."""

    async def Echo(self, request, context):
        return request

    async def Items(self, request, context):
        item = echo_pb2.Payload(data=b"\x07" * request.size)
        while True:
            yield item


async def serving():
    server = grpc.aio.server(options=OPTIONS)
    echo_pb2_grpc.add_EchoServicer_to_server(Echoing(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    results.tell({"endpoint": f"127.0.0.1:{port}"})
    await server.wait_for_termination()


def serve():
    results.serve_until_stdin_ends()
    asyncio.run(serving())


async def load(name, endpoint, warm_up, window):
    in_flight, size = results.LOADS[name]
    request, calls, over = echo_pb2.Payload(data=b"\x07" * size), 0, False
    async with grpc.aio.insecure_channel(endpoint, options=OPTIONS) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)

        async def calling():
            nonlocal calls
            while not over:
                answer = await stub.Echo(request)
                assert len(answer.data) == size
                calls += 1

        tasks = [asyncio.ensure_future(calling()) for _ in range(in_flight)]
        await asyncio.sleep(warm_up)
        before, start = calls, time.perf_counter()
        await asyncio.sleep(window)
        made, seconds = calls - before, time.perf_counter() - start
        over = True
        await asyncio.gather(*tasks)
        results.tell_rate(name, made, seconds)


async def stream(name, endpoint, warm_up, window):
    size, items, start = results.ITEMS[name], 0, None
    async with grpc.aio.insecure_channel(endpoint, options=OPTIONS) as channel:
        call = echo_pb2_grpc.EchoStub(channel).Items(echo_pb2.Size(size=size))
        warm = time.perf_counter() + warm_up
        async for item in call:
            assert len(item.data) == size
            now = time.perf_counter()
            if start is None:
                start = now if now >= warm else None
                continue
            items += 1
            if now - start >= window:
                break
        call.cancel()
        results.tell({"name": name, "value": items / (now - start), "unit": "items/s"})


def drive(measure, endpoint, warm_up, window):
    if measure in results.LOADS:
        asyncio.run(load(measure, endpoint, warm_up, window))
    elif measure in results.ITEMS:
        asyncio.run(stream(measure, endpoint, warm_up, window))
    else:
        return False
    return True


results.main(serve, drive)
