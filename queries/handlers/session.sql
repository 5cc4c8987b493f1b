-- GET /sessions/{id}: one session with its messages and its cost as JSON; an empty body when there is none.
-- Parameters: id, the session's, which stands in the address.
-- Units: as in session_report; money as exact strings with at least six decimals, nothing is "0", null where no call
-- has a price.
-- Source: session_report.
create handler if not exists session url regexp '/sessions/(?P<id>[^/]+)' methods (GET) as
with
    usd -> if(usd = 0, '0', replaceRegexpOne(toDecimalString(usd, 12), '0{1,6}$', '')) as money,
    s.cost.cost_breakdown as parts
select
    session_id,
    user_id,
    kind,
    scenario,
    tags,
    start_time,
    end_time,
    duration_seconds,
    message_count,
    call_count,
    money(s.cost_usd) as cost_usd,
    unpriced_calls,
    error_count,
    messages,
    tuple(
        money(s.cost.cost_usd),
        s.cost.tokens,
        s.cost.audio_seconds,
        s.cost.characters,
        tuple(
            money(parts.text_input),
            money(parts.text_output),
            money(parts.audio_input),
            money(parts.audio_output),
            money(parts.speech_to_text),
            money(parts.text_to_speech),
            money(parts.other)))
        ::Tuple(
            cost_usd Nullable(String),
            tokens Tuple(
                text_input Int64,
                text_output Int64,
                audio_input Int64,
                audio_output Int64,
                cached_input Int64),
            audio_seconds Decimal(38, 9),
            characters UInt64,
            cost_breakdown Tuple(
                text_input Nullable(String),
                text_output Nullable(String),
                audio_input Nullable(String),
                audio_output Nullable(String),
                speech_to_text Nullable(String),
                text_to_speech Nullable(String),
                other Nullable(String))) as cost
from session_report(session_id = {id:String}) as s
settings date_time_output_format = 'iso',
    output_format_json_quote_64bit_integers = 0,
    http_response_headers = {'Content-Type': 'application/json; charset=UTF-8'}
format JSONEachRow
