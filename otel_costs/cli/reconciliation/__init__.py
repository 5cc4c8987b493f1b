"""What a provider says that was used and will be billed, beside what was recorded.

A module each (`openai`, `azure`, `anthropic`, `google`, `elevenlabs`, `deepgram`, `aws`) makes lines of a provider's
report and says its `Terms`; `comparison` lays them beside the rows of `store.reconciliation`; `findings` are what
stands in the store of it. `vendors` lists the modules.
"""
