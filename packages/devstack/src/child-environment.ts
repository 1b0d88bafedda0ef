/** Settings of relays that may also be set for a whole platform. */
export const PASSED_ON = [
  'TUNNOX_INSECURE_AGENTS',
  'TUNNOX_LOG_LEVEL',
  'TUNNOX_TRUSTED_PROXIES',
  'TUNNOX_WARNING_PAGE',
];
/** What belongs to the platform as a whole; parts get what is theirs explicitly. */
const WITHHELD = /^(?:TUNNOX_|REDIS_URL|UPSTASH_|DATABASE_URL|NODE_OPTIONS|npm_)/;

/** The environment for a part: that of the shell without settings of the platform, and `own`. */
export function childEnvironment(environment: NodeJS.ProcessEnv, own: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(environment).filter(([name]) => PASSED_ON.includes(name) || !WITHHELD.test(name));
  return { ...Object.fromEntries(inherited), ...own };
}
