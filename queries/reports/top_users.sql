-- One row per user: those that cost most in [since, until), the most expensive first.
-- Parameters: since and until (null: no bound); up_to, how many (null: 20).
-- Units: as in the measures.
-- Source: users_between, without the row of the other users.
create or replace view top_users as
select * except (others)
from users_between(
    since = {since:Nullable(DateTime64(3, 'UTC'))},
    until = {until:Nullable(DateTime64(3, 'UTC'))},
    up_to = {up_to:Nullable(UInt64)})
where others = 0
order by cost_usd desc, user_id
