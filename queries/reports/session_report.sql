-- One row for the session that is asked for, with its messages in order and its cost, counted as it is asked. No row
-- when there is no such session.
-- Parameters: session_id.
-- Units: as in sessions, session_messages and the measures.
-- Source: session_owners, session_days, calls (the rows of billed_calls, slow to analyze), session_messages.
create or replace view session_report as
with
    part -> if(spent.usd is null, null, part) as known,
    said as (
        select
            count() as messages,
            argMinIf(m.kind, m.timestamp, m.kind not in ('', 'conversation')) as kind,
            argMinIf(m.scenario, m.timestamp, m.scenario != '') as scenario,
            min(m.timestamp) as start_time,
            max(m.timestamp) as end_time,
            arrayMap(m -> m.4, arraySort(groupArray((m.timestamp, m.message_index, m.message_id, (
                m.timestamp, m.role, m.type, m.content, mapFilter((key, value) -> value != '', map(
                    'function_name', toString(m.function_name),
                    'arguments', if(m.function_name = '', '', m.arguments),
                    'audio_seconds', coalesce(toString(m.audio_seconds), ''),
                    'interrupted', toString(m.interrupted),
                    'content_state', if(m.content_state = 'recorded', '', m.content_state),
                    'message_id', if(m.content_state = 'sealed', m.message_id, ''), -- it opens with this alone
                    'truncated', if(m.truncated, 'true', ''),
                    'bytes', if(m.truncated, toString(coalesce(m.bytes, 0)), ''),
                    'sha256', if(m.truncated, m.sha256, ''))), m.call_id)))))
                ::Array(Tuple(timestamp DateTime64(3, 'UTC'), role String, type String, content String,
                    metadata Map(String, String), call_id String)) as list
        from session_messages as m
        where m.session_id = {session_id:String}
    ),
    spent as (
        select
            count() as calls,
            countIf(c.cost_usd is null) as unpriced,
            argMinIf(c.kind, c.start_time, c.kind not in ('', 'conversation')) as kind,
            countIf(c.error_type != '') as errors,
            argMinIf(c.scenario, c.start_time, c.scenario != '') as scenario,
            maxMap(c.tags) as tags,
            min(c.start_time) as start_time,
            max(c.end_time) as end_time,
            if(calls > 0 and unpriced = calls, null, coalesce(sum(c.cost_usd), 0)) as usd,
            (sum(c.text_input), sum(c.text_output), sum(c.audio_input), sum(c.audio_output), sum(c.cached_input))
                as tokens,
            (sum(c.text_input_usd), sum(c.text_output_usd), sum(c.audio_input_usd), sum(c.audio_output_usd),
                sum(c.speech_to_text_usd), sum(c.text_to_speech_usd), sum(c.other_usd)) as breakdown,
            sum(c.all_audio_seconds) as audio_seconds,
            sum(coalesce(c.input_characters, 0)) as characters
        from calls as c final
        where (c.user_id, toDate(c.end_time)) global in (
            select
                user_id,
                day
            from session_days
            where session_id = {session_id:String}
        )
            and c.session_id = {session_id:String}
            and not c.superseded
    )
select
    {session_id:String} as session_id, -- the session that was asked for
    coalesce((select user_id from session_owners where session_id = {session_id:String}), '')
        as user_id, -- whose the session is; empty where it has no user
    coalesce(nullIf(if(spent.kind != '' and (said.kind = '' or spent.start_time <= said.start_time),
        spent.kind, said.kind), ''), 'conversation') as kind, -- the kind of the session
    if(spent.scenario != '' and (said.scenario = '' or spent.start_time <= said.start_time),
        spent.scenario, said.scenario) as scenario, -- the scenario of the session; empty outside of any
    spent.tags as tags,
    multiIf(spent.calls = 0, said.start_time, said.messages = 0, spent.start_time,
        least(spent.start_time, said.start_time))::DateTime64(3, 'UTC') as start_time, -- when the session began
    greatest(spent.end_time, said.end_time)::DateTime64(3, 'UTC') as end_time, -- when the session ended
    (toUnixTimestamp64Milli(end_time) - toUnixTimestamp64Milli(start_time)) / 1000 as duration_seconds, -- seconds
    said.messages as message_count, -- messages of the conversation
    spent.calls as call_count, -- billed calls
    spent.usd as cost_usd, -- US dollars, exact: the sum of the calls that have a price; null: no call has one
    spent.unpriced as unpriced_calls, -- calls that have no price
    spent.errors as error_count, -- calls that failed
    said.list as messages, -- the messages in order; metadata has what some messages have, as text
    (usd, tokens, audio_seconds, characters, (known(breakdown.1), known(breakdown.2), known(breakdown.3),
        known(breakdown.4), known(breakdown.5), known(breakdown.6), known(breakdown.7)))
        ::Tuple(cost_usd Nullable(Decimal(38, 12)), tokens Tuple(text_input Int64, text_output Int64,
            audio_input Int64, audio_output Int64, cached_input Int64), audio_seconds Decimal(38, 9), characters UInt64,
            cost_breakdown Tuple(text_input Nullable(Decimal(38, 12)), text_output Nullable(Decimal(38, 12)),
                audio_input Nullable(Decimal(38, 12)), audio_output Nullable(Decimal(38, 12)),
                speech_to_text Nullable(Decimal(38, 12)), text_to_speech Nullable(Decimal(38, 12)),
                other Nullable(Decimal(38, 12)))) as cost -- its parts add up to cost_usd, null where that is null
from spent cross join said
where spent.calls + said.messages > 0
