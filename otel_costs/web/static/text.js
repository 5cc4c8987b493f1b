// Values as text: money to what the eye needs and to the last digit, numbers, shares, durations and times.

/** Return all digits of an exact amount: "$0.074250" is "$0.07425". */
export function exact(amount) {
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(amount)) ?? [null, "", String(amount)];
  return `${sign}$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${part.replace(/0+$/, "").padEnd(2, "0")}`;
}

/** Return an amount in cents, or with three digits that count where it is less than a dollar: the exact one is shown beside it wherever that matters. */
export function money(amount) {
  const value = Number(amount);
  const size = Math.abs(value);
  const digits = size === 0 || size >= 1 ? 2 : Math.min(12, 2 - Math.floor(Math.log10(size)));
  const text = size.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${value < 0 ? "−" : ""}$${text}`;
}

export const count = value => Number(value).toLocaleString("en-US");

/** Return "1 call", "2 calls". */
export const counted = (value, one, many = `${one}s`) => `${count(value)} ${Number(value) === 1 ? one : many}`;

/** Return a large number short: 6.28 M. */
export const short = value => Number(value).toLocaleString("en-US", { notation: "compact", maximumSignificantDigits: 3 });

/** Return a fraction as percent. */
export function percent(fraction) {
  const value = 100 * fraction;
  return `${value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 })} %`;
}

/** Return a duration, of seconds. */
export function took(seconds) {
  const value = Number(seconds);
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 90) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (value < 5400) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${(value / 3600).toFixed(1)} h`;
}

const formats = new Map();

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    let made;
    try {
      made = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", ...options });
    } catch {
      made = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", hourCycle: "h23", ...options });
    }
    formats.set(key, made);
  }
  return formats.get(key);
}

const pieces = (made, moment) => Object.fromEntries(made.formatToParts(moment).map(({ type, value }) => [type, value]));

/** Return a moment as {date: "2026-11-28", time: "16:06:25", zone: "CET"}. */
export function moment(iso, zone) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return { date: String(iso), time: "", zone: "" };
  const all = pieces(
    format(zone, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }),
    at,
  );
  return { date: `${all.year}-${all.month}-${all.day}`, time: `${all.hour}:${all.minute}:${all.second}`, zone: all.timeZoneName };
}

/** Return the day of a moment in a zone, as the API writes days. */
export const day = (iso, zone) => moment(iso, zone).date;

/** Return a name with the characters that would hide or turn what it says written out. */
export const visible = name => String(name).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, sign => (sign === "\n" ? " " : `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`));

/** Return the name of a unit or part: "cache_read_tokens" is "cache read tokens". */
export const words = name => name.replaceAll("_", " ");
