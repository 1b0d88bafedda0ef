import { createServer } from 'node:net';
import { StackError } from './stack-error.ts';

const HOST = '127.0.0.1';

/** @throws {StackError} that names every port that cannot be had, and what to do. */
export async function checkPorts(ports: [port: number, use: string][], portBase: number): Promise<void> {
  const results = await Promise.all(ports.map(async ([port, use]) => ({ port, use, code: await tryPort(port) })));
  const bad = results.filter(({ code }) => code !== null);
  if (bad.length === 0) return;
  const lines = bad.map(({ port, use, code }) =>
    code === 'EACCES'
      ? `Port ${port} (${use}) may not be used by this user.`
      : `Port ${port} (${use}) is taken by another program.`,
  );
  throw new StackError(
    `${lines.join('\n')}\nEnd that program, or set TUNNOX_PORT_BASE (now ${portBase}) to the start of another block of ports, such as ${otherBase(portBase)}.`,
  );
}

/** Whether the port of 127.0.0.1 can be listened on. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryPort(port)) === null;
}

function otherBase(portBase: number): number {
  return portBase + 10_000 < 60_000 ? portBase + 10_000 : 9000;
}

/** Null when the port can be listened on, otherwise the system's error code. */
async function tryPort(port: number): Promise<string | null> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
