-- One row per user: the `up_to` (20) that cost most in [since, until), the most expensive first. Parameters: since, until (null: no bound), up_to.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: users_between, without the row of the others.
create or replace view top_users as
select * except (others)
from users_between(since = {since:Nullable(DateTime64(3, 'UTC'))}, until = {until:Nullable(DateTime64(3, 'UTC'))}, up_to = {up_to:Nullable(UInt64)})
where others = 0
order by cost_usd desc, user_id
