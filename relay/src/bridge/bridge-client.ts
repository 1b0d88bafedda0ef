import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { SecureContext } from 'node:tls';
import type { NodeAddress } from '@tunnox/domain/presence';
import { ALPN_VISIT } from '@tunnox/protocol/names';
import { connectSession } from '@tunnox/streams/connect-session';
import { dial } from '@tunnox/streams/dial';
import { parseHostPort } from '@tunnox/streams/host-port';
import { watchLiveness } from '@tunnox/streams/liveness';
import { openTunnelStream, type TunnelHeaders } from '@tunnox/streams/open-tunnel-stream';
import { type PoolSnapshot, SessionPool } from '@tunnox/streams/session-pool';
import { sessionReady } from '@tunnox/streams/session-ready';
import { StreamRefused } from '@tunnox/streams/stream-refused';
import type { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { Clock } from '../clock.ts';
import type { PeerDirectory } from './peer-directory.ts';

const DIAL_TIMEOUT_MS = 5_000;

/**
 * Up to 100 tunnels on a session keep the loss of one small. A peer may still get as many tunnels as an agent has
 * (`STREAMS_MAX`): beyond 20 sessions more of them would only cost sockets.
 */
const POOL = { sessionsMin: 2, sessionsMax: 20, streamsMax: 100, streamsFullMax: 1000, idleMs: 5 * 60_000 };

export interface BridgeClientDeps {
  directory: PeerDirectory;
  clock: Clock;
  /** Of `BRIDGE_PING_MS` a round. */
  pings: TimerWheel;
}

export interface BridgeClientOptions {
  /** Own key and certificate, which the other side pins; null: without TLS, for tests on loopback. */
  secureContext: SecureContext | null;
}

export interface PeerSnapshot extends PoolSnapshot {
  nodeId: string;
  tunnelsOpened: number;
  /** To and from the peer on the wire; of open and closed sessions. */
  bytesSent: number;
  bytesReceived: number;
}

interface Peer {
  address: NodeAddress;
  pool: SessionPool;
  tunnelsOpened: number;
  sockets: Set<{ bytesRead: number; bytesWritten: number }>;
  bytesSent: number;
  bytesReceived: number;
}

/** The calling side of the bridge: tunnels to agents at other relays. */
export class BridgeClient {
  readonly #deps: BridgeClientDeps;
  readonly #options: BridgeClientOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #stopWatching: () => void;
  readonly #stopSweep: () => void;
  #stopped = false;

  constructor(deps: BridgeClientDeps, options: BridgeClientOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#stopWatching = deps.directory.onChange(() => this.#dropStrangers());
    this.#stopSweep = deps.pings.add(() => {
      for (const peer of this.#peers.values()) peer.pool.sweep();
    });
  }

  /**
   * Whether a relay may be dialled: its key is in the directory and no later incarnation of it is known. (The directory
   * may be a moment behind whoever gave the address.)
   */
  knows(node: NodeAddress): boolean {
    if (this.#stopped) return false;
    const listed = this.#deps.directory.byFingerprint(node.fingerprint);
    if (listed?.node_id !== node.node_id || listed.incarnation > node.incarnation) return false;
    const dialled = this.#peers.get(node.node_id);
    return dialled === undefined || dialled.address.incarnation <= node.incarnation;
  }

  /**
   * Opens a tunnel at a peer.
   *
   * @throws {StreamRefused} with the peer's cause; `lost` when it cannot be reached or is not a registered relay,
   *   `busy` when the pool is full; the signal's reason when it aborts first
   */
  async open(
    node: NodeAddress,
    bindingId: string,
    headers: TunnelHeaders,
    signal: AbortSignal,
  ): Promise<ClientHttp2Stream> {
    if (!this.knows(node)) throw new StreamRefused('lost', `${node.node_id} is not a registered relay any more`);
    const peer = this.#peer(node);
    const lease = await peer.pool.acquire(signal);
    let stream;
    try {
      stream = await openTunnelStream(lease.session, bindingId, headers, signal);
    } catch (error) {
      lease.release();
      throw error;
    }
    peer.tunnelsOpened += 1;
    stream.once('close', () => lease.release());
    if (stream.destroyed) lease.release();
    return stream;
  }

  /** Ends all sessions. */
  stop(): void {
    this.#stopped = true;
    this.#stopWatching();
    this.#stopSweep();
    for (const peer of this.#peers.values()) peer.pool.close();
    this.#peers.clear();
  }

  snapshot(): PeerSnapshot[] {
    return [...this.#peers].map(([nodeId, peer]) => {
      let { bytesSent, bytesReceived } = peer;
      for (const socket of peer.sockets) {
        bytesSent += socket.bytesWritten;
        bytesReceived += socket.bytesRead;
      }
      return { ...peer.pool.snapshot(), nodeId, tunnelsOpened: peer.tunnelsOpened, bytesSent, bytesReceived };
    });
  }

  #peer(node: NodeAddress): Peer {
    const known = this.#peers.get(node.node_id);
    if (known?.address.incarnation === node.incarnation) return known;
    known?.pool.close();
    const peer: Peer = {
      address: node,
      pool: new SessionPool(
        { connect: (signal) => this.#connect(node, peer, signal), now: () => this.#deps.clock.now() },
        POOL,
      ),
      tunnelsOpened: 0,
      sockets: new Set(),
      bytesSent: 0,
      bytesReceived: 0,
    };
    this.#peers.set(node.node_id, peer);
    return peer;
  }

  async #connect(node: NodeAddress, peer: Peer, signal: AbortSignal): Promise<ClientHttp2Session> {
    const { secureContext } = this.#options;
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
    const socket = await dial(parseHostPort(node.bridge), {
      timeoutMs: DIAL_TIMEOUT_MS,
      signal: inTime,
      ...(secureContext === null ? {} : { tls: { fingerprint: node.fingerprint, alpn: ALPN_VISIT, secureContext } }),
    });
    const session = connectSession(socket);
    peer.sockets.add(socket);
    socket.once('close', () => {
      peer.sockets.delete(socket);
      peer.bytesSent += socket.bytesWritten;
      peer.bytesReceived += socket.bytesRead;
    });
    watchLiveness(session, socket, this.#deps.pings);
    try {
      // The other side may still refuse our key: only its SETTINGS say that it takes us.
      await sessionReady(session, inTime);
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  #dropStrangers(): void {
    for (const [nodeId, peer] of this.#peers) {
      if (this.knows(peer.address)) continue;
      peer.pool.close();
      this.#peers.delete(nodeId);
    }
  }
}
