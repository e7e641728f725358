-- migrate:up

-- What was written to whom about which order. A mail is known by its Message-ID, which comes from its cause.
create table mail (
  place bigint generated always as identity unique,
  message_id text primary key,
  shop text not null,
  order_id uuid not null,
  cause text not null,
  actor text not null,
  kind text not null,
  recipient text not null,
  language text not null,
  headline text not null,
  text text not null,
  state text not null check (state in ('sent', 'failed', 'unknown')),
  reason text not null,
  detail text not null,
  asked_at timestamptz not null,
  told_at timestamptz not null default clock_timestamp()
);
create index mail_of_order on mail (shop, order_id, place);

-- migrate:down
drop table mail;
