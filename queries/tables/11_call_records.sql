-- Keeps nothing: each row that is inserted here goes on to calls, derived_calls and call_sequences, by materialized
-- views. Calls are written here by the ledger (call_records_mv) and by what prices them again.
create table if not exists call_records as calls
engine = Null
