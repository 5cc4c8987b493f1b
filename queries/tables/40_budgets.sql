-- One row per budget and change of it; `budgets final` is one row per scope, name and period.
-- Units: limits in US dollars.
-- Source: `otel-costs budget set`. A budget is taken away by writing it again with deleted = true.
create table if not exists budgets
(
    scope Enum8('user' = 1, 'scenario' = 2, 'all' = 3), -- what is limited: a user, a scenario, or everything
    name String comment 'user id or scenario; empty for all',
    period Enum8('day' = 1, 'week' = 2, 'month' = 3) comment 'calendar, UTC; a week begins on Monday',
    limit_usd Decimal(38, 12), -- US dollars that may be spent in a period
    deleted Bool default false, -- whether the budget was taken away
    changed_at DateTime64(6, 'UTC') default now64(6) -- when it was written
)
engine = ReplacingMergeTree(changed_at)
order by (scope, name, period)
