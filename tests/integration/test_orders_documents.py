"""The documents that strangers begin with are served by the service itself."""

import json
from pathlib import Path

from tests.plugins.orders import Caller

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.json"


async def test_the_asyncapi_document_is_served_as_it_is_committed(tea: Caller) -> None:
    answer = await tea.client.get("/asyncapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(COMMITTED.read_text("utf-8"))
