/**
 * Verification of signed tokens (JWT, RFC 7519) with the package `jose`, by an issuer's keys (JWKS) or
 * a key in a file.
 *
 * Attacks (RFC 8725):
 * 1. `alg: none`, or HS256 with the public key as secret. The configuration, never the token, lists
 *    the algorithms; a public key excludes the HS algorithms.
 * 2. A token for another application. Issuer and audience must match.
 * 3. A token that never expires. `exp` is required.
 * 4. Made-up key ids, each of which fetches the issuer's keys. They are fetched at most once in 30 s.
 */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { getOrCreate } from "../../../base/cache.ts";
import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters, JWTPayload } from "jose";
import { askService, shown } from "../ask-service.ts";
import { ModTsError } from "../../../base/errors.ts";
import { FreshFile } from "./files.ts";
import { loadPackage } from "../../../base/optional-package.ts";

/** Source of the keys: exactly one of the three. */
export interface KeySource {
  /** URL of the issuer's keys. */
  readonly jwks?: URL | undefined;
  /** File with a public key: PEM (key or certificate), JWK or JWKS. Read again when it changes. */
  readonly key?: string | undefined;
  /** File with a shared secret of at least 32 bytes, trimmed at its end. Read again on changes. */
  readonly secret?: string | undefined;
}

export interface TokenRules {
  /** Accepted algorithms, as far as they match the key. */
  readonly algorithms: readonly string[];
  /** Value of `iss`; undefined: any. */
  readonly issuer?: string | undefined;
  /** One of these must be in `aud`; undefined: any. */
  readonly audience?: readonly string[] | undefined;
  /** Value of `typ` in the header, e.g. `at+jwt`; undefined: any. */
  readonly type?: string | undefined;
  /** Seconds by which the clocks may differ. */
  readonly tolerance: number;
  /** Milliseconds to fetch the keys. */
  readonly timeout: number;
  /** Seconds for which the keys are cached. */
  readonly cache: number;
}

export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

type Jose = typeof import("jose");
type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<KeyLike>;
type KeyLike = KeyObject | CryptoKey;

export const secretAlgorithms: readonly string[] = ["HS256", "HS384", "HS512"];
export const publicAlgorithms: readonly string[] =
  "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/** Length limit of a token; no header can contain more. */
const tokenBytes = 16_384;

export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #findKey: (jose: Jose) => FindKey;

  constructor(source: KeySource, rules: TokenRules) {
    this.#rules = rules;
    this.#findKey = keysOf(source, rules);
  }

  /**
   * The claims of a valid token. Rejects with `TokenRefused` for any other, and with
   * `MODTS_AUTH_SERVICE_DOWN`, `MODTS_AUTH_SERVICE_ANSWER`, `MODTS_USERS_UNREADABLE` or
   * `MODTS_PACKAGE_MISSING` if the keys or the package are unavailable.
   */
  async verify(token: string): Promise<JWTPayload> {
    if (token.length > tokenBytes) throw new TokenRefused("token is too long");
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

/** For a token without a key id when the issuer has several keys, usually during a rotation. */
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
  throw new TokenRefused("no key of the issuer matches its signature");
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
    // jose imports a key at its first use; a new set would import it for each token.
    if (last?.keys !== keys) last = { keys, find: jose.createLocalJWKSet({ keys: keys as never }) };
    return await last.find(header, token);
  };
}

/** Keys by URL, shared by all sections. */
const issuers = new Map<string, FindKey>();

function remoteKeys(url: URL, { timeout, cache }: TokenRules): (jose: Jose) => FindKey {
  const id = `${url.href} ${timeout} ${cache}`;
  return (jose) =>
    getOrCreate(issuers, id, () => {
      const find = jose.createRemoteJWKSet(url, {
        cacheMaxAge: cache * 1000,
        timeoutDuration: timeout * 2,
        [jose.customFetch]: () => fetchKeys(url, timeout),
      });
      return blamingIssuer(find, url);
    });
}

async function fetchKeys(url: URL, timeout: number): Promise<Response> {
  const accept = "application/jwk-set+json, application/json";
  const { status, body } = await askService({ url, timeout, headers: { Accept: accept } });
  if (status !== 200) throw unusable(url, `status ${status}`);
  return new Response(new Uint8Array(body));
}

/** An unreadable key set is a 502: after a 401, users would log in forever. */
function blamingIssuer(find: FindKey, url: URL): FindKey {
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === "ERR_JOSE_GENERIC" || code === "ERR_JWKS_INVALID") throw unusable(url, message);
      if (error instanceof ModTsError || code?.startsWith("ERR_J")) throw error;
      // jose 5 has no `customFetch`, and its own fetch rejects with the error of the network.
      throw new ModTsError(
        "MODTS_AUTH_SERVICE_DOWN",
        { url: shown({ url }), reason: message },
        { cause: error },
      );
    }
  };
}

function unusable(url: URL, reason: string): ModTsError {
  return new ModTsError("MODTS_AUTH_SERVICE_ANSWER", { url: shown({ url }), reason });
}

/** RFC 7518, section 3.2. Attack: a shorter key can be guessed offline from one token. */
function readSecret(file: string, text: string): KeyObject {
  const bytes = Buffer.from(text.trimEnd());
  if (bytes.length < 32) throw unreadable(file, "a secret needs at least 32 bytes");
  return createSecretKey(bytes);
}

/** All keys of a file as public JWKs; a private key is reduced to its public half. */
function readKeys(file: string, text: string): JsonWebKey[] {
  const isJson = /^\s*\{/.test(text);
  const parsed = isJson ? (JSON.parse(text) as JsonWebKey & { keys?: JsonWebKey[] }) : undefined;
  const keys: (JsonWebKey | string)[] = parsed ? (parsed.keys ?? [parsed]) : [text];
  return keys.map((key) => toPublic(file, key));
}

function toPublic(file: string, key: JsonWebKey | string): JsonWebKey {
  if (typeof key === "string") return createPublicKey(key).export({ format: "jwk" });
  // Attack 1: a shared secret among public keys.
  if (key.kty === "oct") throw unreadable(file, "contains a shared secret, not a public key");
  const { kid, alg, use } = key as Record<string, string | undefined>;
  const exported = createPublicKey({ key, format: "jwk" }).export({ format: "jwk" });
  return { ...exported, ...(kid && { kid }), ...(alg && { alg }), ...(use && { use }) };
}

function unreadable(file: string, reason: string): ModTsError {
  return new ModTsError("MODTS_USERS_UNREADABLE", { file, reason });
}
