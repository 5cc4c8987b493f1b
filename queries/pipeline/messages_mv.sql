-- Fills messages: casts and renames, and nothing else. It must never throw.
-- Source: otel_logs, the message records.
create materialized view if not exists messages_mv to messages as
with LogAttributes as a
select
    a['session.id'] as session_id,
    a['otel_costs.message.id'] as message_id,
    a['user.id'] as user_id,
    lower(a['otel_costs.call.id']) as call_id,
    if(session_id = '', '', coalesce(nullIf(a['otel_costs.session.kind'], ''), 'conversation')) as kind,
    a['otel_costs.scenario'] as scenario,
    toUInt32OrZero(a['otel_costs.message.index']) as message_index,
    a['otel_costs.message.role'] as role,
    a['otel_costs.message.type'] as type,
    a['otel_costs.message.function_name'] as function_name,
    a['otel_costs.message.arguments'] as arguments,
    Body as content,
    toDecimal64OrNull(a['otel_costs.message.audio_seconds'], 6) as audio_seconds,
    toUInt64OrNull(a['otel_costs.message.bytes']) as bytes,
    a['otel_costs.message.sha256'] as sha256,
    lower(a['otel_costs.message.truncated']) in ('true', '1') as truncated,
    a['otel_costs.message.interrupted'] as interrupted,
    Timestamp as timestamp
from otel_logs
where 'otel_costs.message' in (EventName, a['event.name'])
