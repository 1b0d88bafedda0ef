import { createRoute } from '@hono/zod-openapi';
import { rotateSigningKeySchema, signingKeySchema, signingKeysSchema } from '@tunnox/domain/api/signing-keys';
import type { SigningKeyService } from '../../../services/signing-key-service.ts';
import { createRouter } from '../../context.ts';
import { body, json, problems } from '../../responses.ts';

const listSigningKeys = createRoute({
  operationId: 'listSigningKeys',
  method: 'get',
  path: '/signing-keys',
  tags: ['signing-keys'],
  summary: 'List the keys that sign or still verify (operators)',
  responses: { 200: json(signingKeysSchema, 'The keys, without what is secret of them') },
});

const rotateSigningKey = createRoute({
  operationId: 'rotateSigningKey',
  method: 'post',
  path: '/signing-keys/rotate',
  tags: ['signing-keys'],
  summary: 'Put a new key in the place of the active one, which verifies until its last token has ended (operators)',
  request: { body: body(rotateSigningKeySchema, { purpose: 'ticket' }) },
  responses: { 201: json(signingKeySchema, 'The new key'), ...problems('conflict') },
});

/** Signing keys. */
export function signingKeysRoutes(signingKeys: SigningKeyService) {
  return createRouter()
    .openapi(listSigningKeys, async (c) => c.json(await signingKeys.list(c.get('caller')), 200))
    .openapi(rotateSigningKey, async (c) =>
      c.json(await signingKeys.rotate(c.get('caller'), c.req.valid('json').purpose), 201),
    );
}
