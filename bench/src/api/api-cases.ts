import type { ApiStep } from '../load/api-client.ts';
import type { ApiPlatform } from './api-platform.ts';

/** What is called, under the names of the report. */
export interface ApiCase {
  name: string;
  steps: ApiStep[];
  headers?: Record<string, string>;
}

/** An address that is counted: the platform's own proxy would set it. Loopback is not counted. */
const FROM_ELSEWHERE = { 'cf-connecting-ip': '203.0.113.9' };

export function apiCases({ clientId, mappingIds, mappings }: ApiPlatform): ApiCase[] {
  const get = (name: string, path: string): ApiCase => ({ name, steps: [{ name, method: 'GET', path }] });
  const domain = { client_id: clientId, subdomain: 'b{unique}', target_port: 80 };
  return [
    get('GET /me', '/api/v1/me'),
    { ...get('GET /me, address counted too', '/api/v1/me'), headers: FROM_ELSEWHERE },
    get('GET /clients/{id}', `/api/v1/clients/${clientId}`),
    get(`GET /mappings, 20 of ${mappings}`, '/api/v1/mappings?limit=20'),
    {
      name: 'POST /clients',
      steps: [{ name: 'POST /clients', method: 'POST', path: '/api/v1/clients', body: { client_name: '{unique}' } }],
    },
    {
      name: 'PUT /mappings/{id}',
      steps: [
        {
          name: 'PUT /mappings/{id}',
          method: 'PUT',
          path: '/api/v1/mappings/{slot}',
          body: { name: '{unique}' },
          slots: mappingIds,
        },
      ],
    },
    {
      name: 'POST and DELETE /domains',
      steps: [
        { name: 'POST /domains', method: 'POST', path: '/api/v1/domains', body: domain, takes: 'domain_id' },
        { name: 'DELETE /domains/{id}', method: 'DELETE', path: '/api/v1/domains/{id}' },
      ],
    },
  ];
}
