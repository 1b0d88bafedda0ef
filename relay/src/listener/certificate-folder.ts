import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { certificatesAnswerSchema, type DeliveredCertificate } from '@tunnox/domain/relay-api';
import type { CertificateShelf } from './delivered-certificates.ts';

const fileSchema = certificatesAnswerSchema.shape.certificates.element;

/** Certificates with their keys in a folder that only the relay's user can read: one file each, changed as a whole. */
export class CertificateFolder implements CertificateShelf {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What cannot be read is left out: the control plane delivers it again. */
  async load(): Promise<DeliveredCertificate[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const certificates: DeliveredCertificate[] = [];
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      // Left by a process that died while it wrote.
      if (name.endsWith('.tmp')) await rm(path, { force: true });
      else if (name.endsWith('.json')) certificates.push(...(await read(path)));
    }
    return certificates;
  }

  async put(certificate: DeliveredCertificate): Promise<void> {
    const path = this.#pathOf(certificate.certificate_id);
    const half = `${path}.tmp`;
    const file = await open(half, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(certificate));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(half, path);
  }

  async remove(certificateId: number): Promise<void> {
    await rm(this.#pathOf(certificateId), { force: true });
  }

  #pathOf(certificateId: number): string {
    return join(this.#directory, `${certificateId}.json`);
  }
}

async function read(path: string): Promise<DeliveredCertificate[]> {
  try {
    return [fileSchema.parse(JSON.parse(await readFile(path, 'utf8')))];
  } catch {
    return [];
  }
}
