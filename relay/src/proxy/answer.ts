import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { TunnelRefused } from '../upstream/tunnel-refused.ts';

/** Stations between a visitor and a service, as the page draws them. */
export type Station = 'relay' | 'agent' | 'service';

/** An answer that the relay gives itself instead of a target. */
export interface Answer {
  status: number;
  /** Stable and for machines: error code or cause. */
  code: string;
  title: string;
  /** One or two sentences for a person. */
  detail: string;
  /** Station that is missing; null: the picture would say nothing. */
  missing: Station | null;
  retryAfterS?: number;
  /** Value of `Allow`, for 405. */
  allow?: string;
}

/** Methods that are passed on but for those that no target shall see; for `Allow`. */
const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Nothing is published under this name, or it is no name at all. */
export function unknownName(host: string): Answer {
  return {
    status: 404,
    code: 'not_found',
    title: 'No tunnel here',
    detail: `Nothing is published as ${host}. Check the spelling; a name that has just been created answers within a second.`,
    missing: null,
  };
}

export function offline(host: string): Answer {
  return {
    status: 503,
    code: 'offline',
    title: 'The tunnel is offline',
    detail: `${host} exists, but its agent is not connected. It will answer as soon as the agent is back.`,
    missing: 'agent',
    retryAfterS: 5,
  };
}

export function unavailable(): Answer {
  return {
    status: 503,
    code: 'unavailable',
    title: 'The name cannot be looked up now',
    detail: 'This relay can neither find nor remember where the tunnel is. Try again in a moment.',
    missing: 'relay',
    retryAfterS: 2,
  };
}

/** TRACE would show a visitor what we add to a request (RFC 9110, section 9.3.8); CONNECT is for forward proxies. */
export function methodNotAllowed(method: string): Answer {
  return {
    status: 405,
    code: 'method_not_allowed',
    title: 'Method not allowed',
    detail: `${method} is not passed through tunnels.`,
    missing: null,
    allow: ALLOWED_METHODS,
  };
}

export function loopDetected(host: string): Answer {
  return {
    status: 508,
    code: 'loop_detected',
    title: 'The tunnel leads back to itself',
    detail: `The request has come by here too often: the target of ${host} seems to be a relay again.`,
    missing: null,
  };
}

/** The target answered with something that is not HTTP/1.x. */
export function badAnswer(error: unknown): Answer {
  return {
    status: 502,
    code: 'bad_answer',
    title: 'The answer cannot be read',
    detail: `The tunnel works, but what answers at the target does not speak proper HTTP. ${publicMessageOf(error)}.`,
    missing: 'service',
  };
}

/** The tunnel died before the target had answered. */
export function noAnswer(): Answer {
  return {
    status: 502,
    code: 'no_answer',
    title: 'The connection ended without an answer',
    detail: 'The tunnel was open, but the target (or its agent) closed the connection before it answered.',
    missing: 'service',
  };
}

export function openTimeout(): Answer {
  return {
    status: 504,
    code: 'timeout',
    title: 'The tunnel did not open in time',
    detail: 'The agent or its target did not react. Try again in a moment.',
    missing: 'service',
  };
}

export function answerTimeout(): Answer {
  return {
    status: 504,
    code: 'timeout',
    title: 'No answer in time',
    detail: 'The tunnel works and the target took the request, but it has not answered.',
    missing: 'service',
  };
}

export function requestTimeout(): Answer {
  return {
    status: 408,
    code: 'request_timeout',
    title: 'The request came too slowly',
    detail: 'The connection was closed because the request did not arrive in time.',
    missing: null,
  };
}

/** A request that cannot be read or is not accepted. */
export function refusedRequest(error: unknown): Answer {
  const { status, code } = error instanceof TunnoxError ? error : INTERNAL;
  return { status, code, title: 'The request was refused', detail: `${publicMessageOf(error)}.`, missing: null };
}

// One message that we stumble over must not end the connections of everybody else.
const INTERNAL = { status: 500, code: 'internal' } as const;

function publicMessageOf(error: unknown): string {
  return error instanceof TunnoxError ? error.publicMessage : 'Something went wrong here';
}

/** The tunnel was not opened. */
export function refusedTunnel(refused: TunnelRefused): Answer {
  const cause = refused.tunnelCause;
  const answer = { status: refused.status, code: cause };
  switch (cause) {
    case 'refused':
      return {
        ...answer,
        title: 'Nothing answers at the target',
        detail: 'The tunnel works, but nothing answers at the target: is the service running?',
        missing: 'service',
      };
    case 'timeout':
      return {
        ...answer,
        title: 'The target does not answer',
        detail: 'The tunnel works, but the target did not take the connection in time.',
        missing: 'service',
      };
    case 'unreachable':
      return {
        ...answer,
        title: 'The target cannot be reached',
        detail: 'The tunnel works, but there is no way from the agent to the target.',
        missing: 'service',
      };
    case 'dns':
      return {
        ...answer,
        title: 'The target has no address',
        detail: 'The tunnel works, but the agent cannot resolve the name of the target.',
        missing: 'service',
      };
    case 'tls':
      return {
        ...answer,
        title: 'TLS to the target failed',
        detail: 'The tunnel works, but the agent and the target could not agree on TLS.',
        missing: 'service',
      };
    case 'not_allowed':
      return {
        ...answer,
        title: 'The agent refuses the target',
        detail: 'The allow list of the agent does not contain the target.',
        missing: 'service',
      };
    case 'denied':
      return {
        ...answer,
        title: 'Access denied',
        detail: 'The access rules of this tunnel do not admit your address.',
        missing: null,
      };
    case 'disabled':
      return {
        ...answer,
        title: 'The tunnel is switched off',
        detail: 'Its owner, or an operator, has disabled it.',
        missing: null,
      };
    case 'bad_proof':
      return { ...answer, title: 'Access denied', detail: 'This tunnel is private.', missing: null };
    case 'connection_limit':
      return {
        ...answer,
        title: 'Too many connections',
        detail: 'The tunnel has reached its limit of connections. Try again in a moment.',
        missing: null,
        retryAfterS: 2,
      };
    case 'traffic_limit':
      return {
        ...answer,
        title: 'The traffic is used up',
        detail: 'The traffic of this tunnel is used up for this month.',
        missing: null,
        retryAfterS: 3600,
      };
    case 'active_limit':
      return {
        ...answer,
        title: 'The tunnel is not active',
        detail: "It waits: its owner's other tunnels have the places that may be active at once.",
        missing: null,
        retryAfterS: 60,
      };
    case 'busy':
      return {
        ...answer,
        title: 'The tunnel is busy',
        detail: 'The way to the agent is full. Try again in a moment.',
        missing: null,
        retryAfterS: 1,
      };
    case 'lost':
      // The agent will be back, here or at another relay: for a visitor that is a tunnel that is away for a moment.
      return {
        ...answer,
        title: 'The agent has just gone',
        detail: 'The connection to the agent was lost. Try again in a moment.',
        missing: 'agent',
        retryAfterS: 2,
      };
    case 'unknown_binding':
    case 'stale_binding':
    case 'not_here':
      // These say that what is known of the tunnel is changing; a visitor is not told 404, 409 or 421 for that.
      return {
        ...answer,
        status: 503,
        title: 'The tunnel is moving',
        detail: 'The tunnel is being changed or moved. Try again in a moment.',
        missing: 'agent',
        retryAfterS: 1,
      };
  }
}
