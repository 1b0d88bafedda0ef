import { setTimeout as delay } from 'node:timers/promises';
import type { IdleParams } from '../load/idle-client.ts';
import { startPeer } from '../peers/start-peer.ts';
import type { ProcessGroup } from '../process-group.ts';
import { processStats } from '../process-stats.ts';
import type { Row } from '../run-rounds.ts';
import type { Peer, PeerStart, Subject } from '../subject.ts';
import { startTarget } from '../target.ts';
import type { Figures } from './measure.ts';

export interface IdleOptions {
  /** Open tunnels at which memory is read, ascending. */
  levels: readonly number[];
  repeats: number;
  /** Between the last opening and the reading: garbage of the opening may go. */
  settleMs: number;
}

const KB = 1024;
const PER_TUNNEL_TIMEOUT_MS = 20;
const SLACK_MS = 30_000;

/**
 * Memory of open tunnels that say nothing, in KB for each tunnel and role. Each round gives each peer fresh
 * processes, because memory that was once used is not given back: growth shows only from the start.
 *
 * @param peers Measured by their first subject that carries bytes and has processes.
 * @param presence Told whether each peer is there.
 */
export async function measureIdle(
  peers: readonly Peer[],
  options: IdleOptions,
  parent: ProcessGroup,
  presence: (peer: Peer, started: PeerStart) => void,
  log: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let round = 0; round < options.repeats; round += 1) {
    for (const peer of peers) {
      const group = parent.child();
      try {
        const started = await startPeer(peer, { group, target: await startTarget(group) });
        presence(peer, started);
        const subject = started.kind === 'ready' ? started.subjects.find(canIdle) : undefined;
        if (subject?.bytes !== undefined) await hold(group, subject, subject.bytes, options, rows);
      } finally {
        await group.stop();
      }
      log(`Idle memory, ${peer.name}: round ${round + 1} of ${options.repeats}`);
    }
  }
  return rows;
}

function canIdle({ bytes, processes }: Subject): boolean {
  return bytes !== undefined && Object.keys(processes).length > 0;
}

/** Opens level after level and reads memory at each; a level that cannot be reached ends the round. */
async function hold(
  group: ProcessGroup,
  subject: Subject,
  params: IdleParams,
  { levels, settleMs }: IdleOptions,
  rows: Row[],
): Promise<void> {
  const client = group.startLoad('idle-client.ts', params);
  await openAll(client, 1);
  const before = await memoryByRole(subject);
  for (const level of levels) {
    const row = rowOf(rows, subject.name, level);
    try {
      await openAll(client, level);
      await delay(settleMs);
      row.rounds.push(perTunnel(before, await memoryByRole(subject), level));
    } catch (error) {
      row.rounds.push(null);
      row.failures.push(error instanceof Error ? error.message : String(error));
      return;
    }
  }
}

async function openAll(client: ReturnType<ProcessGroup['startLoad']>, total: number): Promise<void> {
  client.send({ total });
  const { open, failed } = await client.json<{ open: number; failed: number }>(
    total * PER_TUNNEL_TIMEOUT_MS + SLACK_MS,
  );
  if (open < total) throw new Error(`${open} of ${total} tunnels are open, ${failed} failed`);
}

function rowOf(rows: Row[], subject: string, level: number): Row {
  const name = `${level.toLocaleString('en').replaceAll(',', ' ')} tunnels`;
  const known = rows.find((row) => row.subject === subject && row.case === name);
  if (known !== undefined) return known;
  const row: Row = { measure: 'idle', case: name, subject, rounds: [], failures: [] };
  rows.push(row);
  return row;
}

function perTunnel(before: Figures, after: Figures, tunnels: number): Figures {
  return Object.fromEntries(
    Object.entries(after).map(([role, bytes]) => [role, (bytes - (before[role] ?? 0)) / KB / tunnels]),
  );
}

async function memoryByRole({ processes }: Subject): Promise<Figures> {
  const bytes = Object.entries(processes).map(
    async ([role, pids]) => [role, (await processStats(pids)).rssBytes] as const,
  );
  return Object.fromEntries(await Promise.all(bytes));
}
