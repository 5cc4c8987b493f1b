-- What every report of costs has of the calls `c` that it groups. A report names these columns as `$measures`; one
-- that adds up rows `r` which have them already names them as `$measures_added`, which is made of this list.
-- Units: money in US dollars, exact: the sum of what has a price, while unpriced_calls counts what has none. Tokens
-- are of five kinds that do not overlap. Audio in seconds.
count() as call_count, -- billed calls
countIf(c.cost_usd is null) as unpriced_calls, -- calls among them that have no price
countIf(c.error_type != '') as error_count, -- calls among them that failed
coalesce(sum(c.cost_usd), 0) as cost_usd, -- US dollars, exact: the sum of the calls that have a price
coalesce(sum(coalesce(c.list_usd, c.cost_usd)), 0) as list_usd, -- at list prices; where none is known, at their cost
sum(c.text_input_usd) as text_input_usd,
sum(c.text_output_usd) as text_output_usd,
sum(c.audio_input_usd) as audio_input_usd,
sum(c.audio_output_usd) as audio_output_usd,
sum(c.speech_to_text_usd) as speech_to_text_usd,
sum(c.text_to_speech_usd) as text_to_speech_usd,
sum(c.other_usd) as other_usd,
sum(c.text_input) as text_input,
sum(c.text_output) as text_output,
sum(c.audio_input) as audio_input,
sum(c.audio_output) as audio_output,
sum(c.cached_input) as cached_input,
sum(c.all_audio_seconds) as audio_seconds, -- seconds of audio that was sent or answered
sum(coalesce(c.input_characters, 0)) as characters -- characters that were spoken
