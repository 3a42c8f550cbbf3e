"""Services that extend others, and what their values are."""

from collections.abc import AsyncIterator

import pytest
from conftest import run
from generated.hall import v1 as hall
from generated.well import v1 as well

import zsvc
import zsvc.testing
from zsvc.codec.body import decode, encode


class Grand(hall.Hall):
    """Implements the service that it extends, too."""

    async def ping(self, context: zsvc.Context, text: str) -> str:
        if not text:
            raise well.SickHurts(part="head")
        return text

    async def beats(self, context: zsvc.Context, start: int) -> AsyncIterator[int]:
        for number in range(start):
            yield number

    async def enter(self, context: zsvc.Context, room: hall.Room, tags: set[str]) -> hall.Room:
        room.note = sorted(tags)
        return room


@run
async def test_a_service_serves_the_methods_that_it_takes_over() -> None:
    async with zsvc.testing.serving(Grand()) as channel:
        client = hall.HallClient(channel)
        assert await client.ping("a") == "a"
        assert [number async for number in client.beats(3)] == [0, 1, 2]
        with pytest.raises(well.SickHurts, match="head hurts"):
            await client.ping("")
        room = hall.Room(name="a", levels={hall.Level.PIT, hall.Level(-7)})
        assert (await client.enter(room, {"b", "a"})).note == ["a", "b"]
        with pytest.raises(zsvc.Status) as caught:
            await well.HealthClient(channel).ping("a")
        assert caught.value.code is zsvc.Code.UNIMPLEMENTED


@run
async def test_one_implementation_serves_both() -> None:
    grand = Grand()
    assert isinstance(grand, well.Health)
    async with zsvc.testing.serving(grand, zsvc.ServedAs(well.Health, grand)) as channel:
        assert await well.HealthClient(channel).ping("a") == "a"
        assert await hall.HallClient(channel).ping("b") == "b"


class Both(hall.Hall, well.Other):
    """Two services, neither of which extends the other."""

    ping, beats, enter = Grand.ping, Grand.beats, Grand.enter

    async def rest(self, context: zsvc.Context) -> None:
        pass


@run
async def test_which_service_is_served_is_said() -> None:
    with pytest.raises(TypeError, match="abstract"):
        hall.Hall()  # type: ignore[abstract]
    with pytest.raises(TypeError, match="`Grand` is no `Other`"):
        zsvc.ServedAs(well.Other, Grand())
    with pytest.raises(ValueError, match="and also Other"):
        zsvc.Server(Both())
    both = Both()
    async with zsvc.testing.serving(zsvc.ServedAs(hall.Hall, both), zsvc.ServedAs(well.Other, both)) as channel:
        await well.OtherClient(channel).rest()
        assert await hall.HallClient(channel).ping("a") == "a"


def test_values_of_sparse_structs() -> None:
    room = hall.Room(name="a", levels={hall.Level.ROOF, hall.Level.CELLAR})
    body = encode(hall._form_Room, room)
    # Nil of a `value` is written, and an optional that is absent is not.
    assert body.data == bytes.fromhex("84 01 a161 cd012c 92 ff ce7fffffff cd0190 c0 cdffff 05")
    assert decode(hall._form_Room, body, max_body=1 << 10) == room
    assert encode(hall._form_Room, hall.Room(name="a")).data == bytes.fromhex("83 01 a161 cd0190 c0 cdffff 05")
    wide = hall.DoorWide(width=5)
    assert encode(hall._form_Door, wide).data == bytes.fromhex("92 02 81 01 05")
    assert decode(hall._form_Door, encode(hall._form_Door, wide), max_body=1 << 10) == wide
