/** Variables that every part may have from the shell. */
const PASSED_ON = ['TUNNOX_LOG_LEVEL'];
/** What belongs to the platform as a whole; parts get what is theirs explicitly. */
const WITHHELD = /^(?:TUNNOX_|REDIS_URL|UPSTASH_|DATABASE_URL|NODE_OPTIONS|npm_)/;

/** The environment for a part: that of the shell without settings of the platform, and `own`. */
export function childEnvironment(environment: NodeJS.ProcessEnv, own: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(environment).filter(([name]) => PASSED_ON.includes(name) || !WITHHELD.test(name));
  return { ...Object.fromEntries(inherited), ...own };
}
