"""Tables that are emptied as fast as they are filled stay small only with these settings, and quick with these keys."""

import re

import pytest

from tests.plugins.kit import Kit

QUEUE = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "2000",
    "autovacuum_vacuum_cost_delay": "0",
}
"""Vacuumed after two thousand dead rows, however many live ones wait, and without a pause."""
STORAGE = {
    "outbox": QUEUE,
    "message": QUEUE,
    "inbox": QUEUE,
    "lane": QUEUE | {"fillfactor": "70"},
    "stream": {"fillfactor": "80"},
    "cursor": {"fillfactor": "80"},
    "consumed": {"fillfactor": "50"},
    "effect": {"fillfactor": "70"},
}
UNFINISHED = "WHERE (state = ANY (ARRAY['planned'::text, 'started'::text, 'unknown'::text]))"
KEYS = {
    "outbox": {"(position)"},
    "message": {"(position)"},
    "inbox": {
        "(group, subject, position)",
        "(position)",
        "(group, subject, position) WHERE (state = 'ready'::text)",
        "(group, died_at) WHERE (state = 'dead'::text)",
    },
    "lane": {
        "(group, subject)",
        "(group, due) WHERE (due IS NOT NULL)",
        "(group, shop, due) WHERE (due IS NOT NULL)",
        "(group) WHERE (state = 'blocked'::text)",
        "(group, due) WHERE (crashes > 0)",
    },
    "stream": {"(source, topic, subject)"},
    "cursor": {"(source, subject, topic)"},
    "consumed": {"(topic, partition)"},
    "effect": {"(key)", "(subject)", f"(state, started_at) {UNFINISHED}", f"(position) {UNFINISHED}"},
}
OPTIONS = "select unnest(reloptions) from pg_class where oid = $1::text::regclass"
INDEXES = "select pg_get_indexdef(indexrelid) from pg_index where indrelid = $1::text::regclass"


@pytest.mark.parametrize("table", STORAGE)
async def test_a_table_has_the_storage_that_its_use_wants(kit: Kit, table: str) -> None:
    options = [row[0].split("=", 1) for row in await kit.pool.fetch(OPTIONS, table)]
    assert dict(options) == STORAGE[table]


@pytest.mark.parametrize("table", KEYS)
async def test_a_table_has_these_keys_and_no_others_to_write(kit: Kit, table: str) -> None:
    definitions = [row[0] for row in await kit.pool.fetch(INDEXES, table)]
    assert sorted(re.sub('"', "", each).partition(" USING btree ")[2] for each in definitions) == sorted(KEYS[table])


async def test_no_column_that_changes_with_each_batch_is_in_a_key(kit: Kit) -> None:
    """Then the new version of a row is written beside the old one, and no key has to be written or cleaned."""
    for table, column in (("cursor", "last"), ("stream", "last"), ("consumed", "next")):
        definitions = [row[0] for row in await kit.pool.fetch(INDEXES, table)]
        assert not [each for each in definitions if re.search(rf"\b{column}\b", each.partition(" USING ")[2])]
