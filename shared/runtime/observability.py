"""What a process lets others see: no personal data in logs, and on every line the trace that it belongs to."""

import logging
import logging.config
import re
import sys
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import CollectorRegistry
from structlog.typing import Processor

MASK = "***"
FASTSTREAM_ACCESS = "faststream.access.kafka"
"""A logger that FastStream sets up when a broker starts, with a handler of its own unless one to stdout is there."""

E_MAIL = re.compile(r"[^\s@<>\"'(),;:=\[\]{}]+@[^\s@<>\"'(),;:=\[\]{}]+\.[^\W\d_][\w-]*")
IDENTITY_NUMBER = re.compile(
    r"(?<![\w-])(?:\d{6}|\d{8})[-+]\d{4}(?![\w-])|(?<![\w-])\d{6}[-+A-FU-Y]\d{3}[0-9A-Y](?![\w-])"
    r"|(?<![\w-])\d{6}[-+]\d{3}[a-y](?![\w-])"
    r"|(?<![\w-])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]|6[1-9]|[78]\d|9[01])\d{4}(?![\w-])"
)
DEEPEST = 8

EventDict = MutableMapping[str, Any]


def configure_logging(service: str, level: str, personal: Collection[str] = ()) -> None:
    """Write every log line of the process, its libraries' too, to stdout as one JSON object.

    `personal` are the names of fields whose values are masked wherever they appear; e-mail addresses and personal
    identity numbers are masked in any text, tracebacks included.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        Stamp(service),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Masked(personal),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            in_reading_order,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    route_everything_to(handler, level)


def route_everything_to(handler: logging.Handler, level: str) -> None:
    """Take the handlers that libraries brought away, so that each line is written once and in one form."""
    handler.setLevel(level.upper())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    access = logging.getLogger(FASTSTREAM_ACCESS)
    access.handlers[:], access.propagate = [handler], False
    for talkative in ("aiokafka", "faststream", "asyncio"):
        logging.getLogger(talkative).setLevel(max(root.level, logging.INFO))
    for told_of_otherwise in ("uvicorn", "httpx2"):  # httpx2 writes whole addresses, with what people search for
        logging.getLogger(told_of_otherwise).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def in_reading_order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put first what a person looks for first; `color_message` is uvicorn's, for terminals."""
    event.pop("color_message", None)
    first = {name: event.pop(name, None) for name in ("timestamp", "level", "service")}
    return {**first, "message": event.pop("event", ""), **event}


class Stamp:
    """A log processor that adds the service, and the trace and span that the line belongs to."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Stamp one event."""
        event["service"] = self._service
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            event["trace_id"] = trace.format_trace_id(span.trace_id)
            event["span_id"] = trace.format_span_id(span.span_id)
        return event


class Masked:
    """A log processor that masks personal fields by name, at any depth, and addresses and identity numbers in texts."""

    def __init__(self, personal: Collection[str]) -> None:
        self._personal = frozenset(name.lower() for name in personal)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Mask one event; what structlog and logging keep for themselves (`_record`) is left alone."""
        for key, value in event.items():
            if not key.startswith("_"):
                event[key] = self.value(key, value, DEEPEST)
        return event

    def value(self, key: str, value: Any, depth: int) -> Any:
        """Give what may be shown of `value`, which stands under `key`."""
        if value is None or isinstance(value, bool):
            return value
        if key.lower() in self._personal or not depth:
            return MASK
        if isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {mask_text(str(k)): self.value(str(k), v, depth - 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(key, item, depth - 1) for item in value]
        return mask_text(value if isinstance(value, str) else str(value))


def mask_text(text: str) -> str:
    """Mask the e-mail addresses and the Nordic personal identity numbers in a text."""
    if "@" in text:
        text = E_MAIL.sub(MASK, text)
    return IDENTITY_NUMBER.sub(MASK, text)


def make_tracing(service: str, *, endpoint: str | None = None, ratio: float = 1.0) -> TracerProvider:
    """Make the source of trace ids: always there, exported by OTLP over HTTP only where `endpoint` names a collector.

    A trace begun elsewhere is recorded when its caller records it; of those begun here, the share `ratio`.
    """
    resource = Resource.create({"service.name": service})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource)
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    return provider


def make_registry() -> CollectorRegistry:
    """Make the registry of one app's own metrics; what modules count stands in prometheus_client's default one."""
    return CollectorRegistry()
