-- One row per user: those that cost most in [since, until), the most expensive first; then, if there are more, one
-- row of all the others, so that the rows add up.
-- Parameters: since and until (null: no bound); up_to, how many users have a row of their own (null: 20).
-- Units: as in the measures.
-- Source: counted_days, and named_calls on days that are cut, or of which it lacks something;
-- session_owners (whose the calls are that name no user).
create or replace view users_between as
with
    {since:Nullable(DateTime64(3, 'UTC'))} as since,
    {until:Nullable(DateTime64(3, 'UTC'))} as until,
    toDate32(toDateTime64(half_hour * 1800., 3, 'UTC')) as day_of,
    (
        select groupUniqArray((day_of, day))
        from call_arrivals
        where (day_of = toDate32(since) and since != toStartOfDay(since))
            or (day_of = toDate32(until) and until != toStartOfDay(until))
            or day_of in (
                select day
                from stale_days(dimensions = 'user')
                where (since is null or day >= toDate32(since))
                    and (until is null or day < until)
            )
    ) as live,
    parts as (
        select
            user_id,
            session_id,
            sessions,
            $measure_names
        from counted_days
        where dimensions in ('user', 'nobody')
            and (since is null or day >= toDate32(since))
            and (until is null or day < until)
            and day not in (select arrayJoin(live).1)
        union all
        select
            c.user_id as user_id,
            if(c.user_id = '', c.session_id, '') as nobody_in,
            groupUniqArrayIf(sipHash64(c.session_id), c.session_id != '') as sessions,
            $measures
        from named_calls as c
        where toDate(c.end_time) in (select arrayJoin(live).2)
            and toDate32(c.end_time) in (select arrayJoin(live).1)
            and (since is null or c.end_time >= since)
            and (until is null or c.end_time < until)
        group by user_id, nobody_in
    ),
    users as (
        select
            if(r.session_id = '', r.user_id, o.user_id) as user_id,
            groupArrayArray(r.sessions) as sessions,
            $measures_added
        from parts as r
        global left any join (
            select
                session_id,
                user_id
            from session_owners
            where session_id global in (
                select session_id
                from calls
                where user_id = ''
                    and session_id != ''
                    and (since is null or end_time >= since)
                    and (until is null or end_time < until)
            )
        ) as o on o.session_id = r.session_id
        group by user_id
    ),
    ranked as (
        select
            *,
            row_number() over (order by cost_usd desc, user_id) > coalesce({up_to:Nullable(UInt64)}, 20) as cut
        from users
    )
select
    if(r.cut, null, r.user_id) as user_id, -- the user; empty: nobody's; null: all the others
    countIf(r.cut) as others, -- how many users the row adds up that have none of their own; 0 in all other rows
    if(others > 0, null, length(arrayDistinct(groupArrayArray(if(r.cut, [], r.sessions)))))
        as session_count, -- sessions in which the user had calls; null for the others, who may share some
    $measures_added
from ranked as r
group by user_id
order by user_id is null, cost_usd desc, user_id
