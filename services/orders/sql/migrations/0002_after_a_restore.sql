-- migrate:up

-- In which life of the database order numbers are given: in a new one they go on behind those that may be lost.
create table order_number_life (
  one boolean primary key default true check (one),
  incarnation bigint not null
);
insert into order_number_life (incarnation) select incarnation from relay;

-- Entries of orders' own that a restore had lost and the order log brought back.
alter table timeline add column from_before_restore boolean not null default false;
create index timeline_from_before_restore on timeline (order_id) where from_before_restore;

-- migrate:down
drop index timeline_from_before_restore;
alter table timeline drop column from_before_restore;
drop table order_number_life;
