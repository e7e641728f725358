"""How an outside party misbehaves: drawn from a seed, the key and the number of the try, so a run can be repeated."""

import random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Field(default=0.0, ge=0.0, le=1.0)
Mishap = Literal["slow", "late", "busy", "error-before", "error-after", "lost"]
MISHAPS = 6
"""How many kinds of mishap there are."""


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
        return random.Random(f"{self.seed} {key} {nth}")  # noqa: S311 - to be repeated, not to be secret

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


class HttpChaos(Chaos):
    """The mishaps of a party that is asked by HTTP, knows idempotency keys and sends webhooks."""

    late: float = Share
    """Done late, and answered when it is done."""
    error_before: float = Share
    """A 5xx in place of doing it."""
    error_after: float = Share
    """A 5xx after it was done."""
    memory: float = Field(default=86_400.0, ge=0.0)
    """Seconds for which a key gets its first answer again; 0: there are no keys, each call is executed."""
    webhook_doubled: float = Share
    webhook_seconds: float = Field(default=0.0, ge=0.0)
    """Webhooks are sent after 0 to so many seconds, so later ones overtake earlier ones."""

    def shares(self) -> dict[str, float]:
        more = {"late": self.late, "error-before": self.error_before, "error-after": self.error_after}
        return super().shares() | more


class Misbehaviour(HttpChaos):
    """How a sandbox behaves, for better or worse; as it stands here, well."""

    next: list[Mishap | Literal["none"]] = Field(default_factory=list)
    """What befalls the next calls, one after the other, before shares count again."""
    reads: bool = False
    """Whether calls that only read misbehave too."""
    retry_after: int = Field(default=1, ge=0)
    """Seconds that a 429 asks the caller to wait."""
    closed_for: float = Field(default=0.0, ge=0.0)
    """Seconds from now in which every call is answered 503 with Retry-After, and nothing is done."""
    webhooks_held: bool = False
    """Whether webhooks wait until this is no longer so."""
    by_itself: float | None = Field(default=None, ge=0.0)
    """Seconds after which things outside go on a step by themselves; None: only when told so."""

    @classmethod
    def of_share(cls, share: float, seed: int) -> Self:
        """A bad world in which this share of calls goes wrong, each mishap as often as the others."""
        each = share / MISHAPS
        return cls(
            seed=seed,
            slow=each,
            busy=each,
            lost=each,
            late=each,
            error_before=each,
            error_after=each,
            webhook_doubled=share,
            webhook_seconds=2.0 if share else 0.0,
        )
