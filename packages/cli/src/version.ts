import manifest from '../package.json' with { type: 'json' };

/** Version of this command and of the agent in it. */
export const CLI_VERSION: string = manifest.version;
