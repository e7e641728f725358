-- migrate:up

-- What a payment was good for when its provider was asked, and when that was: what is told of that later is no news.
alter table payable_order add column authorized bigint, add column looked_up_at timestamptz;

-- migrate:down
alter table payable_order drop column authorized, drop column looked_up_at;
