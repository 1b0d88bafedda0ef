/** Close codes of a relay's session socket (4000–4999: private use, RFC 6455). */
export const CLOSE = {
  /** The relay has opened a newer session. */
  newerSession: [4000, 'a newer session is open'],
  /** Another run of the relay has registered. */
  superseded: [4001, 'a newer incarnation is registered'],
  malformed: [4002, 'the message cannot be read'],
  /** The relay was silent for too long: it has to begin a new session, in which it learns that it was away. */
  leaseEnded: [4003, 'the lease has ended'],
} as const satisfies Record<string, readonly [code: number, reason: string]>;

/** Session sockets of one relay, told apart by its incarnation. They outlive the hibernation of the object. */
export class NodeSockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    // Heartbeats are answered by the platform, so they neither wake the object nor cost a request.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  /** @returns The relay's end and ours. */
  accept(incarnation: string): { client: WebSocket; server: WebSocket } {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [incarnation]);
    return { client, server };
  }

  belongs(socket: WebSocket, incarnation: string): boolean {
    return this.#ctx.getTags(socket).includes(incarnation);
  }

  hasOpen(incarnation: string): boolean {
    return this.#open(incarnation).length > 0;
  }

  send(incarnation: string, text: string): void {
    for (const socket of this.#open(incarnation)) socket.send(text);
  }

  close(incarnation: string, [code, reason]: readonly [code: number, reason: string]): void {
    for (const socket of this.#open(incarnation)) socket.close(code, reason);
  }

  /** Last heartbeat of the incarnation's open sockets, milliseconds since 1970; 0: none. */
  seenAt(incarnation: string): number {
    return Math.max(0, ...this.#open(incarnation).map((socket) => this.heartbeatOf(socket)));
  }

  heartbeatOf(socket: WebSocket): number {
    return this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
  }

  #open(incarnation: string): WebSocket[] {
    return this.#ctx.getWebSockets(incarnation).filter((socket) => socket.readyState === WebSocket.OPEN);
  }
}
