import type { Plan, RunEvent, RunEventBody } from '../../../src/model/index.ts';
import type { Drill } from '../../../src/service/drills.ts';
import type { DeliveryView } from '../../../src/service/notify/index.ts';
import type { ScheduleView } from '../../../src/service/schedules/records.ts';
import { pick } from './answers.ts';
import { DELIVERIES, DRILLS, SCHEDULES } from './story-stack.ts';
import { OPEN_PROPOSAL, STACK, stamped } from './story.ts';

export interface FixtureRun {
  readonly run: string;
  readonly plan: Plan;
  readonly events: RunEvent[];
  readonly startedAt: string;
  state: 'waiting' | 'running' | 'ended';
  etag: number;
  undone?: { readonly byRun: string };
}

export interface Asked {
  readonly call: string;
  readonly body: unknown;
  readonly key?: string;
  readonly ifMatch?: string;
}

/** What is so in a service without a cluster. */
export class World {
  readonly runs = new Map<string, FixtureRun>();
  readonly asked: Asked[] = [];
  readonly streams: string[] = [];
  readonly listeners = new Set<(text: string) => void>();
  readonly runListeners = new Map<string, Set<(event: RunEvent) => void>>();
  proposal = OPEN_PROPOSAL;
  schedules: readonly ScheduleView[] = SCHEDULES;
  /** The newest first. */
  drills: readonly Drill[] = DRILLS;
  deliveries: readonly DeliveryView[] = DELIVERIES;
  isAway = false;
  isLocked = false;
  mayAct = true;

  /** Tells every page. */
  changed(what: object): void {
    for (const tell of this.listeners) tell(`event: changed\ndata: ${JSON.stringify({ stack: STACK, ...what })}\n\n`);
  }

  create(id: string, plan: Plan, agoMs = 0): FixtureRun {
    const startedAt = new Date(Date.now() - agoMs).toISOString();
    const run: FixtureRun = { run: id, plan, events: [], startedAt, state: 'waiting', etag: 1 };
    this.runs.set(id, run);
    return run;
  }

  /** The run goes on by these. */
  go(id: string, bodies: readonly RunEventBody[]): void {
    const run = this.runs.get(id);
    if (run === undefined) throw new TypeError(`no run ${id}`);
    const last = run.events.at(-1)?.time ?? run.startedAt;
    const events = stamped(id, bodies, run.events.length, Date.parse(last));
    run.events.push(...events);
    for (const event of events) {
      if (event.type === 'approval.given') run.state = 'running';
      if (event.type === 'run.ended') run.state = 'ended';
      for (const tell of this.runListeners.get(id) ?? []) tell(event);
    }
    this.changed({ run: id });
  }

  beginDrill(store: string, backup: string): Drill {
    const startedAt = new Date().toISOString();
    const id = `${startedAt.replaceAll(/[-:.TZ]/g, '')}-drill`;
    const drill: Drill = { id, stack: STACK, store, backup, by: 'token:anna', startedAt, state: 'running' };
    this.drills = [drill, ...this.drills];
    return drill;
  }

  /** The newest drill is over; a service finds that out when somebody asks, and tells nobody. */
  endDrill(end: Pick<Drill, 'state' | 'result'>): void {
    const [newest, ...others] = this.drills;
    if (newest === undefined) throw new TypeError('no drill');
    this.drills = [{ ...newest, state: end.state, ...pick('result', end.result) }, ...others];
  }
}
