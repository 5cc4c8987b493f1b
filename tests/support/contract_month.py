"""November 2026 of three teams, worked out by hand: a commitment, a reservation, discounts, and two currencies.

`PRICES` is the price file, `CALLS` are the calls in the shape of `POST /api/v1/calls`. The rest is what has to come of
them once the month is settled: in dollars where nothing else is said.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

MONTH: Final = datetime(2026, 11, 1, tzinfo=UTC)
SETTLED_AT: Final = datetime(2026, 12, 1, 6, tzinfo=UTC)
"""A moment at which the month is over."""

PRICES: Final = """
version: month-1
currency: USD
prices:  # what nobody with a contract would pay
  - {provider: openai, match: {model: house-small},
     rates: {input_tokens: {usd: "10", per: 1000000}, output_tokens: {usd: "30", per: 1000000}}}
  - {provider: openai, match: {model: house-large}, rates: {input_tokens: {usd: "50", per: 1000000}}}
  - {provider: azure, match: {model: house-azure},
     rates: {input_tokens: {usd: "4", per: 1000000}, output_tokens: {usd: "16", per: 1000000}}}
  - {provider: mistral, match: {model: maison}, rates: {input_tokens: {usd: "2.50", per: 1000000}}}
  - {provider: anthropic, match: {model: solo}, rates: {input_tokens: {usd: "3", per: 1000000}}}
deployments:  # in its zone, house-azure costs 1.25 times as much: 5 and 20
  - {provider: azure.ai.openai, deployment: ptu-eu, model: house-azure, multiplier: "1.25"}
exchange_rates:
  - {currency: EUR, from: 2026-11-01, usd: "1.10"}
  - {currency: EUR, from: 2026-11-16, usd: "1.20"}
contracts:
  - id: openai-2026
    provider: openai
    from: 2026-11-01
    to: 2026-12-01
    discounts:
      - {match: {model: house-small}, percent: "10"}
      - match: {model: house-large}  # 20 % off what is above 100 dollars in a month
        tiers: [{above: "0", percent: "0"}, {above: "100", percent: "20"}]
    commitments: [{id: november, amount: "500"}]
  - id: azure-2026
    provider: azure
    from: 2026-11-01
    to: 2027-11-01
    currency: EUR
    reservations:  # 12 euros an hour, for a million tokens; one that is answered counts as four
      - id: ptu
        match: {deployment: ptu-eu}
        from: 2026-11-10T08:00:00Z
        to: 2026-11-10T11:00:00Z
        amount_per_hour: "12"
        measure: {input_tokens: "1", output_tokens: "4"}
        capacity_per_hour: "1000000"
  - id: mistral-2026
    provider: mistral
    from: 2026-11-01
    to: 2027-11-01
    currency: EUR
    rates: [{match: {model: maison}, rates: {input_tokens: {amount: "2", per: 1000000}}}]
"""


@dataclass(frozen=True)
class Expected:
    """A call, and what it has to come to."""

    team: str
    at: str
    provider: str
    model: str
    usage: dict[str, int]
    list_usd: str
    cost_usd: str
    contract_id: str = ""
    contract_amount: str | None = None
    contract_currency: str = ""
    contracted_usd: str | None = None  # where it is not cost_usd
    reservation_id: str = ""
    at_first: str = "priced"  # its status before the month is settled
    at_first_usd: str | None = None  # and its cost, where it is not cost_usd

    @property
    def body(self) -> dict[str, Any]:
        """The call as `POST /api/v1/calls` takes it."""
        return {
            "operation": "chat",
            "provider": self.provider,
            "model": self.model,
            "usage": self.usage,
            "at": self.at,
            "session": f"{self.team}-{self.at}",
            "user": f"{self.team}@acme.example",
            "tags": {"team": self.team},
        }


MILLION: Final = 1_000_000

EXPECTED: Final = (
    # house-small: 2 × 10 = 20, 10 % off.
    Expected("search", "2026-11-03T10:00:00Z", "openai", "house-small", {"input_tokens": 2 * MILLION},
             "20", "18", "openai-2026", "18", "USD"),
    # house-small: 1 × 10 + 1 × 30 = 40, 10 % off.
    Expected("support", "2026-11-04T10:00:00Z", "openai", "house-small",
             {"input_tokens": MILLION, "output_tokens": MILLION}, "40", "36", "openai-2026", "36", "USD"),
    # house-large: 3 × 50 = 150 and 1 × 50 = 50 are 200 in the month. 20 % off the 100 above 100 are 20, a tenth of
    # all: 15 and 5. Before it is settled nothing is off.
    Expected("search", "2026-11-06T10:00:00Z", "openai", "house-large", {"input_tokens": 3 * MILLION},
             "150", "135", "openai-2026", "135", "USD", at_first="estimated", at_first_usd="150"),
    Expected("sales", "2026-11-07T10:00:00Z", "openai", "house-large", {"input_tokens": MILLION},
             "50", "45", "openai-2026", "45", "USD", at_first="estimated", at_first_usd="50"),
    # The hour from eight is used to its full: 600,000 + 4 × 25,000 = 700,000, and 300,000. So 8.40 and 3.60 of the 12
    # euros, at 1.10 dollars. At list prices: 0.6 × 5 + 0.025 × 20 = 3.50, and 0.3 × 5 = 1.50.
    Expected("search", "2026-11-10T08:05:00Z", "azure.ai.openai", "ptu-eu",
             {"input_tokens": 600_000, "output_tokens": 25_000}, "3.5", "9.24", "azure-2026", "8.4", "EUR",
             contracted_usd="3.5", reservation_id="ptu", at_first="estimated", at_first_usd="3.5"),
    Expected("support", "2026-11-10T08:55:00Z", "azure.ai.openai", "ptu-eu", {"input_tokens": 300_000},
             "1.5", "3.96", "azure-2026", "3.6", "EUR",
             contracted_usd="1.5", reservation_id="ptu", at_first="estimated", at_first_usd="1.5"),
    # Nobody uses the hour from nine: 12 euros. Of that from ten a quarter is used: 3 euros, and 9 are not.
    Expected("sales", "2026-11-10T10:30:00Z", "azure.ai.openai", "ptu-eu", {"input_tokens": 250_000},
             "1.25", "3.3", "azure-2026", "3", "EUR",
             contracted_usd="1.25", reservation_id="ptu", at_first="estimated", at_first_usd="1.25"),
    # maison: 10 × 2 = 20 euros at 1.10, and 5 × 2 = 10 euros at 1.20. The list has 10 × 2.50 and 5 × 2.50 dollars.
    Expected("support", "2026-11-05T10:00:00Z", "mistral", "maison", {"input_tokens": 10 * MILLION},
             "25", "22", "mistral-2026", "20", "EUR"),
    Expected("sales", "2026-11-20T10:00:00Z", "mistral", "maison", {"input_tokens": 5 * MILLION},
             "12.5", "12", "mistral-2026", "10", "EUR"),
    # No contract: 1 × 3.
    Expected("support", "2026-11-21T10:00:00Z", "anthropic", "solo", {"input_tokens": MILLION}, "3", "3"),
)  # fmt: skip

CALLS: Final = tuple(call.body for call in EXPECTED)

COST_BY_TEAM: Final = {
    "search": Decimal("162.24"),  # 18 + 135 + 9.24
    "support": Decimal("64.96"),  # 36 + 3.96 + 22 + 3
    "sales": Decimal("60.3"),  # 45 + 3.30 + 12
}
LIST_BY_TEAM: Final = {
    "search": Decimal("173.5"),  # 20 + 150 + 3.50
    "support": Decimal("69.5"),  # 40 + 1.50 + 25 + 3
    "sales": Decimal("63.75"),  # 50 + 1.25 + 12.50
}
COST_USD: Final = Decimal("287.5")
LIST_USD: Final = Decimal("306.75")

AMOUNTS: Final = {
    "openai-2026": ("USD", Decimal(234)),  # 18 + 36 + 135 + 45
    "azure-2026": ("EUR", Decimal(15)),  # 8.40 + 3.60 + 3
    "mistral-2026": ("EUR", Decimal(30)),  # 20 + 10
}
"""The contract's currency, and what its calls come to in it."""

HOURS: Final = (
    # hour, used, unused in euros, unused in dollars at 1.10
    ("2026-11-10T08:00:00", Decimal(12), Decimal(0), Decimal(0)),
    ("2026-11-10T09:00:00", Decimal(0), Decimal(12), Decimal("13.2")),
    ("2026-11-10T10:00:00", Decimal(3), Decimal(9), Decimal("9.9")),
)
"""The reservation `ptu`, hour by hour."""

UNUSED_RESERVATION_USD: Final = Decimal("23.1")  # 13.20 + 9.90

COMMITTED: Final = (Decimal(500), Decimal(234), Decimal(266))
"""Of the commitment `november` of `openai-2026`: the amount, what was used, what is missing."""
