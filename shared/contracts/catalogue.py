"""All contracts there are: a module put into this folder is found by itself."""

import importlib
import pkgutil

import shared.contracts as folder
from shared.contracts.message import CONTRACTS, Message
from shared.contracts.topics import BY_NAME


def all_contracts() -> tuple[type[Message], ...]:
    """Every contract of this folder, in the order of the topics, and of the types on each."""
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        importlib.import_module(module.name)
    ours = (contract for contract in CONTRACTS.values() if contract.__module__.startswith(f"{folder.__name__}."))
    return tuple(sorted(ours, key=lambda contract: (list(BY_NAME).index(contract.topic.name), contract.type)))


def contract_of(type_: str) -> type[Message]:
    """The contract of a type. Raises LookupError, naming the known ones, where there is none."""
    for contract in all_contracts():
        if contract.type == type_:
            return contract
    known = ", ".join(contract.type for contract in all_contracts())
    raise LookupError(f"no contract of type {type_} is known here; these are: {known}")
