"""`Server`: what users see of a server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from ..access.access import Access
from ..identity import Identity
from ..io.curve import Clients, ServerCurve
from ..measure import Measure
from ..method import Method
from ..register import Register
from ..session import peer as session
from ..session.config import ServerLimits
from .bridge import Bridge, bridge
from .driver import ServerDriver
from .middleware import ServerMiddleware
from .running import RunningCall
from .tokens import TokenCheck, Tokens

if TYPE_CHECKING:
    from ..builtin.health import HealthReporter
    from ..events.publisher import Publisher

_LOG = logging.getLogger("zsvc")
DEFAULT_THREADS = 32
_LAST_WAIT = 5.0


class Service:
    """The base of generated services, which programs implement."""

    __zsvc_methods__: Sequence[Method[Any]] = ()


class ServedAs(Service):
    """A service, served as one of those that it extends: `ServedAs(Health, floor)`."""

    def __init__(self, contract: type[Service], service: Service) -> None:
        """Raises `TypeError` if the service does not extend that one."""
        if not isinstance(service, contract):
            raise TypeError(f"`{type(service).__name__}` is no `{contract.__name__}`: derive it from that as well")
        self.contract, self.service = contract, service


class Server:
    """Serves services.

    Sockets have a thread of their own, so that no handler keeps clients from being answered; handlers run in the event
    loop in which the server is started, each in a task, and those of `@blocking` methods in threads.
    """

    def __init__(
        self,
        *services: Service,
        bind: str | Sequence[str] = (),
        register: str | Register | Sequence[str | Register] = (),
        events: Sequence[Publisher[Any]] = (),
        limits: ServerLimits | None = None,
        middleware: Sequence[ServerMiddleware] = (),
        curve: ServerCurve | None = None,
        tokens: TokenCheck | Tokens | None = None,
        threads: int = DEFAULT_THREADS,
        reflection: bool = True,
        health: bool | HealthReporter = True,
        stats: bool = True,
        introspection_roles: Sequence[str] = (),
        deny_plaintext: bool = False,
    ) -> None:
        """`register` is where it registers as a worker: at routers, which give it their callers' calls over connections
        that it makes, so that it needs no endpoint. One that refuses is told of in the log, and asked again.

        `events` are what clients may subscribe to. `tokens` finds out who makes a call that brings a token.

        `threads` is the number of threads for `@blocking` methods. `reflection`, `health` and `stats` are services that
        the server has by itself; where anything needs an identity, the first and the last are for clients that are
        known, or have one of `introspection_roles`. With `deny_plaintext`, the server does not start without keys at
        an endpoint that other machines can reach, or where a router may be on another; else its log warns of that.
        Raises `ValueError` for methods with roles where the server can't know its clients.
        """
        self.limits = limits or ServerLimits()
        self.middleware = tuple(middleware)
        self._bind = (bind,) if isinstance(bind, str) else tuple(bind)
        self._registers = _registers(register)
        self._changing = threading.Lock()
        clients = None if curve is None else curve.clients
        self._access = clients if isinstance(clients, Access) else None
        self._set_at = -1
        """How often the access file had been taken over when the program said whom to let in."""
        self._leave_access: Callable[[], None] = lambda: None
        self.curve, self.deny_plaintext = curve, deny_plaintext
        self.tokens = tokens if tokens is None or isinstance(tokens, Tokens) else Tokens(tokens)
        from ..builtin.own import Own, own_services  # which are services themselves

        services = (*services, *events)
        _check_are_services(services)
        own = own_services(self, Own(reflection, health, stats, introspection_roles), services)
        self._own = frozenset(map(id, own))
        self._handlers = _handlers((*services, *own))
        self.measures = {method.name: Measure() for _, method in self._handlers}
        """What the calls of each method were."""
        self._check_roles()
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="zsvc-handler")
        self.free_threads = asyncio.Semaphore(threads)
        self._driver: ServerDriver | None = None
        self._bridge: Bridge | None = None
        self._running: dict[session.ServerCall, RunningCall] = {}
        self._endpoints: list[str] = []
        self._is_draining = False
        self._at_drain: dict[object, Callable[[], None]] = {}

    @property
    def driver(self) -> ServerDriver:
        """What has the socket. Raises `RuntimeError` before the server is started."""
        if self._driver is None:
            raise RuntimeError("the server is not started: use it in an `async with`, or call `start`")
        return self._driver

    @property
    def endpoints(self) -> Sequence[str]:
        """The endpoints, with the ports that they have."""
        return tuple(self._endpoints)

    @property
    def dropped(self) -> Mapping[str, int]:
        """What was dropped or refused, by reason."""
        return MappingProxyType(dict(self.driver.session.dropped))

    @property
    def calls(self) -> int:
        """Number of calls that were begun."""
        return self.driver.session.calls_started

    def is_own(self, service: Service) -> bool:
        """Reports whether a service is one that the server has by itself."""
        return id(service) in self._own

    def _check_roles(self) -> None:
        """Raises `ValueError` for methods that nobody can call, since the server can't know its clients."""
        if self.tokens is not None or (self.curve is not None and self.curve.clients is not None):
            return
        routers = {role for it in self._registers if it.router is not None for role in it.router.roles}
        guarded = [method for _, method in self._handlers if method.roles]
        if guarded and not any(routers & set(method.roles) for method in guarded):
            text = "give the server `curve`, with `clients`, or `tokens`"
            if self._registers:
                text += ", or say by `Register.router` which of them a router has"
            raise ValueError(f"`{guarded[0].name}` is for clients with a role: {text}")

    def _check_private(self) -> None:
        """Warns of routers to which others could read what is sent, or raises `OSError`."""
        for register in self._registers:
            if register.curve is not None or not register.may_be_elsewhere:
                continue
            if self.deny_plaintext:
                text = f"can't register at `{register.endpoint}`: it may be on another machine, and without keys others"
                hint = "give it `curve`, or leave out `deny_plaintext`"
                text = f"{text} could read and change what is sent, or stand in the router's place: {hint}"
                raise OSError(errno.EACCES, text)
            _LOG.warning(
                "registering without encryption at the router at `%s`, which may be on another machine: others could "
                "read and change what is sent, or stand in its place; give it `curve`",
                register.endpoint,
            )

    async def start(self) -> None:
        """Binds the endpoints, and begins to serve. Raises `OSError`."""
        if self._driver is not None:
            raise RuntimeError("the server was started already")
        self._check_private()
        methods = {
            method.name: session.Method(
                method.name, method.kind, method.roles, (service, method), is_own=self.is_own(service)
            )
            for service, method in self._handlers
        }
        self._bridge = bridge()
        denies = self.deny_plaintext
        driver = ServerDriver(self.limits, methods, self.curve, self._event, denies_plaintext=denies)
        if self.tokens is not None:
            driver.session.take_tokens()
        try:
            for endpoint in self._bind:
                self._endpoints.append(driver.bind(endpoint))
        except OSError:
            driver.stop()
            raise
        self._driver = driver
        self._follow_access(driver)
        names = {method.name.rpartition("/")[0] for service, method in self._handlers if not self.is_own(service)}
        driver.start(self._registers, sorted(names))

    def _follow_access(self, driver: ServerDriver) -> None:
        """Lets in whom an access file does, from now on."""
        access = self._access
        if access is None:
            return

        def changed(clients: Mapping[str, Identity], ended: Set[str] | None) -> None:
            def choose(before: Clients) -> Clients:
                # Of those that the program has let in meanwhile, none comes or goes since the time of another is up.
                return clients if ended is None else {key: it for key, it in before.items() if key not in ended}

            if self._driver is driver:
                with contextlib.suppress(RuntimeError):
                    self._let_in(choose)

        self._leave_access = access.join(changed)
        # What comes then has to be compared with what was, so that is kept as it is now. Those whom the program has let
        # in stay until the file changes.
        if self._set_at != access.taken:
            self._let_in(lambda _: access.now())

    async def bind(self, endpoint: str) -> str:
        """Binds another endpoint while the server runs, and returns it with its port. Raises `OSError`."""
        bound = self.driver.bind(endpoint)
        self._endpoints.append(bound)
        return bound

    def set_clients(self, clients: Clients) -> None:
        """Lets in these clients from now on, by their public keys, with these roles, in place of those of `curve`.

        Calls in flight of a client that is taken out end as unauthenticated, and further ones are refused; those of one
        that has lost a role, or has another name, end as unavailable, and may be made again. Raises `ValueError` for a
        server without keys.
        """
        if self.curve is None:
            raise ValueError("a server without `curve` does not know its clients")
        if self._access is not None:
            self._set_at = self._access.taken
        self._let_in(lambda _: clients)

    def _let_in(self, choose: Callable[[Clients], Clients]) -> None:
        """Lets in other clients, given those of before. An access file says that it has changed on its own thread."""
        with self._changing:
            before = self.curve
            if before is None:
                return
            curve = self.curve = replace(before, clients=dict(choose(before.clients or {})))
            driver = self._driver
            if driver is not None:
                driver.post(lambda: driver.set_clients(before, curve))

    async def drain(self) -> None:
        """Takes no new calls, waits for those in flight up to `grace`, and stops."""
        driver = self._driver
        if driver is None:
            return
        self._is_draining = True
        for run in list(self._at_drain.values()):
            run()
        done = asyncio.Event()
        assert self._bridge is not None
        bridge = self._bridge
        driver.post(lambda: driver.drain(lambda: bridge.post(done.set)))
        await done.wait()
        await self.stop()

    async def stop(self) -> None:
        """Stops at once: handlers are cancelled."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        self._leave_access()
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for running in list(self._running.values()):
            running.ended("the server has stopped")
        await asyncio.get_running_loop().run_in_executor(None, driver.stop)
        if tasks:
            # Handlers that do not end when they are cancelled are not waited for.
            await asyncio.wait(tasks, timeout=_LAST_WAIT)
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()

    def __repr__(self) -> str:
        routers = "".join(f", registering at {register.endpoint}" for register in self._registers)
        return f"<zsvc.Server at {', '.join(self._endpoints) or 'no endpoint'}{routers}>"

    # ---- what the session tells, on its thread

    def _event(self, event: session.Event) -> None:
        assert self._bridge is not None
        self._bridge.post(lambda: self._handle(event))

    def _handle(self, event: session.Event) -> None:
        if self._driver is None:
            return
        call = event.call
        if isinstance(event, session.Started):
            if call.is_over:
                # Its client has not waited for its turn in this event loop.
                self.forget(call)
                return
            service, method = call.method.user
            running = self._running[call] = RunningCall(self, call, service, method)
            running.start()
            return
        found = self._running.get(call)
        if found is None:
            return
        if isinstance(event, session.Ended):
            found.ended(event.reason)
        elif isinstance(event, session.ItemsArrived):
            found.add(event.body)
        elif isinstance(event, session.ItemsComplete):
            found.complete()
        elif isinstance(event, session.Turned):
            found.turned(event.refusal)
        else:
            found.sending.made_room(event.size)

    def _when_draining(self, run: Callable[[], None]) -> Callable[[], None]:
        """Calls a function when the server drains, at once if it does. Returns what takes that back."""
        if self._is_draining:
            run()
        key = object()
        self._at_drain[key] = run

        def take_back() -> None:
            self._at_drain.pop(key, None)

        return take_back

    def forget(self, call: session.ServerCall) -> None:
        """Forgets a call whose handler has ended."""
        self._running.pop(call, None)
        driver = self._driver
        if driver is not None and self.limits.max_running is not None and not call.method.is_own:
            with contextlib.suppress(RuntimeError):
                driver.post(lambda: driver.session.handler_ended(call))


def _handlers(services: Sequence[Service]) -> list[tuple[Service, Method[Any]]]:
    """Returns the methods of all services. Raises `ValueError` if two have one name."""
    handlers: list[tuple[Service, Method[Any]]] = []
    names: set[str] = set()
    for service in services:
        methods = service.__zsvc_methods__
        if isinstance(service, ServedAs):
            methods, service = service.contract.__zsvc_methods__, service.service
        else:
            _check_is_one(type(service))
        if not methods:
            raise ValueError(f"`{type(service).__name__}` implements no service: derive it from a generated class")
        for method in methods:
            if method.name in names:
                raise ValueError(f"`{method.name}` is served twice")
            names.add(method.name)
            handlers.append((service, method))
    return handlers


def _registers(given: str | Register | Sequence[str | Register]) -> tuple[Register, ...]:
    """Returns where a server registers. Raises `ValueError`."""
    several = (given,) if isinstance(given, str | Register) else given
    return tuple(Register(it) if isinstance(it, str) else it for it in several)


def _check_are_services(services: Sequence[object]) -> None:
    """Raises `ValueError` for what is no object of a class that was generated."""
    for service in services:
        if not isinstance(service, Service):
            name = service.__name__ if isinstance(service, type) else type(service).__name__
            hint = "give an object of it, and not the class" if isinstance(service, type) else "derive it from one"
            raise ValueError(f"`{name}` is no service of a schema, whose classes `zsvc gen` makes: {hint}")


def _check_is_one(cls: type[Service]) -> None:
    """Raises `ValueError` for a class of several services, none of which extends the others."""
    contracts = [base for base in cls.__mro__ if "__zsvc_methods__" in vars(base)]
    others = [other.__name__ for other in contracts if not issubclass(contracts[0], other)]
    if others:
        name, text = contracts[0].__name__, ", ".join(others)
        raise ValueError(f"`{cls.__name__}` is a `{name}`, and also {text}: give the server a `ServedAs` for each")


async def serve(*services: Service, bind: str | Sequence[str] = (), **options: Any) -> None:
    """Serves until the process is asked to end (SIGINT or SIGTERM), then drains. Options are those of `Server`.

    Raises `ValueError` where nobody could call: `bind` or `register` say from where.
    """
    if not bind and not options.get("register"):
        raise ValueError("nobody could call: give `bind`, such as `tcp://127.0.0.1:7100`, or `register`")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    async with Server(*services, bind=bind, **options):
        for number in signals:
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, stop.set)
        try:
            await stop.wait()
        finally:
            for number in signals:
                with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                    loop.remove_signal_handler(number)
