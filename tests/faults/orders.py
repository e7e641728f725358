"""`python -m tests.faults.orders`: the orders service, which knows the payer's entries beside its own contracts."""

import tests.faults.payer.contracts  # noqa: F401 - importing them is what makes them known
from services.orders.app import compose
from services.orders.settings import OrdersSettings
from shared.contracts.message import personal_field_names
from shared.runtime.service import run

if __name__ == "__main__":
    run("orders", OrdersSettings, compose, personal=personal_field_names())
