import {
  type CreatedJoinToken,
  createdJoinTokenSchema,
  type CreateJoinToken,
  drainedSchema,
  type JoinToken,
  joinTokensSchema,
  type Node,
  type NodeDetails,
  nodeDetailsSchema,
  type NodesQuery,
  nodesSchema,
} from '@tunnox/domain/api/nodes';
import { type CallOptions, type ChangeOptions, Resource, V1 } from '../resource.ts';

/** Relays, and the tokens with which new ones join. Operators. */
export class Nodes extends Resource {
  list(query: NodesQuery = {}, options?: CallOptions): Promise<{ nodes: Node[]; total: number }> {
    return this.read(`${V1}/nodes`, nodesSchema, query, options);
  }

  get(nodeId: string, options?: CallOptions): Promise<NodeDetails> {
    return this.read(`${V1}/nodes/${encodeURIComponent(nodeId)}`, nodeDetailsSchema, {}, options);
  }

  /** Takes one that is away off the list. @throws {ApiError} `conflict` while it is there */
  delete(nodeId: string, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/nodes/${encodeURIComponent(nodeId)}`, options);
  }

  /** Its agents and visitors go to other relays. */
  drain(nodeId: string, deadlineS?: number, options?: ChangeOptions): Promise<{ node_id: string; status: 'draining' }> {
    const body = deadlineS === undefined ? {} : { deadline_s: deadlineS };
    return this.post(`${V1}/nodes/${encodeURIComponent(nodeId)}/drain`, body, drainedSchema, options);
  }

  /** The token is in this answer only. */
  createJoinToken(token: CreateJoinToken = {}, options?: ChangeOptions): Promise<CreatedJoinToken> {
    return this.post(`${V1}/join-tokens`, token, createdJoinTokenSchema, options);
  }

  async joinTokens(options?: CallOptions): Promise<JoinToken[]> {
    return (await this.read(`${V1}/join-tokens`, joinTokensSchema, {}, options)).join_tokens;
  }

  revokeJoinToken(tokenId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/join-tokens/${tokenId}`, options);
  }
}
