/** The manifests: valid, and every name, path, port and command in them is one that another manifest or an image has. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Namespace, Service } from "kubernetes-models/v1";
import t, { type Test } from "tap";
import { project } from "../fixtures/build-context.ts";
import {
  containersOf,
  deploymentsOf,
  type Manifest,
  readKustomization,
  readManifests,
  variants,
} from "../fixtures/kubernetes.ts";

const read = (path: string): string => readFileSync(join(project, path), "utf8");
const models = [
  Deployment,
  HorizontalPodAutoscaler,
  Namespace,
  NetworkPolicy,
  PodDisruptionBudget,
  Service,
];

/** Throws what the schema of its kind says. */
function validate(manifest: Manifest): void {
  const model = models.find(
    ({ apiVersion, kind }) => apiVersion === manifest.apiVersion && kind === manifest.kind,
  );
  if (!model) throw new Error(`${manifest.apiVersion} ${manifest.kind} has no schema here`);
  new (model as new (data: unknown) => { validate(): void })(manifest).validate();
}

t.test("the schemas find mistakes", async (t) => {
  const [namespace] = readManifests("one-pod");
  const [deployment] = deploymentsOf(readManifests("one-pod"));
  if (!namespace || !deployment) throw new Error("nothing is there");
  t.throws(() => validate({ ...namespace, kind: "Nmaespace" }));
  t.throws(() => validate({ ...deployment, spec: { ...deployment.spec, replicas: "2" } }));
  t.throws(() => validate({ ...deployment, spec: { replicas: 2 } }));
});

for (const variant of variants) {
  const manifests = readManifests(variant);
  const deployments = deploymentsOf(manifests);
  const kustomization = readKustomization(variant);
  const ofKind = (kind: string): Manifest[] => manifests.filter((each) => each.kind === kind);

  t.test(`${variant}: every manifest fits the schema of Kubernetes`, async (t) => {
    t.ok(manifests.length > 5);
    for (const manifest of manifests) {
      t.doesNotThrow(() => validate(manifest), `${manifest.kind} ${manifest.metadata.name}`);
    }
  });

  t.test(`${variant}: pods are confined, and what they name exists`, async (t) => {
    const configMaps = kustomization.configMapGenerator;
    const secrets = kustomization.secretGenerator;
    for (const deployment of deployments) {
      const pod = deployment.spec.template.spec;
      const { name } = deployment.metadata;
      t.match(pod.securityContext, { runAsNonRoot: true, fsGroup: 33 }, name);
      for (const volume of pod.volumes) {
        const { configMap, secret } = volume;
        if (configMap) t.ok(configMaps.some((each) => each.name === configMap.name));
        if (secret) t.ok(secrets.some((each) => each.name === secret.secretName));
        if (secret) t.equal(secret.defaultMode.toString(8), "440", "of the group only");
      }
      for (const container of containersOf(deployment)) {
        const place = `${name}: ${container.name}`;
        t.match(container.securityContext, {
          runAsGroup: 33,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        t.ok(container.resources.limits["memory"], `${place}: its memory is limited`);
        t.ok(kustomization.images.some((each) => each.name === container.image));
        for (const mount of container.volumeMounts) {
          t.ok(
            pod.volumes.some((volume) => volume.name === mount.name),
            `${place}: ${mount.name}`,
          );
          const config = configMaps.find((each) => `${each.name}` === configMapOf(mount.name));
          if (mount.subPath) t.ok(config?.files.includes(mount.subPath), mount.subPath);
        }
        checkNames(t, container.image.replace("mod-ts-", ""), container);
      }

      function configMapOf(volume: string): string | undefined {
        return pod.volumes.find((each) => each.name === volume)?.configMap?.name;
      }
    }
  });

  t.test(`${variant}: Apache reads the secret that it shares, and no other`, async (t) => {
    const apaches = deployments.filter(({ metadata }) => metadata.name === "apache");
    t.equal(apaches.length, 1);
    for (const { spec } of apaches) {
      const { containers, volumes } = spec.template.spec;
      const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts);
      const secrets = volumes.filter(
        ({ name, secret }) => secret && mounted.some((mount) => mount.name === name),
      );
      t.strictSame(
        secrets.map(({ secret }) => secret?.items),
        [[{ key: "mod_ts_secret", path: "mod_ts_secret" }]],
      );
    }
  });

  t.test(`${variant}: secrets are files that the script makes`, async (t) => {
    const made = read("docker/secrets.sh");
    const files = kustomization.secretGenerator.flatMap((each) => each.files);
    const conf = read(`deploy/kubernetes/${variant}/stack.conf`);
    for (const file of files) t.match(made, file.replace("secrets/", ""), file);
    for (const [, name = ""] of conf.matchAll(/\/run\/secrets\/(\w+)/g)) {
      t.ok(files.includes(`secrets/${name}`), name);
    }
    for (const { files: named } of kustomization.configMapGenerator) {
      for (const file of named) t.ok(existsSync(join(project, "deploy/kubernetes", variant, file)));
    }
    t.match(read(".gitignore"), "deploy/kubernetes/*/secrets/");
  });

  t.test(`${variant}: selectors find pods`, async (t) => {
    const labels = deployments.map(({ spec }) => spec.template.metadata.labels);
    const isThere = (selector: Record<string, string>): boolean =>
      labels.some((each) => Object.entries(selector).every(([key, value]) => each[key] === value));
    for (const { spec } of deployments) t.ok(isThere(spec.selector.matchLabels));
    for (const { metadata, spec } of ofKind("Service")) {
      t.ok(isThere(spec["selector"] as Record<string, string>), metadata.name);
      const ports = deployments.flatMap(containersOf).flatMap((each) => each.ports ?? []);
      for (const { targetPort } of spec["ports"] as { targetPort: string }[]) {
        t.ok(
          ports.some(({ name }) => name === targetPort),
          `${metadata.name}: ${targetPort}`,
        );
      }
    }
    for (const { metadata, spec } of ofKind("PodDisruptionBudget")) {
      const { matchLabels } = spec["selector"] as { matchLabels: Record<string, string> };
      t.ok(isThere(matchLabels), metadata.name);
    }
    for (const { spec } of ofKind("HorizontalPodAutoscaler")) {
      const { name } = spec["scaleTargetRef"] as { name: string };
      const target = deployments.find(({ metadata }) => metadata.name === name);
      t.equal(target?.spec.replicas, undefined, "one of the two sets the number");
    }
    t.equal(ofKind("PodDisruptionBudget").length, deployments.length);
    t.ok(ofKind("NetworkPolicy").length > deployments.length, "and one that denies the rest");
  });

  t.test(`${variant}: an update takes no pod away before another one serves`, async (t) => {
    for (const deployment of deployments) {
      const { name } = deployment.metadata;
      const { strategy, template } = deployment.spec;
      t.equal(strategy.rollingUpdate.maxUnavailable, 0, name);
      const [main] = template.spec.containers;
      t.ok(main?.readinessProbe, `${name}: a probe says when it serves`);
      t.match(main?.lifecycle?.preStop.exec.command.join(" "), /sleep[ ,]5/, name);
      t.ok(template.spec.terminationGracePeriodSeconds >= 40, name);
    }
  });
}

/** What a container is told is what its image asks for. */
function checkNames(
  t: Test,
  image: string,
  container: ReturnType<typeof containersOf>[number],
): void {
  const files = image === "apache" ? ["entrypoint.sh", "httpd.conf", "healthcheck.sh"] : [];
  if (image === "sidecar") files.push("entrypoint.sh", "mod-ts.config.ts", "healthcheck.ts");
  const everything = [
    read(`docker/${image}.Dockerfile`),
    ...files.map((file) => read(`docker/${image}/${file}`)),
  ].join("\n");
  for (const { name } of container.env) t.match(everything, new RegExp(`\\b${name}\\b`), name);
  for (const { containerPort } of container.ports ?? []) {
    t.match(everything, new RegExp(`^EXPOSE .*\\b${containerPort}\\b`, "m"));
  }
  for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
    const file = probe?.exec?.command.find((word) => word.startsWith("/"));
    if (file) t.match(everything, file, `the image has ${file}`);
    const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
    if (port)
      t.ok(
        container.ports?.some(({ name }) => name === port),
        `port ${port}`,
      );
  }
}
