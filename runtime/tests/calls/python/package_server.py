"""A server of `market.v1.Tape` and `shapes.v1.Shapes` with the package `zsvc`: `python package_server.py ENDPOINT`.

Prints its endpoint, and a line for every note. Drains, and stops, when its standard input ends.
"""

import asyncio
import sys

import zsvc
from floor import Floor, Mirror


class Noting(Floor):
    """A floor that prints notes."""

    async def note(self, context, text):
        print("note:", text, flush=True)


async def main(endpoint):
    async with zsvc.Server(Noting(), Mirror(), bind=endpoint) as server:
        print(server.endpoints[0], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
