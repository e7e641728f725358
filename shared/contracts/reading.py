"""The fast ways to read a record: what they cannot vouch for is read the long way, so that both say the same."""

import json
from functools import cache

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from shared.contracts.message import (
    CONTRACTS,
    HasPersonalNumber,
    Head,
    Message,
    NotUnderstood,
    read_envelope,
    read_message,
    reasons,
    received,
)
from shared.contracts.never_sent import NEVER_SENT, has_one

SUSPECT = (NEVER_SENT.encode(), b"\\u00", b"NaN", b"Infinity")
"""Where a record has one of these, or may have hidden it behind an escape, fields that no contract knows matter too."""


class _Unread(BaseModel):
    """Some JSON object."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _HeadOfRecord(Head):
    data: _Unread


class _WholeRecord(Head):
    data: Message


def read_head(record: bytes) -> Head:
    """A record's envelope without its data, of which it is only checked that they are a JSON object.

    Raises NotUnderstood as `read_envelope` does.
    """
    try:
        return _HeadOfRecord.model_validate_json(record)
    except ValidationError as error:
        raise NotUnderstood("; ".join(reasons(error))[:1000]) from None


def read_record(record: bytes, message_type: str) -> Message:
    """The message of this type in a record, in one pass.

    Raises what `read_envelope` and `read_message` raise, which read what does not pass at once.
    """
    contract = CONTRACTS.get(message_type)
    if contract is not None and not any(trace in record for trace in SUSPECT):
        try:
            whole = _model(contract).model_validate_json(record)
        except ValidationError:
            pass
        else:
            if whole.type == message_type:
                return received(whole.data, whole)
    envelope = read_envelope(record)
    if NEVER_SENT.encode() in record and has_one(json.loads(record)):
        raise HasPersonalNumber
    return read_message(envelope)


@cache
def _model(contract: type[Message]) -> type[_WholeRecord]:
    return create_model(f"{contract.__name__}AsRead", __base__=_WholeRecord, data=(contract, ...))
