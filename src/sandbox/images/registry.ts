import { fileURLToPath } from 'node:url';
import type { SandboxImage } from '../contract.ts';

const entry = (folder: string): string => fileURLToPath(new URL(`./${folder}/main.ts`, import.meta.url));

/** Releases of Medical_KG. v1.2.2 is the last good one of the example, v1.3.0 the one that brought Docling. */
const RELEASES = ['v1.2.0', 'v1.2.1', 'v1.2.2', 'v1.3.0', 'v1.3.1'];

/** Releases of Paperless Maverick. v1.2.2 is the last good one; v1.2.3 renames a column, v1.2.4 damages data. */
const PAPERLESS = ['v1.2.2', 'v1.2.3', 'v1.2.4'];

/** Releases of Summit. v4.0.5 adds to the schema, v4.1.0 breaks older releases by it, v4.1.1 damages data. */
const SUMMIT = ['v4.0.4', 'v4.0.5', 'v4.1.0', 'v4.1.1'];

/** Releases of Keiko. v1.3.0 cannot find anything any more. */
const KEIKO = ['v1.2.0', 'v1.3.0'];

/** One program is each of them. */
const KEIKO_SERVICES = ['auth-service', 'search-service', 'document-service', 'chat-service', 'gateway-bff'];

/** What the sandbox can run. Plain data: the programs are loaded only in the pods' own processes. */
export const SANDBOX_IMAGES: readonly SandboxImage[] = [
  { repository: 'medical-kg-rev/gateway', tags: RELEASES, entry: entry('gateway') },
  { repository: 'medical-kg-rev/pdf-orchestrator', tags: RELEASES, entry: entry('pdf-orchestrator') },
  { repository: 'medical-kg-rev/mineru-parser', tags: RELEASES, entry: entry('mineru-parser') },
  { repository: 'medical-kg-rev/docling-vlm', tags: RELEASES, entry: entry('docling-vlm') },
  { repository: 'medical-kg-rev/services', tags: RELEASES, entry: entry('services') },
  { repository: 'medical-kg-rev/kg-monitor', tags: RELEASES, entry: entry('kg-monitor') },
  { repository: 'paperless-maverick', tags: PAPERLESS, entry: entry('paperless-maverick'), env: { PORT: '3000' } },
  {
    repository: 'embedding-queue-workers',
    tags: PAPERLESS,
    entry: entry('embedding-queue-workers'),
    env: { PORT: '3001' },
  },
  {
    repository: 'intelgraph-server',
    tags: SUMMIT,
    entry: entry('intelgraph-server'),
    env: { PATH: `${fileURLToPath(new URL('./intelgraph-server/bin', import.meta.url))}:$(PATH)` },
    note: 'Has Alembic on its PATH: that of this machine, or fetched when the first container starts.',
  },
  { repository: 'intelgraph-ui', tags: SUMMIT, entry: entry('intelgraph-ui') },
  ...KEIKO_SERVICES.map((service) => ({
    repository: `keiko/${service}`,
    tags: KEIKO,
    entry: entry('keiko'),
    env: { SERVICE_NAME: service },
  })),
  {
    repository: 'postgres',
    tags: ['14', '15', '16', '17', '18'],
    entry: entry('postgres'),
    note: 'Any tag is served by the PostgreSQL of this machine, of that major version where there is one. Never runs as root.',
  },
  {
    repository: 'neo4j',
    tags: ['5', '5.26', '5.26.30', '5-community', '5.26-community', '5.26.30-community'],
    entry: entry('neo4j'),
    env: {
      NEO4J_server_directories_data: '/data',
      PATH: `${fileURLToPath(new URL('./neo4j/bin', import.meta.url))}:$(PATH)`,
    },
    note: 'Neo4j Community 5.26 of this machine, or fetched. Bolt alone: its browser and HTTP are off. Runs as the user of the sandbox.',
  },
  {
    repository: 'redis',
    tags: ['7', '7.0', '7.2', '7.4', '8'],
    entry: entry('redis'),
    note: 'Any tag is served by the Redis of this machine, or the one that its Debian has. Never runs as root.',
  },
  {
    repository: 'prom/alertmanager',
    tags: ['v0.25.0', 'v0.28.1'],
    entry: entry('alertmanager'),
    env: { PORT: '9093' },
    note: 'A stand-in that speaks the v2 API for alerts, without silences, grouping or notifications.',
  },
  {
    repository: 'backstay/echo',
    tags: ['v1', 'v2', 'v3'],
    entry: entry('echo'),
    env: { PORT: '8080' },
    note: 'For tests.',
  },
];
