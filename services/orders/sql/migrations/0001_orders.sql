-- migrate:up

-- A shop's settings: what orders says of it on shops.facts is what stands here.
create table shop (
  shop text primary key,
  settings jsonb not null,
  changed_at timestamptz not null default clock_timestamp()
);

-- From where the next block of a shop's order numbers is taken.
create table order_number_block (
  shop text primary key,
  next bigint not null check (next > 0)
) with (fillfactor = 50);

-- `body` is the order as it is now; `placed` as it was placed, where that is not the same.
create table orders (
  id uuid primary key,
  shop text not null,
  number bigint not null,
  version int not null,
  placed_at timestamptz not null,
  accepted_at timestamptz not null default clock_timestamp(),
  body jsonb not null,
  placed jsonb,
  unique (shop, number)
);

-- The order log, as orders has recorded it. No foreign key: after a restore an entry may be there before its order.
create table timeline (
  order_id uuid not null,
  n bigint not null,
  shop text not null,
  id text not null,
  source text not null,
  incarnation bigint not null,
  type text not null,
  at timestamptz not null,
  actor text not null,
  causationid text,
  outcome text not null,
  summary text not null,
  parameters jsonb not null,
  data jsonb not null,
  recorded_at timestamptz not null,
  hash bytea not null check (length(hash) = 32),
  primary key (order_id, n),
  unique (order_id, source, id)
);

-- The end of each order's chain of entries; locking it is what makes writers of one order take turns.
create table timeline_head (
  order_id uuid primary key,
  n bigint not null,
  hash bytea not null check (length(hash) = 32)
) with (fillfactor = 80);

-- migrate:down
drop table timeline_head, timeline, orders, order_number_block, shop;
