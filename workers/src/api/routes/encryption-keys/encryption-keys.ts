import { createRoute } from '@hono/zod-openapi';
import { encryptionRotationSchema } from '@tunnox/domain/api/encryption-keys';
import type { EncryptionKeyService } from '../../../services/encryption-key-service.ts';
import { createRouter } from '../../context.ts';
import { json } from '../../responses.ts';

const rotateEncryptionKey = createRoute({
  operationId: 'rotateEncryptionKey',
  method: 'post',
  path: '/encryption-keys/rotate',
  tags: ['encryption-keys'],
  summary: 'Encrypt anew, under the present key, what is stored under earlier ones (operators)',
  responses: { 200: json(encryptionRotationSchema, 'How much was encrypted anew') },
});

/** The key under which secrets are stored. */
export function encryptionKeysRoutes(encryptionKeys: EncryptionKeyService) {
  return createRouter().openapi(rotateEncryptionKey, async (c) =>
    c.json(await encryptionKeys.rotate(c.get('caller')), 200),
  );
}
