"""The shapes of contracts: their costs, reservations and commitments."""

from pydantic import Field

from otel_costs.web.models import Money, Shape, Time


class ContractReservation(Shape):
    """What is reserved by the hour, in the currency of the contract, in the hours that were settled."""

    name: str
    start: Time | None
    end: Time | None
    hourly_amount: Money
    hours: int = Field(description="hours of the time that were settled")
    amount: Money = Field(description="what was paid for them, used or not")
    used_amount: Money = Field(description="what calls used of it")
    unused_amount: Money = Field(description="what nobody used: on no call, and in no cost")
    unused_usd: Money | None = Field(description="the same in US dollars; null: no rate of exchange is known")
    call_count: int
    unsettled_hours: int = Field(description="hours that are over and wait for `otel-costs reprice --period`")


class ContractCommitment(Shape):
    """The least that is paid until an end, in the currency of the contract, and how much of it is used."""

    name: str
    start: Time
    end: Time
    amount: Money
    used_amount: Money = Field(description="what its calls cost, and what was reserved and not used")
    left_amount: Money
    used: float | None = Field(description="used_amount by amount; null where the amount is nothing")
    projected_amount: Money = Field(description="used_amount at its end, if it goes on as in the last seven days")
    missing_amount: Money = Field(description="what is missing of the amount then, and is paid all the same")
    is_over: bool
    call_count: int
    unsettled_calls: int
    unconverted_calls: int = Field(description="calls that are in no amount: no rate of exchange is known of their day")


class Contract(Shape):
    """A contract, and what its calls cost."""

    contract_id: str
    currency: str = Field(description="ISO 4217")
    providers: list[str] = Field(description="empty where the prices in force do not have the contract")
    start: Time | None
    end: Time | None
    in_force: bool = Field(description="whether the prices have it, and it holds now")
    call_count: int
    unpriced_calls: int
    unsettled_calls: int = Field(description="calls whose cost waits for `otel-costs reprice --period`")
    unconverted_calls: int = Field(
        description="calls that are not in contract_amount: no rate of exchange is known of their day"
    )
    list_usd: Money = Field(description="at list prices")
    contracted_usd: Money = Field(description="by the contract, as if nothing were reserved")
    cost_usd: Money
    saved_usd: Money = Field(description="list_usd less cost_usd, of the calls of which both are known")
    contract_amount: Money = Field(description="cost_usd in the currency of the contract")
    reservations: list[ContractReservation]
    commitments: list[ContractCommitment]


class Contracts(Shape):
    """The contracts, and the time of their costs."""

    since: Time | None
    until: Time | None
    contracts: list[Contract]
