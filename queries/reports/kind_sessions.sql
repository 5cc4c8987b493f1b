-- One row per day and kind of session: the sessions that began, whole, and what one of them cost.
-- Parameters: sessions count that began in [since, until), to the millisecond; days are those of the zone tz, an IANA
-- name such as 'Europe/Berlin'.
-- Units: money in US dollars, exact; a percentile is the cost of a session.
-- Source: sessions.
create or replace view kind_sessions as
select
    toDate32(toTimeZone(s.start_time, {tz:String})) as day, -- day in the zone on which the sessions began
    s.kind as kind,
    count() as session_count, -- sessions that began
    countIf(s.cost_usd is null) as unpriced_sessions, -- sessions among them of which no call has a price
    coalesce(sum(s.cost_usd), 0) as cost_usd, -- US dollars, exact: what the sessions cost
    quantileExactIf(0.5)(s.cost_usd, s.cost_usd is not null) as p50_usd, -- the median; null: no session has a cost
    quantileExactIf(0.95)(s.cost_usd, s.cost_usd is not null) as p95_usd -- 95 of a hundred cost at most that
from sessions as s
where s.start_time >= coalesce({since:Nullable(DateTime64(3, 'UTC'))}, toDateTime64('1970-01-01', 3, 'UTC'))
    and s.start_time < coalesce({until:Nullable(DateTime64(3, 'UTC'))}, toDateTime64('2262-01-01', 3, 'UTC'))
group by day, kind
