/** Names of the built-in handlers, and of the options that mod_ts itself reads. */

/** `mod_ts/name`; `mod_ts/refresh` exists in development only. */
export const builtInNames: readonly string[] =
  "test-page forward-auth cgi jwt htpasswd sql login fetch node fastify publisher pages origin status refusal".split(
    " ",
  );

// oxfmt-ignore
const keys: Readonly<Record<string, string>> = {
  cgi: "memory processes queue timeout warm",
  fastify: "application base",
  fetch: "application base",
  form: "field_bytes fields file_bytes files memory_bytes name_bytes require_length",
  "forward-auth": "ask_host groups groups_separator headers host login preset scheme timeout url user",
  htpasswd: "attempts cache file groups limits limits_file require_group",
  jwt: "algorithms audience cache claims cookie groups groups_claim header issuer jwks key require secret timeout tolerance type user",
  login: "attempts ended ended_file key_file lifetime limits limits_file location max_lifetime secure state store title",
  node: "application base",
  origin: "apache preserve_host strip timeout url",
  session: "domain lock_timeout max_bytes max_lifetime name path realm same_site secure store store_file table timeout",
  status: "allow",
  ticket: "lifetime scope secure",
  sql: "attempts cache dsn dsn_file legacy limits limits_file password_column query seed table upgrade user_column",
};

/** E.g. `mod_ts.htpasswd.file`; names without the prefix belong to users. */
export const optionNames: readonly string[] = [
  "mod_ts.server_timing",
  "mod_ts.test_page",
  "mod_ts.upgrade",
  "mod_ts.websocket_origins",
  ...Object.entries(keys).flatMap(([handler, names]) =>
    names.split(" ").map((name) => `mod_ts.${handler}.${name}`),
  ),
];
