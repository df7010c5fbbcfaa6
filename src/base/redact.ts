/**
 * Removal of secrets from log lines.
 *
 * Attack: a reader of a log (a log server, a colleague, a backup) uses a password that an error
 * message quotes. Known secrets are hidden by value, others by where they usually stand.
 */

const hidden = "***";
const known = new Set<string>();

/** Values that no log line may hold. Short ones would hide ordinary words. */
export function hideInLog(values: Iterable<string>): void {
  for (const value of values) if (value.length >= 6) known.add(value);
}

const rules: readonly (readonly [RegExp, string])[] = [
  // A header with its value: `Cookie: a=b`, `"authorization": "Basic …"`.
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^"'\s][^\n]*=[^\n]*|(?:Basic|Bearer|Digest|Negotiate)\s[^\n]*)/gi,
    `$1$2${hidden}`,
  ],
  // Credentials without their header (RFC 7617, RFC 6750).
  [/\b(Basic|Bearer) (?!realm)[\w.~+/-]{8,}=*/gi, `$1 ${hidden}`],
  // The password of a URL (RFC 3986, section 3.2.1).
  [/\b([a-z][a-z0-9+.-]*:\/\/[^/?#@\s:]*):[^/?#@\s]+@/gi, `$1:${hidden}@`],
  // `password=…` of a query or a DSN, `"password": "…"` of JSON or an inspected object. Not
  // a segment of a path.
  [
    /(?<![\w/])(pass(?:word|wd|phrase)?|pwd|secret|client_secret|(?:access_|refresh_|id_)?token|api_?key)(["']?\s*=\s*|["']?:\s*(?=["']))("[^"\n]*"|'[^'\n]*'|[^\s&;,"']+)/gi,
    `$1$2${hidden}`,
  ],
];

export function redact(text: string): string {
  let shown = text;
  for (const value of known) {
    if (shown.includes(value)) shown = shown.replaceAll(value, hidden);
  }
  for (const [pattern, replacement] of rules) shown = shown.replace(pattern, replacement);
  return shown;
}
