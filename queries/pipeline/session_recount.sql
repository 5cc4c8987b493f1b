-- One row per changed session, counted now: from all its calls and messages, whenever they came. A session that only
-- has superseded calls has a row too, with nothing in it, so that an earlier count does not stay. user_id is whose
-- the session is, as in session_owners (to join that would take longer).
-- Units: times in UTC; cost_usd in US dollars, exact, the sum of what has a price; unpriced_calls counts what has
-- none.
-- Source: changed_sessions, session_days (who is in them, and when), calls, messages.
create or replace view session_recount as
with
    (select groupArray(session_id) from changed_sessions) as changed,
    (
        select groupArray((user_id, session_id, day))
        from session_days
        where session_id in (select arrayJoin(changed))
    ) as days,
    counted as (
        select
            session_id,
            '' as owner,
            kind,
            scenario,
            tags,
            [service, provider, model, operation, step] as labels,
            error_type,
            not superseded as billed,
            cost_usd,
            start_time,
            end_time,
            0 as messages
        from calls final
        where (user_id, session_id, toDate(end_time)) in (
            select
                found.1,
                found.2,
                found.3
            from (select arrayJoin(days) as found)
        )
        union all
        select
            session_id,
            '',
            argMinIf(kind, m.timestamp, kind != 'conversation'),
            argMin(scenario, m.timestamp),
            map(),
            [],
            '',
            false,
            null,
            min(m.timestamp),
            max(m.timestamp),
            uniqExact(message_id)
        from messages as m
        where session_id in (select arrayJoin(changed))
        group by session_id
        union all
        select
            session_id,
            user_id,
            '',
            '',
            map(),
            [],
            '',
            false,
            null,
            d.first_time,
            d.first_time,
            0
        from session_days as d
        where session_id in (select arrayJoin(changed))
            and user_id != ''
    )
select
    c.session_id as session_id,
    argMinIf(c.owner, (c.start_time, c.owner), c.owner != '') as user_id,
    coalesce(nullIf(argMinIf(c.kind, c.start_time, c.kind not in ('', 'conversation')), ''), 'conversation') as kind,
    argMinIf(c.scenario, c.start_time, c.scenario != '') as scenario,
    maxMap(c.tags)::Map(LowCardinality(String), LowCardinality(String)) as tags,
    sum(c.messages) as message_count,
    countIf(c.billed) as call_count,
    countIf(c.billed and c.cost_usd is null) as unpriced_calls,
    countIf(c.billed and c.error_type != '') as error_count,
    coalesce(sumIf(c.cost_usd, c.billed), 0) as cost_usd,
    if(call_count + message_count > 0, minIf(c.start_time, c.billed or c.messages > 0), min(c.start_time))
        ::DateTime64(3, 'UTC') as start_time,
    if(call_count + message_count > 0, maxIf(c.end_time, c.billed or c.messages > 0), max(c.end_time))
        ::DateTime64(3, 'UTC') as end_time,
    arraySort(groupUniqArrayIf(c.labels[1], c.billed and c.labels[1] != '')) as services,
    arraySort(groupUniqArrayIf(c.labels[2], c.billed and c.labels[2] != '')) as providers,
    arraySort(groupUniqArrayIf(c.labels[3], c.billed and c.labels[3] != '')) as models,
    arraySort(groupUniqArrayIf(c.labels[4], c.billed and c.labels[4] != '')) as operations,
    arraySort(groupUniqArrayIf(c.labels[5], c.billed and c.labels[5] != '')) as steps
from counted as c
group by c.session_id
