-- One row per budget and change of it; `budgets final` is one row per scope, name and period.
-- Units: limits in US dollars.
-- Source: `otel-costs budget set`. A budget is taken away by writing it again with deleted = true.
create table if not exists budgets
(
    scope Enum8('user' = 1, 'scenario' = 2, 'all' = 3, 'tag' = 4, 'service' = 5, 'model' = 6)
        comment 'what is limited: a user, a scenario, everything, a tag, a service, a model',
    name String comment 'user id, scenario, tag as NAME=VALUE, service, MODEL or PROVIDER/MODEL; empty for all',
    period Enum8('day' = 1, 'week' = 2, 'month' = 3) comment 'calendar, in the zone; a week begins on Monday',
    limit_usd Decimal(38, 12), -- US dollars that may be spent in a period
    deleted Bool default false, -- whether the budget was taken away
    changed_at DateTime64(6, 'UTC') default now64(6), -- when it was written
    soft Bool default false, -- whether calls past it are warned of and sent
    rollover Bool default false, -- whether what was left of the period before is added
    zone String default 'UTC', -- time zone that its days begin in
    since DateTime64(6, 'UTC') default changed_at -- when it was set for the first time
)
engine = ReplacingMergeTree(changed_at)
order by (scope, name, period)
