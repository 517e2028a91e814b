import { credentials } from '@grpc/grpc-js';
import { EngineClient } from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import enginePb from '@pulumi/pulumi/proto/engine_pb.js';

/** Lines that the Pulumi CLI prints beside a resource. Nothing is said before the engine has named its address. */
export interface EngineLog {
  connect(address: string): void;
  /** `status` lines replace each other on the resource's own line of the CLI's display. */
  say(urn: string, severity: 'info' | 'warning', message: string, options?: { readonly status?: boolean }): void;
  close(): void;
}

export function createEngineLog(): EngineLog {
  let client: EngineClient | undefined;
  return {
    connect(address) {
      client?.close();
      client = new EngineClient(address, credentials.createInsecure());
    },
    say(urn, severity, message, options) {
      if (client === undefined) return;
      const request = new enginePb.LogRequest();
      request.setUrn(urn);
      request.setSeverity(severity === 'info' ? enginePb.LogSeverity.INFO : enginePb.LogSeverity.WARNING);
      request.setMessage(message);
      request.setEphemeral(options?.status ?? false);
      // A line that is lost because the engine is going away harms nobody.
      client.log(request, () => undefined);
    },
    close() {
      client?.close();
      client = undefined;
    },
  };
}
