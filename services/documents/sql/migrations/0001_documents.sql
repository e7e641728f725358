-- migrate:up

-- What was printed. The id is that of the event that asked for it; the file lies in the object store under its hash.
create table document (
  id text primary key,
  shop text not null,
  order_id uuid not null,
  kind text not null,
  language text not null,
  sha256 text not null,
  name text not null,
  media_type text not null,
  size bigint not null,
  asked_at timestamptz not null,
  printed_at timestamptz not null default clock_timestamp()
);
create index document_by_order on document (order_id);

-- migrate:down
drop table document;
