"""A service of zsvc behind HTTP, with FastAPI: one client for all requests, deadlines and errors passed on.

pip install fastapi uvicorn
zsvc gen tape.svc --lang python --out api      # examples/tape/svc/tape.svc
TAPE=tcp://127.0.0.1:7100 uvicorn web:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from api.market.v1 import TapeClient, TapeErrorUnknownSymbol
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse

import zsvc

HTTP_OF = {
    zsvc.Code.INVALID_ARGUMENT: 400,
    zsvc.Code.UNAUTHENTICATED: 401,
    zsvc.Code.PERMISSION_DENIED: 403,
    zsvc.Code.NOT_FOUND: 404,
    zsvc.Code.RESOURCE_EXHAUSTED: 429,
    zsvc.Code.UNIMPLEMENTED: 501,
    zsvc.Code.UNAVAILABLE: 503,
    zsvc.Code.DEADLINE_EXCEEDED: 504,
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Has one client for the life of the program: it connects, and connects again, by itself."""
    async with TapeClient.connect(os.environ.get("TAPE", "tcp://127.0.0.1:7100"), timeout=5) as tape:
        app.state.tape = tape
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(zsvc.Status)
async def failed(request: Request, status: zsvc.Status) -> JSONResponse:
    """Tells why a call has failed, and what became of it."""
    told = {"error": status.message, "outcome": status.outcome.name.lower()}
    headers = {"Retry-After": str(round(status.retry_after + 0.5))} if status.retry_after else None
    return JSONResponse(told, HTTP_OF.get(status.code, 500), headers)


@app.get("/last/{symbol}")
async def last(symbol: str, request: Request) -> dict[str, Any]:
    """Returns the last trade of a symbol."""
    try:
        trade = await request.app.state.tape.last(symbol)
    except TapeErrorUnknownSymbol as error:
        raise HTTPException(404, str(error)) from None
    return plain(trade)


@app.get("/watch/{symbol}")
async def watch(symbol: str, request: Request) -> StreamingResponse:
    """Streams the trades of a symbol, as server-sent events. When the browser leaves, the call is cancelled."""

    async def events() -> AsyncIterator[bytes]:
        async with request.app.state.tape.watch([symbol]) as trades:
            async for trade in trades:
                yield b"data: " + msgspec.json.encode(plain(trade)) + b"\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def plain(trade: Any) -> dict[str, Any]:
    """Returns what a browser is told of a trade."""
    price = trade.price.units / 10**trade.price.scale
    return {"symbol": trade.symbol, "price": price, "size": trade.size, "at": str(trade.at)}
