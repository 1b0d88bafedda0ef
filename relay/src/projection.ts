import { openIoredisRouteStore } from '@tunnox/route-store/ioredis-route-store';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { openUpstashRouteStore } from '@tunnox/route-store/upstash-route-store';
import type { RelayConfig } from './config.ts';

/** Opens the second tier of look-ups; null where none is configured. */
export function openProjection(redis: RelayConfig['redis']): RouteStore | null {
  switch (redis.kind) {
    case 'none':
      return null;
    case 'plain':
      return openIoredisRouteStore({ url: redis.url });
    case 'upstash':
      return openUpstashRouteStore({ url: redis.url, token: redis.token });
  }
}
