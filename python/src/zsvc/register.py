"""`Register`: where a server registers as a worker of a router, and as what."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .identity import Identity
from .io.curve import ClientCurve

_ENDPOINT = re.compile(r"tcp://[^\s/]+:(?P<port>\d{1,5})|ipc://.+")


@dataclass(frozen=True)
class Register:
    """Where a server registers as a worker of a router, and as what: `Server(…, register="tcp://router:7200")`."""

    endpoint: str
    """Where the router listens: `tcp://HOST:PORT` or `ipc://PATH`."""
    name: str = ""
    """What the router's log and errors call this server; the router chooses if it is empty."""
    capacity: int = 0
    """The calls that the router gives this server at a time; past it, they wait at the router, where any worker may
    take them. The router chooses if it is 0. Set what the server runs at a time (`ServerLimits.max_running`)."""
    standby: int = 0
    """Its group. One past 0 gets calls only while no worker of a group before it can be reached."""
    curve: ClientCurve | None = None
    """Has the connection encrypted, and tells the router by a key who this server is."""
    router: Identity | None = None
    """Who the router is, once it has proved to have the key that `curve` says, and the roles by which it may call. Its
    callers have none here. Without it, the router is a client that is not known."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for what no router could take."""
        found = _ENDPOINT.fullmatch(self.endpoint)
        if found is None or (found["port"] and not 0 < int(found["port"]) < 65_536):
            raise ValueError(f"`{self.endpoint}` is no endpoint of a router: write `tcp://HOST:PORT` or `ipc://PATH`")
        if not 0 <= self.capacity < 1 << 32:
            raise ValueError(f"a capacity of {self.capacity} is none: write a number of calls, or 0")
        if not 0 <= self.standby < 1 << 8:
            raise ValueError(f"there is no group {self.standby}: they are 0 to 255")
        self.name.encode()
        if self.router is not None and self.curve is None:
            raise ValueError(
                "the server says who the router is by `router`, and any program could be there: the router proves that "
                "it is this one only where `curve` has its public key"
            )

    @property
    def may_be_elsewhere(self) -> bool:
        """Whether the router may be on another machine, as far as the endpoint says."""
        if not self.endpoint.startswith("tcp://"):
            return False
        host = self.endpoint[6:].rpartition(":")[0].strip("[]").partition("%")[0]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host.lower() != "localhost"
        mapped = getattr(address, "ipv4_mapped", None)
        return not (mapped or address).is_loopback
