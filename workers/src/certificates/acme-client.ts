import { FlattenedSign, type JWK } from 'jose';
import { z } from 'zod';
import { AcmeError, acmeErrorOf, acmeProblemSchema } from './acme-error.ts';

export interface AcmeClientDeps {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A key with which requests are signed, and the account that it stands for. */
export interface AcmeSigner {
  privateKey: CryptoKey;
  publicJwk: JWK;
  /** null: not yet made. */
  accountUrl: string | null;
}

const directorySchema = z.object({
  newNonce: z.url(),
  newAccount: z.url(),
  newOrder: z.url(),
  meta: z
    .object({ caaIdentities: z.array(z.string()).max(100).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});
const identifierSchema = z.object({ type: z.string(), value: z.string().max(253) });
/** It becomes part of a path and of a record. RFC 8555, section 8.1: at least 128 bits, base64url. */
const tokenSchema = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/);
const orderSchema = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(z.url()).min(1).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: acmeProblemSchema.optional(),
});
const challengeSchema = z.object({
  type: z.string(),
  url: z.url(),
  token: tokenSchema.optional().catch(undefined),
  status: z.enum(['pending', 'processing', 'valid', 'invalid']),
  error: acmeProblemSchema.optional(),
});
const authorizationSchema = z.object({
  status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  identifier: identifierSchema,
  wildcard: z.boolean().optional(),
  challenges: z.array(challengeSchema).max(20),
});

export type AcmeOrder = z.infer<typeof orderSchema>;
export type AcmeAuthorization = z.infer<typeof authorizationSchema>;
export type AcmeChallenge = z.infer<typeof challengeSchema>;

/** Fail closed: the next step asks again. */
const CALL_TIMEOUT_MS = 20_000;
/** Nonces are single, and servers forget them: a call is made again with the one that comes with the refusal. */
const NONCE_TRIES_MAX = 6;
const NONCES_KEPT_MAX = 8;
/** A chain of certificates is a few KiB. */
const BODY_BYTES_MAX = 256 * 1024;
/** Directories change with the software of an authority. */
const DIRECTORY_MS_MAX = 3600_000;

/**
 * Calls of an ACME server, signed with ES256. It keeps nothing but the directory and nonces: what becomes of an order is
 * the caller's to remember.
 *
 * @see RFC 8555
 */
export class AcmeClient {
  readonly #deps: AcmeClientDeps;
  readonly #directoryUrl: string;
  #directory: { content: z.infer<typeof directorySchema>; readAtMs: number } | undefined;
  readonly #nonces: string[] = [];

  constructor(deps: AcmeClientDeps, directoryUrl: string) {
    this.#deps = deps;
    this.#directoryUrl = directoryUrl;
  }

  /** Domain names by which the authority calls itself in CAA records. */
  async caaIdentities(): Promise<string[]> {
    return (await this.#open()).meta?.caaIdentities ?? [];
  }

  /** Makes the account of the key, or finds it. @returns Its URL. */
  async account(signer: AcmeSigner, contact: readonly string[]): Promise<string> {
    const { newAccount } = await this.#open();
    const body = { termsOfServiceAgreed: true, ...(contact.length === 0 ? {} : { contact }) };
    const { headers } = await this.#post({ ...signer, accountUrl: null }, newAccount, body);
    const url = headers.get('location');
    if (url === null) throw new AcmeError('unreachable', 'The certificate authority did not say where the account is');
    return url;
  }

  /** @param names Host names; `*.` before one for a wildcard. */
  async newOrder(signer: AcmeSigner, names: readonly string[]): Promise<{ url: string; order: AcmeOrder }> {
    const { newOrder } = await this.#open();
    const body = { identifiers: names.map((value) => ({ type: 'dns', value })) };
    const { headers, json } = await this.#post(signer, newOrder, body);
    const url = headers.get('location');
    if (url === null) throw new AcmeError('unreachable', 'The certificate authority did not say where the order is');
    return { url, order: parse(orderSchema, json) };
  }

  async order(signer: AcmeSigner, url: string): Promise<AcmeOrder> {
    return parse(orderSchema, (await this.#post(signer, url, null)).json);
  }

  async authorization(signer: AcmeSigner, url: string): Promise<AcmeAuthorization> {
    return parse(authorizationSchema, (await this.#post(signer, url, null)).json);
  }

  /** Tells the server that the answer to a challenge stands where it belongs. */
  async answer(signer: AcmeSigner, challengeUrl: string): Promise<AcmeChallenge> {
    return parse(challengeSchema, (await this.#post(signer, challengeUrl, {})).json);
  }

  /** @param csr PKCS #10 in DER. */
  async finalize(signer: AcmeSigner, finalizeUrl: string, csr: Uint8Array): Promise<AcmeOrder> {
    const body = { csr: Buffer.from(csr).toString('base64url') };
    return parse(orderSchema, (await this.#post(signer, finalizeUrl, body)).json);
  }

  /** @returns The chain in PEM. */
  async certificate(signer: AcmeSigner, url: string): Promise<string> {
    const { text } = await this.#post(signer, url, null, 'application/pem-certificate-chain');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) {
      throw new AcmeError('unreachable', 'The certificate authority sent something that is no certificate');
    }
    return text;
  }

  async #open() {
    const nowMs = this.#deps.now();
    if (this.#directory === undefined || nowMs - this.#directory.readAtMs > DIRECTORY_MS_MAX) {
      const content = parse(directorySchema, (await this.#send(this.#directoryUrl, { method: 'GET' })).json);
      this.#directory = { content, readAtMs: nowMs };
    }
    return this.#directory.content;
  }

  async #post(signer: AcmeSigner, url: string, body: object | null, accept = 'application/json') {
    for (let tries = 1; ; tries += 1) {
      const nonce = this.#nonces.pop() ?? (await this.#newNonce());
      const jws = await sign(signer, url, nonce, body);
      try {
        return await this.#send(url, {
          method: 'POST',
          headers: { 'content-type': 'application/jose+json', accept },
          body: JSON.stringify(jws),
        });
      } catch (error) {
        const isNonce = error instanceof AcmeError && error.type === 'urn:ietf:params:acme:error:badNonce';
        if (!isNonce || tries === NONCE_TRIES_MAX) throw error;
      }
    }
  }

  async #newNonce(): Promise<string> {
    const { newNonce } = await this.#open();
    await this.#send(newNonce, { method: 'HEAD' });
    const nonce = this.#nonces.pop();
    if (nonce === undefined) throw new AcmeError('unreachable', 'The certificate authority gave no nonce');
    return nonce;
  }

  async #send(url: string, init: RequestInit): Promise<{ headers: Headers; text: string; json: unknown }> {
    // What is asked for stands in what the authority has sent before.
    if (new URL(url).protocol !== new URL(this.#directoryUrl).protocol) {
      throw new AcmeError('unreachable', 'The certificate authority leads from https to something else');
    }
    let response: Response;
    let text: string | null;
    try {
      const headers = { 'user-agent': 'tunnox', ...(init.headers as Record<string, string> | undefined) };
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
      response = await this.#deps.fetch(url, { ...init, headers, redirect: 'manual', signal });
      text = await readBounded(response);
    } catch (cause) {
      throw new AcmeError('unreachable', `The certificate authority at ${new URL(url).host} cannot be reached`, {
        cause,
      });
    }
    const nonce = response.headers.get('replay-nonce');
    if (nonce !== null && /^[A-Za-z0-9_-]{1,512}$/.test(nonce)) {
      this.#nonces.push(nonce);
      // The oldest ones are forgotten first, there too.
      if (this.#nonces.length > NONCES_KEPT_MAX) this.#nonces.shift();
    }
    if (text === null) throw new AcmeError('unreachable', 'The certificate authority sent too much');
    const json = tryParse(text);
    if (!response.ok) {
      // The authority was set up anew, perhaps with other addresses.
      if (response.status === 404) this.#directory = undefined;
      throw acmeErrorOf(response.status, response.headers.get('retry-after'), json, this.#deps.now());
    }
    return { headers: response.headers, text, json };
  }
}

/** JWS in flattened JSON; without a body: POST-as-GET. */
async function sign(
  { privateKey, publicJwk, accountUrl }: AcmeSigner,
  url: string,
  nonce: string,
  body: object | null,
) {
  const payload = new TextEncoder().encode(body === null ? '' : JSON.stringify(body));
  const { kty, crv, x, y } = publicJwk;
  const who = accountUrl === null ? { jwk: { kty, crv, x, y } as JWK } : { kid: accountUrl };
  return await new FlattenedSign(payload).setProtectedHeader({ alg: 'ES256', nonce, url, ...who }).sign(privateKey);
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new AcmeError('unreachable', 'The certificate authority answers something that is not ACME (RFC 8555)', {
    cause: parsed.error,
  });
}

/** null: it is more than an authority has to say. */
async function readBounded(response: Response): Promise<string | null> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
    bytes += read.value.length;
    if (bytes > BODY_BYTES_MAX) {
      await reader?.cancel();
      return null;
    }
    parts.push(read.value);
  }
  return Buffer.concat(parts).toString();
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
