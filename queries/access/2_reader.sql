-- The reader sees what calls cost, through views, and no word of what was said. Views run with the rights of who made them.
create role if not exists otel_costs_reader $on_cluster;
grant $on_cluster select on $database.billed_calls to otel_costs_reader;
grant $on_cluster select on $database.budget_status to otel_costs_reader;
grant $on_cluster select on $database.call_lines to otel_costs_reader;
grant $on_cluster select on $database.changed_sessions to otel_costs_reader;
grant $on_cluster select on $database.costs_between to otel_costs_reader;
grant $on_cluster select on $database.costs_report to otel_costs_reader;
grant $on_cluster select on $database.daily_costs to otel_costs_reader;
grant $on_cluster select on $database.misdated_calls to otel_costs_reader;
grant $on_cluster select on $database.missing_calls to otel_costs_reader;
grant $on_cluster select on $database.model_costs to otel_costs_reader;
grant $on_cluster select on $database.newest_sessions to otel_costs_reader;
grant $on_cluster select on $database.owned_calls to otel_costs_reader;
grant $on_cluster select on $database.scenario_costs to otel_costs_reader;
grant $on_cluster select on $database.session_calls to otel_costs_reader;
grant $on_cluster select on $database.session_costs to otel_costs_reader;
grant $on_cluster select on $database.session_owners to otel_costs_reader;
grant $on_cluster select on $database.session_recount to otel_costs_reader;
grant $on_cluster select on $database.sessions to otel_costs_reader;
grant $on_cluster select on $database.spans_of_others to otel_costs_reader;
grant $on_cluster select on $database.top_users to otel_costs_reader;
grant $on_cluster select on $database.unpriced_calls to otel_costs_reader;
grant $on_cluster select on $database.usage_traces to otel_costs_reader;
grant $on_cluster select on $database.user_costs to otel_costs_reader;
grant $on_cluster select on $database.user_report to otel_costs_reader;
grant $on_cluster select on $database.users_between to otel_costs_reader;
create settings profile if not exists otel_costs_reader $on_cluster settings
    readonly = 2, -- it may set how its answer looks, and change nothing
    max_execution_time = 60 max 300,
    max_memory_usage = 2000000000 max 4000000000
    to otel_costs_reader;
create quota if not exists otel_costs_reader $on_cluster keyed by user_name
    for interval 1 hour max queries = 20000, execution_time = 3600
    to otel_costs_reader;
create user if not exists $reader $on_cluster identified with sha256_hash by '$reader_sha256' default role otel_costs_reader;
alter user $reader $on_cluster identified with sha256_hash by '$reader_sha256' default role otel_costs_reader;
grant $on_cluster otel_costs_reader to $reader;
