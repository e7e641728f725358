-- migrate:up
create table person (
  id          text primary key,
  email       text not null,
  name        text not null,
  password    text not null,
  language    text,
  created_at  timestamptz not null default clock_timestamp(),
  disabled_at timestamptz
);
create unique index person_email on person (lower(email));

create table membership (
  person_id text not null references person on delete cascade,
  shop      text not null,
  role      text not null,
  primary key (person_id, shop),
  check ((shop = '*') = (role = 'operator'))
);
create index membership_shop on membership (shop);

create table session (
  hash       bytea primary key check (length(hash) = 32),
  person_id  text not null references person on delete cascade,
  csrf       text not null,
  shop       text,
  created_at timestamptz not null default clock_timestamp(),
  seen_at    timestamptz not null default clock_timestamp(),
  ends_at    timestamptz not null,
  ended_at   timestamptz
);
create index session_person on session (person_id, created_at);

create table guess (
  subject  bytea primary key check (length(subject) = 32),
  begun_at timestamptz not null,
  count    integer not null
);

-- migrate:down
drop table guess;
drop table session;
drop table membership;
drop table person;
