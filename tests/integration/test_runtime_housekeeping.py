"""What is kept for a week is forgotten after it, by a process that merely runs."""

from shared.runtime.database import connected, open_pool
from shared.runtime.housekeeping import Housekeeping
from shared.runtime.idempotency import Answer, remember
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from tests.plugins.kit import running
from tests.plugins.waiting import eventually


async def test_answers_of_more_than_a_week_ago_are_forgotten(database_url: str) -> None:
    pool = await open_pool(database_url, name="test", connections=2)
    async with connected(pool) as connection:
        await migrate(connection, [RUNTIME_MIGRATIONS])
        await remember(connection, "nordic-tea", "old", b"x" * 32, Answer(200, b"{}"))
        await connection.execute("update idempotency set created_at = created_at - interval '8 days'")
        await remember(connection, "nordic-tea", "new", b"x" * 32, Answer(200, b"{}"))
    async with running(Housekeeping(pool)):
        await eventually(lambda: pool.fetchval("select count(*) = 1 from idempotency"))
    assert await pool.fetchval("select key from idempotency") == "new"
    await pool.close()
