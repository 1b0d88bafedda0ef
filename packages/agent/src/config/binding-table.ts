import type { AgentBinding, AgentConfig } from '@tunnox/domain/agent-config';
import type { ConfigProblem } from '@tunnox/protocol/control-message';
import type { AllowList } from '../target/allow-list.ts';
import { isIP } from 'node:net';

export type TargetBinding = Extract<AgentBinding, { role: 'target' }>;
export type SourceBinding = Extract<AgentBinding, { role: 'source' }>;

/** What the agent serves, by binding id. */
export class BindingTable {
  #targets = new Map<string, TargetBinding>();
  #sources: SourceBinding[] = [];

  /** Puts a configuration into effect. */
  replace(config: AgentConfig): void {
    this.#targets = new Map();
    this.#sources = [];
    for (const binding of config.bindings) {
      if (binding.role === 'target') this.#targets.set(binding.binding_id, binding);
      else this.#sources.push(binding);
    }
  }

  target(bindingId: string): TargetBinding | undefined {
    return this.#targets.get(bindingId);
  }

  /** Those for which this agent listens at a local port. */
  get sources(): SourceBinding[] {
    return this.#sources.filter((binding) => binding.enabled && isStream(binding.protocol));
  }

  get all(): AgentBinding[] {
    return [...this.#targets.values(), ...this.#sources];
  }

  /** What this agent cannot do, as far as it can be told without trying. */
  problems(allowList: AllowList): ConfigProblem[] {
    const targets = [...this.#targets.values()].flatMap((binding): ConfigProblem[] =>
      targetProblem(binding, allowList),
    );
    const sources = this.#sources.flatMap((binding): ConfigProblem[] =>
      binding.enabled && !isStream(binding.protocol) ? [unsupported(binding, 'local ports')] : [],
    );
    return [...targets, ...sources];
  }
}

/** Protocols of which a connection is bytes both ways. */
function isStream(protocol: AgentBinding['protocol']): boolean {
  return protocol === 'tcp' || protocol === 'http';
}

function targetProblem(binding: TargetBinding, allowList: AllowList): ConfigProblem[] {
  const { binding_id, enabled, protocol, target_host: host, target_port: port } = binding;
  if (!enabled) return [];
  if (protocol === 'udp') return [unsupported(binding, 'targets')];
  // A name is resolved, and checked, at every connection.
  if (host === null || port === null || isIP(host) === 0 || allowList.allows(host, port)) return [];
  const message = `This agent does not allow connections to ${host} port ${port}`;
  return [{ binding_id, code: 'not_allowed', message }];
}

function unsupported(binding: AgentBinding, what: string): ConfigProblem {
  const message = `This version of the agent has no ${binding.protocol} ${what}`;
  return { binding_id: binding.binding_id, code: 'protocol_unsupported', message };
}
