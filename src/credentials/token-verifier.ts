/**
 * Checks signed tokens (JWT, RFC 7519) with the package `jose`: against the keys of an issuer (JWKS), or a key in a file.
 *
 * Attacks that this page answers (RFC 8725):
 * 1. `alg: none`, or a token signed with HS256 and the public key as its secret: the algorithms are a list that the configuration
 *    makes, never the token, and a public key never goes with an HS algorithm.
 * 2. A token for another application: issuer and audience must fit.
 * 3. A token that never ends: one without `exp` is none.
 * 4. Tokens with made-up key ids, each of which would ask the issuer for its keys: they are asked for every 30 seconds at most.
 * @module
 */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from "node:crypto";
import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters, JWTPayload } from "jose";
import { askService } from "../ask-service.ts";
import { ModTsError } from "../errors.ts";
import { FreshFile } from "./fresh-file.ts";
import { loadPackage } from "./optional-package.ts";

/** Where the keys are: exactly one of the three. */
export interface KeySource {
  /** Address of the issuer's keys. */
  readonly jwks?: URL | undefined;
  /** File with a public key: PEM (key or certificate), JWK or JWKS. Read again when it changes. */
  readonly key?: string | undefined;
  /** File with a shared secret of at least 32 bytes; white space at its end is cut. Read again when it changes. */
  readonly secret?: string | undefined;
}

/** What a token must be. */
export interface TokenRules {
  /** Algorithms that are accepted; those that do not fit the key are not, either. */
  readonly algorithms: readonly string[];
  /** Value of `iss`; undefined: any. */
  readonly issuer?: string | undefined;
  /** One of these must be in `aud`; undefined: any. */
  readonly audience?: readonly string[] | undefined;
  /** Value of `typ` in the header, e.g. `at+jwt`; undefined: any. */
  readonly type?: string | undefined;
  /** Seconds by which the clocks of issuer and server may differ. */
  readonly tolerance: number;
  /** Milliseconds for the issuer to give its keys. */
  readonly timeout: number;
  /** Seconds for which the issuer's keys are kept. */
  readonly cache: number;
}

/** Why a token is refused; the message is for the log. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

type Jose = typeof import("jose");
type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<KeyLike>;
type KeyLike = KeyObject | CryptoKey;

export const secretAlgorithms: readonly string[] = ["HS256", "HS384", "HS512"];
export const publicAlgorithms: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

/** Longer tokens are refused unread: more than any header can hold. */
const tokenBytes = 16_384;

/** Checks the tokens of one section. */
export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #findKey: (jose: Jose) => FindKey;

  constructor(source: KeySource, rules: TokenRules) {
    this.#rules = rules;
    this.#findKey = keysOf(source, rules);
  }

  /**
   * The claims of a token that is valid now.
   * @throws TokenRefused when it is not; ModTsError when that cannot be found out: `MODTS_AUTH_SERVICE_DOWN`,
   * `MODTS_AUTH_SERVICE_ANSWER`, `MODTS_USERS_UNREADABLE`, `MODTS_PACKAGE_MISSING`
   */
  async verify(token: string): Promise<JWTPayload> {
    if (token.length > tokenBytes) throw new TokenRefused("it is too long");
    const jose = await loadPackage<Jose>("jose", "mod_ts/jwt");
    try {
      return await this.#check(jose, token);
    } catch (error) {
      if (error instanceof ModTsError) throw error;
      throw new TokenRefused((error as Error).message, { cause: error });
    }
  }

  async #check(jose: Jose, token: string): Promise<JWTPayload> {
    const { algorithms, issuer, audience, type, tolerance } = this.#rules;
    const options = {
      algorithms: [...algorithms],
      clockTolerance: tolerance,
      requiredClaims: ["exp"],
      ...(issuer !== undefined && { issuer }),
      ...(audience && { audience: [...audience] }),
      ...(type !== undefined && { typ: type }),
    };
    const findKey = this.#findKey(jose);
    try {
      return (await jose.jwtVerify(token, findKey, options)).payload;
    } catch (error) {
      if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
      return await firstThatFits(error, async (key) => {
        return (await jose.jwtVerify(token, key, options)).payload;
      });
    }
  }
}

/** A token without a key id, while the issuer has several keys: during a rotation, mostly. */
async function firstThatFits<T>(
  keys: AsyncIterable<CryptoKey>,
  check: (key: CryptoKey) => Promise<T>,
): Promise<T> {
  for await (const key of keys) {
    try {
      return await check(key);
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") {
        throw error;
      }
    }
  }
  throw new TokenRefused("no key of the issuer fits its signature");
}

function keysOf(source: KeySource, rules: TokenRules): (jose: Jose) => FindKey {
  const { jwks, key, secret } = source;
  if (jwks) return remoteKeys(jwks, rules);
  if (secret !== undefined) {
    const file = new FreshFile(secret, (text) => readSecret(secret, text));
    return () => async () => file.get();
  }
  const path = key ?? "";
  const file = new FreshFile(path, (text) => readKeys(path, text));
  let last: { keys: JsonWebKey[]; find: FindKey } | undefined;
  return (jose) => async (header, token) => {
    const keys = file.get();
    // jose imports a key at its first use; a new set would do it for each token.
    if (last?.keys !== keys) last = { keys, find: jose.createLocalJWKSet({ keys: keys as never }) };
    return await last.find(header, token);
  };
}

/** Sections that name the same address share its keys. */
const issuers = new Map<string, FindKey>();

function remoteKeys(url: URL, { timeout, cache }: TokenRules): (jose: Jose) => FindKey {
  const id = `${url.href} ${timeout} ${cache}`;
  return (jose) => {
    let find = issuers.get(id);
    if (!find) {
      find = jose.createRemoteJWKSet(url, {
        cacheMaxAge: cache * 1000,
        timeoutDuration: timeout * 2,
        [jose.customFetch]: () => fetchKeys(url, timeout),
      });
      find = blamingIssuer(find, url);
      issuers.set(id, find);
    }
    return find;
  };
}

async function fetchKeys(url: URL, timeout: number): Promise<Response> {
  const accept = "application/jwk-set+json, application/json";
  const { status, body } = await askService({ url, timeout, headers: { Accept: accept } });
  if (status !== 200) throw unusable(url, `status ${status}`);
  return new Response(new Uint8Array(body));
}

/** A key set that cannot be read is no fault of the token: 502 and not 401, or users would be told to log in for ever. */
function blamingIssuer(find: FindKey, url: URL): FindKey {
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === "ERR_JOSE_GENERIC" || code === "ERR_JWKS_INVALID") throw unusable(url, message);
      throw error;
    }
  };
}

function unusable(url: URL, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: url.origin + url.pathname, reason });
}

/** RFC 7518, section 3.2: a shorter key can be guessed offline by anyone who has a token. */
function readSecret(file: string, text: string): KeyObject {
  const bytes = Buffer.from(text.trimEnd());
  if (bytes.length < 32) throw unreadable(file, "a secret has at least 32 bytes");
  return createSecretKey(bytes);
}

/** All keys as public JWKs, whatever form the file has; a private one is reduced to its public half. */
function readKeys(file: string, text: string): JsonWebKey[] {
  const isJson = /^\s*\{/.test(text);
  const parsed = isJson ? (JSON.parse(text) as JsonWebKey & { keys?: JsonWebKey[] }) : undefined;
  const keys: (JsonWebKey | string)[] = parsed ? (parsed.keys ?? [parsed]) : [text];
  return keys.map((key) => toPublic(file, key));
}

function toPublic(file: string, key: JsonWebKey | string): JsonWebKey {
  if (typeof key === "string") return createPublicKey(key).export({ format: "jwk" });
  // A shared secret here would be an HS key beside public ones: the mix-up that attack 1 lives on.
  if (key.kty === "oct") throw unreadable(file, "it holds a shared secret, not a public key");
  const { kid, alg, use } = key as Record<string, string | undefined>;
  const exported = createPublicKey({ key, format: "jwk" }).export({ format: "jwk" });
  return { ...exported, ...(kid && { kid }), ...(alg && { alg }), ...(use && { use }) };
}

function unreadable(file: string, reason: string): ModTsError {
  return new ModTsError("MODTS_USERS_UNREADABLE", { file, reason });
}
