"""A client and a server of zsvc in Python, written from docs/protocol.md alone.

Simple on purpose: one thread, values as MessagePack decodes them, no generated code. Used by `tape_client.py` and
`tape_server.py`, which the project's tests start. Needs pyzmq and msgpack.
"""

import itertools
import time

import msgpack
import zmq
from curve import secure_client, secure_server

VERSION = 1
INITIAL_CREDIT = 65_536  # initial credit of a client's stream, in bytes
WINDOW = 128 * 1024  # credit that this peer grants for streams that it receives, in bytes

CALL, ONE_WAY, REPLY, ERROR, ITEMS, END, CREDIT, CANCEL, PING, PONG, GOING_AWAY = range(1, 12)
FIRST_OPTIONAL_KIND = 64

CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = range(1, 6)
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 12, 13, 14

NOT_SENT, MAYBE_EXECUTED, EXECUTED = range(3)

# For each kind of record with a body: the index of the body, and of the positions of its attachments.
BODY_AND_PLACES = {CALL: (1, 5), ONE_WAY: (1, 5), REPLY: (0, 1), ITEMS: (0, 1)}
ATTACHED = 32 * 1024  # bodies of at least this size in bytes are attached as a whole


class Status(Exception):
    """A call failed, other than by an error that its method declares."""

    def __init__(self, code, message="", outcome=EXECUTED):
        super().__init__(f"status {code}: {message} (outcome {outcome})")
        self.code, self.message, self.outcome = code, message, outcome


class Declared(Exception):
    """An error that a method declares: the number of its variant, and its value."""

    def __init__(self, number, value, message=""):
        super().__init__(message)
        self.number, self.value, self.message = number, value, message


def pack(value):
    """Returns the encoding of a value or a record."""
    return msgpack.packb(value)


def unpack(body):
    """Returns the single value of a body."""
    return msgpack.unpackb(body, strict_map_key=False)


def unpack_all(data):
    """Yields concatenated values (the records of a batch, the items of a stream), with their sizes in bytes."""
    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=0)
    unpacker.feed(data)
    start = 0
    for value in unpacker:
        yield value, unpacker.tell() - start
        start = unpacker.tell()
    if start < len(data):
        raise ValueError("the bytes end in the middle of a value")


def batch(*records):
    return bytes([VERSION]) + b"".join(map(pack, records))


def message(*records):
    """Returns the frames of a message; a long body is a frame of its own."""
    if len(records) == 1 and records[0][0] in BODY_AND_PLACES:
        kind, call, *rest = records[0]
        body_at, places_at = BODY_AND_PLACES[kind]
        body = rest[body_at]
        if len(body) >= ATTACHED:
            rest += [None] * (places_at - len(rest)) + [[0]]
            rest[body_at] = b""
            return [body, batch([kind, call, *rest])]
    return [batch(*records)]


def open_message(frames):
    """Returns the frames of a received message that do not belong to its batch, and its records."""
    *before, data = frames
    start = len(before) - attachments_of(data)
    return before[:start], records_of(data, before[start:])


def attachments_of(data):
    """Returns how many frames before a batch belong to it. Errors in the batch show up when it is decoded."""
    try:
        kind, _, rest = next(records_of(data, None))
        return len(rest[BODY_AND_PLACES[kind][1]] or ())
    except (KeyError, StopIteration, ValueError, TypeError, msgpack.UnpackException):
        return 0


def joined(body, places, attachments):
    """Returns a body with its attachments inserted."""
    if len(places) != len(attachments) or places != sorted(places) or any(place > len(body) for place in places):
        raise ValueError("places that do not go with the body and its attachments")
    ends = [*places, len(body)]
    parts = [body[start:end] for start, end in zip([0, *places], ends)]
    return b"".join(itertools.chain(*itertools.zip_longest(parts, attachments, fillvalue=b"")))


def records_of(data, attachments):
    """Returns the records of a batch, with nil in place of omitted elements, so that no caller has to check lengths.
    Records whose attachments are unknown are returned as received."""
    if not data or data[0] != VERSION:
        raise ValueError(f"a batch of version {data[:1].hex() or '(none)'}")
    for record, _ in unpack_all(data[1:]):
        kind, call, *rest = record
        if kind > GOING_AWAY and kind >= FIRST_OPTIONAL_KIND:
            continue
        rest += [None] * 8
        if attachments is not None and kind in BODY_AND_PLACES:
            body_at, places_at = BODY_AND_PLACES[kind]
            rest[body_at] = joined(rest[body_at], rest[places_at] or [], attachments)
            attachments = []
        yield kind, call, rest


def failure_of(code, message, outcome, body):
    """Returns the exception for the elements of an error record."""
    if code == 0:
        number, value = unpack(body)
        return Declared(number, value, message)
    return Status(code, message or "", MAYBE_EXECUTED if outcome is None else outcome)


def params_of(value, names):
    """Returns parameters, sent by position or by name: extra ones are ignored, missing ones are nil."""
    if isinstance(value, dict):
        return [value.get(name) for name in names]
    if not isinstance(value, list):
        raise Status(INVALID_ARGUMENT, "parameters are an array, or a map from their names", NOT_SENT)
    return (value + [None] * len(names))[: len(names)]


def error_record(call, error):
    if isinstance(error, Declared):
        return [ERROR, call, 0, str(error), EXECUTED, pack([error.number, error.value])]
    if isinstance(error, Status):
        return [ERROR, call, error.code, error.message, error.outcome]
    return [ERROR, call, INTERNAL, f"the handler failed: {error!r}", EXECUTED]


class Client:
    """Calls the methods of one server. Reads one call at a time; others may be in flight."""

    def __init__(self, endpoint, wait=10.0):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 3_000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 10_000)
        self.socket.setsockopt(zmq.LINGER, 1_000)
        secure_client(self.socket)
        self.socket.connect(endpoint)
        self.ids = itertools.count(1)
        self.calls = {}
        self.going_away = False
        self.wait = wait  # a call waits no longer than this for the next message, in seconds

    def close(self):
        self.socket.close()

    # ---- the five kinds of methods, and the ping

    def unary(self, method, params=(), **options):
        with self.begin(method, params, **options) as call:
            return call.answer()

    def server_stream(self, method, params=(), **options):
        with self.begin(method, params, credit=WINDOW, **options) as call:
            yield from call.items()

    def client_stream(self, method, params, items, **options):
        with self.begin(method, params, **options) as call:
            for item in items:
                call.send(item)
            call.finish()
            return call.answer()

    def bidirectional(self, method, params=(), **options):
        """Returns the call itself: send to it, finish it, and read its items, in any order; use it in a `with`."""
        return self.begin(method, params, credit=WINDOW, **options)

    def one_way(self, method, params=(), metadata=None):
        self.send([ONE_WAY, 0, method, pack(params), None, metadata])

    def ping(self):
        """Waits for a pong: the server is up, and has read everything that was sent before."""
        call = self.calls[next_id] = ClientCall(self, next_id := next(self.ids))
        with call:
            self.send([PING, call.id])
            while not call.over:
                self.read()

    # ---- their common parts

    def begin(self, method, params=(), timeout=None, metadata=None, credit=None):
        """`timeout` is in seconds."""
        if self.going_away:
            raise Status(UNAVAILABLE, "the server is going away", NOT_SENT)
        call = ClientCall(self, next(self.ids), timeout, credit or 0)
        self.calls[call.id] = call
        left = None if timeout is None else int(timeout * 1_000_000)
        self.send([CALL, call.id, method, pack(params), left, metadata, credit])
        return call

    def send(self, *records):
        self.socket.send_multipart(message(*records))

    def read(self, until=None):
        """Receives one batch, and passes its records to their calls. Gives up at the time `until`."""
        wait = self.wait if until is None else max(0.0, until - time.monotonic())
        if not self.socket.poll(int(wait * 1000) + 1):
            raise TimeoutError("the server says nothing")
        try:
            _, records = open_message(self.socket.recv_multipart())
            for kind, call, rest in records:
                self.record(kind, call, rest)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            for call in self.calls.values():
                call.fail(Status(UNKNOWN, f"can't read a batch: {error!r}", MAYBE_EXECUTED))

    def record(self, kind, call, rest):
        if kind == PING:
            self.send([PONG, call])
        elif kind == GOING_AWAY:
            self.going_away = True
        elif kind == ERROR and call == 0:
            for sent in self.calls.values():
                sent.take(kind, rest)
        elif call in self.calls:
            self.calls[call].take(kind, rest)


class ClientCall:
    """A call in flight. Leaving the `with` before the call is over cancels it."""

    def __init__(self, client, call, timeout=None, window=0):
        self.client, self.id, self.window = client, call, window
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.credit = INITIAL_CREDIT
        self.consumed = 0
        self.received = []
        self.reply = self.failure = None
        self.over = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.client.calls.pop(self.id, None) and not self.over:
            self.client.send([CANCEL, self.id])

    def take(self, kind, rest):
        if kind == REPLY:
            self.reply, self.over = rest[0], True
        elif kind == ERROR:
            self.fail(failure_of(*rest[:4]))
        elif kind in (END, PONG):
            self.over = True
        elif kind == ITEMS:
            self.received += unpack_all(rest[0])
        elif kind == CREDIT:
            self.credit += rest[0]
        elif kind > GOING_AWAY:
            self.fail(Status(UNIMPLEMENTED, f"a record of kind {kind}", MAYBE_EXECUTED))

    def fail(self, failure):
        if not self.over:
            self.failure, self.over = failure, True

    def read(self):
        try:
            self.client.read(self.deadline)
        except TimeoutError:
            if self.deadline is None:
                raise
            raise Status(DEADLINE_EXCEEDED, "time is up", MAYBE_EXECUTED) from None

    def answer(self):
        """Waits for the reply of a method that answers once."""
        while not self.over:
            self.read()
        if self.failure:
            raise self.failure
        return unpack(self.reply)

    def items(self):
        """Yields the items of a stream, up to its end. Reading them grants credit to the server."""
        while True:
            while not self.received and not self.over:
                self.read()
            if not self.received:
                break
            item, size = self.received.pop(0)
            self.consumed += size
            if self.consumed * 2 >= self.window and not self.over:
                self.client.send([CREDIT, self.id, self.consumed])
                self.consumed = 0
            yield item
        if self.failure:
            raise self.failure

    def send(self, item):
        """Sends one item, as soon as there is credit. Does nothing once the call is over."""
        while self.credit <= 0 and not self.over:
            self.read()
        if not self.over:
            item = pack(item)
            self.credit -= len(item)
            self.client.send([ITEMS, self.id, item])

    def finish(self):
        """Ends the client's stream."""
        if not self.over:
            self.client.send([END, self.id])


LATER = object()  # a handler returns this to leave the call unanswered until its deadline


class Server:
    """Answers calls. `methods` maps each method's full name to its form, the names of its parameters, and a function:

    - "unary": `f(*params)` returns the answer
    - "server stream": `f(*params)` yields the items
    - "client stream": `f(*params, items)` returns the answer, called once all items have arrived
    - "bidirectional": `f(*params, item)` yields items for each item
    - "one way": `f(*params)`

    A function may raise `Status` or `Declared`. A slow function blocks all others.
    """

    def __init__(self, endpoint, methods):
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 3_000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 10_000)
        self.socket.setsockopt(zmq.LINGER, 1_000)
        secure_server(self.socket)
        self.socket.bind(endpoint)
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.methods = methods
        self.calls = {}  # by route and id
        self.routes = set()

    def serve(self, until=lambda: False):
        """Serves until `until` returns true; it is called now and then."""
        while not until():
            if self.socket.poll(self.next_wait()):
                route, records = open_message(self.socket.recv_multipart())
                self.receive(tuple(route), records)
            for call in list(self.calls.values()):
                call.expire()

    def next_wait(self):
        deadlines = [call.deadline for call in self.calls.values() if call.deadline is not None]
        left = min(deadlines, default=time.monotonic() + 0.1) - time.monotonic()
        return int(min(max(left, 0), 0.1) * 1000) + 1

    def going_away(self):
        for route in list(self.routes):
            self.send(route, [GOING_AWAY, 0])

    def send(self, route, *records):
        try:
            self.socket.send_multipart([*route, *message(*records)])
        except zmq.ZMQError:  # the client is gone
            self.forget(route)

    def forget(self, route):
        self.routes.discard(route)
        self.calls = {key: call for key, call in self.calls.items() if key[0] != route}

    def receive(self, route, records):
        self.routes.add(route)
        try:
            for kind, call, rest in records:
                self.record(route, kind, call, rest)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            self.send(route, [ERROR, 0, INVALID_ARGUMENT, f"can't read a batch: {error!r}", MAYBE_EXECUTED])

    def record(self, route, kind, id, rest):
        call = self.calls.get((route, id))
        if kind in (CALL, ONE_WAY):
            self.call(route, kind, id, rest)
        elif kind == PING:
            self.send(route, [PONG, id])
        elif kind > GOING_AWAY:
            self.send(route, [ERROR, id, UNIMPLEMENTED, f"a record of kind {kind}", MAYBE_EXECUTED])
        elif call and kind == ITEMS:
            call.take(rest[0])
        elif call and kind == END:
            call.end_of_items()
        elif call and kind == CREDIT:
            call.credit += rest[0]
            call.advance()
        elif call and kind == CANCEL:
            call.close()

    def call(self, route, kind, id, rest):
        method, params, timeout, metadata, credit = rest[:5]
        form, names, handler = self.methods.get(method, (None, (), None))
        try:
            if handler is None:
                raise Status(UNIMPLEMENTED, f"no method `{method}`", NOT_SENT)
            if (kind == ONE_WAY) != (form == "one way"):
                raise Status(INVALID_ARGUMENT, f"`{method}` is called by the wrong record", NOT_SENT)
            if (route, id) in self.calls:
                raise Status(INVALID_ARGUMENT, f"a call with id {id} is in flight already", NOT_SENT)
            if timeout == 0:
                raise Status(DEADLINE_EXCEEDED, "time is up", NOT_SENT)
            params = params_of(unpack(params), names)
        except Status as error:
            if kind == CALL:
                self.send(route, error_record(id, error))
            return
        call = ServerCall(self, route, id, form, handler, params, timeout, credit or 0)
        if kind == CALL:
            self.calls[route, id] = call
        call.start()


class ServerCall:
    """A call in flight, and the state of its answers."""

    def __init__(self, server, route, call, form, handler, params, timeout, credit):
        self.server, self.route, self.id = server, route, call
        self.form, self.handler, self.params = form, handler, params
        self.deadline = None if timeout is None else time.monotonic() + timeout / 1_000_000
        self.credit = credit
        self.granted = INITIAL_CREDIT
        self.items = []
        self.answers = iter(())  # answers that are still to be sent
        self.complete = False  # no answers will be added

    def start(self):
        if self.form == "one way":
            self.handler(*self.params)
        elif self.form == "unary":
            self.guarded(lambda: self.reply(self.handler(*self.params)))
        elif self.form == "server stream":
            self.answers, self.complete = self.handler(*self.params), True
            self.advance()
        elif self.granted < WINDOW:
            self.grant(WINDOW - self.granted)

    def take(self, items):
        if self.granted <= 0:
            return self.fail(Status(RESOURCE_EXHAUSTED, "items without credit"))
        self.granted -= len(items)
        if self.granted < WINDOW // 2:
            self.grant(WINDOW - self.granted)
        items = [item for item, _ in unpack_all(items)]
        if self.form == "client stream":
            self.items += items
        elif self.form == "bidirectional":
            self.answers = itertools.chain(self.answers, *(self.handler(*self.params, item) for item in items))
            self.advance()

    def end_of_items(self):
        self.complete = True
        if self.form == "client stream":
            self.guarded(lambda: self.reply(self.handler(*self.params, self.items)))
        elif self.form == "bidirectional":
            self.advance()

    def advance(self):
        """Sends answers for as long as there is credit."""
        self.guarded(self.send_answers)

    def send_answers(self):
        while self.credit > 0:
            try:
                item = pack(next(self.answers))
            except StopIteration:
                if self.complete:
                    self.over([END, self.id])
                return
            self.credit -= len(item)
            self.server.send(self.route, [ITEMS, self.id, item])

    def grant(self, amount):
        self.granted += amount
        self.server.send(self.route, [CREDIT, self.id, amount])

    def guarded(self, run):
        try:
            run()
        except Exception as error:  # every exception of a handler is reported to its caller
            self.fail(error)

    def reply(self, value):
        if value is not LATER:
            self.over([REPLY, self.id, pack(value)])

    def fail(self, error):
        self.over(error_record(self.id, error))

    def expire(self):
        if self.deadline is not None and self.deadline <= time.monotonic():
            self.fail(Status(DEADLINE_EXCEEDED, "time is up", MAYBE_EXECUTED))

    def over(self, record):
        if self.close():
            self.server.send(self.route, record)

    def close(self):
        return self.server.calls.pop((self.route, self.id), None) is not None
