import { routeStoreContract } from './contract.ts';
import { MemoryRouteStore } from './memory-route-store.ts';
import { NODE_TTL_MS } from './route-store.ts';

routeStoreContract('MemoryRouteStore', async () => {
  let now = 0;
  return {
    store: new MemoryRouteStore({ now: () => now }),
    expireNodes: async () => {
      now += NODE_TTL_MS;
    },
    stop: async () => {},
  };
});
