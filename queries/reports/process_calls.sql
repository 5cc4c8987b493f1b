-- One row per process whose calls arrived in the days that raw records are kept: how far they came.
-- Units: last_seq is a count of calls.
-- Source: call_sequences.
create or replace view process_calls as
select
    process_id, -- identity of the process, 16 bytes
    any(service) as service, -- service.name of the program
    bitmapMax(groupBitmapMergeState(seqs)) as last_seq, -- the highest number of its calls that arrived
    min(c.arrived) as first_arrived -- the five minutes in which the first of them arrived, of those that are kept
from call_sequences as c
group by process_id
