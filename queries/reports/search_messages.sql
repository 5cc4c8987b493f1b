-- One row per message that contains all words of `words`, in order of time, the newest first. Case does not matter;
-- whole words only, but for words in scripts without spaces, which are found inside of others: the index has none for
-- them, and every message is read.
-- Parameters: words; user, session, role, scenario, since and until (null: no bound); up_to, how many (null: 1000).
-- Units: times in UTC.
-- Source: messages by its text index, for the newest that match; then session_messages, so that an older version of a
-- content is not found.
create or replace view search_messages as
with
    concat(
        '[0-9a-z\\x{80}-\\x{10FFFF}]*',
        '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}]',
        '[0-9a-z\\x{80}-\\x{10FFFF}]*') as unspaced,
    extractAll(lowerUTF8({words:String}), unspaced) as parts,
    replaceRegexpAll(lower({words:String}), unspaced, ' ') as whole,
    matches as (
        select
            session_id,
            message_id,
            timestamp
        from messages
        where if(notEmpty(parts) and empty(tokens(whole)), true, hasAllTokens(lower(content), whole))
            and arrayAll(part -> position(lowerUTF8(content), part) > 0, parts)
            and not startsWith(content, 'sealed:v1:') -- its letters are no words
            and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
            and ({session:Nullable(String)} is null or session_id = {session:Nullable(String)})
            and ({role:Nullable(String)} is null or role = {role:Nullable(String)})
            and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})
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
    and if(notEmpty(parts) and empty(tokens(whole)), true, hasAllTokens(lower(content), whole))
    and arrayAll(part -> position(lowerUTF8(content), part) > 0, parts)
    and not startsWith(content, 'sealed:v1:')
    and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})
    and ({session:Nullable(String)} is null or session_id = {session:Nullable(String)})
    and ({role:Nullable(String)} is null or role = {role:Nullable(String)})
    and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})
    and ({since:Nullable(DateTime64(6, 'UTC'))} is null or timestamp >= {since:Nullable(DateTime64(6, 'UTC'))})
    and ({until:Nullable(DateTime64(6, 'UTC'))} is null or timestamp < {until:Nullable(DateTime64(6, 'UTC'))})
order by timestamp desc, message_id
limit coalesce({up_to:Nullable(UInt64)}, 1000)
