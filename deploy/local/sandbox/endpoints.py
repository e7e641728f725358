"""The vendors with webhooks let an account say where it wants to be told; the words are the same at both."""

from base64 import b64decode
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from deploy.local.sandbox.answers import Answer
from deploy.local.sandbox.webhooks import SECRET_PREFIX, Webhooks


def base64_after_the_prefix(secret: str) -> str:
    """A secret that something can be signed with. Raises ValueError."""
    b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}")
    return secret


class EndpointWanted(BaseModel):
    """Where to tell; without a secret the vendor names one."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    secret: Annotated[str, AfterValidator(base64_after_the_prefix)] | None = None


def add_endpoints(router: APIRouter, webhooks: Webhooks) -> None:
    """Adds `PUT /webhook-endpoint` to a vendor's routes."""

    @router.put("/webhook-endpoint", response_model=None)
    async def put(wanted: EndpointWanted, request: Request) -> Response:
        endpoint = await webhooks.register(request.state.account, wanted.url, wanted.secret)
        return Answer({"url": endpoint.url, "secret": endpoint.secret}, did="registered")
