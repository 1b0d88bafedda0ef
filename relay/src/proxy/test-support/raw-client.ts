import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A visitor that speaks bytes: sends what it is told and shows what came. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  /** The relay has ended its side. */
  ended = false;
  /** Code of the error that ended the connection, such as ECONNRESET. */
  error: string | null = null;
  closed = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    const wake = (): void => {
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      wake();
    });
    socket.on('end', () => {
      this.ended = true;
      wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message));
    socket.on('close', () => {
      this.closed = true;
      wake();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves to all that came when `wanted` is true of it. @throws {Error} when the connection ends before */
  async until(wanted: (received: string) => boolean): Promise<string> {
    while (!wanted(this.received)) {
      if (this.closed || this.ended) throw new Error(`The connection ended with: ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.received;
  }

  /** Resolves to all that came when the relay has ended its side or the connection is gone. */
  async untilEnd(): Promise<string> {
    while (!this.ended && !this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.socket.end();
    return this.received;
  }
}

/** Answers in a stream of bytes of which each has a Content-Length. */
export function splitAnswers(received: string): { head: string; body: string }[] {
  const answers = [];
  for (let rest = received; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) break;
    const head = rest.slice(0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    answers.push({ head, body: rest.slice(end + 4, end + 4 + length) });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}
