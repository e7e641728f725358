-- migrate:up

-- What was asked of the payment provider and what it has done, by request. Readers of the older version pass it over.
alter table orders add column payments jsonb not null default '{}';

-- migrate:down
alter table orders drop column payments;
