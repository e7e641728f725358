"""The shop that an order is handled in: what it says of itself, and what it has connected."""

from dataclasses import dataclass

from shared.contracts.shop_facts import ShopConnections, ShopSettings


@dataclass(frozen=True)
class Shop:
    """Its settings, and its connections as far as orders knows them."""

    settings: ShopSettings
    connections: ShopConnections
