import type { AcmeAuthorization, AcmeChallenge, AcmeOrder } from '../acme-client.ts';
import { AcmeError } from '../acme-error.ts';
import type { AdvanceDeps } from '../advance-certificate.ts';

const URL_BASE = 'https://ca.example';

/** A certificate authority in one object: orders, what is proved, and what it is told to refuse. */
export class FakeAuthority {
  /** Calls in their order, such as `newOrder a.example.com`. */
  readonly calls: string[] = [];
  /** Errors for the next calls of a kind; each is used once. */
  readonly refusals: { call: keyof AdvanceDeps['client']; error: AcmeError }[] = [];
  readonly orders: { names: string[]; status: AcmeOrder['status']; proofs: AcmeAuthorization[]; csr: boolean }[] = [];
  accounts = new Set<string>();
  /** Types of challenges that are offered. */
  offers = ['http-01', 'dns-01'];
  identities = ['ca.example'];
  chain = 'CHAIN';
  #accountsMade = 0;

  readonly client: AdvanceDeps['client'] = {
    caaIdentities: async () => {
      this.#enter('caaIdentities');
      return this.identities;
    },
    account: async () => {
      this.#enter('account');
      this.#accountsMade += 1;
      const url = `${URL_BASE}/account/${this.#accountsMade}`;
      this.accounts.add(url);
      return url;
    },
    newOrder: async ({ accountUrl }, names) => {
      this.#enter('newOrder', names.join());
      this.#known(accountUrl);
      const index = this.orders.length;
      const proofs = names.map((name, at) => ({
        status: 'pending' as const,
        identifier: { type: 'dns', value: name.replace('*.', '') },
        challenges: this.offers.map((type) => ({
          ...{ type, url: `${URL_BASE}/challenge/${index}/${at}/${type}`, status: 'pending' as const },
          token: `token-${index}-${at}-0123456789`,
        })),
      }));
      this.orders.push({ names: [...names], status: 'pending', proofs, csr: false });
      return { url: `${URL_BASE}/order/${index}`, order: this.#orderOf(index) };
    },
    order: async ({ accountUrl }, url) => {
      this.#enter('order');
      this.#known(accountUrl);
      return this.#orderOf(this.#indexOf(url));
    },
    authorization: async ({ accountUrl }, url) => {
      this.#enter('authorization');
      this.#known(accountUrl);
      return this.#proofOf(url);
    },
    answer: async (_signer, url) => {
      this.#enter('answer');
      const proof = this.#proofOf(url);
      if (proof.status !== 'pending') throw new AcmeError('refused', 'The challenge has ended');
      return proof.challenges[0] as AcmeChallenge;
    },
    finalize: async (_signer, url) => {
      this.#enter('finalize');
      const order = this.orders[this.#indexOf(url)];
      if (order?.status !== 'ready') throw new AcmeError('refused', 'The order is not ready');
      [order.status, order.csr] = ['processing', true];
      return this.#orderOf(this.#indexOf(url));
    },
    certificate: async () => {
      this.#enter('certificate');
      return this.chain;
    },
  };

  /** The validation of the last order has ended. */
  prove(status: AcmeAuthorization['status'] = 'valid', detail?: string): void {
    const order = this.orders.at(-1);
    if (order === undefined) return;
    for (const proof of order.proofs) {
      proof.status = status;
      if (detail !== undefined) proof.challenges = proof.challenges.map((one) => ({ ...one, error: { detail } }));
    }
    order.status = status === 'valid' ? 'ready' : 'invalid';
  }

  /** The certificate of the last order is there. */
  issue(): void {
    const order = this.orders.at(-1);
    if (order !== undefined) order.status = 'valid';
  }

  refuse(call: keyof AdvanceDeps['client'], error: AcmeError): void {
    this.refusals.push({ call, error });
  }

  #enter(call: keyof AdvanceDeps['client'], what?: string): void {
    this.calls.push(what === undefined ? call : `${call} ${what}`);
    const at = this.refusals.findIndex((one) => one.call === call);
    const [refusal] = at === -1 ? [] : this.refusals.splice(at, 1);
    if (refusal !== undefined) throw refusal.error;
  }

  #known(accountUrl: string | null): void {
    if (accountUrl !== null && this.accounts.has(accountUrl)) return;
    throw new AcmeError('refused', 'No such account', { type: 'urn:ietf:params:acme:error:accountDoesNotExist' });
  }

  #indexOf(url: string): number {
    return Number(url.split('/')[4]);
  }

  #proofOf(url: string): AcmeAuthorization {
    const proof = this.orders[this.#indexOf(url)]?.proofs[Number(url.split('/')[5])];
    if (proof === undefined) throw new AcmeError('refused', 'No such authorization');
    return proof;
  }

  #orderOf(index: number): AcmeOrder {
    const order = this.orders[index];
    if (order === undefined) throw new AcmeError('refused', 'No such order');
    return {
      status: order.status,
      authorizations: order.proofs.map((_, at) => `${URL_BASE}/authorization/${index}/${at}`),
      finalize: `${URL_BASE}/finalize/${index}`,
      ...(order.status === 'valid' ? { certificate: `${URL_BASE}/certificate/${index}` } : {}),
      ...(order.status === 'invalid' ? { error: { detail: 'The order is invalid' } } : {}),
    };
  }
}
