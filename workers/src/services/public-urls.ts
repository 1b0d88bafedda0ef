/** How people reach the relays' public HTTP and HTTPS ports: templates with `{host}`. */
export interface PublicUrls {
  http: string;
  https: string;
}

/** The address of a domain that one would give to somebody: HTTPS, unless the name has no TLS. */
export function domainUrl(urls: PublicUrls, fullDomain: string, tlsMode: string): string {
  return (tlsMode === 'off' ? urls.http : urls.https).replace('{host}', fullDomain);
}

/** Every address of a domain, the best first. */
export function domainUrls(urls: PublicUrls, fullDomain: string, tlsMode: string): string[] {
  const http = urls.http.replace('{host}', fullDomain);
  return tlsMode === 'off' ? [http] : [urls.https.replace('{host}', fullDomain), http];
}

/** `tcp://relay.example.com:49000`; an IPv6 address is put in brackets. */
export function portUrl(protocol: string, address: string, port: number): string {
  return `${protocol}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
