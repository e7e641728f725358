"""The HTTP face of a process: every answer that is no success is a problem document, and health is always answered."""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.bodies import LimitBody
from shared.runtime.failures import AnswerUnforeseen
from shared.runtime.health import Health, Verdict
from shared.runtime.idempotency import AnsweredBefore, answer_again
from shared.runtime.openapi import describe
from shared.runtime.problems import answer_with_problems

UNWATCHED = frozenset({"/livez", "/readyz", "/metrics"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


class Watched:
    """ASGI middleware: each request is a span of its caller's trace and an observation of its time."""

    def __init__(self, app: ASGIApp, tracer: Tracer, seconds: Histogram) -> None:
        self.app = app
        self._tracer = tracer
        self._seconds = seconds
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] in UNWATCHED:
            await self.app(scope, receive, send)
            return
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        with self._tracer.start_as_current_span(
            scope["method"],
            self._context(scope),
            SpanKind.SERVER,
            {"http.request.method": scope["method"]},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self.app(scope, receive, watch)
            finally:
                route = getattr(scope.get("route"), "path", "unknown")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(StatusCode.ERROR)
                self._seconds.labels(scope["method"], route, status).observe(time.perf_counter() - began)

    def _context(self, scope: Scope) -> Any:
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"traceparent", b"tracestate"}
        }
        return self._propagator.extract(carrier) if carrier else None


def make_app(
    title: str,
    routers: Sequence[APIRouter] = (),
    *,
    version: str = "1",
    state: Mapping[str, Any] | None = None,
    body_limit: int = 1024 * 1024,
    registry: CollectorRegistry | None = None,
    tracer: Tracer | None = None,
) -> FastAPI:
    """Build the app of a service; it connects to nothing, so its OpenAPI document can be had anywhere.

    `state` is what its dependencies find on `app.state` (`pool`, `tokens` and the service's own).
    """
    registry = registry or CollectorRegistry()
    app = FastAPI(
        title=title, version=version, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY
    )
    for name, value in (state or {}).items():
        setattr(app.state, name, value)
    for router in routers:
        app.include_router(router)
    answer_with_problems(app)
    app.add_exception_handler(AnsweredBefore, answer_again)
    seconds = Histogram(
        "http_request_seconds",
        "Time to answer a request.",
        ["method", "route", "status"],
        registry=registry,
        buckets=BUCKETS,
    )
    app.add_middleware(LimitBody, limit=body_limit)
    app.add_middleware(AnswerUnforeseen)
    app.add_middleware(Watched, tracer=tracer or trace.get_tracer("shared.runtime"), seconds=seconds)
    describe(app)
    return app


def add_health(app: FastAPI, health: Health, registry: CollectorRegistry) -> None:
    """Answer `/livez`, `/readyz` (200, or 503 naming what is wrong) and `/metrics`; the app knows its health."""
    app.state.health = health

    async def livez() -> Response:
        return answer(health.alive())

    async def readyz() -> Response:
        return answer(await health.ready())

    async def metrics() -> Response:
        return Response(generate_latest(registry) + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    lag = Gauge("event_loop_lag_seconds", "How late the loop's last beat was.", registry=registry)
    lag.set_function(lambda: health.heart.lag)
    used = Gauge("database_connections_used", "Connections of the pool that are lent.", registry=registry)
    used.set_function(lambda: health.pool.get_size() - health.pool.get_idle_size())
    for path, endpoint in (("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_api_route(path, endpoint, include_in_schema=False, response_class=Response)


def answer(verdict: Verdict) -> Response:
    """Answer with the verdict as JSON."""
    return JSONResponse(verdict.document(), status_code=200 if verdict.good else 503)
