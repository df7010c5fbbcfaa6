/** Pages of the login form, which work without scripts, and the path to return to. */
import { escapeHtml, htmlPage } from "../../../base/html.ts";

/** Characters of an address; escaped, longer ones exceed the limits of some proxies. */
const limit = 2000;

/** A path with its query, escaped, on this host; else undefined. */
export function safeReturnPath(text: string | undefined): string | undefined {
  if (text === undefined || text.length > limit) return undefined;
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text)) return undefined;
  const base = "http://host.invalid";
  const url = URL.parse(text, base);
  // Attack: `/.//host` begins with two slashes once its dots are resolved.
  return url && url.origin === base && !url.pathname.startsWith("//") ? text : undefined;
}

export interface LoginPage {
  readonly title: string;
  /** Where the form goes: the address of the page itself. */
  readonly action: string;
  readonly token: string;
  /** Where the browser goes afterwards. */
  readonly returnPath: string | undefined;
}

/** The form. `problem` says why it is shown again; `user` is what was typed. */
export function loginPage(page: LoginPage, problem = "", user = ""): string {
  const alert = problem ? `<p class="problem" role="alert">${escapeHtml(problem)}</p>\n` : "";
  // The first field that is still empty gets the cursor.
  const [first, second] = user ? ["", " autofocus"] : [" autofocus", ""];
  return frame(
    page,
    `${alert}${formStart(page)}
<label for="user">User name</label>
<input id="user" name="user" value="${escapeHtml(user)}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="255" required${first}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="512" required${second}>
<button name="action" value="login">Log in</button>
</form>`,
  );
}

/** For a user who is logged in. */
export function accountPage(page: LoginPage, user: string): string {
  const onward = page.returnPath
    ? `<p><a href="${escapeHtml(page.returnPath)}">Continue</a></p>\n`
    : "";
  return frame(
    page,
    `<p>You are logged in as <strong>${escapeHtml(user)}</strong>.</p>
${onward}${formStart({ ...page, returnPath: undefined })}
<button name="action" value="logout">Log out</button>
</form>`,
  );
}

/** Instead of a redirect, which would lose what was sent. */
export function lostPage(title: string, login: string): string {
  return htmlPage(
    title,
    `<div class="card"><h1>${escapeHtml(title)}</h1>
<p>Your session has ended, and what you sent was not taken.</p>
<p><a href="${escapeHtml(login)}">Log in</a>, then go back and send it again.</p></div>`,
  );
}

function formStart({ action, token, returnPath }: LoginPage): string {
  const back = returnPath
    ? `\n<input type="hidden" name="return" value="${escapeHtml(returnPath)}">`
    : "";
  return `<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="token" value="${escapeHtml(token)}">${back}`;
}

function frame({ title }: LoginPage, body: string): string {
  return htmlPage(title, `<div class="card"><h1>${escapeHtml(title)}</h1>\n${body}</div>`);
}
