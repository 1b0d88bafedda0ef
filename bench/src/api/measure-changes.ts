import type { AgentProcess } from '@tunnox/testing/agent';
import { freePort } from '@tunnox/testing/free-port';
import { runManaged } from '../peers/tunnox-agent.ts';
import type { ProcessGroup } from '../process-group.ts';
import { quantile } from '../stats.ts';
import type { ApiPlatform } from './api-platform.ts';

/** One kind of change, all times from the moment when the request is sent. */
export interface ChangeRow {
  change: 'create' | 'update' | 'disable' | 'enable' | 'delete';
  count: number;
  /** Until the agent says that it has put it into effect. */
  applied: { p50Ms: number; p99Ms: number };
  /** Until the API answers: it waits for the agent, except for a delete. */
  answered: { p50Ms: number; p99Ms: number };
}

interface ShownBinding {
  binding_id: string;
  target: string | null;
}

type Shown = (bindings: ShownBinding[]) => boolean;

/** A mapping of a real agent at a real relay is made, changed, switched off and on, and deleted, again and again. */
export async function measureChanges(
  { platform, user }: ApiPlatform,
  count: number,
  group: ProcessGroup,
  log: (line: string) => void,
): Promise<ChangeRow[]> {
  log(`api: ${count} changes of each kind until an agent has applied them`);
  const client = await user.clients.create({ client_name: 'watched' });
  const source = await user.clients.create({ client_name: 'its source' });
  const { agent } = await runManaged(group, platform, client, 'tls');
  const local_port = await freePort();
  const times = new Times(agent);
  const ends = { source_client_id: source.client_id, target_client_id: client.client_id, local_port };

  for (let round = 0; round < count; round += 1) {
    const made = await times.take(
      'create',
      () => user.mappings.create({ ...ends, target_port: 80 }),
      (bindings) => bindings.length === 1,
    );
    const { mapping_id } = made;
    await times.take(
      'update',
      () => user.mappings.update(mapping_id, { target_port: 81 }),
      (bindings) => bindings[0]?.target?.endsWith(':81') === true,
    );
    await times.take(
      'disable',
      () => user.mappings.update(mapping_id, { enabled: false }),
      (bindings) => bindings.length === 0,
    );
    await times.take(
      'enable',
      () => user.mappings.update(mapping_id, { enabled: true }),
      (bindings) => bindings.length === 1,
    );
    await times.take(
      'delete',
      () => user.mappings.delete(mapping_id),
      (bindings) => bindings.length === 0,
    );
  }
  await agent.stop();
  return times.rows(count);
}

/** Two clocks for each change: the agent's event and the API's answer, whichever comes first. */
class Times {
  readonly #agent: AgentProcess;
  readonly #times = new Map<ChangeRow['change'], { applied: number[]; answered: number[] }>();

  constructor(agent: AgentProcess) {
    this.#agent = agent;
  }

  async take<T>(change: ChangeRow['change'], call: () => Promise<T>, shown: Shown): Promise<T> {
    const sentMs = performance.now();
    const answering = call().then((answer) => ({ answer, ms: performance.now() - sentMs }));
    const applying = this.#applied(shown).then(() => performance.now() - sentMs);
    const [{ answer, ms }, appliedMs] = await Promise.all([answering, applying]);
    const held = this.#times.get(change) ?? { applied: [], answered: [] };
    held.applied.push(appliedMs);
    held.answered.push(ms);
    this.#times.set(change, held);
    return answer;
  }

  rows(count: number): ChangeRow[] {
    return [...this.#times].map(([change, { applied, answered }]) => ({
      change,
      count,
      applied: quantiles(applied),
      answered: quantiles(answered),
    }));
  }

  async #applied(shown: Shown): Promise<void> {
    for (;;) {
      const event = await this.#agent.next('config');
      if (shown(event['bindings'] as ShownBinding[])) return;
    }
  }
}

function quantiles(values: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}
