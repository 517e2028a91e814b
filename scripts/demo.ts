/**
 * The main job, played on the sandbox: a stack that was good, a release that is not, one command that takes all of it
 * back. Everything goes through the published CLI (`bin/backstay`); this script only stands where the users, Slack and
 * GitHub would.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Backstay } from './demo-cli.ts';
import { startReceivers } from './demo-receivers.ts';
import { type DemoService, startService, untilInterrupted } from './demo-serve.ts';
import { describeLibrary, describeUpload, library, reindex, upload } from './demo-users.ts';

const STACK = 'medical-kg';
const root = fileURLToPath(new URL('..', import.meta.url));
const keep = process.argv.includes('--keep');
/** The last step goes over the service, and is watched on its page. */
const serve = process.argv.includes('--serve');
const serving: { service?: DemoService } = {};
const started = Date.now();

const home = mkdtempSync(join(tmpdir(), 'backstay-demo-'));
const receivers = await startReceivers();
const env: NodeJS.ProcessEnv = {
  ...process.env,
  BACKSTAY_PROJECT_DIR: root,
  BACKSTAY_STATE_DIR: join(home, 'state'),
  BACKSTAY_CONFIG_DIR: join(home, 'config'),
  BACKSTAY_SNAPSHOTS_DIR: join(home, 'snapshots'),
  SLACK_WEBHOOK_URL: receivers.slackUrl,
  GITHUB_API_URL: receivers.issueApi,
  GITHUB_TOKEN: 'demo-token-for-loopback-only',
};
mkdirSync(join(home, 'state'), { recursive: true });
const backstay = new Backstay(join(root, 'bin', 'backstay'), env, root);

const title = (text: string): void => console.log(`\n\u001b[1m━━ ${text}\u001b[0m`);
const say = (text: string): void => console.log(`   ${text}`);

async function play(): Promise<void> {
  title('1  A cluster on this machine (real API server, pods as local processes)');
  // All of them first and in sight: a build that starts inside a quiet command looks like a demo that hangs.
  await backstay.show(['toolchain', 'get']);
  await backstay.show(['sandbox', 'up']);
  const sandbox = await backstay.json<{ info: { ingress: string; kubeconfig: string } }>(['sandbox', 'status']);
  env['KUBECONFIG'] = sandbox.info.kubeconfig;
  for (const stack of ['medical-kg-monitoring', STACK]) await backstay.quiet(['keys', 'init', stack]);

  title('2  The stack as it was good: PDFs go to MinerU (v1.2.2)');
  await backstay.quiet([
    'import-manifests',
    'medical-kg-monitoring',
    'examples/medical-kg/monitoring',
    '--as',
    'monitoring',
  ]);
  await backstay.quiet(['apply', 'medical-kg-monitoring', '--to', 'monitoring', '--yes', '--reason', 'demo set-up']);
  await backstay.quiet(['import-manifests', STACK, 'examples/medical-kg/mineru', '--as', 'mineru-archive']);
  await backstay.quiet([
    'rollback',
    STACK,
    '--to',
    'mineru-archive',
    '--scope',
    'database',
    '--yes',
    '--reason',
    'demo set-up',
  ]);
  await backstay.quiet(['apply', STACK, '--to', 'mineru-archive', '--yes', '--reason', 'demo set-up']);
  await Promise.all([upload(sandbox.info.ingress), upload(sandbox.info.ingress, 'canary-two.pdf')]);
  await backstay.show(['capture', STACK, '--as', 'v1.2.2', '--note', 'archived MinerU state']);
  await backstay.show(['db', 'backup', STACK]);

  title('3  A release: PDFs now go to Docling (v1.3.0), and it goes bad');
  await backstay.quiet(['import-manifests', STACK, 'examples/medical-kg/docling', '--as', 'v1.3.0']);
  await backstay.quiet(['apply', STACK, '--to', 'v1.3.0', '--yes', '--reason', 'release v1.3.0']);
  say(`before the fault:  ${describeUpload(await upload(sandbox.info.ingress))}`);
  await backstay.show(['sandbox', 'fault', 'production/docling-vlm', 'delay=3', 'errors=60']);
  const broken = await upload(sandbox.info.ingress);
  say(`with the fault:    ${describeUpload(broken)}`);
  await reindex(sandbox.info.ingress);
  const damaged = await library(sandbox.info.ingress);
  say(`and its nightly reindexing leaves ${describeLibrary(damaged)}`);

  title('4  Is it the right runbook? (alerts firing, dependencies healthy)');
  await untilAlert(sandbox.info.ingress);
  await backstay.show(['check', STACK, '--runbook']);

  title('5  What differs from the last known good');
  await backstay.show(['list', STACK]);
  await backstay.show(['diff', STACK, '--to', 'v1.2.2']);

  const back = ['rollback', STACK, '--to', 'v1.2.2', '--restore', 'postgres=latest'];
  title('6  What would be done (--dry-run changes nothing)');
  await backstay.show([...back, '--dry-run']);

  title('7  One command for all of it: data restored beside, counted and exchanged at once, then the application');
  const reason = 'Docling is slow and failing, and v1.3.0 emptied documents';
  const incident = 'https://pagerduty.example/incidents/Q1W2E3';
  if (serve) await overService(reason, incident);
  else await backstay.show([...back, '--yes', '--validate-before', '--reason', reason, '--incident', incident]);
  const repaired = await upload(sandbox.info.ingress);

  title('8  Summary');
  say(`documents     ${describeLibrary(damaged)}; now ${describeLibrary(await library(sandbox.info.ingress))}`);
  await summarise(broken, repaired);
}

/** The same over HTTP, with its page to watch; the service stays until the demo ends. */
async function overService(reason: string, incident: string): Promise<void> {
  const service = await startService(join(root, 'bin', 'backstay'), env, root);
  serving.service = service;
  say(`the page is at   ${service.url}/`);
  const options = { validateBefore: true, reason, incident, data: { restore: { postgres: 'latest' } } };
  const run = await service.rollback(STACK, { target: 'v1.2.2', options });
  say(`watch the run at ${service.url}/#/runs/${run}`);
  say(`it ended:        ${await service.ended(run)}`);
}

/** Users keep sending documents; that is what the alert is computed from. Ends when the runbook's precondition holds. */
async function untilAlert(ingress: string): Promise<void> {
  const limit = Date.now() + 60_000;
  while (Date.now() < limit) {
    if ((await backstay.exitCode(['check', STACK, '--runbook'])) === 0) return;
    await Promise.all([upload(ingress), upload(ingress)]);
  }
  throw new TypeError('the alert did not fire within a minute');
}

async function summarise(
  broken: Awaited<ReturnType<typeof upload>>,
  repaired: Awaited<ReturnType<typeof upload>>,
): Promise<void> {
  const { items } = await backstay.json<{
    items: readonly { run: string; outcome: string; durationMs: number; downMs?: number; report?: string }[];
  }>(['history', STACK]);
  const [run] = items;
  say(`broken        ${describeUpload(broken)}`);
  say(`now           ${describeUpload(repaired)}`);
  say(`run           ${run?.run ?? '?'}: ${run?.outcome ?? '?'} in ${((run?.durationMs ?? 0) / 1000).toFixed(1)} s`);
  say(`downtime      ${run?.downMs === undefined ? 'not measured' : `${(run.downMs / 1000).toFixed(1)} s measured`}`);
  say(`announced     ${receivers.announcements.at(-1)?.split('\n')[0] ?? 'nothing'}`);
  say(`ticket        ${receivers.tickets.at(-1)?.title ?? 'none'}`);
  if (run?.report !== undefined) {
    say(`report        ${run.report}${keep ? '' : '  (kept only with --keep)'}`);
    printSections(readFileSync(run.report, 'utf8'), ['Where the time went', 'Checks before and after']);
  }
  say(`the demo took ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** Prints some sections of the report as they are. */
function printSections(report: string, titles: readonly string[]): void {
  for (const section of report.split(/^## /m).slice(1)) {
    if (!titles.some((title) => section.startsWith(title))) continue;
    console.log(
      `\n${section
        .trimEnd()
        .split('\n')
        .map((line) => `   │ ${line}`)
        .join('\n')}`,
    );
  }
}

let failed = false;
try {
  await play();
  if (serving.service !== undefined) {
    console.log(`\nThe page stays at ${serving.service.url}/ until you press Ctrl-C.`);
    await untilInterrupted();
  }
} catch (error) {
  failed = true;
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
} finally {
  await serving.service?.stop();
  if (keep) {
    console.log(
      `\nThe sandbox stays up. To look around:\n  export BACKSTAY_STATE_DIR=${env['BACKSTAY_STATE_DIR']} BACKSTAY_CONFIG_DIR=${env['BACKSTAY_CONFIG_DIR']} BACKSTAY_SNAPSHOTS_DIR=${env['BACKSTAY_SNAPSHOTS_DIR']} KUBECONFIG=${env['KUBECONFIG'] ?? ''}`,
    );
  } else {
    await backstay.quiet(['sandbox', 'down']).catch(() => undefined);
    if (!failed) rmSync(home, { recursive: true, force: true });
  }
  receivers.close();
}
process.exitCode = failed ? 1 : 0;
