import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { Writable } from 'node:stream';
import type { Io } from './io.ts';

/** Asks for a secret without showing what is typed; from a pipe it takes the first line. */
export async function promptSecret(question: string, io: Io): Promise<string> {
  if (io.stdin.isTTY !== true) return ((await text(io.stdin)).split('\n')[0] ?? '').trim();
  io.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', (line) => resolve(line.trim()));
      lines.once('close', () => reject(new Error('Cancelled')));
    });
  } finally {
    lines.close();
    io.stderr.write('\n');
  }
}
