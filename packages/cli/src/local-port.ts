import { createServer } from 'node:net';
import { portProblem } from '@tunnox/agent/source/port-problem';
import { CliError } from './cli-error.ts';

/**
 * Opens a port of this machine and closes it again: before anything is made at the server for its sake.
 *
 * @throws {CliError} `port_in_use`, `port_not_permitted`, `port_failed`
 */
export function checkLocalPort(host: string, port: number): Promise<void> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const problem = portProblem(host, port, error);
      reject(new CliError(problem.code, problem.message, { cause: error }));
    });
    server.listen({ host, port }, () => server.close(() => resolve()));
  });
}
