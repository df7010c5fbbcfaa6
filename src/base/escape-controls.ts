/** Escapes of characters that control a terminal or the direction of text, as httpd writes them. */

/**
 * C0 except the tab, DEL, C1, line separators, and marks that change the direction of text.
 * Source: Unicode Technical Report 36, section 2.6; httpd `ap_escape_errorlog_item`.
 */
const controls = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** JSON text, in which C0 is escaped already, with the other control characters as `\\u009b`. */
export function escapeControlsInJson(json: string): string {
  return json.replace(controls, (character) =>
    character < " " ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * The text with each byte of a control character as `\x9b`.
 *
 * Attack: a client chooses parts of log lines, for example the URL. A line break fakes a line, an
 * escape sequence runs in the terminal of a reader, and a bidi mark hides text.
 */
export function escapeControls(text: string): string {
  return text.replace(controls, (character) =>
    Buffer.from(character)
      .toString("hex")
      .replace(/../g, String.raw`\x$&`),
  );
}
