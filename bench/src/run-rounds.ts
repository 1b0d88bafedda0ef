import type { Case, Figures, Measure } from './measures/measure.ts';
import type { MeasureName } from './options.ts';
import type { ProcessGroup } from './process-group.ts';
import { processStats } from './process-stats.ts';
import type { Subject } from './subject.ts';

/** Everything measured of one subject in one case: one entry a round. */
export interface Row {
  measure: MeasureName;
  case: string;
  subject: string;
  /** null: this round failed, see `failures`. */
  rounds: (Figures | null)[];
  failures: string[];
}

/**
 * Runs every case of `measure` against every subject, `repeats` times. Subjects take turns within a round, and each
 * round begins with another one, so that a slow minute of the machine hits all alike.
 */
export async function runRounds(
  measure: Measure,
  subjects: readonly Subject[],
  repeats: number,
  parent: ProcessGroup,
  log: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const one of measure.cases()) {
    const taking = subjects.filter((subject) => one.accepts(subject));
    const own = taking.map((subject): Row => ({
      measure: measure.name,
      case: one.name,
      subject: subject.name,
      rounds: [],
      failures: [],
    }));
    for (let round = 0; round < repeats; round += 1) {
      for (let turn = 0; turn < taking.length; turn += 1) {
        const index = (turn + round) % taking.length;
        const subject = taking[index];
        const row = own[index];
        if (subject !== undefined && row !== undefined) await runOnce(one, subject, row, parent.child());
      }
      log(`${measure.title}, ${one.name}: round ${round + 1} of ${repeats}`);
    }
    rows.push(...own);
  }
  return rows;
}

async function runOnce(one: Case, subject: Subject, row: Row, group: ProcessGroup): Promise<void> {
  try {
    let before = await cpuByRole(subject);
    const { figures, work } = await one.run({
      group,
      subject,
      first: row.rounds.length === 0,
      started: async () => {
        before = await cpuByRole(subject);
      },
    });
    const after = await cpuByRole(subject);
    for (const [role, seconds] of Object.entries(after)) {
      figures[`cpu ${role}`] = (seconds - (before[role] ?? 0)) / work;
    }
    row.rounds.push(figures);
  } catch (error) {
    row.rounds.push(null);
    row.failures.push(error instanceof Error ? error.message : String(error));
  } finally {
    await group.stop();
  }
}

async function cpuByRole({ processes }: Subject): Promise<Record<string, number>> {
  const seconds = Object.entries(processes).map(
    async ([role, pids]) => [role, (await processStats(pids)).cpuSeconds] as const,
  );
  return Object.fromEntries(await Promise.all(seconds));
}
