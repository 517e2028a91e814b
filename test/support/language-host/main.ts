/**
 * As much of `pulumi-language-nodejs` as plain `pulumi up` of this project needs: it runs the program with the SDK's own
 * runner, under our Node. It neither installs nor looks for anything. Used where the official host is not on PATH.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { LanguageRuntimeService } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';

const require = createRequire(import.meta.url);
const engine = process.argv.slice(2).find((argument) => /^[\w.]+:\d+$/.test(argument)) ?? '';

type Handler = (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => void;

const unimplemented: Handler = (_call, callback) =>
  callback({ code: status.UNIMPLEMENTED, details: 'not needed by the tests' }, null);
const handlers: Record<string, Handler> = Object.fromEntries(
  Object.keys(LanguageRuntimeService).map((method) => [method, unimplemented]),
);

handlers['handshake'] = (_call, callback) => callback(null, new languagePb.LanguageHandshakeResponse());
handlers['getPluginInfo'] = (_call, callback) => callback(null, new pluginPb.PluginInfo().setVersion('3.270.0'));
handlers['getRequiredPlugins'] = (_call, callback) => callback(null, new languagePb.GetRequiredPluginsResponse());
handlers['getRequiredPackages'] = (_call, callback) => callback(null, new languagePb.GetRequiredPackagesResponse());
handlers['run'] = (call, callback) => {
  const request = call.request as languagePb.RunRequest;
  const directory = request.getInfo()?.getProgramDirectory() ?? request.getPwd();
  const entry = request.getInfo()?.getEntryPoint() ?? request.getProgram();
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: String(request.getParallel()),
  };
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      require.resolve('@pulumi/pulumi/cmd/run'),
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      ...(request.getDryrun() ? ['--dry-run'] : []),
      join(directory, entry),
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().getEntryList())),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      },
    },
  );
  child.on('error', (error) => callback({ code: status.INTERNAL, details: error.message }, null));
  child.on('exit', (code) => {
    const response = new languagePb.RunResponse();
    // 32: the program has logged its error already.
    if (code === 32) response.setBail(true);
    else if (code !== 0) response.setError(`the program ended with exit code ${code}`);
    callback(null, response);
  });
};

const server = new Server();
server.addService(LanguageRuntimeService, handlers);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});
