"""How the outside parties of the rig misbehave: as a sandbox does, and in what only the rig asks for."""

from pydantic import Field

from deploy.local.sandbox.misbehaviour import Chaos, HttpChaos, Share

__all__ = ["Chaos", "ProviderChaos"]


class ProviderChaos(HttpChaos):
    """How the sandbox provider behaves, for better or worse."""

    takes: float = Field(default=0.0, ge=0.0)
    """Seconds between executing a charge and saying so, on a good day."""
    declined: float = Share
    """The share of keys whose charge is declined for good, however often it is asked for."""
    look_up: bool = True
    """Whether a charge can be looked up by its key."""
    webhook_url: str = ""
    """Where each executed charge is reported; empty: nowhere."""
