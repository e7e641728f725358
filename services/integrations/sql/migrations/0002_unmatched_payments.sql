-- migrate:up

-- Orders that a payment can be of. `reference` is what the provider calls the order's payment, where it has one.
create table payable_order (
  order_id uuid primary key,
  shop text not null,
  reference text not null default '',
  currency text not null default '',
  known_since timestamptz not null default clock_timestamp()
);
insert into payable_order (order_id, shop, reference, known_since)
select distinct on (order_id) order_id, shop, reference, known_since from known_there
where kind = 'payment' order by order_id, known_since;

-- Payments that a provider told of before their order was here, with what it said of each: never the bytes as they came.
create table unmatched_payment (
  id uuid primary key,
  shop text not null,
  reference text not null,
  provider text not null,
  merchant_reference text not null,
  state text not null check (state in ('heard', 'open', 'matched', 'closed')),
  said jsonb not null,
  messages int not null,
  first_heard_at timestamptz not null,
  last_heard_at timestamptz not null,
  order_id uuid,
  settled_at timestamptz,
  settled_by text,
  reason text not null default '',
  unique (shop, reference)
);
create index unmatched_payment_by_state on unmatched_payment (shop, state, id);
create index unmatched_payment_open on unmatched_payment (first_heard_at) where state = 'open';

-- migrate:down
drop table unmatched_payment, payable_order;
