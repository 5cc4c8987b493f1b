-- The content role adds the words to what the reader sees. Give it to who may read conversations, and to nobody else.
create role if not exists otel_costs_content;
grant otel_costs_reader to otel_costs_content;
grant select on session_messages to otel_costs_content;
grant select on session_report to otel_costs_content;
grant select on sealed_messages to otel_costs_content;
grant select on search_messages to otel_costs_content;
create user if not exists $auditor identified with sha256_hash by '$auditor_sha256' default role otel_costs_content;
alter user $auditor identified with sha256_hash by '$auditor_sha256' default role otel_costs_content;
grant otel_costs_content to $auditor;
