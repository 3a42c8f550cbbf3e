"""Messages of a socket, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import zmq

from ..wire.records import MAX_FRAMES

_BETWEEN = 256
"""Frames of one message between two looks at the clock."""
_MORE = zmq.NOBLOCK | zmq.SNDMORE
_COPIED = 65_536
"""Shorter frames are copied, which takes less than to share them."""
_NOT_KEPT = zmq.Frame(b"")


def send(socket: Any, frames: Sequence[Any]) -> None:
    """Sends a message, or nothing of it. Raises `ZMQError`."""
    last = len(frames) - 1
    for frame in frames[:last]:
        socket.send(frame, _MORE, len(frame) < _COPIED)
    socket.send(frames[last], zmq.NOBLOCK, len(frames[last]) < _COPIED)


class MessageReader:
    """Reads messages. One of very many frames is read in portions, and most of it is not kept."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._frames: list[zmq.Frame] = []

    @property
    def is_within(self) -> bool:
        """Whether a part of a message was read."""
        return bool(self._frames)

    def next(self, until: float) -> list[zmq.Frame] | None:
        """Returns the next message; `None` if it is not there, or has too many frames for the time that there is.

        Past the frames that a message may have, only its last one is what it was; the others are empty.
        """
        receive, frames = self._socket.recv, self._frames
        try:
            while True:
                frame = receive(zmq.NOBLOCK, False)
                if not frame.more:
                    frames.append(frame)
                    self._frames = []
                    return frames
                frames.append(frame if len(frames) < MAX_FRAMES else _NOT_KEPT)
                if len(frames) % _BETWEEN == 0 and time.monotonic() >= until:
                    return None
        except zmq.ZMQError:
            return None
