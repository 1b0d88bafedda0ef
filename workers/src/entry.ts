import { compose, type ControlPlane } from './compose.ts';
import { DOCS_ASSETS } from './docs-assets.ts';
import type { Env } from './env.ts';

export { CertificateWorker } from './objects/certificate-worker.ts';
export { ClientPresence } from './objects/client-presence.ts';
export { DomainRoute } from './objects/domain-route.ts';
export { NodeDirectory } from './objects/node-directory.ts';
export { RateLimiter } from './objects/rate-limiter.ts';
export { RelayNode } from './objects/relay-node.ts';
export { UsageLedger } from './objects/usage-ledger.ts';
export { ZoneReconciler } from './objects/zone-reconciler.ts';

let made: ControlPlane | undefined;

/** An isolate serves one environment, and nothing in the control plane holds a connection. */
function controlPlane(env: Env): ControlPlane {
  made ??= compose(env, DOCS_ASSETS);
  return made;
}

export default {
  fetch: (request, env, context) => controlPlane(env).app.fetch(request, env, context),
  scheduled: (_event, env) => controlPlane(env).sweep(),
} satisfies ExportedHandler<Env>;
