"""zsvc for asyncio: the service of `svc/echo.svc`, with the defaults, deadlines and limits included."""

import asyncio
import time

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
    in_flight, size = results.LOADS[name]
    payload, calls, over = b"\x07" * size, 0, False
    async with EchoClient.connect(endpoint) as client:

        async def calling():
            nonlocal calls
            while not over:
                answer = await client.echo(payload)
                assert len(answer) == size
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
    size, items = results.ITEMS[name], 0
    async with EchoClient.connect(endpoint) as client, client.items(size) as answers:
        warm, start = time.perf_counter() + warm_up, None
        async for item in answers:
            assert len(item) == size
            now = time.perf_counter()
            if start is None:
                start = now if now >= warm else None
                continue
            items += 1
            if now - start >= window:
                break
        results.tell({"name": name, "value": items / (now - start), "unit": "items/s"})


def drive(measure, endpoint, warm_up, window):
    if measure in results.LOADS:
        asyncio.run(load(measure, endpoint, warm_up, window))
    elif measure in results.ITEMS:
        asyncio.run(stream(measure, endpoint, warm_up, window))
    else:
        return False
    return True


if __name__ == "__main__":
    results.main(serve, drive)
