import { TunnoxError } from '@tunnox/domain/tunnox-error';

/**
 * Calls a Durable Object. One that is being restarted (a deployment, a move) fails the calls that it meets, so `call` is
 * made once more; it must take a new stub, and be one that may come twice.
 *
 * @throws {TunnoxError} `unavailable` while the object is overloaded or cannot be reached.
 */
export async function callObject<T>(call: () => Promise<T>): Promise<T> {
  return await callObjectOnce(async () => {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error)) throw error;
      return await call();
    }
  });
}

/** The same for a call that must not come twice. */
export async function callObjectOnce<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (!isTransient(cause) && !hasMark(cause, 'overloaded')) throw cause;
    throw new TunnoxError('unavailable', 'A part of the control plane is being restarted', { cause, retryAfterS: 1 });
  }
}

/** An overloaded object is not helped by more calls. */
function isTransient(error: unknown): boolean {
  return (hasMark(error, 'retryable') || hasMark(error, 'durableObjectReset')) && !hasMark(error, 'overloaded');
}

/** What the platform writes on errors of its own. */
function hasMark(error: unknown, mark: 'retryable' | 'durableObjectReset' | 'overloaded'): boolean {
  return error instanceof Error && (error as Error & { [key in typeof mark]?: unknown })[mark] === true;
}
