"""Whether something stands anywhere in a database, in whatever column, as text or as bytes."""

import asyncpg

TABLES = "select tablename from pg_tables where schemaname = 'public'"
HAS = "select exists (select from {} t where t::text like any($1))"


async def tables_with(url: str, *texts: str) -> set[str]:
    """The tables in which one of these texts stands."""
    patterns = [f"%{text}%" for text in texts] + [f"%{text.encode().hex()}%" for text in texts]
    connection = await asyncpg.connect(url)
    try:
        tables = [row["tablename"] for row in await connection.fetch(TABLES)]
        return {table for table in tables if await connection.fetchval(HAS.format(table), patterns)}
    finally:
        await connection.close()
