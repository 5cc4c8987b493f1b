-- One row per half hour (UTC), what its calls are grouped by, and group, as it was counted last. Whether that lacks
-- something, stale_half_hours tells; half_hour_costs is right in any case.
-- Units: as in the measures.
-- Source: cost_half_hours.
create or replace view counted_half_hours as
select
    dimensions,
    half_hour,
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation,
    $measure_names
from cost_half_hours final
array join
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation,
    $measure_names
-- The rows are few and large: without these, one core reads them all.
settings merge_tree_min_rows_for_concurrent_read = 1,
    merge_tree_min_bytes_for_concurrent_read = 1,
    merge_tree_min_read_task_size = 1
