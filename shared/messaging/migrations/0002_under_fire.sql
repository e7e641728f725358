-- migrate:up

-- How often in a row the lane's lease ran out instead of being given back.
alter table lane add column crashes int not null default 0;
drop index lane_due;
create index lane_due on lane ("group", due) where due is not null;
create index lane_shop_due on lane ("group", shop, due) where due is not null;
create index lane_blocked on lane ("group") where state = 'blocked';
create index lane_crashed on lane ("group", due) where crashes > 0;
-- What is dead stays in its lane: reading the lane, and looking for lanes that sleep, must not pass over it.
create index inbox_ready on inbox ("group", subject, position) where state = 'ready';

-- The request is kept, sealed, until the outcome is clear. The message at `position` stays while it is not: it is
-- handled again when the effect is settled.
alter table effect
  add column shop text not null default '',
  add column position bigint not null default 0,
  add column request bytea,
  add column looks int not null default 0,
  add column first_at timestamptz not null default clock_timestamp(),
  add column settled_by text;
create index effect_position on effect (position) where state in ('planned', 'started', 'unknown');
create index effect_subject on effect (subject);

-- What is due later; it becomes a message in its group's lane.
create table timer (
  key text primary key,
  "group" text not null,
  subject text not null,
  shop text not null,
  due_at timestamptz not null,
  topic text not null,
  source text not null,
  id text not null,
  type text not null,
  record bytea not null
);
create index timer_due on timer (due_at);

-- Which database this is, by its own words, and how its present life began.
alter table relay
  add column previous bigint,
  add column restored boolean not null default false,
  add column system_identifier text,
  add column timeline text;

-- Numbers that an operator has given up; what comes with one of them later is quarantined.
create table accepted_gap (
  topic text not null,
  source text not null,
  subject text not null,
  incarnation bigint not null,
  first bigint not null,
  last bigint not null,
  at timestamptz not null default clock_timestamp(),
  primary key (topic, source, subject, incarnation, first)
);

-- What operators asked of this service, and what came of it; a process of the service does what is asked.
create table repair (
  position bigint generated always as identity primary key,
  asked_at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  arguments jsonb not null,
  reason text not null,
  state text not null default 'asked' check (state in ('asked', 'done', 'refused')),
  answer text,
  answered_at timestamptz
);
create index repair_asked on repair (position) where state = 'asked';

-- migrate:down
drop table repair, accepted_gap, timer;
alter table relay drop column timeline, drop column system_identifier, drop column restored, drop column previous;
drop index effect_subject, effect_position;
alter table effect drop column settled_by, drop column first_at, drop column looks, drop column request, drop column position,
  drop column shop;
drop index inbox_ready, lane_crashed, lane_blocked, lane_shop_due, lane_due;
create index lane_due on lane (due) where due is not null;
alter table lane drop column crashes;
