-- migrate:up
create table api_token (
  id           text primary key,
  shop         text not null,
  name         text not null,
  scopes       text[] not null,
  hash         bytea not null check (length(hash) = 32),
  created_at   timestamptz not null default now(),
  revoked_at   timestamptz,
  last_used_at timestamptz,
  check ((shop = '*') = ('operator' = any (scopes)))
);
create index api_token_shop on api_token (shop, created_at);

-- migrate:down
drop table api_token;
