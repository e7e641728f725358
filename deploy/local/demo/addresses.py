"""Where to look while the demo runs; every command can be typed as it stands."""

from collections.abc import Iterator

from deploy.local.demo.stories import State, Stories
from deploy.local.demo.system import System


def addresses(system: System, stories: Stories, logs: str) -> Iterator[str]:
    """One line for each place."""
    yield f"Mails            {system.mailbox_url}"
    yield f"Orders' API      {system.orders_url}/openapi.json"
    yield f"Kafka            {system.kafka}"
    for name, url in system.database_urls.items():
        yield f"{f'Database {name}':<24} {url}"
    yield f"Logs of all processes    {logs}"
    seen = next(iter(stories.at(State.CONFIRMED)), None) or next(iter(stories), None)
    if seen is None:
        return
    token, path = system.tokens[seen.asked.shop], f"{system.orders_url}/v1/orders/{seen.order_id}"
    yield "One order's timeline, and the order itself:"
    yield f"  curl -s -H 'Authorization: Bearer {token}' {path}/log"
    yield f"  curl -s -H 'Authorization: Bearer {token}' {path}"
    yield "Everything on the order log, where kcat is installed:"
    yield f"  kcat -C -b {system.kafka} -t orders.log -o beginning -e"
