import { fill, NOTICE_PLACEHOLDERS, type NotificationSetting, placeholdersIn } from '../../model/index.ts';
import type { Message } from './channel.ts';
import type { Telling, Values } from './telling.ts';
import { type BuiltIn, PUBLIC_ILL, PUBLIC_TEXTS, TEXTS } from './texts.ts';

/** What a template shows for what is not known: the same words as in hooks. */
const NOTHING_GIVEN = Object.fromEntries(NOTICE_PLACEHOLDERS.map((name) => [name, 'none given']));

/** The words for one channel. `page` is where people reach the service's page. */
export function render(
  telling: Telling,
  setting: Pick<NotificationSetting, 'kind' | 'templates'>,
  page?: string,
): Message {
  const { id, subject, notice, stack, run, proposal, at, effect } = telling;
  const values = { ...telling.values, ...linkOf(telling, page) };
  const shown = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, ESCAPES[setting.kind](value)]));
  const template = setting.templates?.[isIllForAll(telling, setting.kind) ? 'run.stuck' : notice];
  const builtIn = builtInOf(telling, setting.kind);
  return {
    id,
    subject,
    notice,
    stack,
    ...(run === undefined ? {} : { run }),
    ...(proposal === undefined ? {} : { proposal }),
    at,
    effect,
    title: fill(builtIn.title, shown),
    text: template === undefined ? linesOf(builtIn, shown) : fill(template, { ...NOTHING_GIVEN, ...shown }),
    ...(values.link === undefined ? {} : { link: values.link }),
    // A status page is for everybody.
    values: setting.kind === 'status' ? {} : values,
  };
}

function builtInOf(telling: Telling, kind: NotificationSetting['kind']): BuiltIn {
  if (kind !== 'status') return TEXTS[telling.notice];
  return isIllForAll(telling, kind) ? PUBLIC_ILL : PUBLIC_TEXTS[telling.notice];
}

/** Users take an end for a good one. Of any other they are told that the work goes on, in whosever words. */
function isIllForAll({ notice, effect }: Telling, kind: NotificationSetting['kind']): boolean {
  return kind === 'status' && notice === 'run.ended' && effect !== 'closes';
}

function linesOf({ lines }: BuiltIn, values: Readonly<Record<string, string>>): string {
  return lines
    .filter((line) => placeholdersIn(line).every((name) => Object.hasOwn(values, name)))
    .map((line) => fill(line, values))
    .join('\n');
}

function linkOf({ run, proposal }: Telling, page: string | undefined): Pick<Values, 'link'> {
  if (page === undefined) return {};
  if (run !== undefined) return { link: `${page}/#/runs/${encodeURIComponent(run)}` };
  return proposal === undefined ? {} : { link: `${page}/#/proposals/${encodeURIComponent(proposal)}` };
}

/** What came from outside (an alert, a reason) may not call out a channel, forge a mark or bring markup of its own. */
const marked = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const plain = (text: string): string => text;
const ESCAPES: Readonly<Record<NotificationSetting['kind'], (text: string) => string>> = {
  slack: marked,
  github: marked,
  pagerduty: plain,
  webhook: plain,
  status: plain,
};
