-- One row per gap in the numbers of a process's calls: calls that were made and whose records never arrived.
-- Units: times in UTC; noticed_at is the five minutes in which a later call's record arrived, a quarter of an hour ago at least: what is late
-- need not be lost. A process older than what is kept has no beginning to miss. What a killed process lost at its very end is behind the last
-- number that arrived: a later process on the same machine tells how far they went, and that counts like the record of the call after them.
-- Source: call_sequences.
create or replace view missing_calls as
with processes as
    (
        select
            s.process_id as process_id,
            any(s.service) as service,
            min(s.first_time) as first_time,
            max(s.last_time) as last_time,
            groupBitmapMergeState(s.seqs) as numbers,
            max(s.last_seq) as told,
            arraySort(arrayConcat(bitmapToArray(numbers), if(told > bitmapMax(numbers), [told + 1], []))) as present,
            groupArrayIf((greatest(bitmapMax(s.seqs), if(s.last_seq > 0, s.last_seq + 1, 0)), s.arrived),
                s.arrived <= now('UTC') - interval 15 minute) as settled
        from call_sequences as s
        group by s.process_id
    )
select
    lower(hex(process_id)) as process_id,
    service,
    gap.1 as first_seq,
    gap.2 as last_seq,
    last_seq - first_seq + 1 as missing_count,
    arrayMin(block -> block.2, arrayFilter(block -> block.1 > gap.2, settled)) as noticed_at,
    first_time,
    last_time
from processes
array join arrayFilter(
    (gap) -> gap.1 <= gap.2 and gap.2 < arrayMax(block -> block.1, settled),
    arrayMap((before, after) -> (before + 1, after - 1), arrayPushFront(arrayPopBack(present), 0), present)) as gap
where notEmpty(settled) and (gap.1 > 1 or first_time > now('UTC') - interval /* raw_days */ 30 day + interval 1 day)
