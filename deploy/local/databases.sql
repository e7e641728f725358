-- One database for each service, and a user who may do nothing in the others.
create role orders login password 'orders';
create database orders owner orders;
revoke all on database orders from public;
create role notifications login password 'notifications';
create database notifications owner notifications;
revoke all on database notifications from public;
create role documents login password 'documents';
create database documents owner documents;
revoke all on database documents from public;
create role integrations login password 'integrations';
create database integrations owner integrations;
revoke all on database integrations from public;
create role backoffice login password 'backoffice';
create database backoffice owner backoffice;
revoke all on database backoffice from public;
