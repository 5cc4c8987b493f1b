// Example data: answers that were recorded of the demo, in the place of the store's, while the address says `example=1`.

const NAME = "example";

let recorded = null;

/** Say whether the page shows example data. */
export const isExample = () => new URLSearchParams(location.search).get(NAME) === "1";

/** Return an address that keeps showing the example, if it is shown. */
export function kept(address) {
  if (!isExample() || /[?&]example=1(&|$)/.test(address)) return address;
  return `${address}${address.includes("?") ? "&" : "?"}${NAME}=1`;
}

/** Return what was recorded for a question, null if nothing was. Periods and filters do not matter: there is one recording. */
export async function recordedAnswer(path, query) {
  recorded ??= fetch(new URL("./example.json", import.meta.url)).then(response => (response.ok ? response.json() : Promise.reject(new Error("The example could not be loaded."))));
  const { answers } = await recorded.catch(error => {
    recorded = null;
    throw error;
  });
  const given = new URLSearchParams(query ?? "");
  const written = path.split("/").map(decodeURIComponent).join("/");
  const narrower = ["session", "by", "sort"].filter(name => given.has(name)).map(name => `${written}?${name}=${given.get(name).replace(/^(hour|month),/, "day,")}`);
  const found = narrower.find(name => name in answers);
  if (found !== undefined) return answers[found];
  if (path === "costs" || (path === "calls" && given.has("session"))) return null;
  return answers[written] ?? null;
}
