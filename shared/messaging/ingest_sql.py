"""The statements of ingest; `$1` is the topic wherever one topic is meant."""

LOCK_CURSORS = """
select c.source, c.subject, c.incarnation, c.last, c.id
from cursor c join unnest($2::text[], $3::text[]) k(source, subject)
  on c.source = k.source and c.subject = k.subject and c.topic = $1
order by c.source, c.subject for update of c
"""
INSERT_CURSORS = """
insert into cursor (source, subject, topic, incarnation, last, id)
select source, subject, $1, 0, 0, '' from unnest($2::text[], $3::text[]) k(source, subject) order by 1, 2
on conflict do nothing
"""
MOVE_CURSORS = """
update cursor c set incarnation = m.incarnation, last = m.last, id = m.id
from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[]) m(source, subject, incarnation, last, id)
where c.source = m.source and c.subject = m.subject and c.topic = $1
"""
READ_HELD = """
select h.source, h.subject, h.partition, h."offset", h.headers, h.record
from held h join unnest($2::text[], $3::text[]) k(source, subject)
  on h.source = k.source and h.subject = k.subject and h.topic = $1
order by h.source, h.subject, h.incarnation, h.n
"""
DELETE_HELD = """
delete from held h using unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) k(source, subject, incarnation, n)
where h.topic = $1 and h.source = k.source and h.subject = k.subject and h.incarnation = k.incarnation and h.n = k.n
"""
INSERT_HELD = """
insert into held (topic, source, subject, incarnation, n, id, type, shop, record, partition, "offset", headers)
select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
  $9::bytea[], $10::int[], $11::bigint[], $12::bytea[]) on conflict do nothing
"""
GIVEN_UP = """
select k.source, k.subject, k.incarnation, k.n
from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) k(source, subject, incarnation, n)
join accepted_gap g on g.topic = $1 and g.source = k.source and g.subject = k.subject
  and g.incarnation = k.incarnation and k.n between g.first and g.last
"""
PRESENT_LIFE = "select incarnation from relay"
INSERT_SEEN = """
insert into seen (topic, source, id)
select $1, source, id from unnest($2::text[], $3::text[]) k(source, id) order by 2, 3
on conflict do nothing returning source, id
"""
STORE = """
with stored as (
  insert into message (topic, source, subject, sequence, id, type, record)
  select $1, source, subject, sequence, id, type, record
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[])
    with ordinality a(source, subject, sequence, id, type, shop, record, ord) order by ord
  returning position, subject, type
), boxed as (
  insert into inbox ("group", subject, position)
  select g.name, s.subject, s.position from stored s join unnest($9::text[], $10::text[]) g(type, name) using (type)
)
insert into lane as l ("group", subject, shop, due)
select "group", subject, shop, clock_timestamp()
from unnest($11::text[], $12::text[], $13::text[]) u("group", subject, shop) order by 1, 2
on conflict ("group", subject) do update set wake = l.wake + 1,
  state = case when l.state = 'idle' then 'ready' else l.state end,
  due = case when l.state = 'idle' then clock_timestamp() else l.due end,
  touched = clock_timestamp()
"""
SET_ASIDE = """
insert into passed (topic, source, subject, sequence, id, type, shop, record)
select $1, source, subject, sequence, id, type, shop, record
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[])
  with ordinality a(source, subject, sequence, id, type, shop, record, ord) order by ord
"""
REPLACE_FACTS = """
insert into fact as f (shop, owner, type, incarnation, n, body)
select shop, owner, type, incarnation, n, (body::jsonb)->'data'
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
  u(shop, owner, type, incarnation, n, body) order by 1, 2
on conflict (shop, owner) do update set type = excluded.type, incarnation = excluded.incarnation, n = excluded.n,
  body = excluded.body, at = clock_timestamp()
where (f.incarnation, f.n) < (excluded.incarnation, excluded.n)
"""
QUARANTINE = """
insert into quarantine (topic, partition, "offset", key, value, headers, reason)
select $1, * from unnest($2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[])
on conflict do nothing
"""
REMEMBER_OFFSETS = """
insert into consumed as c (topic, partition, next, first)
select $1, * from unnest($2::int[], $3::bigint[], $4::bigint[]) order by 2
on conflict (topic, partition) do update set next = greatest(c.next, excluded.next)
"""
FIND_BASELINES = """
select distinct on (h.source, h.subject) h.source, h.subject, h.incarnation, h.n
from held h join cursor c on (c.source, c.subject, c.topic) = (h.source, h.subject, h.topic) and c.last = 0
join consumed o on o.topic = h.topic and o.partition = h.partition and o.first > 0
where h.topic = $1 and h.at < now() - make_interval(secs => $2)
order by h.source, h.subject, h.incarnation, h.n limit 500
"""
CONSUMED = "select partition, next, first from consumed where topic = $1 and partition = any($2::int[])"
BEGUN = "select partition from consumed where topic = $1"
BEGIN_PARTITION = """
insert into consumed (topic, partition, next, first) values ($1, $2, $3, $3) on conflict do nothing
"""
