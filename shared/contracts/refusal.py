"""A refusal is a fact, not an error: whoever asked gets a stable reason."""


class Refused(Exception):
    """What was asked cannot be done, and asking again will not help."""

    def __init__(self, reason: str, detail: str = "", errors: list[str] | None = None) -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail
        self.errors = errors or []
