import type { NodeAddress } from '@tunnox/domain/presence';
import type { Hello, Refused, RelayMessage, Welcome } from '@tunnox/protocol/control-message';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import type { Clock } from '../clock.ts';
import { type Candidate, candidates, type Transport, type TransportChoice } from './candidates.ts';
import { dialRelay, type LinkKind } from './dial-relay.ts';
import { Link, type TunnelHandler } from './link.ts';
import { Race } from './race.ts';

/** A relay that does not connect by then has a rival. */
const STAGGER_MS = 1_000;
/** Welcome waits for the control plane's word, which may take as long as its own time-out. */
const WELCOME_TIMEOUT_MS = 10_000;
/** Bounds for what a relay asks for. */
const HEARTBEAT_MS_MIN = 1_000;
const HEARTBEAT_MS_MAX = 60_000;

export interface ConnectorDeps {
  clock: Clock;
  onTunnel: TunnelHandler;
}

export interface ConnectorOptions {
  transport: TransportChoice;
  /** Connect without TLS. */
  plaintext: boolean;
  agentVersion: string;
  /** ULID of this process. */
  instanceId: string;
}

export type ConnectOutcome =
  | { kind: 'welcomed'; link: Link; welcome: Welcome }
  /** This agent, not this relay, is refused: another relay would say the same. */
  | { kind: 'refused'; refused: Refused }
  /** `errors`: what kept each try from a connection, also refusals; none when there was no relay to try. */
  | { kind: 'failed'; message: string; retryAfterMs: number; errors: unknown[] };

/** Finds a relay that takes this agent. */
export class Connector {
  readonly #deps: ConnectorDeps;
  readonly #options: ConnectorOptions;
  #connectSeq = 0;
  readonly #last: Record<LinkKind, { nodeId: string; transport: Transport } | null> = { serve: null, visit: null };

  constructor(deps: ConnectorDeps, options: ConnectorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Makes one round. Connections race, hellos do not: a second hello is sent only when the first connection is given up,
   * since the last hello is the one that counts in the cluster.
   *
   * @param avoid Relays that asked this agent to leave.
   */
  async connect(
    kind: LinkKind,
    ticket: string,
    relays: NodeAddress[],
    avoid: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<ConnectOutcome> {
    const choice = this.#options.transport;
    const tries = candidates(relays, { choice, last: this.#last[kind], avoid }).map(
      (candidate) => (trySignal: AbortSignal) => this.#open(kind, candidate, trySignal),
    );
    const race = new Race<Link>(this.#deps.clock, tries, { staggerMs: STAGGER_MS, discard: (link) => link.destroy() });
    const cancel = (): void => race.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const refusals: Refused[] = [];
    try {
      for (let link = await race.next(); link !== null; link = await race.next()) {
        const answer = await this.#greet(link, ticket, signal);
        if (answer?.type === 'welcome') {
          const { candidate } = link;
          this.#last[kind] = { nodeId: candidate.relay.node_id, transport: candidate.transport };
          link.watch(Math.min(Math.max(answer.heartbeat_ms, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX));
          return { kind: 'welcomed', link, welcome: answer };
        }
        link.destroy();
        if (answer === null) race.errors.push(new Error(`Relay ${link.nodeId} did not answer`));
        else if (concernsRelayOnly(answer)) refusals.push(answer);
        else return { kind: 'refused', refused: answer };
      }
    } finally {
      signal.removeEventListener('abort', cancel);
      race.cancel();
    }
    return failure(refusals, race.errors);
  }

  async #open(kind: LinkKind, candidate: Candidate, signal: AbortSignal): Promise<Link> {
    const socket = await dialRelay(candidate, kind, this.#options.plaintext, signal);
    return kind === 'serve'
      ? Link.serve(socket, candidate, this.#deps, signal)
      : Link.visit(socket, candidate, this.#deps, signal);
  }

  /** Says hello; null when the link ends, or is silent for too long. */
  async #greet(link: Link, ticket: string, signal: AbortSignal): Promise<Welcome | Refused | null> {
    this.#connectSeq += 1;
    const hello: Hello = {
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      agent_version: this.#options.agentVersion,
      ticket,
      instance_id: this.#options.instanceId,
      connect_seq: this.#connectSeq,
      os: process.platform,
    };
    return new Promise((resolve) => {
      const finish = (answer: Welcome | Refused | null): void => {
        timer.cancel();
        signal.removeEventListener('abort', giveUp);
        link.unlisten();
        resolve(answer);
      };
      const giveUp = (): void => finish(null);
      const timer = this.#deps.clock.timer(WELCOME_TIMEOUT_MS, giveUp);
      signal.addEventListener('abort', giveUp, { once: true });
      link.listen({
        message: (message: RelayMessage) => {
          if (message.type === 'welcome' || message.type === 'refused') finish(message);
        },
        closed: giveUp,
      });
      link.send(hello);
      if (signal.aborted) giveUp();
    });
  }
}

/** Whether another relay may well take the agent. */
export function concernsRelayOnly(refused: Refused): boolean {
  switch (refused.code) {
    case 'draining':
    case 'overloaded':
    case 'unavailable':
    case 'malformed':
    // The cluster knows a later connect of this process: the next one is later still.
    case 'replaced':
      return true;
    case 'bad_ticket':
    case 'ticket_expired':
    case 'stale_ticket':
    case 'protocol_unsupported':
    case 'disabled':
    case 'deleted':
    case 'claimed':
      return false;
    default:
      return refused.code satisfies never;
  }
}

function failure(refusals: Refused[], errors: unknown[]): ConnectOutcome {
  const [refusal] = refusals;
  if (refusal !== undefined) {
    const waits = refusals.map((each) => each.retry_after_ms ?? 0);
    // Somebody may be free sooner than the others.
    const retryAfterMs = Math.min(...waits);
    return { kind: 'failed', message: refusal.message, retryAfterMs, errors: [...errors, ...refusals] };
  }
  const [error] = errors;
  const message = error instanceof Error ? error.message : 'The control plane named no relay';
  return { kind: 'failed', message, retryAfterMs: 0, errors };
}
