import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import { type IResourceProviderServer, ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import providerPb from '@pulumi/pulumi/proto/provider_pb.js';
import statusPb from '@pulumi/pulumi/proto/status_pb.js';
import anyPb from 'google-protobuf/google/protobuf/any_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { isBackstayError } from '../errors/index.ts';
import { canonicalJson } from '../model/index.ts';
import { decode, encode } from './codec.ts';
import type { EngineLog } from './engine-log.ts';
import { NotReadyError, type Plugin } from './plugin.ts';
import { urnParts } from './urn.ts';

/** Checkpoints of large clusters exceed gRPC's default of 4 MB; Pulumi's own limit is the same. */
const MESSAGE_BYTES = 400 * 1024 * 1024;

/** Serves one package on a free loopback port until `close`. */
export async function servePlugin(
  plugin: Plugin,
  log: EngineLog,
  signal?: AbortSignal,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const cancelled = new AbortController();
  signal?.addEventListener('abort', () => cancelled.abort(signal.reason), { once: true });
  if (signal?.aborted === true) cancelled.abort(signal.reason);
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES,
    'grpc.max_send_message_length': MESSAGE_BYTES,
  });
  server.addService(ResourceProviderService, service(plugin, log, cancelled));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    close: async () => {
      cancelled.abort();
      server.forceShutdown();
    },
  };
}

/** Makes a gRPC handler of an async function. */
function unary<Request, Response>(
  answer: (request: Request, signal: AbortSignal) => Promise<Response>,
): (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => void {
  return (call, callback) => {
    const dropped = new AbortController();
    call.on('cancelled', () => dropped.abort());
    answer(call.request, dropped.signal).then(
      (response) => callback(null, response),
      (error: unknown) => callback(serviceError(error), null),
    );
  };
}

class UnimplementedError extends TypeError {}

function unimplemented(method: string): () => Promise<never> {
  return () => Promise.reject(new UnimplementedError(`the in-process provider has no ${method}`));
}

function service(plugin: Plugin, log: EngineLog, cancelled: AbortController): IResourceProviderServer {
  const signalOf = (dropped: AbortSignal): AbortSignal => AbortSignal.any([dropped, cancelled.signal]);
  return {
    handshake: unary(async (request: providerPb.ProviderHandshakeRequest) => {
      log.connect(request.getEngineAddress());
      return new providerPb.ProviderHandshakeResponse()
        .setAcceptSecrets(true)
        .setAcceptResources(true)
        .setAcceptOutputs(true);
    }),
    attach: unary(async (request: pluginPb.PluginAttach) => {
      log.connect(request.getAddress());
      return new emptyPb.Empty();
    }),
    getPluginInfo: unary(async () => new pluginPb.PluginInfo().setVersion(plugin.version)),
    getSchema: unary(async () =>
      new providerPb.GetSchemaResponse().setSchema(canonicalJson({ name: plugin.name, version: plugin.version })),
    ),
    checkConfig: unary(async (request: providerPb.CheckRequest) =>
      new providerPb.CheckResponse().setInputs(request.getNews()),
    ),
    // Never a replacement: replacing a provider would replace everything that it made.
    diffConfig: unary(async (request: providerPb.DiffRequest) => {
      const same =
        canonicalJson(decode(request.getOldInputs()).value) === canonicalJson(decode(request.getNews()).value);
      const { DIFF_NONE, DIFF_SOME } = providerPb.DiffResponse.DiffChanges;
      return new providerPb.DiffResponse().setChanges(same ? DIFF_NONE : DIFF_SOME);
    }),
    configure: unary(async (request: providerPb.ConfigureRequest) => {
      await plugin.configure?.(decode(request.getArgs()));
      return new providerPb.ConfigureResponse()
        .setAcceptsecrets(true)
        .setAcceptresources(true)
        .setAcceptoutputs(true)
        .setSupportspreview(true);
    }),
    check: unary(async (request: providerPb.CheckRequest) => {
      const answer = await plugin.check({
        ...nameOf(request),
        olds: decode(request.getOlds()),
        news: decode(request.getNews()),
      });
      const failures = answer.failures.map(({ property, reason }) =>
        new providerPb.CheckFailure().setProperty(property).setReason(reason),
      );
      return new providerPb.CheckResponse()
        .setInputs(encode(answer.inputs.value, answer.inputs))
        .setFailuresList(failures);
    }),
    diff: unary(async (request: providerPb.DiffRequest) => {
      const answer = await plugin.diff({
        ...nameOf(request),
        id: request.getId(),
        olds: decode(request.getOlds()),
        news: decode(request.getNews()),
      });
      const { DIFF_NONE, DIFF_SOME } = providerPb.DiffResponse.DiffChanges;
      return new providerPb.DiffResponse()
        .setChanges(answer.changed ? DIFF_SOME : DIFF_NONE)
        .setDiffsList([...answer.properties])
        .setReplacesList([...answer.replaces])
        .setDeletebeforereplace(answer.deleteFirst);
    }),
    create: unary(async (request: providerPb.CreateRequest, dropped) => {
      const { id, outputs } = await plugin.create({
        ...nameOf(request),
        inputs: decode(request.getProperties()),
        preview: request.getPreview(),
        signal: signalOf(dropped),
      });
      return new providerPb.CreateResponse().setId(id).setProperties(encode(outputs.value, outputs));
    }),
    read: unary(async (request: providerPb.ReadRequest) => {
      const found = await plugin.read({
        ...nameOf(request),
        id: request.getId(),
        state: decode(request.getProperties()),
        inputs: decode(request.getInputs()),
      });
      // An empty answer tells the engine that the resource is gone.
      if (found === undefined) return new providerPb.ReadResponse();
      return new providerPb.ReadResponse()
        .setId(request.getId())
        .setProperties(encode(found.outputs.value, found.outputs))
        .setInputs(encode(found.inputs.value, found.inputs));
    }),
    update: unary(async (request: providerPb.UpdateRequest, dropped) => {
      const outputs = await plugin.update({
        ...nameOf(request),
        id: request.getId(),
        olds: decode(request.getOlds()),
        news: decode(request.getNews()),
        preview: request.getPreview(),
        signal: signalOf(dropped),
      });
      return new providerPb.UpdateResponse().setProperties(encode(outputs.value, outputs));
    }),
    delete: unary(async (request: providerPb.DeleteRequest, dropped) => {
      await plugin.delete({
        ...nameOf(request),
        id: request.getId(),
        state: decode(request.getProperties()),
        signal: signalOf(dropped),
      });
      return new emptyPb.Empty();
    }),
    cancel: unary(async () => {
      cancelled.abort();
      return new emptyPb.Empty();
    }),
    invoke: unary(async (request: providerPb.InvokeRequest) => {
      const reason = `${request.getTok()} is not served by the in-process provider; set \`provider: official\` to use the plugin`;
      return new providerPb.InvokeResponse().setFailuresList([new providerPb.CheckFailure().setReason(reason)]);
    }),
    call: unary(async (request: providerPb.CallRequest) => {
      const reason = `${request.getTok()} is not served by the in-process provider; set \`provider: official\` to use the plugin`;
      return new providerPb.CallResponse().setFailuresList([new providerPb.CheckFailure().setReason(reason)]);
    }),
    getMapping: unary(async () => new providerPb.GetMappingResponse()),
    getMappings: unary(async () => new providerPb.GetMappingsResponse()),
    parameterize: unary(unimplemented('parameterization')),
    construct: unary(unimplemented('component resources')),
    list: (call) =>
      call.destroy(
        Object.assign(new TypeError('the in-process provider lists nothing'), { code: status.UNIMPLEMENTED }),
      ),
  };
}

function nameOf(request: { getUrn(): string; getType(): string }): { urn: string; type: string } {
  const urn = request.getUrn();
  // Engines before 3.124 do not send the type beside the URN.
  return { urn, type: request.getType() || urnParts(urn).type };
}

function serviceError(error: unknown): Partial<ServiceError> {
  if (error instanceof NotReadyError) return notReady(error);
  const message = error instanceof Error ? error.message : String(error);
  const text = isBackstayError(error) ? `${error.code}: ${message}` : message;
  const code = error instanceof UnimplementedError ? status.UNIMPLEMENTED : status.UNKNOWN;
  return { code, details: text, message: text };
}

/** The engine keeps such a resource in its state, with its id, and tries it again with the next update. */
function notReady(error: NotReadyError): Partial<ServiceError> {
  const detail = new providerPb.ErrorResourceInitFailed()
    .setId(error.id)
    .setProperties(encode(error.outputs.value, error.outputs))
    .setInputs(encode(error.inputs.value, error.inputs))
    .setReasonsList([...error.reasons]);
  const any = new anyPb.Any();
  any.pack(detail.serializeBinary(), 'pulumirpc.ErrorResourceInitFailed');
  const rich = new statusPb.Status().setCode(status.UNKNOWN).setMessage(error.message).setDetailsList([any]);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(rich.serializeBinary()));
  return { code: status.UNKNOWN, details: error.message, message: error.message, metadata };
}
