-- migrate:up

-- Customers' personal identity numbers, sealed, each with the name of the key that opens it.
create table personal_number (
  order_id uuid not null,
  shop text not null,
  key text not null,
  sealed bytea not null,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (order_id, shop)
);
create index personal_number_by_key on personal_number (key, order_id);

-- Who was shown a whole number, when, of which order and why. Nothing here is ever changed or removed.
create table reveal (
  shop text not null,
  id uuid not null,
  order_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  reason text not null,
  primary key (shop, id)
);

create function refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'restrict_violation';
  end
$$;
create trigger reveal_is_appended_to before update or delete or truncate on reveal
for each statement execute function refuse_change();

-- migrate:down
drop table reveal, personal_number;
drop function refuse_change();
