"""Mail goes out over warm connections, and each ends in a clear yes, a clear no, certainly not sent, or unknown.

Until the content is on its way nothing can have happened; from then on only the server's own answer is believed.
"""

import asyncio
import ssl
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from services.notifications.mail import Mail, with_masked_addresses
from shared.contracts.values import masked_email
from shared.messaging.effects import Done, Failed, NotSent, Permit, PutOff

CONNECT_WITHIN = 4.0
"""Seconds for connecting, TLS and login together; less than the kit's start allowance."""
COMMAND_WITHIN = 10.0
"""Seconds for the answer to a command before the content."""
IDLE_FOR = 20.0
"""Seconds that a connection may be idle and still be used; servers hang up on longer ones."""
MAILS_PER_CONNECTION = 100
FOR_NOW = range(400, 500)
CLOSING = 421
"""RFC 5321, 3.8: the server goes away, whatever it was asked."""
FOR_GOOD = range(500, 600)
NEEDS_LOGIN = frozenset({530, 534, 535, 538})
"""RFC 4954: what is refused is we, not this mail."""


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed in; with `starttls` a server that does not offer it is not used, `tls` is TLS at once."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False
    tls_context: ssl.SSLContext | None = None
    local_hostname: str | None = None


@dataclass
class _Connection:
    client: SMTP
    used_at: float
    mails: int = 0

    def worn(self, idle_for: float) -> bool:
        return self.mails >= MAILS_PER_CONNECTION or time.monotonic() - self.used_at > idle_for


class SmtpPost:
    """Hands mails in at one server; a connection is used by one mail at a time and kept for the next."""

    def __init__(
        self,
        server: SmtpServer,
        *,
        answer_within: float,
        connect_within: float = CONNECT_WITHIN,
        idle_for: float = IDLE_FOR,
    ) -> None:
        self._server = server
        self._answer_within, self._connect_within, self._idle_for = answer_within, connect_within, idle_for
        self._idle: deque[_Connection] = deque()

    async def deliver(self, mail: Mail, permit: Permit) -> Done | Failed:
        """Done with the Message-ID and the server's words, or Failed with a stable reason and the server's words.

        Raises NotSent when the server was not reached or put the mail off, PutOff when it put off this recipient;
        whatever else it raises means unknown.
        """
        connection = await self._connected()
        if mail.needs_smtputf8 and not connection.client.supports_extension("smtputf8"):
            self._idle.append(connection)
            return Failed("address-needs-smtputf8", "the mail server takes no addresses beyond ASCII")
        answered = False
        try:
            permit.check()
            outcome = await self._hand_in(connection.client, mail)
            answered = True
        finally:
            self._put_back(connection, usable=answered)
        return outcome

    async def close(self) -> None:
        """Says goodbye on every connection that is not in use."""
        while self._idle:
            client = self._idle.popleft().client
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError):
                client.close()

    def _put_back(self, connection: _Connection, *, usable: bool) -> None:
        connection.mails += 1
        connection.used_at = time.monotonic()
        if usable and connection.client.is_connected:
            self._idle.append(connection)
        else:
            connection.client.close()

    async def _connected(self) -> _Connection:
        """A connection that answers: one that is kept, else a new one. Raises NotSent when there is none."""
        try:
            async with asyncio.timeout(self._connect_within):
                return await self._kept() or await self._new()
        except (SMTPException, OSError) as error:
            raise NotSent(f"mail server not usable: {with_masked_addresses(str(error), 400)}") from error

    async def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            try:
                if not connection.worn(self._idle_for):
                    await connection.client.rset(timeout=1)
                    return connection
            except (SMTPException, OSError):
                pass
            connection.client.close()
        return None

    async def _new(self) -> _Connection:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            start_tls=server.starttls,
            use_tls=server.tls,
            tls_context=server.tls_context,
            local_hostname=server.local_hostname,
            timeout=self._connect_within,
        )
        with ExitStack() as undo:
            undo.callback(client.close)
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            undo.pop_all()
        return _Connection(client, time.monotonic())

    async def _hand_in(self, client: SMTP, mail: Mail) -> Done | Failed:
        try:
            await self._envelope(client, mail)
            answer = await client.data(mail.content, timeout=self._answer_within)
        except SMTPSenderRefused as error:
            return _refusal("sender-refused", error, mail)
        except SMTPRecipientRefused as error:
            if error.code in FOR_NOW and error.code != CLOSING:
                raise PutOff(_answer(error, mail)) from error
            return _refusal("address-refused", error, mail)
        except SMTPDataError as error:
            return _refusal("message-refused", error, mail)
        return Done({"message_id": mail.message_id, "answer": _words(f"{answer.code} {answer.message}", mail)})

    async def _envelope(self, client: SMTP, mail: Mail) -> None:
        options, encoding = (["BODY=8BITMIME", "SMTPUTF8"], "utf-8") if mail.needs_smtputf8 else ([], "ascii")
        try:
            await client.mail(mail.sender, options=options, encoding=encoding, timeout=COMMAND_WITHIN)
            await client.rcpt(mail.recipient, encoding=encoding, timeout=COMMAND_WITHIN)
        except (SMTPSenderRefused, SMTPRecipientRefused):
            raise
        except (SMTPException, OSError) as error:
            raise NotSent(f"lost before the content: {_words(str(error), mail)}") from error


def _refusal(reason: str, error: SMTPResponseException, mail: Mail) -> Failed:
    """A no for good as Failed. Raises NotSent for one for now, and the error itself where the code says neither."""
    words = _answer(error, mail)
    if error.code in FOR_NOW or error.code in NEEDS_LOGIN:
        raise NotSent(words) from error
    if error.code not in FOR_GOOD:
        raise error
    return Failed(reason, words)


def _answer(error: SMTPResponseException, mail: Mail) -> str:
    return _words(f"{error.code} {error.message}", mail)


def _words(text: str, mail: Mail) -> str:
    """What the server said, with the recipient masked even where it stands in an unusual form."""
    return with_masked_addresses(text.replace(mail.recipient, masked_email(mail.recipient)), 400)
