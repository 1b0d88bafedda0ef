import type { ClientPolicy } from '@tunnox/domain/policy';
import type { NodeMessage, RegisterAnswer, RelayToNodeMessage } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { ConfigProblem } from '@tunnox/protocol/control-message';
import type { Clock, Timer } from '../clock.ts';
import type { AttachedClient, AttachmentAuthority, AttachOutcome, SessionCommands } from '../session/ports.ts';
import { settled } from '../settled.ts';
import { AttachmentQueue } from './attachment-queue.ts';
import type { CertificateFetcher } from './certificate-fetcher.ts';
import type { ConnectionReporter } from './connection-reporter.ts';
import type { ListedPeers } from './listed-peers.ts';
import type { LocalTicketVerifier } from './local-ticket-verifier.ts';
import { NodeSession } from './node-session.ts';
import type { Registration } from './registration.ts';
import type { RelayApi } from './relay-api.ts';
import type { UsageReporter } from './usage-reporter.ts';

export interface ControlPlaneDeps {
  api: RelayApi;
  registration: Registration;
  sessions: SessionCommands;
  verifier: LocalTicketVerifier;
  peers: ListedPeers;
  usage: UsageReporter;
  connections: ConnectionReporter;
  certificates: Pick<CertificateFetcher, 'soon' | 'start' | 'stop'>;
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  log: Logger;
}

export interface ControlPlaneOptions {
  answer: RegisterAnswer;
  /** PEM of all authorities to trust; null: the system's. */
  ca: readonly string[] | null;
}

/** What the rest of the relay does about the control plane's word. */
export interface ControlPlaneHandlers {
  /** Every policy, from answers and pushes. */
  policy: (policy: ClientPolicy) => void;
  /** A session of the client has ended. */
  clientLeft: (clientId: number) => void;
  /** The operator wants this relay to go. */
  drain: (deadlineMs: number) => void;
  /** Another process holds this node now. */
  superseded: () => void;
}

const FLUSH_TIMEOUT_MS = 5000;
const CONFIG_REPORTS_MAX = 10_000;
/** While the control plane is slow to take them. */
const REPORTS_AGAIN_MS = 1000;

/** This relay as the control plane sees it: who is attached, how busy it is, and what it is told. */
export class ControlPlane implements AttachmentAuthority {
  readonly #deps: ControlPlaneDeps;
  readonly #handlers: ControlPlaneHandlers;
  readonly #session: NodeSession;
  readonly #attachments: AttachmentQueue;
  /** What could not be sent yet: the newest of each client. */
  readonly #configReports = new Map<number, Extract<RelayToNodeMessage, { type: 'config_applied' }>>();
  #reportTimer: Timer | null = null;
  #draining = false;
  #whenOpen: () => void = () => {};

  constructor(deps: ControlPlaneDeps, options: ControlPlaneOptions, handlers: ControlPlaneHandlers) {
    const { api, registration, clock, random, log } = deps;
    this.#deps = deps;
    this.#handlers = handlers;
    this.#session = new NodeSession(
      { clock, random, log, token: () => api.token },
      { baseUrl: api.baseUrl, incarnation: options.answer.incarnation, ca: options.ca },
      {
        message: (message) => this.#hear(message),
        opened: () => this.#opened(),
        unauthorized: () => registration.renew(),
      },
    );
    this.#attachments = new AttachmentQueue({ ...deps, onPolicy: handlers.policy });
    api.onUnauthorized = () => registration.renew();
    registration.onSuperseded = handlers.superseded;
    registration.onRenewed = (answer) => {
      deps.verifier.setKeys(answer.ticket_keys);
      deps.peers.set(answer.peers);
    };
  }

  /** The session is open. */
  get online(): boolean {
    return this.#session.open;
  }

  snapshot(): { online: boolean; reachable: boolean; attachmentsPending: number } {
    const { reachable } = this.#deps.api;
    return { online: this.online, reachable, attachmentsPending: this.#attachments.size };
  }

  /** Resolves when the control plane has this relay as online. @throws the signal's reason */
  async start(signal: AbortSignal): Promise<void> {
    this.#session.start();
    this.#deps.usage.start();
    this.#deps.connections.start();
    this.#deps.certificates.start();
    if (this.#session.open) return;
    const opened = new Promise<void>((resolve) => {
      this.#whenOpen = resolve;
    });
    await settled(opened, signal);
    signal.throwIfAborted();
  }

  attach(client: AttachedClient): Promise<AttachOutcome> {
    return this.#attachments.attach(client);
  }

  detach(client: AttachedClient): void {
    this.#handlers.clientLeft(client.client_id);
    this.#attachments.detach(client);
  }

  configApplied(clientId: number, version: number, problems: ConfigProblem[]): void {
    const report = { type: 'config_applied' as const, client_id: clientId, version, problems };
    // A newer one takes the place of one that waits.
    this.#configReports.delete(clientId);
    if (!this.#session.congested && this.#session.send(report)) return;
    if (this.#configReports.size < CONFIG_REPORTS_MAX) this.#configReports.set(clientId, report);
    if (this.#session.open) this.#reportTimer ??= this.#deps.clock.timer(REPORTS_AGAIN_MS, () => this.#sendReports());
  }

  load(message: Extract<RelayToNodeMessage, { type: 'load' }>): void {
    this.#session.send(message);
  }

  /** No new visitors and agents from now on. */
  drain(): void {
    this.#draining = true;
    this.#session.send({ type: 'draining' });
  }

  /** Says the last words, as far as somebody listens, and ends. */
  async leave(): Promise<void> {
    const signal = AbortSignal.timeout(FLUSH_TIMEOUT_MS);
    const { usage, connections } = this.#deps;
    const told = [usage, connections].map((reporter) => settled(reporter.stop(), signal));
    await Promise.all([this.#attachments.flushed(signal), ...told]);
    this.#session.send({ type: 'leaving' });
    this.stop();
  }

  stop(): void {
    this.#reportTimer?.cancel();
    this.#deps.connections.cut();
    this.#deps.certificates.stop();
    this.#session.stop();
    this.#attachments.stop();
    this.#deps.registration.stop();
  }

  #opened(): void {
    this.#whenOpen();
    if (this.#draining) this.#session.send({ type: 'draining' });
    this.#sendReports();
    // What it has said, and we have not heard, while it was away.
    this.#deps.certificates.soon();
    // What was spooled while it was away.
    this.#deps.usage.reportSoon();
  }

  #sendReports(): void {
    this.#reportTimer?.cancel();
    this.#reportTimer = null;
    for (const [clientId, report] of this.#configReports) {
      if (this.#session.congested) {
        this.#reportTimer = this.#deps.clock.timer(REPORTS_AGAIN_MS, () => this.#sendReports());
        return;
      }
      if (this.#session.send(report)) this.#configReports.delete(clientId);
    }
  }

  #hear(message: NodeMessage): void {
    const { sessions, peers, verifier, log } = this.#deps;
    switch (message.type) {
      case 'policy':
        this.#handlers.policy(message.policy);
        sessions.applyPolicy(message.policy);
        break;
      case 'close_client': {
        const { client_id, instance_id, connect_seq, code, message: text } = message;
        sessions.closeClient({ client_id, instance_id, connect_seq, code, message: text });
        this.#attachments.ended(message);
        this.#handlers.clientLeft(client_id);
        break;
      }
      case 'void_tickets':
        sessions.voidTickets(message);
        break;
      case 'peers':
        peers.set(message.peers);
        break;
      case 'keys':
        verifier.setKeys(message.ticket_keys);
        break;
      case 'certificates':
        this.#deps.certificates.soon();
        break;
      case 'drain':
        log.info({ deadline_ms: message.deadline_ms }, 'The control plane wants this relay to drain');
        this.#handlers.drain(message.deadline_ms);
        break;
      case 'superseded':
        this.#handlers.superseded();
        break;
      case 'resync': {
        const clients = sessions.attached();
        log.info({ clients: clients.length }, 'The lease was lost: announcing who is here');
        this.#attachments.announce(clients);
        break;
      }
    }
  }
}
