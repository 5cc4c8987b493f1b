-- One row for the session that is asked for, as session_report has it, but for the words: who spoke when, and how long.
-- No row when there is no such session.
-- Parameters: session_id.
-- Units: as in session_report.
-- Source: session_report.
create or replace view session_frame as
select
    s.* except (messages),
    arrayMap(
        m -> (m.1, m.2, m.3, mapFilter((key, value) -> key != 'arguments', m.5), m.6),
        s.messages)
        ::Array(Tuple(timestamp DateTime64(3, 'UTC'), role String, type String, metadata Map(String, String),
            call_id String))
        as messages -- the messages in order, without what was said
from session_report(session_id = {session_id:String}) as s
