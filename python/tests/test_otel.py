"""Traces with OpenTelemetry."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import run
from floor import Floor
from generated.market import v1 as market

import zsvc

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="install opentelemetry-sdk to test the extra")

from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from opentelemetry.trace import SpanKind, StatusCode  # noqa: E402

from zsvc import otel  # noqa: E402


@run
async def test_a_trace_goes_on_at_the_server() -> None:
    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    served = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", middleware=[otel.server(tracer)])
    async with served as server:
        middleware = [otel.client(tracer)]
        async with market.TapeClient.connect(*server.endpoints, middleware=middleware, timeout=20) as tape:
            tape = tape.with_options(timeout=20)
            await tape.last("ACME")
            with pytest.raises(market.TapeErrorUnknownSymbol):
                await tape.last("NOPE")
            with pytest.raises(zsvc.Status):
                await tape.last("STATUS")
            with pytest.raises(zsvc.Status):
                await tape.last("BUG")
            assert len([it async for it in tape.watch(["ACME", "INIT"])]) == 2
    spans: list[Any] = list(exporter.get_finished_spans())
    ours = [span for span in spans if span.kind is SpanKind.CLIENT]
    theirs = [span for span in spans if span.kind is SpanKind.SERVER]
    assert len(ours) == len(theirs) == 5
    by_id = {span.context.span_id: span for span in ours}
    assert all(span.parent is not None and span.parent.span_id in by_id for span in theirs)
    assert all(span.context.trace_id == by_id[span.parent.span_id].context.trace_id for span in theirs)
    assert {span.attributes["rpc.method"] for span in ours} == {"last", "watch"}

    def of(name: str, spans: list[Any]) -> list[object]:
        return [span.attributes.get(name) for span in spans if span.attributes.get(name) is not None]

    assert of("zsvc.declared_error", ours) == of("zsvc.declared_error", theirs) == ["TapeErrorUnknownSymbol"]
    assert of("rpc.zsvc.status_code", ours) == ["not_found", "internal"]
    assert [span.status.status_code for span in ours].count(StatusCode.ERROR) == 2
    assert [span.status.status_code for span in theirs].count(StatusCode.ERROR) == 1, (
        "not found is no fault of the server"
    )


@run
async def test_metrics_tell_how_calls_end() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    served = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", middleware=[otel.server_metrics(meter)])
    async with served as server:
        middleware = [otel.client_metrics(meter)]
        async with market.TapeClient.connect(*server.endpoints, middleware=middleware) as tape:
            await tape.last("ACME")
            with pytest.raises(market.TapeErrorUnknownSymbol):
                await tape.last("NOPE")
            with pytest.raises(zsvc.Status):
                await tape.last("STATUS")
    data: Any = reader.get_metrics_data()
    found = {
        (metric.name, point.attributes.get("ending")): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    for side in ("client", "server"):
        for ending in ("ok", "declared", "not_found"):
            assert found[f"zsvc_{side}_calls", ending].value == 1
            assert found[f"zsvc_{side}_call", ending].count == 1
        assert found[f"zsvc_{side}_calls_running", None].value == 0
