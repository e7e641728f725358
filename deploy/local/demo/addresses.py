"""Where to look while the demo runs; every command can be typed as it stands."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.local.demo.stories import State, Stories
from deploy.local.demo.system import System
from deploy.local.stack import default_folder


def addresses(system: System, stories: Stories, folder: Path) -> Iterator[str]:
    """One line for each place; `folder` is the stack's."""
    python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else sys.executable
    yield f"  The back office         {system.backoffice_url}"
    for person in system.people:
        yield f"    as {person.role:<17} {person.email:<28} {person.password}"
    yield f"  The mails               {system.mailbox_url}"
    yield f"  The API of orders       {system.orders_url}/openapi.json"
    yield f"  The API of documents    {system.documents_url}/openapi.json"
    yield f"  Kafka                   {system.kafka}"
    for name, url in system.database_urls.items():
        yield f"  {f'Database {name}':<23} {url}"
    yield f"  The processes' logs     {folder / 'logs'}"
    yield "Everything on the order log, with Kafka's own consumer or kcat:"
    if folder == default_folder():
        yield f"  {python} -m deploy.local kafka-console-consumer --topic orders.log --from-beginning"
    yield f"  kcat -C -b {system.kafka} -t orders.log -o beginning -e"
    seen = next(iter(stories.at(State.CONFIRMED)), None) or next(iter(stories), None)
    if seen is None:
        return
    token, path = system.tokens[seen.asked.shop], f"{system.orders_url}/v1/orders/{seen.order_id}"
    with_messages = {name: url for name, url in system.database_urls.items() if name != "backoffice"}
    databases = " ".join(f"-d {name}={url}" for name, url in with_messages.items())
    yield "One order: as it is, and its timeline:"
    yield f"  curl -s -H 'Authorization: Bearer {token}' {path}"
    yield f"  curl -s -H 'Authorization: Bearer {token}' {path}/log"
    if seen.document_id:
        link = f"{system.documents_url}/v1/documents/{seen.document_id}/link"
        bearer = f"'Authorization: Bearer {system.document_tokens[seen.asked.shop]}'"
        yield "A link to its delivery note, good for an hour, which a browser opens:"
        yield f"  curl -s -H 'Content-Type: application/json' -H {bearer} -d '{{}}' {link}"
    yield "Its whole journey through all services:"
    yield f"  {python} -m shared.ops journey {seen.order_id} {databases} --kafka {system.kafka}"
