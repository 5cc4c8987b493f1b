-- The reader sees what calls cost, through views, and no word of what was said. Views run with the rights of the user
-- who made them.
create role if not exists otel_costs_reader;
-- What alerts were sent, and by which rules: names and sums.
grant select on alerts to otel_costs_reader;
grant select on begun_sessions to otel_costs_reader;
grant select on bill_differences_at to otel_costs_reader;
grant select on billed_calls to otel_costs_reader;
grant select on budget_limits to otel_costs_reader;
grant select on budget_status to otel_costs_reader;
grant select on budgeted_costs to otel_costs_reader;
grant select on process_calls to otel_costs_reader;
grant select on call_lines to otel_costs_reader;
grant select on call_revisions to otel_costs_reader;
grant select on calls_of_sessions to otel_costs_reader;
grant select on changed_sessions to otel_costs_reader;
grant select on contract_balances to otel_costs_reader;
grant select on contract_costs to otel_costs_reader;
grant select on costs_between to otel_costs_reader;
grant select on costs_report to otel_costs_reader;
grant select on counted_days to otel_costs_reader;
grant select on counted_half_hours to otel_costs_reader;
grant select on counted_not_priced to otel_costs_reader;
grant select on counted_sessions to otel_costs_reader;
grant select on daily_costs to otel_costs_reader;
grant select on day_recount to otel_costs_reader;
grant select on due_days to otel_costs_reader;
grant select on due_half_hours to otel_costs_reader;
grant select on due_not_priced to otel_costs_reader;
grant select on half_hour_costs to otel_costs_reader;
grant select on half_hour_recount to otel_costs_reader;
grant select on kind_costs to otel_costs_reader;
grant select on kind_sessions to otel_costs_reader;
grant select on misdated_calls to otel_costs_reader;
grant select on missing_calls to otel_costs_reader;
grant select on missing_calls_at to otel_costs_reader;
grant select on model_costs to otel_costs_reader;
grant select on named_calls to otel_costs_reader;
grant select on newest_sessions to otel_costs_reader;
grant select on not_priced_recount to otel_costs_reader;
grant select on open_bill_differences to otel_costs_reader;
grant select on owned_calls to otel_costs_reader;
grant select on scenario_costs to otel_costs_reader;
grant select on session_calls to otel_costs_reader;
grant select on session_costs to otel_costs_reader;
grant select on session_frame to otel_costs_reader;
grant select on session_owners to otel_costs_reader;
grant select on session_recount to otel_costs_reader;
grant select on sessions to otel_costs_reader;
grant select on spans_of_others to otel_costs_reader;
grant select on stale_days to otel_costs_reader;
grant select on stale_half_hours to otel_costs_reader;
grant select on stale_not_priced to otel_costs_reader;
grant select on top_users to otel_costs_reader;
grant select on unpriced_calls to otel_costs_reader;
grant select on usage_traces to otel_costs_reader;
grant select on user_costs to otel_costs_reader;
grant select on user_report to otel_costs_reader;
grant select on users_between to otel_costs_reader;
create settings profile if not exists otel_costs_reader settings
    readonly = 2, -- it may set how its answer looks, and change nothing
    max_execution_time = 60 max 300,
    max_memory_usage = 2000000000 max 4000000000
    to otel_costs_reader;
create quota if not exists otel_costs_reader keyed by user_name
    for interval 1 hour max queries = 20000, execution_time = 3600
    to otel_costs_reader;
create user if not exists $reader identified with sha256_hash by '$reader_sha256' default role otel_costs_reader;
alter user $reader identified with sha256_hash by '$reader_sha256' default role otel_costs_reader;
grant otel_costs_reader to $reader;
