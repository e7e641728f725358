-- migrate:up

-- One row per (source, topic, subject), kept for ever: the number of the last message. Published rows go away,
-- so a count over the outbox would begin again.
create table stream (
  source text not null,
  topic text not null,
  subject text not null,
  last bigint not null check (last > 0),
  primary key (source, topic, subject)
) with (fillfactor = 80);

-- Column names are those that Debezium's outbox event router expects, so that it can replace the relay.
create table outbox (
  position bigint generated always as identity primary key,
  id uuid not null,
  topic text not null,
  aggregatetype text not null,
  aggregateid text not null,
  type text not null,
  payload text not null,
  sequence text not null,
  headers jsonb not null,
  created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- The lease of the one active relay, and which life of this database its numbers belong to.
create table relay (
  one boolean primary key default true check (one),
  token uuid,
  until timestamptz not null default '-infinity',
  incarnation bigint not null
);
insert into relay (incarnation) values (extract(epoch from clock_timestamp())::bigint);

create table parked (
  topic text not null,
  aggregateid text not null,
  error text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (topic, aggregateid)
);

-- The last number taken in of each stream. Never deleted: a replay years later must still find it.
create table cursor (
  source text not null,
  subject text not null,
  topic text not null,
  incarnation bigint not null,
  last bigint not null,
  id text not null,
  primary key (source, subject, topic)
) with (fillfactor = 80);

-- Records that came before an earlier one of their stream.
create table held (
  source text not null,
  subject text not null,
  topic text not null,
  incarnation bigint not null,
  n bigint not null,
  id text not null,
  type text not null,
  shop text not null,
  record bytea not null,
  partition int not null,
  "offset" bigint not null,
  headers bytea not null,
  at timestamptz not null default clock_timestamp(),
  primary key (source, subject, topic, incarnation, n)
);
create index held_at on held (at);

-- Records whose type this version does not know; they have taken their turn in the stream.
create table passed (
  position bigint generated always as identity primary key,
  topic text not null,
  source text not null,
  subject text not null,
  sequence text,
  id text not null,
  type text not null,
  shop text not null,
  record bytea not null,
  at timestamptz not null default clock_timestamp()
);
create index passed_at on passed (at);

-- What was not understood, byte for byte.
create table quarantine (
  position bigint generated always as identity primary key,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  key bytea,
  value bytea,
  headers bytea not null,
  reason text not null,
  at timestamptz not null default clock_timestamp(),
  unique (topic, partition, "offset")
);

-- Deduplicates topics without sequences.
create table seen (
  topic text not null,
  source text not null,
  id text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (topic, source, id)
);
create index seen_at on seen (at);

-- The offsets that count: written in the transaction that took the records in.
create table consumed (
  topic text not null,
  partition int not null,
  next bigint not null,
  first bigint not null,
  primary key (topic, partition)
) with (fillfactor = 50);

create table fact (
  shop text not null,
  owner text not null,
  type text not null,
  incarnation bigint not null,
  n bigint not null,
  body jsonb not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop, owner)
);

create table message (
  position bigint generated always as identity primary key,
  topic text not null,
  source text not null,
  subject text not null,
  sequence text,
  id text not null,
  type text not null,
  record bytea not null,
  at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

create table inbox (
  "group" text not null,
  subject text not null,
  position bigint not null,
  state text not null default 'ready' check (state in ('ready', 'dead')),
  attempts int not null default 0,
  error text,
  died_at timestamptz,
  primary key ("group", subject, position)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index inbox_position on inbox (position);
create index inbox_dead on inbox ("group", died_at) where state = 'dead';

-- One column says from when a lane may be claimed: ready: now or the time of the next try; leased: the lease's end;
-- idle and blocked: null.
create table lane (
  "group" text not null,
  subject text not null,
  shop text not null,
  state text not null default 'ready' check (state in ('idle', 'ready', 'leased', 'blocked')),
  wake bigint not null default 0,
  due timestamptz,
  token uuid,
  attempts int not null default 0,
  failing_since timestamptz,
  touched timestamptz not null default clock_timestamp(),
  error text,
  primary key ("group", subject)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
create index lane_due on lane (due) where due is not null;

create table effect (
  key text primary key,
  "group" text not null,
  subject text not null,
  kind text not null,
  state text not null check (state in ('planned', 'started', 'done', 'failed', 'unknown')),
  attempts int not null,
  token uuid not null,
  started_at timestamptz not null,
  deadline timestamptz not null,
  result jsonb
) with (fillfactor = 70);
create index effect_unfinished on effect (state, started_at) where state in ('planned', 'started', 'unknown');

-- migrate:down
drop table effect, lane, inbox, message, fact, consumed, seen, quarantine, passed, held, cursor, parked, relay, outbox,
  stream;
