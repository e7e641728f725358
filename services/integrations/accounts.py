"""The adapters of the shops' accounts: made when they are first needed, and anew when the connection was changed."""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from services.integrations.calling import Checked
from services.integrations.connections import Connection, Connections, Kind


class Adapter(Protocol):
    """What speaks with one account."""

    async def check(self) -> Checked: ...

    async def close(self) -> None: ...


A = TypeVar("A", bound=Adapter)


class UnknownProvider(Exception):
    """There is no adapter of that name."""


class Accounts(Generic[A]):
    """The adapters of one kind, by the providers' names."""

    def __init__(self, connections: Connections, kind: Kind, adapters: Mapping[str, Callable[[Connection], A]]) -> None:
        self._connections, self._kind, self._adapters = connections, kind, adapters
        self._open: dict[str, tuple[Connection, A]] = {}

    async def of(self, shop: str, *, anew: bool = False) -> tuple[Connection, A] | None:
        """The shop's connection, as it is at this moment where `anew` says so, and its adapter; None where it has none.

        Raises UnknownProvider.
        """
        connection = await self._connections.of(shop, self._kind, anew=anew)
        if connection is None:
            return None
        known = self._open.get(shop)
        if known is not None and known[0] == connection:
            return known
        make = self._adapters.get(connection.provider)
        if make is None:
            raise UnknownProvider(f"no adapter for {connection.provider}; there are: {', '.join(self._adapters)}")
        self._open[shop] = connection, make(connection)
        if known is not None:
            await known[1].close()
        return self._open[shop]

    async def close(self) -> None:
        """Closes all adapters."""
        for _, adapter in self._open.values():
            await adapter.close()
