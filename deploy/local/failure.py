"""What the local stack says when it can't go on: one sentence that names what is missing or broken, and the way out."""


class LocalStackError(Exception):
    """The local stack cannot go on; the message is written for the person at the terminal."""


class MissingProgramError(LocalStackError):
    """A program that the local stack needs is not on this machine and could not be installed."""


class ChildEndedError(LocalStackError):
    """A process that should run for as long as the stack has ended by itself."""
