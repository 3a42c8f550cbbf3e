"""The byte listings of docs/protocol.md."""

from dataclasses import dataclass

from conftest import ROOT


@dataclass(frozen=True)
class Listing:
    side: str
    name: str
    exact: bool
    frames: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"{self.side} {self.name}"


def listings() -> list[Listing]:
    """Returns all listings, in the order of the page."""
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    found: list[Listing] = []
    for block in text.split("```bytes ")[1:]:
        head, _, body = block.partition("\n")
        words = head.split()
        frames: list[bytearray] = [bytearray()]
        for line in body.partition("```")[0].splitlines():
            if line.strip() == "--":
                frames.append(bytearray())
            else:
                frames[-1] += bytes.fromhex("".join(line.partition("#")[0].split()))
        found.append(Listing(words[0], words[-1], "exact" in words, tuple(map(bytes, frames))))
    return found


LISTINGS = listings()
