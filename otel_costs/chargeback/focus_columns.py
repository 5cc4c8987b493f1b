"""The columns of the FOCUS export: the names and types of FOCUS 1.2, and columns of our own behind them.

FOCUS is the FinOps Open Cost and Usage Specification (https://focus.finops.org), version 1.2.
"""

from typing import Final

VERSION: Final = "1.2"

STRING: Final = "String"
DECIMAL: Final = "Decimal"
DATE_TIME: Final = "Date/Time"
JSON: Final = "JSON"

COLUMNS: Final = {
    "BilledCost": DECIMAL,
    "BillingAccountId": STRING,
    "BillingAccountName": STRING,
    "BillingCurrency": STRING,
    "BillingPeriodEnd": DATE_TIME,
    "BillingPeriodStart": DATE_TIME,
    "ChargeCategory": STRING,
    "ChargeClass": STRING,
    "ChargeDescription": STRING,
    "ChargeFrequency": STRING,
    "ChargePeriodEnd": DATE_TIME,
    "ChargePeriodStart": DATE_TIME,
    "CommitmentDiscountCategory": STRING,
    "CommitmentDiscountId": STRING,
    "CommitmentDiscountName": STRING,
    "CommitmentDiscountQuantity": DECIMAL,
    "CommitmentDiscountStatus": STRING,
    "CommitmentDiscountType": STRING,
    "CommitmentDiscountUnit": STRING,
    "ConsumedQuantity": DECIMAL,
    "ConsumedUnit": STRING,
    "ContractedCost": DECIMAL,
    "ContractedUnitPrice": DECIMAL,
    "EffectiveCost": DECIMAL,
    "InvoiceId": STRING,
    "InvoiceIssuerName": STRING,
    "ListCost": DECIMAL,
    "ListUnitPrice": DECIMAL,
    "PricingCategory": STRING,
    "PricingCurrency": STRING,
    "PricingCurrencyContractedUnitPrice": DECIMAL,
    "PricingCurrencyEffectiveCost": DECIMAL,
    "PricingCurrencyListUnitPrice": DECIMAL,
    "PricingQuantity": DECIMAL,
    "PricingUnit": STRING,
    "ProviderName": STRING,
    "PublisherName": STRING,
    "ResourceId": STRING,
    "ResourceName": STRING,
    "ResourceType": STRING,
    "ServiceCategory": STRING,
    "ServiceName": STRING,
    "ServiceSubcategory": STRING,
    "SkuId": STRING,
    "SkuMeter": STRING,
    "SkuPriceDetails": JSON,
    "SkuPriceId": STRING,
    "Tags": JSON,
    "x_Model": STRING,
    "x_Operation": STRING,
    "x_Service": STRING,
    "x_Scenario": STRING,
    "x_SessionKind": STRING,
    "x_CostStatus": STRING,
    "x_CostReason": STRING,
    "x_UnpricedCallCount": DECIMAL,
    "x_ContractId": STRING,
    "x_TagSource": JSON,
    "x_SharedFrom": JSON,
}
"""Name -> type."""

COSTS: Final = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
"""The four amounts of each row, in US dollars."""
