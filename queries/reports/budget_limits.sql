-- One row per budget. What was spent of it, budget_status tells, which takes longer.
-- Units: limits in US dollars.
-- Source: budgets.
create or replace view budget_limits as
select
    toString(b.scope) as scope, -- what is limited: a user, a scenario, all, ...
    name, -- the user, scenario, ...; empty for all
    toString(b.period) as period, -- day, week or month
    limit_usd -- US dollars that may be spent in a period
from budgets as b final
where not deleted
