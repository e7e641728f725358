"""Files: named by what they hold, so that the same content is stored once and a reference never goes stale."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.values import Name, Value

DocumentKind = Literal["order-print", "delivery-note", "pick-list"]
"""What can be printed of an order (R067, R070, R071)."""
Sha256 = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""


class FileRef(Value):
    """A file in the object store: whoever has this reads it there."""

    sha256: Sha256
    """Of its bytes; where it lies follows from it."""
    name: Name
    """What it is called when it is saved."""
    media_type: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z]+/[a-z0-9.+-]+$")]
    """`application/pdf`."""
    size: Annotated[int, Field(ge=0, le=10**12)]
    """In bytes."""
