import type { Domain, DomainSetup, SetupStep } from '@tunnox/domain/api/domains';
import { ageText } from '../output/age.ts';

const PARTS = [
  ['ownership', 'Ownership'],
  ['dns', 'DNS'],
  ['challenge', 'Challenge'],
  ['certificate', 'Certificate'],
] as const satisfies [keyof DomainSetup, string][];

const MARKS: Record<SetupStep['state'], string> = { done: 'ok', todo: 'to do', waiting: 'waiting', problem: 'problem' };

/** For people: what a name has of what it needs, and which records are missing. */
export function explainDomain({ full_domain: name, setup, base_domain: base }: Domain, nowMs: number): string[] {
  if (setup === null) return [`${name} lies under ${base ?? 'a base domain'}: there is nothing to set up`];
  const steps = PARTS.flatMap(([part, label]) => stepLines(label, setup[part]));
  const open = PARTS.filter(([part]) => setup[part].state !== 'done').length;
  return [
    `${name}: ${open === 0 ? 'everything is done' : `${open} of ${PARTS.length} are not done`}`,
    '',
    ...steps,
    '',
    `As of the last look, ${ageText(setup.checked_at, nowMs)}. \`tunnox domains verify ${name}\` looks again.`,
  ];
}

function stepLines(label: string, { state, detail, todo }: SetupStep): string[] {
  const width = Math.max(...todo.map(({ name }) => name.length), 0);
  return [
    `${label.padEnd(13)}${MARKS[state].padEnd(9)}${detail}`,
    ...(state === 'done'
      ? []
      : todo.map(({ type, name, value }) => `  ${type.padEnd(5)} ${name.padEnd(width)}  ${value}`)),
  ];
}
