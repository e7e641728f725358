"""What a repair came to, as its answer and its entry on the order log tell it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a person is answered, and what it was done to; of an effect `about` is its kind.

    `done` is False where it had to be refused and something is to be written all the same. `correlation` is the id of
    the message that the story began with, where that is known.
    """

    answer: str
    about: str
    subject: str
    shop: str
    correlation: str | None = None
    done: bool = True
    group: str | None = None
    """Whose message it was, where it was one."""
    message_id: str | None = None

    @property
    def order_id(self) -> UUID | None:
        """The order that it is about; None where it is about none, or nobody knows of which shop."""
        try:
            return UUID(self.subject) if self.shop else None
        except ValueError:
            return None
