import { z } from 'zod';
import type { CertificateWorker } from './objects/certificate-worker.ts';
import type { ClientPresence } from './objects/client-presence.ts';
import type { DomainRoute } from './objects/domain-route.ts';
import type { NodeDirectory } from './objects/node-directory.ts';
import type { RateLimiter } from './objects/rate-limiter.ts';
import type { RelayNode } from './objects/relay-node.ts';
import type { UsageLedger } from './objects/usage-ledger.ts';
import type { ZoneReconciler } from './objects/zone-reconciler.ts';

/** Bindings of the Worker as wrangler.toml (or Miniflare) gives them. */
export interface Env {
  DATABASE_URL: string;
  /** URL of a Neon-compatible gateway's `/sql`; absent: Neon itself. */
  NEON_FETCH_ENDPOINT?: string;
  UPSTASH_REDIS_REST_URL?: string;
  UPSTASH_REDIS_REST_TOKEN?: string;
  OPERATOR_KEY: string;
  /** 32 bytes, base64: encrypts mapping secrets, signing keys and stored answers. */
  ENCRYPTION_KEY: string;
  /** Earlier keys, comma separated: what they have encrypted can still be read, until it is encrypted anew. */
  ENCRYPTION_KEYS_OLD?: string;
  /** Domains under which names are given out, comma separated; the first is the default. */
  BASE_DOMAINS: string;
  /** How people reach the relays' public HTTP and HTTPS ports, with `{host}` in place of the name. */
  PUBLIC_HTTP_URL: string;
  PUBLIC_HTTPS_URL: string;
  /** Host names under which this API answers, comma separated. */
  API_HOSTS: string;
  /**
   * Header with the address of who asks, set by the platform or overwritten by a trusted proxy; absent:
   * `cf-connecting-ip`.
   */
  CLIENT_ADDRESS_HEADER?: string;
  /** DNS over HTTPS, for the proofs of custom domains; absent: `https://cloudflare-dns.com/dns-query`. */
  DNS_RESOLVER_URL?: string;
  /** Cloudflare's API, for credentials that name no endpoint; absent: Cloudflare's own. */
  CLOUDFLARE_API_URL?: string;
  /** Time between two runs over a zone while records of it are due, in milliseconds; absent: 40 000. */
  DNS_BEAT_MS?: string;
  /** Directory of the ACME server from which certificates are obtained (RFC 8555); absent: none are. */
  ACME_DIRECTORY_URL?: string;
  /** Where the authority may write to, comma separated: e-mail addresses. */
  ACME_CONTACT?: string;
  /** Lease of a relay in milliseconds; absent: 30 000. */
  RELAY_LEASE_MS?: string;
  /** Requests a second below /api/v1 of one address, and of one principal; absent: 100. */
  RATE_LIMIT_PER_S?: string;
  /** How many of them may come at once; absent: 200. */
  RATE_LIMIT_BURST?: string;
  /** Algorithm of the tokens of people who log in: `ES256`, `RS256` or `HS256`; absent: `ES256`. */
  SESSION_ALGORITHM?: string;
  /** Origins of pages that may call the API, comma separated, or `*`; absent: none. */
  CORS_ORIGINS?: string;
  DOMAIN_ROUTE: DurableObjectNamespace<DomainRoute>;
  CLIENT_PRESENCE: DurableObjectNamespace<ClientPresence>;
  RELAY_NODE: DurableObjectNamespace<RelayNode>;
  NODE_DIRECTORY: DurableObjectNamespace<NodeDirectory>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  USAGE_LEDGER: DurableObjectNamespace<UsageLedger>;
  ZONE_RECONCILER: DurableObjectNamespace<ZoneReconciler>;
  CERTIFICATE_WORKER: DurableObjectNamespace<CertificateWorker>;
}

const commaList = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== ''),
  )
  .pipe(z.array(z.string()).min(1));

const originSchema = z
  .string()
  .refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
    message: 'must be origins such as https://console.example.com, or *',
  });

const urlTemplate = z
  .string()
  .refine((text) => text.includes('{host}') && URL.canParse(text.replace('{host}', 'name.example')), {
    message: 'must be a URL with {host} in it',
  });

/** Who can change an answer on its way can take a domain; on the same machine there is no way. */
const resolverUrlSchema = z
  .url()
  .refine((text) => /^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]/.test(text), {
    message: 'must begin with https://, or with http:// on this machine',
  });

const acmeDirectorySchema = z
  .url()
  .refine((text) => /^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]/.test(text), {
    message: 'must begin with https://, or with http:// on this machine',
  });

const contactSchema = commaList.pipe(z.array(z.email()).max(5));

const encryptionKey = z
  .base64()
  .transform((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)))
  .refine((bytes) => bytes.length === 32, { message: 'must be 32 bytes in base64' });

const settingsSchema = z.object({
  DATABASE_URL: z.string().regex(/^postgres(?:ql)?:\/\//),
  NEON_FETCH_ENDPOINT: z.url().optional(),
  UPSTASH_REDIS_REST_URL: z.url().optional(),
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1).optional(),
  // What cannot stand in a header could never be shown.
  OPERATOR_KEY: z.string().regex(/^[\x21-\x7e]{32,4096}$/, {
    message: 'must be at least 32 printable ASCII characters without blanks',
  }),
  ENCRYPTION_KEY: encryptionKey,
  ENCRYPTION_KEYS_OLD: z
    .string()
    .transform((text) => text.split(',').map((key) => key.trim()))
    .pipe(z.array(encryptionKey))
    .default([]),
  BASE_DOMAINS: commaList,
  PUBLIC_HTTP_URL: urlTemplate,
  PUBLIC_HTTPS_URL: urlTemplate,
  API_HOSTS: commaList,
  CLIENT_ADDRESS_HEADER: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/i)
    .default('cf-connecting-ip'),
  DNS_RESOLVER_URL: resolverUrlSchema.default('https://cloudflare-dns.com/dns-query'),
  CLOUDFLARE_API_URL: z.url().optional(),
  DNS_BEAT_MS: z.coerce.number().int().min(100).max(600_000).default(40_000),
  ACME_DIRECTORY_URL: acmeDirectorySchema.optional(),
  ACME_CONTACT: contactSchema.default([]),
  RELAY_LEASE_MS: z.coerce.number().int().min(500).max(600_000).default(30_000),
  RATE_LIMIT_PER_S: z.coerce.number().min(0.001).max(1_000_000).default(100),
  RATE_LIMIT_BURST: z.coerce.number().int().min(1).max(1_000_000).default(200),
  SESSION_ALGORITHM: z.enum(['ES256', 'RS256', 'HS256']).default('ES256'),
  CORS_ORIGINS: commaList.pipe(z.array(originSchema)).optional(),
});

/** The Worker's settings, validated. */
export interface Settings {
  databaseUrl: string;
  neonFetchEndpoint: string | undefined;
  /** null: no Redis. */
  redis: { url: string; token: string } | null;
  operatorKey: string;
  encryptionKey: Uint8Array;
  /** The present one first. */
  encryptionKeys: [Uint8Array, ...Uint8Array[]];
  baseDomains: [string, ...string[]];
  publicHttpUrl: string;
  publicHttpsUrl: string;
  apiHosts: string[];
  clientAddressHeader: string;
  dnsResolverUrl: string;
  /** undefined: Cloudflare's own. */
  cloudflareApiUrl: string | undefined;
  dnsBeatMs: number;
  /** null: no certificates are obtained. */
  acme: { directoryUrl: string; /** `mailto:` addresses. */ contact: string[] } | null;
  relayLeaseMs: number;
  rateLimit: { perS: number; burst: number };
  sessionAlgorithm: 'ES256' | 'RS256' | 'HS256';
  corsOrigins: string[];
}

/**
 * Reads and checks the settings.
 *
 * @throws {Error} that names the setting, and never its value.
 */
export function parseSettings(env: Env): Settings {
  const parsed = settingsSchema.safeParse(env);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`Cannot start the control plane with these settings: ${faults.join('; ')}`);
  }
  const s = parsed.data;
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = s;
  if ((url === undefined) !== (token === undefined)) {
    throw new Error('Cannot use Redis: UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN go together');
  }
  return {
    databaseUrl: s.DATABASE_URL,
    neonFetchEndpoint: s.NEON_FETCH_ENDPOINT,
    redis: url === undefined || token === undefined ? null : { url, token },
    operatorKey: s.OPERATOR_KEY,
    encryptionKey: s.ENCRYPTION_KEY,
    encryptionKeys: [s.ENCRYPTION_KEY, ...s.ENCRYPTION_KEYS_OLD],
    baseDomains: s.BASE_DOMAINS as [string, ...string[]],
    publicHttpUrl: s.PUBLIC_HTTP_URL,
    publicHttpsUrl: s.PUBLIC_HTTPS_URL,
    apiHosts: s.API_HOSTS,
    clientAddressHeader: s.CLIENT_ADDRESS_HEADER,
    dnsResolverUrl: s.DNS_RESOLVER_URL,
    cloudflareApiUrl: s.CLOUDFLARE_API_URL,
    dnsBeatMs: s.DNS_BEAT_MS,
    acme:
      s.ACME_DIRECTORY_URL === undefined
        ? null
        : { directoryUrl: s.ACME_DIRECTORY_URL, contact: s.ACME_CONTACT.map((address) => `mailto:${address}`) },
    relayLeaseMs: s.RELAY_LEASE_MS,
    rateLimit: { perS: s.RATE_LIMIT_PER_S, burst: s.RATE_LIMIT_BURST },
    sessionAlgorithm: s.SESSION_ALGORITHM,
    corsOrigins: s.CORS_ORIGINS ?? [],
  };
}
