-- migrate:up

-- Orders on whose log something stands open that needs a person, and why in single words: it follows from the timeline.
-- `shown`: the order's `attention` says so. No foreign key: after a restore an entry may be there before its order.
create table trouble (
  order_id uuid primary key,
  shop text not null,
  reasons text[] not null,
  shown boolean not null default false
);
create index trouble_not_shown on trouble (order_id) where not shown;

-- What stood open before, as far as promises tell; the next entry of such an order says it exactly.
insert into trouble (order_id, shop, reasons)
select order_id, min(shop), array_agg(distinct case when state in ('failed', 'unknown') then state else 'overdue' end)
from promise p
where state in ('failed', 'unknown') and not exists (
    select from promise d where d.order_id = p.order_id and d.what = p.what and d.state = 'done')
  or state in ('expected', 'waiting') and overdue
group by order_id;

-- migrate:down
drop table trouble;
