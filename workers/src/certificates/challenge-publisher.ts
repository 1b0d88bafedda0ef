import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { acmeDelegation, CHALLENGE_LABEL } from '../services/acme-delegation.ts';
import type { DnsAnswer, DnsResolver } from '../services/domain-proof-ports.ts';
import {
  CertificateFault,
  type ChallengePlace,
  type ChallengePublisher,
  type OrderProof,
} from './certificate-ports.ts';
import type { ChallengeRecord, ChallengeRepository } from './challenge-ports.ts';
import { leadsToRelays } from './leads-to-relays.ts';

export interface ChallengePublisherDeps {
  challenges: ChallengeRepository;
  resolver: DnsResolver;
  /** A zone has something to do. */
  wakeZone: (zoneId: number) => Promise<void>;
}

export interface ChallengePublisherOptions {
  baseDomains: readonly string[];
}

/** A resolver that remembers for so long that there was no record says nothing about what authorities see. */
const UNSEEN_S_MAX = 300;

/** Proofs by TXT records in zones of ours, and by answers of relays. */
export function createChallengePublisher(
  { challenges, resolver, wakeZone }: ChallengePublisherDeps,
  { baseDomains }: ChallengePublisherOptions,
): ChallengePublisher {
  const look = (name: string, type: 'A' | 'AAAA' | 'CNAME' | 'TXT') => lookUp(resolver, name, type);
  const wakeAll = async (zoneIds: readonly number[]): Promise<void> => {
    await Promise.all(zoneIds.map(wakeZone));
  };

  async function inZone(recordName: string, userId: number | null): Promise<ChallengePlace | null> {
    const zone = await challenges.zoneOf(recordName, userId);
    return zone === null ? null : { challenge: 'dns-01', zoneId: zone.zoneId, name: recordName };
  }

  async function forCustomDomain(name: string, userId: number | null): Promise<ChallengePlace> {
    const publicName = `${CHALLENGE_LABEL}.${name}`;
    const { chain } = await look(publicName, 'CNAME');
    for (const baseDomain of baseDomains) {
      const { value } = acmeDelegation(name, baseDomain);
      if (!chain.includes(value)) continue;
      const place = await inZone(value, null);
      if (place !== null) return place;
      throw new CertificateFault(
        `${publicName} leads to ${value}, but the operators have no DNS zone for ${baseDomain}`,
      );
    }
    const place = chain.length === 0 ? await inZone(publicName, userId) : null;
    if (place !== null) return place;
    const here = await leadsToRelays({ look, relayAddresses: () => challenges.relayAddresses() }, name, baseDomains);
    if (here.leads) return { challenge: 'http-01' };
    const [baseDomain = ''] = baseDomains;
    const { value } = acmeDelegation(name, baseDomain);
    throw new CertificateFault(`${here.reason}; let it do so, or add a CNAME record from ${publicName} to ${value}`);
  }

  return {
    async place({ names, baseDomain, userId }) {
      const [name = ''] = names;
      if (baseDomain === null) return await forCustomDomain(name, userId);
      const place = await inZone(`${CHALLENGE_LABEL}.${baseDomain}`, null);
      if (place !== null) return place;
      throw new CertificateFault(
        `The operators have no DNS zone in which ${baseDomain} lies: connect one, or give the relays certificates in files`,
      );
    },

    async publish(certificateId, place, proof) {
      if (place.challenge === 'http-01') {
        const { token, name: host, answer: keyAuthorization } = proof;
        await challenges.putToken({ certificateId, token, host, keyAuthorization });
        return;
      }
      const { zoneId, name } = place;
      switch (await challenges.putRecord({ zoneId, name, value: proof.answer, certificateId })) {
        case 'made':
          await wakeZone(zoneId);
          return;
        case 'there':
          return;
        case 'excluded':
          throw new CertificateFault(`A CNAME record stands at ${name}, where the proof for the certificate belongs`);
        case 'no_zone':
          throw new CertificateFault(`The DNS zone of ${name} was disconnected`);
      }
    },

    async missing(certificateId, place, proof) {
      // Relays ask for it when the authority does.
      if (place.challenge === 'http-01') return null;
      const { zoneId, name } = place;
      const record = await challenges.record({ zoneId, name, value: proof.answer, certificateId });
      const reason = reasonOf(record, name);
      if (reason !== null || record?.activeS === null || record === null) return reason;
      if (record.activeS > UNSEEN_S_MAX) return null;
      return await unseen(look, proof);
    },

    async withdraw(certificateId) {
      await wakeAll(await challenges.withdraw(certificateId));
    },
  };
}

/** Why a record is not at its provider; null: it is. */
function reasonOf(record: ChallengeRecord | null, name: string): string | null {
  switch (record?.status) {
    case undefined:
      return `The TXT record at ${name} was removed by somebody`;
    case 'error':
      return `The TXT record at ${name} cannot be made: ${record.lastError ?? 'the provider refuses it'}`;
    case 'pending':
    case 'running':
      return `The TXT record at ${name} is on its way to the DNS provider`;
    case 'active':
      return null;
  }
}

/** Whether the DNS shows the value to everybody; null: it does. */
async function unseen(
  look: (name: string, type: 'TXT') => Promise<DnsAnswer>,
  proof: OrderProof,
): Promise<string | null> {
  const publicName = `${CHALLENGE_LABEL}.${proof.name}`;
  const sentence = `The TXT record at ${publicName} is at the DNS provider, and cannot be seen in the DNS yet`;
  try {
    const { values } = await look(publicName, 'TXT');
    return values.some((value) => value.trim() === proof.answer) ? null : sentence;
  } catch (error) {
    if (error instanceof CertificateFault) return error.message;
    throw error;
  }
}

async function lookUp(resolver: DnsResolver, name: string, type: Parameters<DnsResolver['lookUp']>[1]) {
  try {
    return await resolver.lookUp(name, type);
  } catch (cause) {
    if (!(cause instanceof TunnoxError)) throw cause;
    throw new CertificateFault('The DNS resolver cannot be reached now', { cause });
  }
}
