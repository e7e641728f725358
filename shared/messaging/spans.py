"""Handling a message is a span of the trace that it came with; every log line in it says the order and the trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import propagate, trace

from shared.contracts.message import NotUnderstood
from shared.contracts.reading import read_head

tracer = trace.get_tracer(__name__)


@contextmanager
def handling(group: str, record: bytes) -> Iterator[None]:
    """The block is the handling of this record; what cannot be read is handled in a trace of its own."""
    try:
        envelope = read_head(record)
    except NotUnderstood:
        name, known, parent = "unreadable", {}, None
    else:
        name, known = envelope.type, {"order_id": envelope.subject, "shop": envelope.shop}
        parent = propagate.extract({"traceparent": envelope.traceparent or ""})
    with (
        tracer.start_as_current_span(f"{group} {name}", context=parent),
        structlog.contextvars.bound_contextvars(**known),
    ):
        yield
