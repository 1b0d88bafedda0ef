import { type SigningKey, signingKeySchema, signingKeysSchema } from '@tunnox/domain/api/signing-keys';
import { type CallOptions, type ChangeOptions, Resource, V1 } from '../resource.ts';

/** Keys with which the control plane signs. Operators. */
export class SigningKeys extends Resource {
  async list(options?: CallOptions): Promise<SigningKey[]> {
    return (await this.read(`${V1}/signing-keys`, signingKeysSchema, {}, options)).signing_keys;
  }

  /** A new key signs from now on; the old one verifies until the last of its tokens has ended. */
  rotate(purpose: SigningKey['purpose'], options?: ChangeOptions): Promise<SigningKey> {
    return this.post(`${V1}/signing-keys/rotate`, { purpose }, signingKeySchema, options);
  }
}
