-- One row: a session with its messages in order and its cost. Parameter: session_id. No row when there is no such session.
-- Units: as in sessions, session_messages and billed_calls; tokens are disjoint; characters were spoken; metadata is text.
-- Source: sessions, session_messages, billed_calls.
create or replace view session_report $on_cluster as
with
    said as
    (
        select
            groupArray(tuple(timestamp, role, type, content, metadata)::Tuple(timestamp DateTime64(3, 'UTC'), role String, type String,
                content String, metadata Map(String, String))) as messages
        from
        (
            select
                *,
                mapFilter((key, value) -> value != '', map(
                    'function_name', toString(function_name),
                    'arguments', if(function_name = '', '', arguments),
                    'truncated', if(truncated, 'true', ''),
                    'bytes', if(truncated, toString(coalesce(bytes, 0)), ''),
                    'sha256', if(truncated, sha256, ''))) as metadata
            from session_messages
            where session_id = {session_id:String}
            order by timestamp, message_index, message_id
        )
    ),
    spent as
    (
        select
            tuple(
                coalesce(sum(c.cost_usd), 0),
                tuple(sum(text_input), sum(text_output), sum(audio_input), sum(audio_output), sum(cached_input))::Tuple(text_input Int64,
                    text_output Int64, audio_input Int64, audio_output Int64, cached_input Int64),
                sum(audio_seconds),
                sum(coalesce(input_characters, 0)),
                tuple(sum(text_input_usd), sum(text_output_usd), sum(audio_input_usd), sum(audio_output_usd), sum(speech_to_text_usd),
                    sum(text_to_speech_usd), sum(other_usd))::Tuple(text_input Decimal(38, 12), text_output Decimal(38, 12),
                    audio_input Decimal(38, 12), audio_output Decimal(38, 12), speech_to_text Decimal(38, 12),
                    text_to_speech Decimal(38, 12), other Decimal(38, 12))
            )::Tuple(cost_usd Decimal(38, 12), tokens Tuple(text_input Int64, text_output Int64, audio_input Int64, audio_output Int64,
                cached_input Int64), audio_seconds Decimal(38, 6), characters UInt64, cost_breakdown Tuple(text_input Decimal(38, 12),
                text_output Decimal(38, 12), audio_input Decimal(38, 12), audio_output Decimal(38, 12), speech_to_text Decimal(38, 12),
                text_to_speech Decimal(38, 12), other Decimal(38, 12))) as cost
        from billed_calls as c
        where c.session_id = {session_id:String}
    )
select
    s.*,
    said.messages as messages,
    spent.cost as cost
from sessions as s
cross join said
cross join spent
where s.session_id = {session_id:String}
