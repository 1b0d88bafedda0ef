import type { Clock } from '../clock.ts';
import type { AgentSession } from './agent-session.ts';
import { HelloRefused } from './check-hello.ts';
import type { AttachmentAuthority, AttachOutcome } from './ports.ts';
import type { Objection, SessionRegistry } from './session-registry.ts';

/** How long a welcome waits for the control plane. After that the ticket has to do, until the answer comes. */
const ATTACH_WAIT_MS = 2_000;

export interface AttachDeps {
  authority: AttachmentAuthority;
  registry: SessionRegistry;
  clock: Clock;
}

/**
 * Asks the control plane for an agent that has shown a good ticket and lets it serve. When the control plane is away or
 * slow, the ticket and what is remembered of the client decide, and its answer is applied when it comes.
 *
 * @throws {HelloRefused} when the agent may not serve, or has gone meanwhile
 */
export async function attachSession(deps: AttachDeps, agent: AgentSession): Promise<void> {
  const { authority, registry, clock } = deps;
  const { client } = agent;
  refuse(registry.objection(client));
  registry.arriving(agent);
  const answer = authority.attach(client).catch((): AttachOutcome => ({ kind: 'unreachable' }));
  const outcome = await withinTime(answer, clock);
  if (agent.closed) {
    // The control plane may have it as attached, or be about to.
    void answer.then((late) => {
      if (late.kind !== 'refused') authority.detach(client);
    });
    throw new HelloRefused('unavailable', 'The connection has ended');
  }
  switch (outcome.kind) {
    case 'accepted':
      agent.applyPolicy(outcome.policy, false);
      break;
    case 'refused':
      refuse(outcome);
      break;
    case 'late':
      void answer.then((late) => applyLate(deps, agent, late));
      refuse(registry.rememberedObjection(client));
      break;
    case 'unreachable':
      refuse(registry.rememberedObjection(client));
      break;
  }
  // A later connection of the same process may have overtaken this one during the wait.
  refuse(registry.objection(client));
  registry.attach(agent, outcome.kind === 'accepted');
}

/** @throws {HelloRefused} when there is an objection */
export function refuse(objection: Objection | null): void {
  if (objection === null) return;
  const { code, message } = objection;
  // To be disconnected by its owner is no verdict about the next connection.
  throw new HelloRefused(code === 'disconnected' ? 'unavailable' : code, message);
}

function withinTime(answer: Promise<AttachOutcome>, clock: Clock): Promise<AttachOutcome | { kind: 'late' }> {
  return new Promise((resolve) => {
    const timer = clock.timer(ATTACH_WAIT_MS, () => resolve({ kind: 'late' }));
    void answer.then((outcome) => {
      timer.cancel();
      resolve(outcome);
    });
  });
}

function applyLate({ registry, authority }: AttachDeps, agent: AgentSession, outcome: AttachOutcome): void {
  const { client } = agent;
  if (outcome.kind === 'refused') {
    registry.closeClient({ ...client, code: outcome.code, message: outcome.message });
  } else if (registry.get(client.client_id) !== agent) {
    // It left before it was attached: that it left was said too early.
    authority.detach(client);
  } else if (outcome.kind === 'accepted') {
    registry.applyPolicy(outcome.policy);
  }
}
