"""gRPC's asyncio: the service of `proto/echo.proto`, with the defaults but for the size of messages."""

import asyncio

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
    size = results.LOADS[name][1]
    request = echo_pb2.Payload(data=b"\x07" * size)
    async with grpc.aio.insecure_channel(endpoint, options=OPTIONS) as channel:
        stub = echo_pb2_grpc.EchoStub(channel)

        async def call():
            answer = await stub.Echo(request)
            assert len(answer.data) == size

        await results.load_by_tasks(name, call, warm_up, window)


async def stream(name, endpoint, warm_up, window):
    size = results.ITEMS[name]
    async with grpc.aio.insecure_channel(endpoint, options=OPTIONS) as channel:
        call = echo_pb2_grpc.EchoStub(channel).Items(echo_pb2.Size(size=size))
        counted = results.Items(name, warm_up, window)
        async for item in call:
            assert len(item.data) == size
            if counted.take():
                break
        call.cancel()
        counted.tell()


results.main(serve, results.drives(results.by_loop(load), results.by_loop(stream)))
