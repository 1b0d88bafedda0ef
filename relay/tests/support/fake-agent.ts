import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { AgentMessage, Hello, RelayMessage } from '@tunnox/protocol/control-message';
import { parseRelayMessage } from '@tunnox/protocol/parse-control';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { ControlChannel } from '@tunnox/streams/control-channel';
import { routeStreams } from '@tunnox/streams/route-streams';
import { serveSession } from '@tunnox/streams/serve-session';

export type OnTunnel = (stream: ServerHttp2Stream, bindingId: string, headers: IncomingHttpHeaders) => void;

/** Accepts a tunnel and sends everything back. */
export const echo: OnTunnel = (stream) => {
  if (acceptTunnel(stream)) stream.pipe(stream);
};

export function helloOf(changes: Partial<Hello> = {}): Hello {
  return {
    type: 'hello',
    protocol: 1,
    agent_version: '0.0.0',
    ticket: ticketOf(),
    instance_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    connect_seq: 1,
    os: 'test',
    ...changes,
  };
}

export const CLIENT_ID = 600_000_001;

/** A ticket as `fakeVerifier` reads it. */
export function ticketOf(changes: { clientId?: number; generation?: number; group?: string } = {}): string {
  const { clientId = CLIENT_ID, generation = 1, group = 'default' } = changes;
  return JSON.stringify({
    iss: 'tunnox',
    aud: 'tunnox-relay',
    sub: String(clientId),
    user_id: 100_000_001,
    group,
    generation,
    iat: 0,
    exp: 0,
  });
}

/** The agent's end of a serving connection. */
export class FakeAgent {
  readonly session: ServerHttp2Session;
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  /** Resolves when the control stream is gone. */
  readonly silent: Promise<void>;
  readonly #messages: RelayMessage[] = [];
  readonly #waiting: ((message: RelayMessage) => void)[] = [];
  #channel: ControlChannel<AgentMessage, RelayMessage> | null = null;
  #stream: ServerHttp2Stream | null = null;

  /** @param hello Sent as soon as the relay opens the control stream; null: nothing is. */
  constructor(socket: Duplex, hello: Hello | null, onTunnel: OnTunnel = echo) {
    this.session = serveSession(socket);
    this.gone = new Promise((resolve) => this.session.once('close', () => resolve()));
    this.silent = new Promise((resolve) => {
      routeStreams(this.session, {
        control: (stream) => {
          acceptTunnel(stream);
          this.#stream = stream;
          this.#channel = new ControlChannel(stream, {
            parse: parseRelayMessage,
            onMessage: (message) => this.#take(message),
            onClose: resolve,
          });
          if (hello !== null) this.#channel.send(hello);
        },
        tunnel: onTunnel,
      });
    });
  }

  send(message: AgentMessage): void {
    this.#channel?.send(message);
  }

  /** Writes bytes that need not be a message. */
  write(bytes: string): void {
    this.#stream?.write(bytes);
  }

  closeControl(): void {
    this.#channel?.close();
  }

  /** The next message of the relay. */
  next(): Promise<RelayMessage> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Messages until one of this type has come. */
  async until<T extends RelayMessage['type']>(type: T): Promise<Extract<RelayMessage, { type: T }>> {
    for (;;) {
      const message = await this.next();
      if (message.type === type) return message as Extract<RelayMessage, { type: T }>;
    }
  }

  #take(message: RelayMessage): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  }
}
