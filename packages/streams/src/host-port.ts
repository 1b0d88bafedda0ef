export interface HostPort {
  host: string;
  port: number;
}

/**
 * Takes `host:port` or `[ipv6]:port` apart.
 *
 * @throws {RangeError} when it is not of that form
 */
export function parseHostPort(address: string): HostPort {
  const match = /^(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]\s/]+)):([0-9]{1,5})$/i.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new RangeError(`Cannot read address '${address}': it must be host:port`);
  }
  return { host, port };
}

/** Puts host and port together; an IPv6 address gets its brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
