-- migrate:up
alter table api_token add column if not exists made_by text not null default '';
alter table api_token add column if not exists revoked_by text;

-- migrate:down
alter table api_token drop column made_by, drop column revoked_by;
