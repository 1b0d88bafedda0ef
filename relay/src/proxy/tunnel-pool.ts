import type { Binding } from '@tunnox/domain/binding';
import type { Upstream } from '../upstream/upstream.ts';
import type { DeadlineSweep, Timed } from './deadline-sweep.ts';
import type { TargetConnection } from './target-connection.ts';

/** Shorter than the keep-alive time of common targets (Node, Apache, uvicorn: 5 s), so that we close first. */
const IDLE_MS_MAX = 4000;
/** Idle tunnels of one key; what comes back beyond it is closed. */
const PER_KEY_MAX = 64;
const TOTAL_MAX = 4096;
const SWEEP_MS = 500;

/** Idle tunnels that may serve another request. */
export class TunnelPool implements Timed {
  deadlineMs = 0;
  readonly #sweep: DeadlineSweep;
  readonly #idle = new Map<string, TargetConnection[]>();
  #size = 0;

  constructor(sweep: DeadlineSweep) {
    this.#sweep = sweep;
    sweep.add(this);
  }

  /** Tunnels in the pool. */
  get size(): number {
    return this.#size;
  }

  /** Takes the tunnel that was used last: the others grow old and end. */
  take(key: string): TargetConnection | null {
    const idle = this.#idle.get(key);
    for (let target = idle?.pop(); target !== undefined; target = idle?.pop()) {
      this.#size--;
      if (target.usable) return target;
      target.close();
    }
    return null;
  }

  put(key: string, target: TargetConnection): void {
    let idle = this.#idle.get(key);
    if (idle === undefined) this.#idle.set(key, (idle = []));
    if (idle.length >= PER_KEY_MAX || this.#size >= TOTAL_MAX) return target.close();
    target.listener = null;
    target.reused = true;
    target.resume();
    target.idleSinceMs = this.#sweep.nowMs;
    idle.push(target);
    this.#size++;
  }

  /** A tunnel ended, or said something, while it lay here. It is no longer usable, which `take` sees. */
  readonly drop = (target: TargetConnection): void => target.close();

  onDeadline(nowMs: number): void {
    this.deadlineMs = nowMs + SWEEP_MS;
    for (const [key, idle] of this.#idle) {
      const kept = idle.filter((target) => target.usable && nowMs - target.idleSinceMs < IDLE_MS_MAX);
      if (kept.length === idle.length && kept.length > 0) continue;
      for (const target of idle) if (!kept.includes(target)) target.close();
      this.#size -= idle.length - kept.length;
      if (kept.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, kept);
    }
  }

  /**
   * Gives up an idle tunnel of a binding, so that another one may be opened: the agent's relay counts idle ones too.
   *
   * @returns Resolves when it is closed; null: there is none.
   */
  makeRoom(bindingId: string): Promise<void> | null {
    for (const [key, idle] of this.#idle) {
      const target = key.startsWith(`${bindingId}@`) ? idle.shift() : undefined;
      if (target === undefined) continue;
      this.#size--;
      return target.closeAndWait();
    }
    return null;
  }

  /** Closes every idle tunnel. */
  clear(): void {
    for (const idle of this.#idle.values()) for (const target of idle) target.close();
    this.#idle.clear();
    this.#size = 0;
  }
}

/**
 * Tunnels of equal keys are interchangeable. The agent's relay checks access rules when a tunnel is opened, so where
 * there are any, a visitor only gets tunnels that were opened for its own address.
 *
 * @param address Of the visitor, without port.
 */
export function poolKey(binding: Binding, upstream: Upstream, address: string): string {
  const { access } = binding;
  const key = `${binding.binding_id}@${binding.version} ${upstream.key}`;
  return access.allow.length + access.deny.length === 0 ? key : `${key} ${address}`;
}
