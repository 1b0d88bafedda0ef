import type { Binding } from '@tunnox/domain/binding';
import { normalizeHost } from '@tunnox/domain/host-name';
import type { Decision } from '../router/router.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Answer, offline, refusedTunnel, unavailable, unknownName } from './answer.ts';
import type { Forwarding } from './forwarding.ts';
import type { RequestHead } from './http1/request-head.ts';
import { openTunnel, type Opened } from './open-tunnel.ts';
import type { ProxyCore } from './proxy-core.ts';
import { TargetConnection } from './target-connection.ts';
import { poolKey } from './tunnel-pool.ts';

type OpenDecision = Extract<Decision, { kind: 'open' }>;

/** What comes of looking for a target; one of these is called once. */
export interface FinderListener {
  /** @param key To put it into the pool afterwards. */
  onTarget(target: TargetConnection, key: string, binding: Binding): void;
  /** There is none: the relay answers. */
  onNoTarget(answer: Answer): void;
  /** The binding wants browsers to be warned. @returns whether the request ends here */
  warns(binding: Binding): boolean;
}

/**
 * Finds a connection to the target of a request: from the router's decision to a tunnel out of the pool or a fresh one.
 * One for each connection of a visitor, for one request at a time: what was worked out for the last one mostly holds
 * for the next.
 */
export class TargetFinder {
  readonly #core: ProxyCore;
  readonly #forwarding: Forwarding;
  #head: RequestHead | null = null;
  #listener: FinderListener | null = null;
  #decision: OpenDecision | null = null;
  #opening: AbortController | null = null;
  #host = '';
  #endpoint: string | null = null;
  #keyBinding: Binding | null = null;
  #keyUpstream: Upstream | null = null;
  #keyAddress = '';
  #key = '';

  constructor(core: ProxyCore, forwarding: Forwarding) {
    this.#core = core;
    this.#forwarding = forwarding;
  }

  /** Calls the listener before it returns when the router knows and a tunnel is idle. */
  find(head: RequestHead, listener: FinderListener): void {
    this.#head = head;
    this.#listener = listener;
    if (head.host !== this.#host) {
      this.#host = head.host;
      this.#endpoint = normalizeHost(head.host);
    }
    if (this.#endpoint === null) return this.#refuse(unknownName(head.host));
    const decision = this.#core.router.decide(this.#endpoint);
    if (!(decision instanceof Promise)) return this.#execute(decision);
    decision.then(
      (decided) => this.#execute(decided, listener),
      () => this.#execute({ kind: 'unavailable' }, listener),
    );
  }

  /** Opens a new tunnel for the request, after one from the pool turned out to be dead. */
  findFresh(head: RequestHead, listener: FinderListener): void {
    this.#head = head;
    this.#listener = listener;
    if (this.#decision !== null) this.#open(this.#decision, listener);
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#listener = null;
    this.#opening?.abort();
    this.#opening = null;
  }

  /** @param asker Who asked, if that was in an earlier turn: it may have given up meanwhile. */
  #execute(decision: Decision, asker = this.#listener): void {
    if (asker === null || asker !== this.#listener) return;
    switch (decision.kind) {
      case 'unknown':
        return this.#refuse(unknownName(this.#host));
      case 'unavailable':
        return this.#refuse(unavailable());
      case 'offline':
        // Nobody is there who could say more than what is known here.
        return this.#refuse(decision.binding.enabled ? offline(this.#host) : refusedTunnel(SWITCHED_OFF));
      case 'open':
        return this.#take(decision, asker);
    }
  }

  #take(decision: OpenDecision, listener: FinderListener): void {
    const { binding, upstreams } = decision;
    if (binding.protocol !== 'http') return this.#refuse(unknownName(this.#host));
    // Whether it is switched on is for the agent's relay to say: what is known here may be out of date.
    if (binding.warning_page && listener.warns(binding)) return;
    this.#decision = decision;
    const upstream = upstreams[0].closed ? upstreams.find(({ closed }) => !closed) : upstreams[0];
    const key = upstream === undefined ? '' : this.#poolKey(binding, upstream);
    const target = key === '' ? null : this.#core.pool.take(key);
    if (target === null) return this.#open(decision, listener);
    this.#core.metrics.tunnelsReused++;
    this.#listener = null;
    listener.onTarget(target, key, binding);
  }

  #open(decision: OpenDecision, listener: FinderListener, mayMakeRoom = true): void {
    const core = this.#core;
    const opening = new AbortController();
    this.#opening = opening;
    const params = {
      endpoint: this.#endpoint ?? '',
      decision,
      visitor: this.#forwarding.visitor(this.#head as RequestHead),
      newTunnelId: () => core.newTunnelId(),
      signal: opening.signal,
    };
    openTunnel(core.router, params).then(
      (opened) => this.#opened(opened, opening, listener),
      (error: unknown) => {
        if (this.#opening !== opening) return;
        const refused = asRefused(error);
        const full = mayMakeRoom && refused.tunnelCause === 'connection_limit';
        const room = full ? core.pool.makeRoom(decision.binding.binding_id) : null;
        if (room === null) return this.#refuse(refusedTunnel(refused));
        void room.then(() => {
          if (this.#opening === opening) this.#open(decision, listener, false);
        });
      },
    );
  }

  #opened(opened: Opened, opening: AbortController, listener: FinderListener): void {
    const wanted = this.#opening === opening;
    if (opened.kind === 'decided') return wanted ? this.#execute(opened.decision) : undefined;
    const target = new TargetConnection(opened.tunnel, this.#core.pool.drop);
    this.#core.metrics.tunnelsOpened++;
    if (!wanted) return target.reset();
    this.#opening = null;
    this.#listener = null;
    listener.onTarget(target, this.#poolKey(opened.binding, opened.upstream), opened.binding);
  }

  #refuse(answer: Answer): void {
    const listener = this.#listener;
    this.#opening = null;
    this.#listener = null;
    listener?.onNoTarget(answer);
  }

  #poolKey(binding: Binding, upstream: Upstream): string {
    const address = this.#forwarding.visitorAddress(this.#head as RequestHead);
    if (binding !== this.#keyBinding || upstream !== this.#keyUpstream || address !== this.#keyAddress) {
      this.#keyBinding = binding;
      this.#keyUpstream = upstream;
      this.#keyAddress = address;
      this.#key = poolKey(binding, upstream, address);
    }
    return this.#key;
  }
}

const SWITCHED_OFF = new TunnelRefused('disabled', 'This tunnel is switched off');

function asRefused(error: unknown): TunnelRefused {
  return error instanceof TunnelRefused ? error : new TunnelRefused('lost', 'No tunnel', { cause: error });
}
