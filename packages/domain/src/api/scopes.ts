import { z } from 'zod';

/** What an API key may be limited to. */
export const API_AREAS = ['account', 'clients', 'mappings', 'domains', 'namespaces', 'stats'] as const;

/** `read` and `write` alone mean every area. */
export const API_KEY_SCOPES = [
  'read',
  'write',
  ...API_AREAS.flatMap((area) => [`${area}:read`, `${area}:write`] as const),
] as const;

export const scopesSchema = z.array(z.enum(API_KEY_SCOPES)).min(1).max(API_KEY_SCOPES.length);
