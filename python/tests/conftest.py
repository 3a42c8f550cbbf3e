"""What tests share: the generated code of `runtime/tests/calls/svc`, and a deadline for all that waits."""

import asyncio
import functools
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent.parent
TIMEOUT = 60.0

sys.path.insert(0, str(TESTS))


def run(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test in an event loop of its own, and not for ever."""

    @functools.wraps(test)
    def wrapper(*args: Any, **named: Any) -> None:
        async def within() -> None:
            await asyncio.wait_for(test(*args, **named), TIMEOUT)

        asyncio.run(within())

    return wrapper


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """Leaves what the modules before have imported and kept out of collections of garbage.

    Over a thousand tests leave so many objects that a collection stops a server for longer than some calls may take.
    """
    yield
    gc.collect()
    gc.freeze()
