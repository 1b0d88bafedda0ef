import type { NodeAddress } from '@tunnox/domain/presence';
import type { PeerDirectory } from '../bridge/peer-directory.ts';
import type { Clock } from '../clock.ts';

export interface ListedPeersDeps {
  clock: Clock;
  /** Asks the control plane for the present list. */
  fetchPeers: () => Promise<NodeAddress[]>;
}

/** A look-up may name a relay before the push that lists it; asking again is kept rare. */
const REFETCH_MS = 2000;

/** The relays that the control plane has named to this one. */
export class ListedPeers implements PeerDirectory {
  readonly #deps: ListedPeersDeps;
  readonly #listeners = new Set<() => void>();
  #byFingerprint = new Map<string, NodeAddress>();
  #fetchedAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ListedPeersDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#byFingerprint.size;
  }

  byFingerprint(fingerprint: string): NodeAddress | undefined {
    return this.#byFingerprint.get(fingerprint);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  set(peers: readonly NodeAddress[]): void {
    this.#byFingerprint = new Map(peers.map((peer) => [peer.fingerprint, peer]));
    for (const listener of this.#listeners) listener();
  }

  /** A relay was named that is not in the list, or in an older incarnation: the list may be behind. */
  refresh(): void {
    const now = this.#deps.clock.now();
    if (now - this.#fetchedAtMs < REFETCH_MS) return;
    this.#fetchedAtMs = now;
    // When it is away the list that is here has to do.
    this.#deps.fetchPeers().then(
      (peers) => this.set(peers),
      () => {},
    );
  }
}
