"""zsvc for asyncio: the service of `svc/echo.svc`, with the defaults, deadlines and limits included."""

import asyncio

import results
import zsvc
from api.bench.v1 import Echo, EchoClient


class Echoing(Echo):
    """The served object."""

    async def echo(self, context, payload):
        return payload

    async def items(self, context, size):
        item = b"\x07" * size
        while True:
            yield item

    last = trades = collect = exchange = note = None


async def serving():
    async with zsvc.Server(Echoing(), bind="tcp://127.0.0.1:*") as server:
        results.tell({"endpoint": server.endpoints[0]})
        await asyncio.Event().wait()


def serve():
    results.serve_until_stdin_ends()
    asyncio.run(serving())


async def load(name, endpoint, warm_up, window):
    size = results.LOADS[name][1]
    payload = b"\x07" * size
    async with EchoClient.connect(endpoint) as client:

        async def call():
            answer = await client.echo(payload)
            assert len(answer) == size

        await results.load_by_tasks(name, call, warm_up, window)


async def stream(name, endpoint, warm_up, window):
    size = results.ITEMS[name]
    async with EchoClient.connect(endpoint) as client, client.items(size) as answers:
        counted = results.Items(name, warm_up, window)
        async for item in answers:
            assert len(item) == size
            if counted.take():
                break
        counted.tell()


if __name__ == "__main__":
    results.main(serve, results.drives(results.by_loop(load), results.by_loop(stream)))
