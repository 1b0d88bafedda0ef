import type { Settings } from './env.ts';
import { createEncryptedTextRepository } from './repositories/encrypted-text-repository.ts';
import type { Postgres } from './repositories/postgres.ts';
import { createCipher } from './services/cipher.ts';
import { EncryptionKeyService } from './services/encryption-key-service.ts';
import { createKeyedCipher } from './services/keyed-cipher.ts';

/** What encrypts anew whatever is stored encrypted: each kind with the purpose under which its own part reads it. */
export function composeEncryption(
  settings: Pick<Settings, 'encryptionKeys'>,
  postgres: Postgres,
): EncryptionKeyService {
  const { encryptionKeys } = settings;
  return new EncryptionKeyService({
    texts: createEncryptedTextRepository(postgres),
    ciphers: {
      dns_tokens: createKeyedCipher(encryptionKeys, 'dns-token'),
      certificate_keys: createKeyedCipher(encryptionKeys, 'certificate-key'),
      certificate_order_keys: createKeyedCipher(encryptionKeys, 'certificate-key'),
      acme_account_keys: createKeyedCipher(encryptionKeys, 'acme-account'),
      signing_keys: createCipher(encryptionKeys, 'signing-key'),
      mapping_secrets: createCipher(encryptionKeys, 'mapping-secret'),
      client_handovers: createCipher(encryptionKeys, 'client-handover'),
      stored_answers: createCipher(encryptionKeys, 'stored-answer'),
    },
  });
}
