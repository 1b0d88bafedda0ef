import { canonicalValue } from '@tunnox/dns-plan/record-type';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { RegisterAnswer, RegisterRequest } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type ProvedKey, verifyNodeAssertion } from '../tickets/node-assertion.ts';
import type { RelayIdentity, RelayTokens } from '../tickets/relay-tokens.ts';
import type { SigningKeys } from '../tickets/signing-keys.ts';
import type { JoinTokenRepository, NodeOwners, NodeRegistry } from './live-ports.ts';
import { sha256Hex } from './random.ts';

export interface RelayRegistrationDeps {
  joinTokens: JoinTokenRepository;
  registry: NodeRegistry;
  nodes: NodeOwners;
  tokens: RelayTokens;
  keys: SigningKeys;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface RelayRegistrationOptions {
  leaseMs: number;
  baseDomains: string[];
}

/** How long a relay that was replaced may still look routes up: short beside the caches of relays. */
const READER_MS = 2000;
/** More tokens than there can be relays. */
const READERS_MAX = 2000;

/** Relays come, prove their key, and get their id. */
export class RelayRegistrationService {
  readonly #deps: RelayRegistrationDeps;
  readonly #options: RelayRegistrationOptions;
  /** Tokens of relays, each with the end of its time. */
  readonly #readers = new Map<string, number>();

  constructor(deps: RelayRegistrationDeps, options: RelayRegistrationOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Registers a relay: a new incarnation, or with `incarnation` in the request a new token for the one that it has.
   *
   * @throws {TunnoxError} `unauthenticated`, `clock_skew`, `forbidden` (join token), `nodes_exhausted`
   */
  async register(request: RegisterRequest): Promise<RegisterAnswer> {
    const { nodes, tokens, keys, registry } = this.#deps;
    const proved = await verifyNodeAssertion(request.assertion, request.public_jwk, this.#deps.now());
    const { nodeId, group } = await this.#seat(request, proved);
    const incarnation = request.incarnation ?? (await nodes.register(profileOf(request, nodeId, proved, group)));
    if (request.incarnation !== undefined && !(await nodes.touch(nodeId, incarnation))) {
      throw superseded(nodeId);
    }
    const [{ token, expiresAt }, ticketKeys, peers] = await Promise.all([
      tokens.issue({ nodeId, incarnation, fingerprint: proved.fingerprint }),
      keys.jwks('ticket'),
      registry.peers(),
    ]);
    return {
      node_id: nodeId,
      incarnation,
      group,
      token,
      token_expires_at: expiresAt,
      lease_ms: this.#options.leaseMs,
      base_domains: this.#options.baseDomains,
      ticket_keys: ticketKeys,
      peers: others(peers, nodeId),
    };
  }

  /** Whose token this is; a sign of life of its relay. @throws {TunnoxError} `unauthenticated` */
  async authenticate(token: string): Promise<RelayIdentity> {
    const identity = await this.#deps.tokens.verify(token);
    if (!(await this.#deps.nodes.touch(identity.nodeId, identity.incarnation))) throw superseded(identity.nodeId);
    return identity;
  }

  /**
   * As `authenticate()`, for what only reads and is asked for often: a yes counts for `READER_MS` in this isolate.
   *
   * @throws {TunnoxError} `unauthenticated`
   */
  async authenticateReader(token: string): Promise<void> {
    const now = this.#deps.now();
    if (now < (this.#readers.get(token) ?? 0)) return;
    await this.authenticate(token);
    if (this.#readers.size >= READERS_MAX) this.#readers.clear();
    this.#readers.set(token, now + READER_MS);
  }

  async peers(identity: RelayIdentity): Promise<NodeAddress[]> {
    return others(await this.#deps.registry.peers(), identity.nodeId);
  }

  async #seat(request: RegisterRequest, proved: ProvedKey): Promise<{ nodeId: string; group: string }> {
    const { registry, joinTokens } = this.#deps;
    const { fingerprint, jti, expiresAtMs } = proved;
    const seat = await registry.present(fingerprint, { jti, expiresAtMs });
    if (seat.kind === 'known') return { nodeId: seat.node_id, group: seat.group };
    if (seat.kind === 'replayed') throw replayed();
    if (request.join_token === undefined) {
      throw new TunnoxError('forbidden', 'This relay is not known here: it needs a join token the first time');
    }
    const hash = await sha256Hex(request.join_token);
    const group = await joinTokens.consume(hash);
    if (group === null) throw new TunnoxError('forbidden', 'The join token is unknown, used up, expired or revoked');
    try {
      const seating = await registry.allocate(fingerprint, group, { jti, expiresAtMs });
      switch (seating.kind) {
        case 'seated':
          return { nodeId: seating.node_id, group };
        case 'exhausted':
          throw new TunnoxError('nodes_exhausted', 'All 1000 node ids are in use');
        case 'replayed':
          throw replayed();
      }
    } catch (error) {
      // Whoever gets no seat has not used the token: the next try of this relay needs it.
      await joinTokens.refund(hash);
      throw error;
    }
  }
}

function profileOf(request: RegisterRequest, nodeId: string, proved: ProvedKey, group: string) {
  const { region, public_address, internal_address, ports, version } = request;
  const { public_ipv4 = public_address, public_ipv6 = public_address } = request;
  return {
    node_id: nodeId,
    fingerprint: proved.fingerprint,
    group,
    region,
    public_address,
    public_ipv4: addressOf('A', public_ipv4),
    public_ipv6: addressOf('AAAA', public_ipv6),
    internal_address: internal_address ?? public_address,
    ports,
    version,
  };
}

/** null: it is a name, or an address of the other kind. */
function addressOf(type: 'A' | 'AAAA', text: string): string | null {
  const parsed = canonicalValue(type, text, { name: '', zone: '' });
  return parsed.ok ? parsed.value : null;
}

function others(peers: NodeAddress[], nodeId: string): NodeAddress[] {
  return peers.filter((peer) => peer.node_id !== nodeId);
}

function replayed(): TunnoxError {
  return new TunnoxError('unauthenticated', 'The assertion was used before');
}

function superseded(nodeId: string): TunnoxError {
  return new TunnoxError('unauthenticated', `Another run of ${nodeId} is registered now`);
}
