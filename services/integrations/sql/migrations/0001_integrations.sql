-- migrate:up

-- What a shop has connected. The secret is sealed; the rest is told on shops.facts.
create table connection (
  shop text not null,
  kind text not null check (kind in ('payment', 'shipping', 'erp')),
  provider text not null,
  url text not null,
  capture text not null default 'by-hand',
  secret bytea not null,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop, kind)
);

-- Whose order a thing is that a provider tells of: a payment's or a shipment's own name at the provider.
create table known_there (
  shop text not null,
  kind text not null,
  reference text not null,
  order_id uuid not null,
  known_since timestamptz not null default clock_timestamp(),
  primary key (shop, kind, reference)
);

-- Webhooks that were taken: one comes as often as its sender likes.
create table webhook (
  shop text not null,
  kind text not null,
  id text not null,
  taken_at timestamptz not null default clock_timestamp(),
  primary key (shop, kind, id)
);
create index webhook_by_time on webhook (taken_at);

-- migrate:down
drop table webhook, known_there, connection;
