import type { ProviderKind } from '@tunnox/domain/api/dns';
import type { ProviderDriver } from '../zone-provider.ts';
import { cloudflare } from './cloudflare.ts';
import { powerdns } from './powerdns.ts';

/** Every kind of provider. A further one: a file beside these, an entry here, and its name in the schema. */
export const DRIVERS: Record<ProviderKind, ProviderDriver> = { cloudflare, powerdns };
