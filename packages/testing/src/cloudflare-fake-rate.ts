import { CloudflareFault } from './cloudflare-fake-error.ts';

const WINDOW_MS = 300_000;

/**
 * Calls of a token in five minutes; whoever makes more is refused until they are over.
 *
 * @see https://developers.cloudflare.com/fundamentals/api/reference/limits/
 */
export class CallRate {
  /** Calls that a token may make in five minutes. */
  max = 1200;
  /** Milliseconds since 1970; tests that wait for the window's end move it. */
  now: () => number = Date.now;
  readonly #windows = new Map<string, { since: number; count: number }>();

  /** @returns Headers of the answer. @throws {CloudflareFault} 429 */
  take(token: string): Record<string, string> {
    const window = this.#windowOf(token);
    if (window.count >= this.max) {
      throw new CloudflareFault(429, 971, 'Please wait and consider throttling your request speed');
    }
    window.count += 1;
    return {
      'x-ratelimit-limit': String(this.max),
      'x-ratelimit-remaining': String(this.max - window.count),
      ratelimit: `"default";r=${this.max - window.count};t=${this.#leftS(window)}`,
      'ratelimit-policy': `"default";q=${this.max};w=${WINDOW_MS / 1000}`,
    };
  }

  /** Headers of a refusal. */
  refusal(token: string): Record<string, string> {
    const window = this.#windowOf(token);
    return {
      'x-ratelimit-limit': String(this.max),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': new Date(window.since + WINDOW_MS).toUTCString(),
      'retry-after': String(this.#leftS(window)),
    };
  }

  #windowOf(token: string): { since: number; count: number } {
    let window = this.#windows.get(token);
    if (window === undefined || this.now() - window.since >= WINDOW_MS) {
      window = { since: this.now(), count: 0 };
      this.#windows.set(token, window);
    }
    return window;
  }

  #leftS({ since }: { since: number }): number {
    return Math.max(1, Math.ceil((since + WINDOW_MS - this.now()) / 1000));
  }
}
