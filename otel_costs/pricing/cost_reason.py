"""Why a cost is not simply priced: every `otel_costs.cost.reason` that is recorded, what it means and what to do."""

from enum import StrEnum
from typing import Self


class CostReason(StrEnum):
    """A reason as it is recorded, with one sentence on what it means and one on what to do.

    `docs/reasons.md` is made of it (`make docs`). A recorded reason is never renamed: stored calls have it.
    """

    meaning: str
    remedy: str

    def __new__(cls, value: str, meaning: str, remedy: str) -> Self:
        """Make the string of a reason, which carries its two sentences."""
        member = str.__new__(cls, value)
        member._value_, member.meaning, member.remedy = value, meaning, remedy
        return member

    ADD_ON_NOT_PRICED = (
        "add_on_not_priced",
        (
            "An Amazon Transcribe request asked for an add-on, such as redaction or a custom language model,"
            " whose price is not known."
        ),
        "Expect the bill to be higher; add the price of the add-on to your price file.",
    )
    ANSWER_UNKNOWN = (
        "answer_unknown",
        "The model that answered has no price, so the price of the model that was asked for was applied.",
        "Add a price for the model that answered to your price file, or update otel_costs.",
    )
    AUDIO_SENT_NOT_KNOWN = (
        "audio_sent_not_known",
        "Azure Speech bills the audio that was sent, and only the audio that can have been sent by then is known.",
        "Nothing; of a microphone or a stopped recognition, no better estimate is possible.",
    )
    BILLED_TIME_NOT_REPORTED = (
        "billed_time_not_reported",
        "Google Speech-to-Text did not say which time it bills, so the length of the audio stands in its place.",
        "Read the stream to its end: the billed time comes with the last answer.",
    )
    BILLING_OF_CHANNELS_NOT_PUBLISHED = (
        "billing_of_channels_not_published",
        "The audio has several channels, and Azure does not publish how it bills them; each is counted for itself.",
        "Compare with your invoice, or send one channel.",
    )
    CACHE_RETENTION_UNKNOWN = (
        "cache_retention_unknown",
        "Tokens were written to a cache for a lifetime that has no price.",
        "Update otel_costs, or ask for a lifetime that the provider lists a price for.",
    )
    COMPLETION_WINDOW_UNKNOWN = (
        "completion_window_unknown",
        (
            "A response ran in the background, and this process does not know in which completion window it was"
            " asked for."
        ),
        "Retrieve the response in the process that created it; otherwise the standard price is the estimate.",
    )
    CONNECTION_LOST = (
        "connection_lost",
        (
            "The connection to Azure Speech broke, so not all of the audio that was given may have arrived and be"
            " billed."
        ),
        "Look for the cause in the error of the call; the cost is an upper estimate.",
    )
    DATED_NAME = (
        "dated_name",
        "The model's name has a date that has no price, so the price of the name without the date was applied.",
        "Add a price for the full name to your price file if it differs.",
    )
    DURATION_NOT_REPORTED = (
        "duration_not_reported",
        "An Amazon Transcribe job does not say how long its audio was, and nothing is downloaded to find out.",
        "Record the seconds yourself with `otel_costs.record`, or use the streaming API.",
    )
    EXCHANGE_RATE_UNKNOWN = (
        "exchange_rate_unknown",
        (
            "The contract is in a currency of which no rate of exchange is known on the day of the call, so its own"
            " rates and its amount are missing."
        ),
        "Add the rate of that day, or of one before it, to `exchange_rates` of your price file, and reprice.",
    )
    FEATURE_NOT_PRICED = (
        "feature_not_priced",
        "The request switched on a feature that costs more by an amount that is not known.",
        "Expect the bill to be higher; add a price for the model with this feature to your price file.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "A bug of otel_costs or a defect of its prices kept the cost from being computed; the usage is recorded.",
        "Report it with the logged traceback, and run `otel-costs reprice` after the fix.",
    )
    INVALID_USAGE = (
        "invalid_usage",
        (
            "A quantity of the usage is impossible, such as a negative or a part larger than its whole, and was"
            " refused or clamped."
        ),
        (
            "Look at `otel_costs.usage.invalid` for its name, and ask whoever made the usage: a gateway or your"
            " own code."
        ),
    )
    JOB_FAILED = (
        "job_failed",
        "A long-running Google Speech operation failed, and whether it is billed is not known.",
        "Look for the failed operation in the provider's console.",
    )
    JOB_NOT_ENDED = (
        "job_not_ended",
        (
            "A job (a batch, a background response, a run, a transcription) was started, and nobody has looked at"
            " it since it ended."
        ),
        "Retrieve the job once it is over, in an instrumented program: its cost then takes the place of this record.",
    )
    MODALITIES_UNKNOWN = (
        "modalities_unknown",
        "The usage does not tell tokens of audio or images from tokens of text, which differ in price many times over.",
        "Have the gateway pass the details of the usage on, as OpenAI reports them.",
    )
    MODALITY_NOT_PRICED = (
        "modality_not_priced",
        "Audio was used with a model that has no price for audio, so the price of text was applied.",
        "Add the rate of the audio tokens to your price file.",
    )
    NO_USAGE = (
        "no_usage",
        (
            "The usage has no quantity, or only zeros although something was asked, or tools without the tokens that go"
            " with them."
        ),
        "See whether a gateway removes the usage; otherwise the call cannot be priced.",
    )
    OVERLAP_UNKNOWN = (
        "overlap_unknown",
        (
            "The provider does not say how many of the cached tokens were audio, so the least overlap that is"
            " possible was assumed."
        ),
        "Nothing; the difference is small, and the provider alone knows it.",
    )
    PART_NOT_PRICED = (
        "part_not_priced",
        (
            "A part of the usage that costs otherwise, such as a cache write that is kept longer, has no rate of"
            " its own and was charged as its whole."
        ),
        "Add the rate of the part to your price file.",
    )
    PROCESSING_NOT_PRICED = (
        "processing_not_priced",
        (
            "The call was processed in a way, such as a batch, that the model has no price for; the standard"
            " price was applied."
        ),
        "Add a price for this processing to your price file.",
    )
    PROCESS_ENDED = (
        "process_ended",
        "The process ended while a call of Azure Speech was under way, so only what was known until then is counted.",
        "Stop recognitions and wait for syntheses before the program exits.",
    )
    RATE_ESTIMATED = (
        "rate_estimated",
        "The provider bills another unit and gives the applied rate as a guide only, or the rate is not settled.",
        "Compare with your invoice, and state your own rate in your price file.",
    )
    RECOGNIZER_DROPPED = (
        "recognizer_dropped",
        "The application let go of an Azure recognizer before the recognition had ended.",
        "Keep the recognizer until it has stopped.",
    )
    REGION_NOT_PRICED = (
        "region_not_priced",
        "The answer names a region of processing that may cost more, and no price is known for it.",
        "Add a price for the region to your price file.",
    )
    REPORTED_COST_INVALID = (
        "reported_cost_invalid",
        "The cost that the provider or your program reported is no amount of money, and was not taken.",
        "Correct what reports it: a finite amount that is not negative, as a decimal string or a number.",
    )
    REPORTED_FEE_ALONE = (
        "reported_fee_alone",
        (
            "A gateway reported its own fee for a call with a key of yours, and not what the model's provider bills;"
            " the cost is by the list of prices, without the fee."
        ),
        "Compare with the invoices of both.",
    )
    REQUEST_REFUSED = (
        "request_refused",
        "The provider answered with an error status for which it bills nothing; the cost of zero is known.",
        "Look at `error.type` of the call if it should have worked.",
    )
    RESERVATION_NOT_SETTLED = (
        "reservation_not_settled",
        (
            "The call used what a contract has reserved by the hour, and its share of the hour is not known before all"
            " calls of the hour are; the contract's price without the reservation stands in its place."
        ),
        "Run `otel-costs reprice --period` of its month.",
    )
    RESPONSE_NOT_DONE = (
        "response_not_done",
        "The connection ended before a realtime response was done, so nobody said what it used.",
        "Wait for `response.done` before the connection is closed.",
    )
    RESPONSE_NOT_READ = (
        "response_not_read",
        (
            "The response could not be read: it was damaged, too long, not read by the application either, or a"
            " bug of otel_costs."
        ),
        "Look for a warning of the logger `otel_costs`; report it if it names a bug.",
    )
    RESPONSE_NOT_SEEN = (
        "response_not_seen",
        (
            "The response never passed the place where otel_costs looks at it: the SDK is of a version that it"
            " does not know."
        ),
        "Update otel_costs, and report the version of the SDK; `otel-costs doctor` compares versions.",
    )
    RESULT_NOT_SEEN = (
        "result_not_seen",
        "The application let go of an Azure synthesis before its result was known.",
        "Wait for the result of the synthesis.",
    )
    SEARCH_KIND_UNKNOWN = (
        "search_kind_unknown",
        "A web search costs one price or another by the tool that made it, and nothing names the tool.",
        "Name the tool in the request instead of in a stored prompt; otherwise nothing.",
    )
    SESSION_NOT_ENDED = (
        "session_not_ended",
        "A live session was still running when this was written; the record of its end takes the place of this one.",
        "Nothing while it runs; if it is over, the connection was lost before the service told the final usage.",
    )
    SEVERAL_KINDS_OF_VOICES = (
        "several_kinds_of_voices",
        "One synthesis used voices of several kinds that differ in price, and the characters are counted as of one.",
        "Use one kind of voice in a request if the exact cost matters.",
    )
    SEVERAL_REQUESTS = (
        "several_requests",
        (
            "The usage is the sum of several requests, as that of a batch or a run is, and the price of each depends on"
            " its own size, as for long prompts; the price for their mean size was applied, or that for short ones."
        ),
        "Compare with your invoice, or keep prompts below the size from which on they cost more.",
    )
    SIZE_NOT_PRICED = (
        "size_not_priced",
        "The size or quality of an image or a video has no price, so that of the plain model was applied.",
        "Add a price for MODEL/QUALITY/SIZE to your price file.",
    )
    SOCKET_CLOSED_EARLY = (
        "socket_closed_early",
        (
            "The connection of a live session closed before the service told the final usage; the last that it"
            " told is counted."
        ),
        "End the session and wait for its end before the connection is closed.",
    )
    STARTED_AGAIN = (
        "started_again",
        "An Azure recognizer was started again before its recognition had ended.",
        "Stop the recognition before it is started again.",
    )
    STOP_NOT_AWAITED = (
        "stop_not_awaited",
        "The application asked an Azure recognizer to stop, and did not wait until it had.",
        "Call `.get()` on what the stop returns.",
    )
    STREAM_CLOSED_EARLY = (
        "stream_closed_early",
        "The application left a stream before its end, so its usage, which comes last, was not seen.",
        "Read streams to their end; the tokens until then are an estimate.",
    )
    STREAM_FAILED = (
        "stream_failed",
        "A stream broke off with an error before it said its usage.",
        "Look at `error.type` of the call; the tokens until then are an estimate.",
    )
    STREAM_NOT_FINISHED = (
        "stream_not_finished",
        "The application left a Google synthesis before its end, and all characters that were sent are counted.",
        "Read streams to their end.",
    )
    SYNTHESIS_NOT_FINISHED = (
        "synthesis_not_finished",
        "An Azure synthesis was cancelled or failed after sound had come, and all of its characters are counted.",
        "Nothing; Azure bills what it has begun.",
    )
    SYNTHESIZER_DROPPED = (
        "synthesizer_dropped",
        "The application let go of an Azure synthesizer before the synthesis had ended.",
        "Keep the synthesizer until its result is there.",
    )
    TIER_NOT_PRICED = (
        "tier_not_priced",
        "The call was served in a service tier that the model has no price for; the standard price was applied.",
        "Add a price for this tier to your price file.",
    )
    TIER_NOT_TOLD = (
        "tier_not_told",
        (
            "A service tier was asked for, and the answer does not say which tier served; the one that was asked"
            " for is assumed."
        ),
        "Have the gateway pass `service_tier` of the answer on.",
    )
    TOKENS_NOT_REPORTED = (
        "tokens_not_reported",
        "Google's Gemini voices are billed in tokens, which the service does not report; characters are recorded.",
        "Compare with your invoice.",
    )
    TOOL_USE_NOT_REPORTED = (
        "tool_use_not_reported",
        "A tool that costs something was offered to the model, and the answer does not say how often it was used.",
        "Use the Responses API, which reports the use of tools, or compare with your invoice.",
    )
    TRANSCRIPTION_FAILED = (
        "transcription_failed",
        "The transcription of a realtime input failed, and whether it is billed is not known.",
        "Look at `error.type` of the call.",
    )
    TRANSCRIPTION_NOT_SEEN = (
        "transcription_not_seen",
        (
            "The connection ended before the transcription of a realtime input was there; the seconds that were"
            " heard are counted."
        ),
        "Wait for the last transcription before the connection is closed.",
    )
    UNIT_NOT_PRICED = (
        "unit_not_priced",
        "The model has a price, but a unit that was used has no rate.",
        "Add the rate of the unit to your price file, and run `otel-costs reprice`.",
    )
    UNKNOWN_MODEL = (
        "unknown_model",
        "No price is known for this provider and model.",
        (
            "Add a price to the file of `OTEL_COSTS_PRICES`, or name the provider of a gateway in"
            " `OTEL_COSTS_PROVIDERS`; then run `otel-costs reprice`."
        ),
    )
    UNKNOWN_OPTION = (
        "unknown_option",
        (
            "The request has an option that costs something, and it is not known how much;"
            " `otel_costs.cost.unknown` names it."
        ),
        "Update otel_costs, which may know it by then; the cost is a lower bound.",
    )
    UNKNOWN_USAGE = (
        "unknown_usage",
        (
            "The usage has a quantity that nothing accounts for, or lacks input or output that there must have been;"
            " `otel_costs.cost.unknown` names it."
        ),
        "Update otel_costs, or add a rate for it to your price file, and run `otel-costs reprice`.",
    )
    USAGE_ESTIMATED = (
        "usage_estimated",
        "What was used is an estimate, as the provider does not report it for such a call.",
        "Compare with your invoice.",
    )
    USAGE_NOT_REPORTED = (
        "usage_not_reported",
        "The answer came without a usage; where it can be done, tokens are estimated by the length of the texts.",
        "Switch `OTEL_COSTS_STREAM_USAGE` on for streams, or have the gateway pass the usage on.",
    )
    USAGE_NOT_VISIBLE = (
        "usage_not_visible",
        "A realtime session was started over HTTP and is carried by SIP or WebRTC, so its usage does not pass here.",
        "Join it with a sideband connection, `connect(call_id=...)`, in an instrumented program.",
    )
    USAGE_UNKNOWN = (
        "usage_unknown",
        "What the call used is not known: it failed on its way or with an error that may be billed, or nobody told.",
        (
            "Look at `error.type` of the call; whether the provider billed it, its own usage report knows (`otel-"
            " costs reconcile`)."
        ),
    )
    VOICE_NOT_NAMED = (
        "voice_not_named",
        "The synthesis did not name its voice, and the kind of voice decides the price.",
        "Name the voice in the request.",
    )
    VOLUME_NOT_SETTLED = (
        "volume_not_settled",
        (
            "The contract's discount depends on the volume of the month, which is not known before its end; that of the"
            " first tier was applied."
        ),
        "Run `otel-costs reprice --period` of its month once that is over.",
    )
    WINDOW_NOT_PRICED = (
        "window_not_priced",
        "A batch was asked for in another completion window than the one that its price is for.",
        "Add a price for this window to your price file, or ask for `24h`.",
    )
    ZONE_NOT_PRICED = (
        "zone_not_priced",
        "A deployment of Azure is in one region, which may cost more, and only the price of a global one is known.",
        "State the `multiplier` of your bill with the deployment in your price file, and run `otel-costs reprice`.",
    )
