export interface PortProblem {
  code: 'port_in_use' | 'port_not_permitted' | 'port_failed';
  /** For a person. */
  message: string;
}

/** What kept `port` of `host` from being opened. */
export function portProblem(host: string, port: number, error: unknown): PortProblem {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EADDRINUSE':
      return { code: 'port_in_use', message: `Another program uses port ${port} of ${host}` };
    case 'EACCES':
      return { code: 'port_not_permitted', message: `This system lets only root open port ${port}` };
    default:
      return { code: 'port_failed', message: `Cannot open port ${port} of ${host}: ${message}` };
  }
}
