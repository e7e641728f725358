"""SMTP as a real server speaks it; some recipients misbehave on purpose, so that every answer can be tried."""

import asyncio
import re
from collections import Counter

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.mailbox.store import Mails

MISBEHAVING = {
    "refuse-550@…": "refused when the recipient is named, with the code in the address (any 5xx)",
    "tempfail-451@…": "the same with a code that means “try again” (any 4xx)",
    "tempfail-451-2@…": "the same for the first 2 tries, then accepted",
    "refuse-data-554@…": "refused only after the whole mail was sent (any 4xx or 5xx)",
    "slow-5@…": "accepted and kept, but the answer takes 5 seconds",
    "hangup@…": "accepted and kept, but the connection is cut in place of the answer",
}
_SIZE_LIMIT = 25 * 1024 * 1024
_AT_RECIPIENT = re.compile(r"(?:refuse|tempfail)-([45]\d\d)(?:-(\d+))?")
_AT_DATA = re.compile(r"(?:refuse|tempfail)-data-([45]\d\d)")
_SLOW = re.compile(r"slow(?:-(\d+))?")


class Reception:
    """What the server does with each recipient and each mail (the hooks of aiosmtpd)."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        self._tries: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient, or refuse one whose address asks for it."""
        asked = _AT_RECIPIENT.fullmatch(_local_part(address))
        if asked:
            self._tries[address] += 1
            code, times = asked.group(1), asked.group(2)
            if times is None or self._tries[address] <= int(times):
                return f"{code} {code[0]}.1.1 {address} is refused on purpose"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail on disk, then say 250; or misbehave as a recipient's address asks."""
        wishes = [_local_part(address) for address in envelope.rcpt_tos]
        refused = next(filter(None, map(_AT_DATA.fullmatch, wishes)), None)
        if refused:
            code = refused.group(1)
            return f"{code} {code[0]}.6.0 the mail is refused on purpose"
        content = envelope.original_content or b""
        client = str(session.host_name or "unknown")
        sender = envelope.mail_from or ""
        kept = await asyncio.to_thread(self._mails.keep, sender, list(envelope.rcpt_tos), content, client)
        slow = next(filter(None, map(_SLOW.fullmatch, wishes)), None)
        if slow:
            await asyncio.sleep(int(slow.group(1) or 5))
        if "hangup" in wishes and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return f"250 2.0.0 kept as {kept.number}"


def _local_part(address: str) -> str:
    return address.rpartition("@")[0].strip("<>").casefold()


async def listen(mails: Mails, host: str, port: int) -> asyncio.Server:
    """Start the SMTP server; the caller closes it."""
    reception = Reception(mails)

    def session() -> SMTP:
        return SMTP(
            reception,
            hostname="mailbox.localhost",
            ident="mailbox",
            data_size_limit=_SIZE_LIMIT,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    return await asyncio.get_running_loop().create_server(session, host, port)
