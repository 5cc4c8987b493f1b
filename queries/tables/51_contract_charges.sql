-- One row per hour of a reservation, or time of a commitment, and settlement of it; `contract_charges final` is one row
-- of each, the one that was settled last. What no call used of it has no call to stand on: it is `unused_amount`.
-- Units: money in the currency of the contract, and in US dollars, exact; times in UTC.
-- Source: `otel-costs reprice --period`. What a month has no more is written again, with deleted = true.
create table if not exists contract_charges
(
    contract_id LowCardinality(String), -- the contract
    kind Enum8('reservation' = 1, 'commitment' = 2)
        comment 'what was promised: an hour of a reservation, or the least that is paid in a time',
    name LowCardinality(String), -- id of the reservation or the commitment
    providers Array(LowCardinality(String)), -- whom the contract is with
    period_start DateTime('UTC'), -- the hour, or when the commitment begins
    period_end DateTime('UTC'), -- when it ends, excluded
    currency LowCardinality(String), -- currency of the contract (ISO 4217)
    amount Decimal(38, 12), -- what is paid for it, used or not
    used_amount Decimal(38, 12), -- what its calls used of it: the sum of their contract_amount
    unused_amount Decimal(38, 12), -- what nobody used: amount less used_amount, and never less than zero
    amount_usd Nullable(Decimal(38, 12)), -- amount in US dollars, at the rate of its last day; null: no rate is known
    unused_usd Nullable(Decimal(38, 12)), -- unused_amount in US dollars; null: no rate is known
    call_count UInt64, -- calls that used it
    settled_at DateTime64(6, 'UTC') default now64(6), -- when that was worked out
    deleted Bool default false -- whether the contract has it no more
)
engine = ReplacingMergeTree(settled_at)
order by (contract_id, kind, name, period_start)
ttl period_end + interval /* ledger_days */ 400 day
