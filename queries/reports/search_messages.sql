-- One row per message that contains all words of `words`, in order of time, the newest first. Case does not matter;
-- whole words only.
-- Parameters: words; user, since and until (null: no bound); up_to, how many (null: 1000).
-- Units: times in UTC.
-- Source: messages by its text index, for the newest that match; then session_messages, so that an older version of a
-- content is not found.
create or replace view search_messages as
with
    matches as (
        select
            session_id,
            message_id,
            timestamp
        from messages
        where hasAllTokens(lower(content), lower({words:String}))
            and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
            and ({since:Nullable(DateTime64(6, 'UTC'))} is null or timestamp >= {since:Nullable(DateTime64(6, 'UTC'))})
            and ({until:Nullable(DateTime64(6, 'UTC'))} is null or timestamp < {until:Nullable(DateTime64(6, 'UTC'))})
        order by timestamp desc
        -- Room for copies that have not been merged yet, and below for messages that say something else by now.
        limit 10 * coalesce({up_to:Nullable(UInt64)}, 1000)
    ),
    newest as (
        select
            session_id,
            message_id
        from matches
        group by session_id, message_id
        order by min(timestamp) desc
        limit 2 * coalesce({up_to:Nullable(UInt64)}, 1000)
    )
select
    session_id,
    user_id,
    kind,
    scenario,
    message_id,
    message_index,
    role,
    type, -- text, audio, function_call (also for its result), image or file
    content,
    timestamp
from session_messages
where (session_id, message_id) global in (
    select
        session_id,
        message_id
    from newest
)
    and hasAllTokens(lower(content), lower({words:String}))
    and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
    and ({since:Nullable(DateTime64(6, 'UTC'))} is null or timestamp >= {since:Nullable(DateTime64(6, 'UTC'))})
    and ({until:Nullable(DateTime64(6, 'UTC'))} is null or timestamp < {until:Nullable(DateTime64(6, 'UTC'))})
order by timestamp desc, message_id
limit coalesce({up_to:Nullable(UInt64)}, 1000)
