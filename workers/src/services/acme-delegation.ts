import { createHash } from 'node:crypto';

/** First label of the name at which a certificate authority looks for the proof by DNS (RFC 8555, section 8.4). */
export const CHALLENGE_LABEL = '_acme-challenge';
/** No subdomain can be called that: it begins with an underscore. */
const DELEGATION_LABEL = '_acme';
const HASH_HEX = 32;

/** A CNAME record with which the owner of a custom domain leaves the proofs for its certificates to us. */
export interface AcmeDelegation {
  type: 'CNAME';
  name: string;
  value: string;
}

/**
 * Where proofs for a custom domain stand when its owner leaves them to us: always the same for a name, and for no other
 * name. It is no secret.
 *
 * @param baseDomain Whose zone the proof is written into.
 */
export function acmeDelegation(fullDomain: string, baseDomain: string): AcmeDelegation {
  const hash = createHash('sha256').update(fullDomain).digest('hex').slice(0, HASH_HEX);
  return {
    type: 'CNAME',
    name: `${CHALLENGE_LABEL}.${fullDomain}`,
    value: `${hash}.${DELEGATION_LABEL}.${baseDomain}`,
  };
}
