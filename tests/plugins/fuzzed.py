"""What schemathesis makes up, as far as it is a request at all."""

from typing import Any

from schemathesis import Case

FRAMING = {"content-length", "transfer-encoding", "connection", "upgrade", "expect", "host"}
"""Headers that say where a request ends and whose it is; the HTTP server answers a wrong one in its own words."""


def as_a_request(case: Case[Any]) -> Case[Any]:
    """The case without made-up framing."""
    for name in [name for name in case.headers or () if name.lower() in FRAMING]:
        del case.headers[name]
    return case
