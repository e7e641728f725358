-- migrate:up
create table idempotency (
  shop         text not null,
  key          text not null,
  request_hash bytea not null,
  status       smallint,
  headers      jsonb,
  body         bytea,
  created_at   timestamptz not null default now(),
  primary key (shop, key)
);
create index idempotency_created_at on idempotency (created_at);

-- migrate:down
drop table idempotency;
