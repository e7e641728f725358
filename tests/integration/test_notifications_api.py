"""What was written about an order is told to tokens of its shop, each mail once, with what is known of it now."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

import services.notifications
from services.notifications.api import router
from services.notifications.archive import Archive, KeptMail
from shared.runtime.database import open_pool
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import Tokens, make_token

FOLDERS = [RUNTIME_MIGRATIONS, ("notifications", Path(services.notifications.__path__[0]) / "sql" / "migrations")]
ORDER = UUID(int=7)


def a_mail(**changes: Any) -> KeptMail:
    """A confirmation that has left."""
    mail = KeptMail(
        message_id=f"<{uuid4().hex}@mail.example>",
        shop="nordic-tea",
        order_id=ORDER,
        cause="e1",
        actor="shop-front",
        kind="order-received",
        recipient="asa.oberg@example.org",
        language="sv",
        headline="Orderbekräftelse 1001",
        text="Tack för din beställning!",
        state="sent",
        reason="",
        detail="",
        asked_at=datetime(2026, 11, 27, tzinfo=UTC),
    )
    return replace(mail, **changes)


@dataclass
class Desk:
    """The HTTP face, and what stands behind it."""

    archive: Archive
    client: httpx2.AsyncClient
    tokens: dict[str, str]

    async def get(self, path: str = "", who: str = "nordic-tea", **parameters: object) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return await self.client.get(f"/v1/orders/{ORDER}/messages{path}", headers=headers, params=parameters)  # type: ignore[arg-type]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """An archive with nothing in it, and tokens of several kinds."""
    connection = await asyncpg.connect(database_url)
    await migrate(connection, FOLDERS)
    scopes = {"nordic-tea": "messages:read", "finn-kaffe": "messages:read", "*": "operator"}
    tokens = {shop: await make_token(connection, shop, "test", [scope]) for shop, scope in scopes.items()}
    tokens["another-scope"] = await make_token(connection, "nordic-tea", "test", ["orders:read"])
    await connection.close()
    pool = await open_pool(database_url, name="notifications", connections=2)
    archive = Archive(pool)
    app = make_app("notifications", [router], state={"pool": pool, "tokens": Tokens(pool), "archive": archive})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notifications.example") as http:
        yield Desk(archive, http, tokens)
    await pool.close()


@pytest.mark.requirement("R056", "R119")
async def test_every_mail_about_an_order_is_listed_page_by_page_and_read_with_its_text(desk: Desk) -> None:
    for n in range(3):
        await desk.archive.keep(a_mail(headline=f"Nr {n}"))
    await desk.archive.keep(a_mail(order_id=uuid4()))
    first = (await desk.get(limit=2)).json()
    rest = (await desk.get(after=first["after"])).json()
    assert [each["headline"] for page in (first, rest) for each in page["messages"]] == ["Nr 0", "Nr 1", "Nr 2"]
    assert (first["more"], rest["more"]) == (True, False)
    whole = (await desk.get(f"/{first['after']}")).json()
    assert (whole["headline"], whole["text"]) == ("Nr 1", "Tack för din beställning!")
    assert "text" not in first["messages"][0]


async def test_what_nobody_knew_is_known_better_later_and_the_mail_stands_once(desk: Desk) -> None:
    mail = a_mail(state="unknown", detail="ConnectionResetError")
    for known in (mail, mail, replace(mail, state="sent", detail="")):
        await desk.archive.keep(known)
    (told,) = (await desk.get()).json()["messages"]
    assert (told["state"], told["detail"]) == ("sent", "")


async def test_nobody_but_the_shop_is_told(desk: Desk) -> None:
    await desk.archive.keep(a_mail())
    (mine,) = (await desk.get()).json()["messages"]
    assert (await desk.get(who="finn-kaffe")).json()["messages"] == []
    assert (await desk.get(f"/{mine['id']}", who="finn-kaffe")).status_code == 404
    for who, status in (("", 401), ("another-scope", 403), ("*", 403)):
        for path in ("", f"/{mine['id']}"):
            assert (await desk.get(path, who=who)).status_code == status, (who, path)


async def test_what_is_not_there_is_said_to_be_unknown(desk: Desk) -> None:
    assert (await desk.get()).json() == {"messages": [], "after": 0, "more": False}
    answer = await desk.get("/17")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-message")
    assert (await desk.get("/x")).status_code == 422
    assert (await desk.get(limit=0)).status_code == 422
