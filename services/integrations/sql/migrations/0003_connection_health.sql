-- migrate:up

-- What was last heard of each connection. Every process adds what it has heard, some seconds later.
create table connection_heard (
  shop text not null,
  kind text not null,
  answered_at timestamptz,
  troubled_at timestamptz,
  trouble text,
  webhook_at timestamptz,
  forged_at timestamptz,
  forged text,
  asked_at timestamptz,
  checked_at timestamptz,
  checked text,
  checked_ms int,
  primary key (shop, kind)
) with (fillfactor = 70);

-- Which connections a process leaves alone; it says so every few seconds for as long as it does.
create table connection_left_alone (
  process uuid not null,
  "group" text not null,
  connection text not null,
  since timestamptz not null,
  said_at timestamptz not null,
  primary key (process, "group", connection)
);
create index connection_left_alone_by_name on connection_left_alone ("group", connection);

-- The last of each outcome, and how many, of one shop's calls of one kind.
create index effect_health on effect (shop, "group", state, started_at);
create index lane_blocked_of_shop on lane ("group", shop) where state = 'blocked';

-- migrate:down
drop index lane_blocked_of_shop, effect_health;
drop table connection_left_alone, connection_heard;
