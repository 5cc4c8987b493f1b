-- Keeps nothing: each row that is inserted here goes on to calls, derived_calls, superseded calls and call_sequences, by materialized views.
-- Whoever writes calls writes them here: the ledger (call_records_mv), and whatever prices calls again.
create table if not exists call_records as calls
engine = Null
