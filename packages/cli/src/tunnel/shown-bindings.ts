import type { AgentBinding } from '@tunnox/domain/agent-config';
import type { ShownBinding } from '../output/cli-event.ts';
import { formatHostPort } from '../target.ts';

/** Enabled bindings as people and programs get to see them. */
export function shownBindings(bindings: AgentBinding[]): ShownBinding[] {
  return bindings.filter(({ enabled }) => enabled).map(shown);
}

function shown(binding: AgentBinding): ShownBinding {
  const { binding_id, protocol } = binding;
  if (binding.role === 'source') {
    const { target, target_client_id, local_port } = binding;
    const behind = `client ${target_client_id}`;
    return {
      binding_id,
      protocol,
      url: null,
      target: target === null ? behind : `${target} behind ${behind}`,
      local_port,
    };
  }
  const { url, target_scheme: scheme, target_host: host, target_port: port } = binding;
  const prefix = scheme === 'http' || scheme === 'https' ? `${scheme}://` : '';
  return {
    binding_id,
    protocol,
    url,
    target: host === null || port === null ? null : `${prefix}${formatHostPort(host, port)}`,
  };
}
