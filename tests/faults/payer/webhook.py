"""The provider tells of charges that it has executed: doubled, late and in any order, and signed."""

import hmac
import json
import time

from fastapi import APIRouter, Request, Response

from shared.messaging.settling import settle
from shared.runtime.database import Pool, transaction
from tests.faults.payer.till import done
from tests.faults.provider import sign

PATH = "/webhooks/provider"
SECRET = "sandbox"
NOT_OLDER_THAN = 300.0
"""Seconds."""

router = APIRouter()


def is_genuine(signature: str, body: bytes) -> bool:
    """Whether the provider has signed this body, not long ago."""
    seconds = signature.partition(",")[0].removeprefix("t=")
    if not seconds.isdigit() or time.time() - int(seconds) > NOT_OLDER_THAN:
        return False
    return hmac.compare_digest(sign(SECRET, body, int(seconds)), signature)


@router.post(PATH)
async def told_by_the_provider(request: Request) -> Response:
    """A charge was executed; whoever waits for that is woken. What is known already changes nothing."""
    body = await request.body()
    if not is_genuine(request.headers.get("webhook-signature", ""), body):
        return Response(status_code=401)
    charge = json.loads(body)["charge"]
    pool: Pool = request.app.state.pool
    async with transaction(pool) as connection:
        try:
            await settle(connection, charge["key"], happened=True, by="provider", result=done(charge).result)
        except LookupError:
            return Response(status_code=404)
    return Response(status_code=204)
