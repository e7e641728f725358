-- migrate:up

-- A week of the list, counted from 1970 in UTC.
create or replace function order_week(at timestamptz) returns bigint language sql immutable strict parallel safe as $$
  select floor(date_part('epoch', at at time zone 'UTC') / 604800)::bigint
$$;

-- Each tag of an order together with its shop and its week, as a number: so what one shop looks for costs nothing in
-- the others, and a common tag is read week by week. Two may have the same number: whoever looks compares the tags too.
create or replace function order_keys(shop text, placed_at timestamptz, tags text[]) returns bigint[]
language sql immutable strict parallel safe as $$
  select array(select hashtextextended(tag, seed) from unnest(tags) tag)
  from (select hashtextextended(shop, order_week(placed_at)) as seed offset 0) once
$$;

-- The same for those who look: every one of these tags in each of these weeks.
create or replace function order_keys_wanted(shop text, wanted text[], first_week bigint, last_week bigint)
returns bigint[] language sql immutable strict parallel safe as $$
  select array(
    select hashtextextended(tag, hashtextextended(shop, week))
    from unnest(wanted) tag, generate_series(first_week, last_week) week
  )
$$;

-- What the list can be sorted by beside the time and the number; the amount is the sum to pay. An order that nobody has changed was changed last when
-- it was placed. Names go by the bytes of their UTF-8, small and capital letters of ASCII being the same: no update of
-- the system's locales changes that, and with it the index. Their cost is that of unpacking the order.
create or replace function order_changed_at(body jsonb, placed_at timestamptz) returns timestamptz
language sql immutable parallel safe cost 2000 as $$ select coalesce((body->>'changed_at')::timestamptz, placed_at) $$;
create or replace function order_amount(body jsonb) returns bigint language sql immutable parallel safe cost 2000
as $$
  select (body#>>'{totals,incl_vat,amount}')::bigint + coalesce((body#>>'{totals,rounding}')::bigint, 0)
$$;
create or replace function order_name(body jsonb) returns text language sql immutable parallel safe cost 2000 as $$
  select left(lower(coalesce(nullif(body->'customer'->>'full_name', ''), body->'customer'->>'company', '') collate "C"), 100)
$$;

-- With many orders these take minutes, in which nothing is placed: docs/operating.md says how they are made before.
create index if not exists orders_by_key on orders using gin (order_keys(shop, placed_at, tags));
create index if not exists orders_by_change on orders (shop, order_changed_at(body, placed_at) desc, id desc);
create index if not exists orders_by_amount on orders (shop, order_amount(body) desc, id desc);
create index if not exists orders_by_name on orders (shop, order_name(body) collate "C", id);
drop index if exists orders_by_tag;

-- migrate:down
create index orders_by_tag on orders using gin (tags);
drop index orders_by_name, orders_by_amount, orders_by_change, orders_by_key;
drop function order_name(jsonb);
drop function order_amount(jsonb);
drop function order_changed_at(jsonb, timestamptz);
drop function order_keys_wanted(text, text[], bigint, bigint);
drop function order_keys(text, timestamptz, text[]);
drop function order_week(timestamptz);
