-- migrate:up
alter table person add column signed_in_at timestamptz;
update person p set signed_in_at = (select max(s.created_at) from session s where s.person_id = p.id);

create table password_link (
  hash      bytea primary key check (length(hash) = 32),
  person_id text not null references person on delete cascade,
  ends_at   timestamptz not null,
  used_at   timestamptz
);
create index password_link_person on password_link (person_id);

create table change (
  id    bigint generated always as identity primary key,
  at    timestamptz not null default clock_timestamp(),
  shop  text not null,
  actor text not null,
  area  text not null,
  deed  text not null,
  about text not null,
  what  jsonb not null
);
create index change_shop on change (shop, area, id);

-- migrate:down
drop table change;
drop table password_link;
alter table person drop column signed_in_at;
