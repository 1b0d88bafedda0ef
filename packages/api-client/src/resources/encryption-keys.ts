import { type EncryptionRotation, encryptionRotationSchema } from '@tunnox/domain/api/encryption-keys';
import { type ChangeOptions, Resource, V1 } from '../resource.ts';

/** The key under which secrets are stored. Operators. */
export class EncryptionKeys extends Resource {
  /** Encrypts anew, under the present key, what is stored under earlier ones. @returns How much that was */
  rotate(options?: ChangeOptions): Promise<EncryptionRotation> {
    return this.post(`${V1}/encryption-keys/rotate`, {}, encryptionRotationSchema, options);
  }
}
