-- The content role adds the words to what the reader sees. Give it to who may read conversations, and to nobody else.
create role if not exists otel_costs_content $on_cluster;
grant $on_cluster otel_costs_reader to otel_costs_content;
grant $on_cluster select on $database.session_messages to otel_costs_content;
grant $on_cluster select on $database.session_report to otel_costs_content;
grant $on_cluster select on $database.search_messages to otel_costs_content;
create user if not exists $auditor $on_cluster identified with sha256_hash by '$auditor_sha256' default role otel_costs_content;
alter user $auditor $on_cluster identified with sha256_hash by '$auditor_sha256' default role otel_costs_content;
grant $on_cluster otel_costs_content to $auditor;
