-- migrate:up

-- What the relay has published, in the order in which it was published: `number` is given under the relay's row lock,
-- so a reader that goes on after a number misses nothing.
create table announced (
  number bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  id uuid not null,
  topic text not null,
  aggregateid text not null,
  type text not null,
  payload text not null,
  sequence text not null,
  primary key (number, at)
) partition by range (at);

-- migrate:down
drop table announced;
