-- Fills session_starts. It must never throw.
-- Source: otel_logs, the records of sessions that begin.
create materialized view if not exists session_starts_mv to session_starts as
with
    LogAttributes as a,
    'otel_costs.tag.' as tag
select
    a['session.id'] as session_id,
    a['user.id'] as user_id,
    a['otel_costs.session.kind'] as kind,
    a['otel_costs.scenario'] as scenario,
    mapApply((k, v) -> (substring(k, length(tag) + 1), v), mapFilter((k, v) -> startsWith(k, tag), a)) as tags,
    Timestamp as told_at
from otel_logs
where 'otel_costs.session_start' in (EventName, a['event.name'])
    and session_id != ''
