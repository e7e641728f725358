"""How an outside party misbehaves: drawn from a seed, the key and the number of the try, so a run can be repeated."""

import random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Field(default=0.0, ge=0.0, le=1.0)
ProviderMishap = Literal["slow", "late", "busy", "error-before", "error-after", "lost"]
MailMishap = Literal["slow", "busy", "lost"]


class Chaos(BaseModel):
    """The share of calls that end in each mishap; together at most 1. Seconds are drawn between 0 and `seconds`."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    seconds: float = Field(default=2.0, ge=0.0)
    slow: float = Share
    """Done at once, answered late."""
    busy: float = Share
    """Not done, and said so: ask again later."""
    lost: float = Share
    """Done, then the connection is cut in place of the answer."""

    def draw(self, key: str, nth: int) -> random.Random:
        """The dice for the nth call with this key."""
        return random.Random(f"{self.seed} {key} {nth}")

    def mishap(self, dice: random.Random) -> str | None:
        """Which mishap befalls a call, or None."""
        at = dice.random()
        for name, share in self.shares().items():
            if at < share:
                return name
            at -= share
        return None

    def shares(self) -> dict[str, float]:
        """The mishaps by their names."""
        return {"slow": self.slow, "busy": self.busy, "lost": self.lost}

    @model_validator(mode="after")
    def _together_at_most_one(self) -> "Chaos":
        if sum(self.shares().values()) > 1:
            raise ValueError("the shares come to more than 1")
        return self


class ProviderChaos(Chaos):
    """How the sandbox provider behaves, for better or worse."""

    takes: float = Field(default=0.0, ge=0.0)
    """Seconds between executing a charge and saying so, on a good day."""
    late: float = Share
    """Done late, and answered when it is done."""
    error_before: float = Share
    """A 500 in place of doing it."""
    error_after: float = Share
    """A 500 after it was done."""
    declined: float = Share
    """The share of keys whose charge is declined for good, however often it is asked for."""
    memory: float = Field(default=86_400.0, ge=0.0)
    """Seconds for which a key gets its first answer again; 0: there are no keys, each call is executed."""
    look_up: bool = True
    """Whether a charge can be looked up by its key."""
    webhook_url: str = ""
    """Where each executed charge is reported; empty: nowhere."""
    webhook_doubled: float = Share
    webhook_seconds: float = Field(default=0.0, ge=0.0)
    """Reports are sent after 0 to so many seconds, so later ones overtake earlier ones."""

    def shares(self) -> dict[str, float]:
        more = {"late": self.late, "error-before": self.error_before, "error-after": self.error_after}
        return super().shares() | more
