import { ApiError } from '@tunnox/api-client/api-error';
import type { Ending } from '../state.ts';

/** What an error of the session call means for the agent: null when a later try may succeed. */
export function endingOf(error: unknown): Ending | null {
  if (!(error instanceof ApiError)) throw error;
  // Without a problem document it is not the control plane that speaks (a proxy, a captive portal): it may pass.
  if (error.retryable || error.code === 'bad_answer') return null;
  // Whoever switched it off may switch it on again, and nobody may be near this machine then.
  if (error.code === 'client_disabled') return null;
  const { code: apiCode, detail: message } = error;
  return { code: endCodes[apiCode] ?? 'rejected', message, apiCode };
}

const endCodes: Record<string, Ending['code']> = {
  unauthenticated: 'unauthenticated',
  not_found: 'unauthenticated',
  client_claimed: 'claimed',
  protocol_unsupported: 'protocol_unsupported',
};
