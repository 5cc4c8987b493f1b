"""What a provider says that was used and will be billed, beside what was recorded.

`openai` asks OpenAI and returns `Reported`; `comparison` lays it beside the rows of `store.reconciliation`. Another
provider is another module like `openai`.
"""
