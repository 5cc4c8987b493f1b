-- One row per change of an event, an acknowledgement, a silence, a program that would send, or a rule; `alerts final`
-- is one row of each. Nothing of what was said is in it.
-- Units: times in UTC.
-- Source: `otel-costs alerts`, and the page of alerts.
-- Events name users and sessions, and are kept as long as calls are.
create table if not exists alerts
(
    kind Enum8('event' = 1, 'acknowledged' = 2, 'silence' = 3, 'sender' = 4, 'rule' = 5)
        comment 'what the row tells of: something that a rule found, an acknowledgement, a silence, a sender, a rule',
    id String, -- identity of the event; of a silence the rule or event, empty for all; of a rule its name
    rule String, -- name of the rule that found it
    subject String, -- what the rule found it of, in the rule's own form
    user_id String, -- the user whom the event is about; empty where it is about none
    session_id String, -- the session that the event is about; empty where it is about none
    message String, -- what is sent, one line
    began_at DateTime64(3, 'UTC'), -- when it was found
    ended_at Nullable(DateTime64(3, 'UTC')), -- when it was found no more; null while it lasts
    tells_end Bool, -- whether a second message says that it has ended
    sent_to Array(String), -- names of receivers that got the first message
    end_sent_to Array(String), -- names of receivers that got the message of its end
    attempts UInt32, -- attempts in a row at which a receiver did not take the message
    next_at DateTime64(3, 'UTC'), -- when a message that was not taken is tried again
    until DateTime64(3, 'UTC'), -- until when it is silenced, or the sender counts
    confirmed Bool, -- of a sender: whether it has seen that there is no other
    changed_at DateTime64(6, 'UTC') default now64(6), -- when it was written
    definition String default '' -- of a rule its fields in YAML, empty once it is gone; of a sender what it watches
)
engine = ReplacingMergeTree(changed_at)
order by (kind, id)
ttl toDateTime(if(kind = 'event', changed_at, toDateTime64('2099-01-01 00:00:00', 6, 'UTC')))
    + interval /* ledger_days */ 400 day
