-- migrate:up

-- What is expected of other services for an order. No foreign key: after a restore its outcome may be there before it.
create table promise (
  order_id uuid not null,
  cause text not null,
  what text not null,
  by text not null,
  event_id text not null,
  shop text not null,
  expected_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null,
  overdue boolean not null default false,
  state text not null default 'expected' check (state in ('expected', 'waiting', 'done', 'failed', 'unknown')),
  reason text not null default '',
  entry_id text,
  told_at timestamptz,
  primary key (order_id, cause, what)
) with (fillfactor = 80);

create index promise_due on promise (due_at) where state in ('expected', 'waiting') and not overdue;
create index promise_in_trouble on promise (state)
where state = 'unknown' or (state in ('expected', 'waiting') and overdue);

-- migrate:down
drop table promise;
