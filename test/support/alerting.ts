import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPrometheus } from '../../src/toolchain/prometheus.ts';
import { kubectlFor } from './kubectl.ts';

/** Real Prometheus and Alertmanager, from a Service of the sandbox to a webhook. */
export interface Alerting extends AsyncDisposable {
  readonly alertmanager: string;
  readonly prometheus: string;
  /** How many notifications Alertmanager has sent to the webhook, and how many of them were not taken. */
  sent(): Promise<{ readonly all: number; readonly failed: number }>;
  /** Gives Alertmanager an alert as Prometheus would; one whose end has passed is over. */
  fire(labels: Readonly<Record<string, string>>, startsAt: Date, endsAt: Date): Promise<void>;
}

export interface AlertingOptions {
  readonly kubeconfig: string;
  /** What is scraped, through the API server. */
  readonly scrape: {
    readonly namespace: string;
    readonly service: string;
    readonly path: string;
    readonly stack: string;
  };
  /** Text of a file of rules. */
  readonly rules: string;
  readonly webhook: { readonly url: string; readonly token: string };
}

/** Everything repeats as often as it can: what is quick to alert is quick to test, and as hard on who is told. */
export async function alerting({ kubeconfig, scrape, rules, webhook }: AlertingOptions): Promise<Alerting> {
  const tools = await findPrometheus();
  const dir = await mkdtemp(join(tmpdir(), 'backstay-alerting-'));
  const children: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(dir, { recursive: true, force: true });
  };
  const start = async (program: string, args: readonly string[], ready: string): Promise<string> => {
    const child = spawn(program, [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    return `http://${await listening(child, program, ready)}`;
  };
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(dir, name);
    // JSON is YAML.
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
    return path;
  };
  try {
    const http_config = { authorization: { type: 'Bearer', credentials_file: await file('token', webhook.token) } };
    const alertmanager = await start(
      tools.alertmanager,
      [
        `--config.file=${await file('alertmanager.yml', {
          route: {
            receiver: 'backstay',
            group_by: ['alertname', 'stack'],
            group_wait: '100ms',
            group_interval: '1s',
            repeat_interval: '1s',
          },
          receivers: [{ name: 'backstay', webhook_configs: [{ url: webhook.url, send_resolved: true, http_config }] }],
        })}`,
        `--storage.path=${join(dir, 'alertmanager')}`,
        '--web.listen-address=127.0.0.1:0',
        '--cluster.listen-address=',
      ],
      'Listening on',
    );
    const cluster = await credentialsOf(kubeconfig);
    const tls_config = {
      ca_file: await file('ca.pem', cluster.ca),
      cert_file: await file('cert.pem', cluster.cert),
      key_file: await file('key.pem', cluster.key),
    };
    const server = new URL(cluster.server);
    const prometheus = await start(
      tools.prometheus,
      [
        `--config.file=${await file('prometheus.yml', {
          global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
          rule_files: [await file('rules.yaml', rules)],
          alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanager).host] }] }] },
          scrape_configs: [
            {
              job_name: scrape.service,
              scheme: 'https',
              metrics_path: `/api/v1/namespaces/${scrape.namespace}/services/${scrape.service}:80/proxy${scrape.path}`,
              tls_config,
              static_configs: [{ targets: [server.host], labels: { stack: scrape.stack } }],
            },
          ],
        })}`,
        `--storage.tsdb.path=${join(dir, 'prometheus')}`,
        '--web.listen-address=127.0.0.1:0',
      ],
      'Server is ready',
    );
    return {
      alertmanager,
      prometheus,
      sent: async () => {
        const text = await (await fetch(`${alertmanager}/metrics`)).text();
        const count = (name: string): number =>
          Number(new RegExp(`^${name}\\{[^}]*integration="webhook"[^}]*\\} (\\S+)`, 'm').exec(text)?.[1] ?? 0);
        return {
          all: count('alertmanager_notifications_total'),
          failed: count('alertmanager_notifications_failed_total'),
        };
      },
      fire: async (labels, startsAt, endsAt) => {
        const alert = { labels, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() };
        const { status } = await fetch(`${alertmanager}/api/v2/alerts`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify([alert]),
        });
        if (status !== 200) throw new TypeError(`Alertmanager answers ${status}`);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listening(child: ChildProcess, program: string, ready: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /Listening on"? address=(\S+)/.exec(said)?.[1];
      if (found !== undefined && said.includes(ready)) resolve(found);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new TypeError(`${program} ended: ${said}`)));
  });
}

/** How an administrator reaches the API server, as PEM. */
async function credentialsOf(kubeconfig: string): Promise<{ server: string; ca: string; cert: string; key: string }> {
  const kubectl = await kubectlFor(kubeconfig);
  const { clusters, users } = JSON.parse(
    await kubectl(['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json']),
  ) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
  };
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
  return {
    server: cluster.server,
    ca: text(cluster['certificate-authority-data']),
    cert: text(user['client-certificate-data']),
    key: text(user['client-key-data']),
  };
}
