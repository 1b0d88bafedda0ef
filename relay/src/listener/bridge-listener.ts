import type { SecureContext, TLSSocket } from 'node:tls';
import { ALPN_VISIT } from '@tunnox/protocol/names';
import { certificateFingerprint } from '@tunnox/streams/spki-fingerprint';
import type { BridgeServer } from '../bridge/bridge-server.ts';
import type { PeerDirectory } from '../bridge/peer-directory.ts';
import { TLS_HANDSHAKE } from './classify-agent.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { StrangerPort } from './stranger-port.ts';

export interface BridgeListenerDeps {
  bridge: BridgeServer;
  directory: PeerDirectory;
  gate: ConnectionGate;
}

export interface BridgeListenerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** With the node's key and certificate, at least TLS 1.3. */
  secureContext: SecureContext;
}

/** Accepts other relays over mutual TLS: only those whose node key is in the directory. */
export class BridgeListener {
  readonly #deps: BridgeListenerDeps;
  readonly #port: StrangerPort<never>;
  #stopWatching: (() => void) | null = null;
  #strangers = 0;

  constructor(deps: BridgeListenerDeps, options: BridgeListenerOptions) {
    this.#deps = deps;
    this.#port = new StrangerPort<never>(deps.gate, {
      host: options.host,
      port: options.port,
      tls: { secureContext: options.secureContext, alpn: [ALPN_VISIT], requestCert: true },
      plainFromAnywhere: false,
      classify: (bytes) => ({ verdict: bytes[0] === TLS_HANDSHAKE ? 'tls' : 'garbage', used: 0 }),
      onSecure: ({ socket, waiting }) => {
        waiting.release();
        this.#accept(socket);
      },
      onPlain: ({ socket }) => void socket.destroy(),
    });
  }

  /** Connections turned away for their key, since the start. */
  get strangers(): number {
    return this.#strangers;
  }

  /** Resolves to the port that is listened on. */
  start(): Promise<number> {
    const { bridge, directory } = this.#deps;
    this.#stopWatching ??= directory.onChange(() => {
      bridge.retain((peer) => directory.byFingerprint(peer.fingerprint)?.node_id === peer.node_id);
    });
    return this.#port.start();
  }

  /** Accepts no more connections; those that are open are the bridge's. */
  stop(): void {
    this.#stopWatching?.();
    this.#stopWatching = null;
    this.#port.stop();
  }

  #accept(socket: TLSSocket): void {
    const { bridge, directory } = this.#deps;
    const certificate = socket.getPeerX509Certificate();
    const peer = certificate && directory.byFingerprint(certificateFingerprint(certificate.raw));
    if (peer === undefined) {
      this.#strangers += 1;
      socket.destroy();
      return;
    }
    bridge.accept(socket, peer);
  }
}
