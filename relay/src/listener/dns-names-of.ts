import type { X509Certificate } from 'node:crypto';

/** DNS names of the subject alternative name, the only place that clients look at (RFC 9525), in lower case. */
export function dnsNamesOf(certificate: X509Certificate): string[] {
  const alternatives = certificate.subjectAltName?.split(', ') ?? [];
  return alternatives.flatMap((one) => (one.startsWith('DNS:') ? [one.slice(4).toLowerCase()] : []));
}
