import { aboutDatabases, aboutNames, aboutStorage } from './inside.ts';
import { aboutDrift, aboutEngine, aboutFlags, aboutKeys, aboutLease, aboutRuns, aboutSnapshots } from './own.ts';
import { aboutEvents, aboutPods, aboutResources } from './pods.ts';
import { aboutIngresses, aboutServices } from './traffic.ts';
import {
  type Diagnosis,
  type Finding,
  type Grade,
  type Observations,
  type Said,
  type Section,
  SECTIONS,
} from './types.ts';
import { aboutRevisions, aboutWorkloads } from './workloads.ts';

/** A text: why it cannot be told. */
const ABOUT: Readonly<Record<Section, (seen: Observations) => Said | string>> = {
  workloads: aboutWorkloads,
  revisions: aboutRevisions,
  pods: aboutPods,
  events: aboutEvents,
  services: aboutServices,
  ingress: aboutIngresses,
  resources: aboutResources,
  names: aboutNames,
  databases: aboutDatabases,
  storage: aboutStorage,
  lease: aboutLease,
  runs: aboutRuns,
  snapshots: aboutSnapshots,
  keys: aboutKeys,
  flags: aboutFlags,
  drift: aboutDrift,
  engine: aboutEngine,
};

const ORDER: readonly Grade[] = ['bad', 'warn', 'unknown', 'ok'];

/** What is wrong with a stack, from one look at it. Pure; what could not be measured is unknown, never fine. */
export function diagnose(seen: Observations): Diagnosis {
  const said = SECTIONS.map((section) => ({ section, said: ABOUT[section](seen) }));
  const findings = said
    .flatMap(({ section, said }) =>
      typeof said === 'string' ? [] : said.findings.map((finding): Finding => ({ section, ...finding })),
    )
    .sort((a, b) => ORDER.indexOf(a.grade) - ORDER.indexOf(b.grade));
  const sections = said.map(({ section, said }) => {
    if (typeof said === 'string') return { section, grade: 'unknown' as const, message: said };
    const grade = worst(said.findings.map((finding) => finding.grade));
    const number = said.findings.length;
    return { section, grade, message: number === 0 ? said.summary : `${number} to look at` };
  });
  return { grade: worst(findings.map(({ grade }) => grade)), findings, sections };
}

function worst(grades: readonly Grade[]): Grade {
  return ORDER.find((grade) => grades.includes(grade)) ?? 'ok';
}
