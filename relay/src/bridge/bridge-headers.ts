import type { IncomingHttpHeaders } from 'node:http2';
import { HEADER } from '@tunnox/protocol/names';
import type { TunnelHeaders } from '@tunnox/streams/open-tunnel-stream';
import type { TunnelRequest } from '../upstream/upstream.ts';

/** What a peer asks for, as its headers say. */
export interface BridgeRequest {
  bindingId: string;
  bindingVersion: number;
  clientId: number;
  tunnelId: string;
  visitor: string;
  source?: { clientId: number; proof: string };
  target?: string;
}

/** Headers of a bridged tunnel, see docs/PROTOCOL.md. */
export function bridgeHeaders(clientId: number, request: TunnelRequest): TunnelHeaders {
  const { binding, source } = request;
  return {
    [HEADER.client]: String(clientId),
    [HEADER.bindingVersion]: String(binding.version),
    [HEADER.tunnel]: request.tunnelId,
    [HEADER.visitor]: request.visitor,
    [HEADER.endpoint]: binding.endpoint ?? undefined,
    [HEADER.source]: source === undefined ? undefined : String(source.clientId),
    [HEADER.proof]: source?.proof,
    [HEADER.target]: request.target,
  };
}

/** Reads the headers of a bridged tunnel; null when one is missing or has not the right form. */
export function parseBridgeHeaders(authority: string, headers: IncomingHttpHeaders): BridgeRequest | null {
  const clientId = integer(headers[HEADER.client]);
  const bindingVersion = integer(headers[HEADER.bindingVersion]);
  const tunnelId = text(headers[HEADER.tunnel], 26);
  const visitor = text(headers[HEADER.visitor], 64);
  const sourceId = integer(headers[HEADER.source]);
  const proof = text(headers[HEADER.proof], 128);
  const target = text(headers[HEADER.target], 280);
  if (!BINDING_ID.test(authority) || clientId === undefined || bindingVersion === undefined) return null;
  if (tunnelId === undefined || visitor === undefined) return null;
  return {
    bindingId: authority,
    bindingVersion,
    clientId,
    tunnelId,
    visitor,
    ...(sourceId === undefined || proof === undefined ? {} : { source: { clientId: sourceId, proof } }),
    ...(target === undefined ? {} : { target }),
  };
}

const BINDING_ID = /^(?:mapping|domain):[1-9][0-9]{0,15}$/;

function integer(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && /^[1-9][0-9]{0,15}$/.test(value) ? Number(value) : undefined;
}

function text(value: string | string[] | undefined, charsMax: number): string | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= charsMax ? value : undefined;
}
