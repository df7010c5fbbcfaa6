/** The secrets of a configuration, by value or from files. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

interface Secrets {
  secret?: string;
  secretFile?: string;
  secrets?: Record<string, string | { file: string }>;
}

export function readSecret(
  input: Secrets,
  directory: string,
  mistakes: string[],
): string | undefined {
  if (input.secretFile === undefined) return input.secret;
  if (input.secret !== undefined) mistakes.push("secret and secretFile exclude each other");
  const file = resolve(directory, input.secretFile);
  try {
    const secret = readFileSync(file, "utf8").trim();
    if (secret.length >= 16) return secret;
    mistakes.push(`secretFile: ${file} must hold at least 16 characters`);
  } catch (error) {
    mistakes.push(`secretFile: ${(error as Error).message}`);
  }
  return undefined;
}

export function readSecrets(
  { secrets = {} }: Secrets,
  directory: string,
  mistakes: string[],
): Record<string, string> {
  const read = (name: string, value: string | { file: string }): string => {
    if (typeof value === "string") return value;
    try {
      return readFileSync(resolve(directory, value.file), "utf8").trim();
    } catch (error) {
      mistakes.push(`secrets.${name}: ${(error as Error).message}`);
      return "";
    }
  };
  return Object.fromEntries(
    Object.entries(secrets).map(([name, value]) => [name, read(name, value)]),
  );
}

export function secretFiles({ secretFile, secrets = {} }: Secrets): string[] {
  const files = Object.values(secrets).flatMap((value) =>
    typeof value === "string" ? [] : [value.file],
  );
  return secretFile === undefined ? files : [secretFile, ...files];
}
