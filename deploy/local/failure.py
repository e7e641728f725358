"""What the local stack says when it cannot go on: one sentence that names what is wrong, and the way out."""


class LocalStackError(Exception):
    """The local stack cannot go on; the message is written for the person at the terminal."""


class MissingProgramError(LocalStackError):
    """A program that the local stack needs is not on this machine and could not be installed."""


class ChildEndedError(LocalStackError):
    """A process that should run for as long as the stack has ended by itself."""


class InterruptedStartError(LocalStackError):
    """The stack was asked to end while it was still starting."""

    def __init__(self) -> None:
        super().__init__("Stopped while it was still starting.")
