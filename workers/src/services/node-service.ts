import type { CreatedJoinToken, JoinToken, Node, NodeDetails, NodesQuery } from '@tunnox/domain/api/nodes';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { DnsOwners } from './dns-owners.ts';
import type { JoinTokenRepository, NodeRepository } from './node-ports.ts';
import type { NodeControl } from './ports.ts';
import { type Caller, notFound, requireOperator } from './principal.ts';
import { randomBytes, sha256Hex, toBase64Url } from './random.ts';

export interface NodeServiceDeps {
  nodes: NodeRepository;
  control: NodeControl;
  joinTokens: JoinTokenRepository;
  /** DNS records that follow relays. */
  dnsOwners: Pick<DnsOwners, 'ownersChanged'>;
}

const JOIN_TOKEN_PREFIX = 'tnx_join_';
const JOIN_TOKEN_BYTES = 32;

/** Relays, and the tokens with which new ones join. For operators. */
export class NodeService {
  readonly #deps: NodeServiceDeps;

  constructor(deps: NodeServiceDeps) {
    this.#deps = deps;
  }

  async list(caller: Caller, filter: NodesQuery): Promise<{ nodes: Node[]; total: number }> {
    requireOperator(caller);
    const nodes = await this.#deps.nodes.list(filter);
    return { nodes, total: nodes.length };
  }

  async find(caller: Caller, nodeId: string): Promise<NodeDetails> {
    requireOperator(caller);
    const node = await this.#load(nodeId);
    const living = node.status !== 'offline';
    const { ids, total } = living ? await this.#deps.control.clientsOf(nodeId) : { ids: [], total: 0 };
    const uptimeMs = living ? Date.now() - Date.parse(node.started_at) : 0;
    return { ...node, client_ids: ids, clients_total: total, uptime_s: Math.max(0, Math.floor(uptimeMs / 1000)) };
  }

  async drain(caller: Caller, nodeId: string, deadlineS: number): Promise<{ node_id: string; status: 'draining' }> {
    requireOperator(caller);
    const { status } = await this.#load(nodeId);
    const audit = auditOf(caller, 'node.drain', {
      before: { status },
      after: { status: 'draining', deadline_s: deadlineS },
    });
    // First the note: whatever ends between the two, no relay is sent away unnoticed.
    const noted = await this.#deps.nodes.noteDrain(nodeId, audit);
    if (!noted || !(await this.#deps.control.drain(nodeId, deadlineS * 1000))) {
      throw new TunnoxError('conflict', `${nodeId} is not online`);
    }
    return { node_id: nodeId, status: 'draining' };
  }

  /** Removes a relay that will not come back. Its id is free then, and its key needs a join token again. */
  async remove(caller: Caller, nodeId: string): Promise<void> {
    requireOperator(caller);
    const { address, region, relay_group, version, status } = await this.#load(nodeId);
    const audit = auditOf(caller, 'node.delete', { before: { address, region, relay_group, version, status } });
    const gone = status === 'offline' && (await this.#deps.control.forget(nodeId));
    if (!gone || !(await this.#deps.nodes.remove(nodeId, audit))) {
      throw new TunnoxError('conflict', `${nodeId} is not offline: drain it and stop its process first`);
    }
    await this.#deps.dnsOwners.ownersChanged();
  }

  /** The token is in this answer only. */
  async createJoinToken(
    caller: Caller,
    body: { name: string; relay_group: string; uses: number | null; expires_in_s: number | null },
  ): Promise<CreatedJoinToken> {
    requireOperator(caller);
    const token = JOIN_TOKEN_PREFIX + toBase64Url(randomBytes(JOIN_TOKEN_BYTES));
    const { name, relay_group: relayGroup, uses, expires_in_s: expiresInS } = body;
    const created = await this.#deps.joinTokens.create(
      { name, hash: await sha256Hex(token), relayGroup, uses, expiresInS },
      auditOf(caller, 'join_token.create', { after: body }),
    );
    return { ...created, join_token: token };
  }

  async listJoinTokens(caller: Caller): Promise<{ join_tokens: JoinToken[] }> {
    requireOperator(caller);
    return { join_tokens: await this.#deps.joinTokens.list() };
  }

  async revokeJoinToken(caller: Caller, tokenId: number): Promise<void> {
    requireOperator(caller);
    const revoked = await this.#deps.joinTokens.revoke(tokenId, auditOf(caller, 'join_token.revoke', {}));
    if (!revoked) throw notFound('join token', tokenId);
  }

  async #load(nodeId: string): Promise<Node> {
    const node = await this.#deps.nodes.find(nodeId);
    if (node === null) throw notFound('node', nodeId);
    return node;
  }
}
