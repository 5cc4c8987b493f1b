-- The writer is the collector, and the application that writes calls and budgets: it may insert what arrives, and read
-- no call and no word. Names and passwords are filled in by `otel-costs schema --users`.
create role if not exists otel_costs_writer;
grant insert, show columns on otel_logs to otel_costs_writer;
grant insert, show columns on otel_traces to otel_costs_writer;
grant insert, show columns on budgets to otel_costs_writer;
grant insert, show columns on alerts to otel_costs_writer;
grant insert, show columns on bill_differences to otel_costs_writer;
-- A budget is set by a row that takes the place of the one before, which is read for that.
grant select on budgets to otel_costs_writer;
-- Who sends alerts, and what was sent, is read before it is written.
grant select on alerts to otel_costs_writer;
-- What a comparison finds no more is written as resolved, which has to know what was found before.
grant select on bill_differences to otel_costs_writer;
create settings profile if not exists otel_costs_writer settings
    -- The clock of an application may be anything: a batch of many days is stored all the same.
    max_partitions_per_insert_block = 0,
    -- Only what is on the disk is acknowledged.
    wait_for_async_insert = 1,
    -- On a cluster too: what goes to another shard is there when it is acknowledged.
    distributed_foreground_insert = 1
    to otel_costs_writer;
create user if not exists $writer identified with sha256_hash by '$writer_sha256' default role otel_costs_writer;
alter user $writer identified with sha256_hash by '$writer_sha256' default role otel_costs_writer;
grant otel_costs_writer to $writer;
