import type { Peer, PeerContext, PeerStart } from '../subject.ts';

/** Starts a peer; one that cannot be started is missing, with its own words as the reason. */
export async function startPeer(peer: Peer, context: PeerContext): Promise<PeerStart> {
  try {
    return await peer.start(context);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'missing', reason: `could not be started: ${message}` };
  }
}
