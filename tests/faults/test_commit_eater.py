"""A lost answer to COMMIT is exactly that: it was committed, and the client was not told."""

from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from deploy.local.ports import HOST
from shared.messaging.database import OutcomeUnknown, in_transaction
from tests.faults.commit_eater import CommitEater


async def test_what_was_committed_is_there_though_nobody_was_told(database_url: str) -> None:
    direct = urlsplit(database_url)
    eater = CommitEater(direct.port or 5432, seed=1, server_host=direct.hostname or HOST)
    async with eater.listening():
        user, at, _ = direct.netloc.rpartition("@")
        url = urlunsplit(direct._replace(netloc=f"{user}{at}{HOST}:{eater.port}"))
        connection = await asyncpg.connect(url)
        await connection.execute("create table t (n int)")
        async with in_transaction(connection):
            await connection.execute("insert into t values (1)")
        eater.share = 1.0
        with pytest.raises(OutcomeUnknown):
            async with in_transaction(connection):
                await connection.execute("insert into t values (2)")
        assert connection.is_closed()
        eater.share = 0.0
        connection = await asyncpg.connect(url)
        assert [row["n"] for row in await connection.fetch("select n from t order by n")] == [1, 2]
        await connection.close()
    assert eater.eaten == 1
