"""A server of `market.v1.Tape` that tells its schema: `python server.py ENDPOINT`. Ends with its standard input."""

import asyncio
import sys

from floor import Floor

import zsvc


async def main(endpoint):
    floor = Floor()
    reflection = zsvc.Reflection("../examples/tape/svc/tape.svc", floor)
    async with zsvc.Server(floor, reflection, bind=endpoint) as server:
        print(server.endpoints[0], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
