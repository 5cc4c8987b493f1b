-- One row per message that contains all words of `words`, newest first. Parameter: words; case does not matter, whole words only.
-- Units: timestamp in UTC.
-- Source: messages by its text index, then session_messages, so that an older version of a message's content is not found.
create or replace view search_messages $on_cluster as
select
    session_id,
    user_id,
    scenario,
    message_id,
    message_index,
    role,
    type,
    content,
    timestamp
from session_messages
where (session_id, message_id) in
    (
        select session_id, message_id
        from messages
        where hasAllTokens(lower(content), lower({words:String}))
    )
    and hasAllTokens(lower(content), lower({words:String}))
order by timestamp desc
