-- One row per service and day of arrival: calls whose time no clock can have meant, before what the ledger keeps or
-- after tomorrow. They are kept, and counted in every report at the time that they name, for as long after their
-- arrival as others after their end. Either the clock of the machine that sent them is wrong, or they were sent much
-- later.
-- Units: times in UTC.
-- Source: calls, of the days on which call_arrivals tells that there may be some.
create or replace view misdated_calls as
select
    service,
    toDate(c.inserted_at) as arrived, -- day (UTC) on which the calls' records arrived
    count() as calls, -- how many they are
    min(c.end_time) as first_time, -- the earliest end that one of them names
    max(c.end_time) as last_time, -- the latest end that one of them names
    min(c.inserted_at) as first_arrived -- when the first of their records arrived
from calls as c final
where toDate(c.end_time) in (
        select day
        from (
            select
                day,
                toDateTime64(half_hour * 1800., 3, 'UTC') as ended,
                max(a.inserted_at) as newest,
                min(a.first_inserted_at) as oldest
            from call_arrivals as a
            group by half_hour, day
        )
        where dateDiff('day', ended, newest) > /* ledger_days */ 400
            or dateDiff('day', ended, oldest) < -1
    )
    and not c.superseded
    and dateDiff('day', c.end_time, c.inserted_at) not between -1 and /* ledger_days */ 400
group by service, arrived
