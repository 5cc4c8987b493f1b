-- One row per message whose content is sealed, and version of it: no search finds its words.
-- Units: times in UTC.
-- Source: messages, by its text index.
create or replace view sealed_messages as
select
    session_id,
    message_id,
    user_id,
    role,
    scenario,
    timestamp
from messages
where hasAllTokens(lower(content), 'sealed v1') and startsWith(content, 'sealed:v1:')
