-- One row per message of a conversation: at the first time it was seen, with the newest content that any copy of it
-- had. A function's result has the type function_call, as the call of the function has; the role tells them apart.
-- Order by timestamp, message_index.
-- Units: times in UTC, microseconds; audio in seconds; sizes in bytes before the content was cut.
-- Source: messages.
create or replace view session_messages as
with (m.content != '' or m.arguments != '', m.timestamp) as newest_known
select
    session_id,
    message_id,
    argMin(m.user_id, m.timestamp) as user_id,
    argMin(m.call_id, m.timestamp) as call_id,
    argMin(m.kind, m.timestamp) as kind,
    argMin(m.scenario, m.timestamp) as scenario,
    argMin(m.message_index, m.timestamp) as message_index,
    argMin(m.role, m.timestamp) as role,
    if(argMin(m.type, m.timestamp) = 'function_result', 'function_call', argMin(m.type, m.timestamp))
        as type, -- text, audio, function_call (also for its result), image or file
    argMax(m.function_name, newest_known) as function_name,
    argMax(m.arguments, newest_known) as arguments,
    argMax(m.content, newest_known) as content,
    multiIf(startsWith(content, 'sealed:v1:') or startsWith(arguments, 'sealed:v1:'), 'sealed',
        content != '' or arguments != '', 'recorded', max(m.had_content), 'deleted', 'not_recorded')
        as content_state, -- recorded, sealed, deleted (its retention is over) or not_recorded (switched off, or none)
    argMax(m.audio_seconds, newest_known) as audio_seconds,
    argMax(m.bytes, newest_known) as bytes,
    argMax(m.sha256, newest_known) as sha256,
    argMax(m.truncated, newest_known) as truncated,
    argMax(m.interrupted, newest_known) as interrupted,
    min(m.timestamp) as timestamp
from messages as m
group by session_id, message_id
