/**
 * Cookies of the login form (RFC 6265, and its successor draft for SameSite and name prefixes).
 * @module
 */

/** Values of this name in a `Cookie` header, at most four: a neighbouring host may have planted others beside ours. */
export function cookieValues(header: string | undefined, name: string): string[] {
  return (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .slice(0, 4);
}

/** With TLS, `__Host-`: no neighbouring host and no page over plain HTTP can set a cookie of this name. */
export function cookieName(name: string, isSecure: boolean): string {
  return isSecure ? `__Host-${name}` : name;
}

/**
 * A `Set-Cookie` header for as long as the browser runs; an empty value removes the cookie. Scripts cannot read it, and other
 * sites' forms do not send it.
 */
export function formatCookie(name: string, value: string, isSecure: boolean): string {
  const end = value === "" ? "; Max-Age=0" : "";
  const secure = isSecure ? "; Secure" : "";
  return `${cookieName(name, isSecure)}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}${end}`;
}
