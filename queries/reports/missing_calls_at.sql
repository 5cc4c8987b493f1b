-- One row per gap in the numbers of a process's calls, as missing_calls would have had it at a moment that is past.
-- What the store forgets meanwhile, it is not asked for: the numbers are kept as long as raw records.
-- Parameters: at, the moment; records count that had arrived by then, to five minutes.
-- Units: times in UTC.
-- Source: call_sequences.
create or replace view missing_calls_at as
with
    processes as (
        select
            s.process_id as process_id,
            any(s.service) as service,
            min(s.first_time) as first_time,
            max(s.last_time) as last_time,
            groupBitmapMergeState(s.seqs) as numbers,
            max(s.last_seq) as told,
            groupArrayIf(
                (greatest(bitmapMax(s.seqs), if(s.last_seq > 0, s.last_seq + 1, 0)), s.arrived),
                s.arrived <= {at:DateTime64(3, 'UTC')} - interval 15 minute) as settled
        from call_sequences as s
        where s.arrived <= {at:DateTime64(3, 'UTC')}
        group by s.process_id
        -- As many numbers as the highest is: none is missing, and there is nothing to look for one by one.
        having bitmapCardinality(numbers) - bitmapContains(numbers, 0) < greatest(bitmapMax(numbers), told)
    ),
    arraySort(arrayConcat(bitmapToArray(numbers), if(told > bitmapMax(numbers), [told + 1], []))) as present
select
    lower(hex(process_id)) as process_id, -- identity of the process, 32 hex digits
    service,
    gap.1 as first_seq, -- number of the first call that is missing
    gap.2 as last_seq, -- number of the last call that is missing
    last_seq - first_seq + 1 as missing_count, -- how many calls are missing
    arrayMin(block -> block.2, arrayFilter(block -> block.1 > gap.2, settled))
        as noticed_at, -- the five minutes, over by a quarter of an hour, in which a later call's record arrived
    first_time, -- when the first call of the process ended that arrived
    last_time -- when the last call of the process ended that arrived
from processes
array join arrayFilter(
    (gap) -> gap.1 <= gap.2 and gap.2 < arrayMax(block -> block.1, settled),
    arrayMap((before, after) -> (before + 1, after - 1), arrayPushFront(arrayPopBack(present), 0), present)) as gap
where notEmpty(settled)
    and (gap.1 > 1 or first_time > now('UTC') - interval /* raw_days */ 30 day + interval 1 day)
