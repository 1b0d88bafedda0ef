/** One variable that cannot be used, and what to do about it. */
export interface ConfigProblem {
  key: string;
  message: string;
}

/** The environment cannot be used. The message names every problem, one a line, and is meant for a person. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(`Cannot start: ${problems.map(({ key, message }) => `${key} ${message}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
