/**
 * Loaded first in every Node process of a pod. It stands in for the network namespace that a container would have: what
 * listens on every address listens on the pod's own, and names and addresses of the cluster are asked of the node, which
 * answers with a ready endpoint. Plain JavaScript, so that no pod pays for a compiler at its start.
 */
import dns from 'node:dns';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const address = process.env.BACKSTAY_POD_ADDRESS;
const proxy = process.env.BACKSTAY_POD_PROXY;
const namespace = process.env.BACKSTAY_POD_NAMESPACE ?? 'default';

/** Hosts that mean "here" when they are listened on. Another loopback address was chosen on purpose and stays. */
const EVERYWHERE = new Set(['', '0.0.0.0', '::', 'localhost']);

/** Names that belong to the cluster: `x`, `x.y`, `….svc`, `….svc.cluster.local`; and 10.x but for the pods' own network. */
function inCluster(host) {
  const family = net.isIP(host);
  if (family !== 0) return family === 4 && host.startsWith('10.');
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === '' || name === 'localhost') return false;
  return name.endsWith('.svc') || name.endsWith('.svc.cluster.local') || name.split('.').length <= 2;
}

const connect = net.Socket.prototype.connect;

/** Asks the node. `done(error, value)`; the error has the code that the operating system would have given. */
function ask(path, host, done) {
  const [proxyHost, proxyPort] = proxy.split(':');
  const options = { host: proxyHost, port: Number(proxyPort), path, agent: false, headers: { connection: 'close' } };
  const request = http.get(options, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => (text += part));
    response.on('end', () => {
      const answer = JSON.parse(text);
      if (response.statusCode === 200) return done(undefined, answer);
      const unknown = response.statusCode === 404;
      const code = unknown ? (net.isIP(host) ? 'EHOSTUNREACH' : 'ENOTFOUND') : 'ECONNREFUSED';
      const call = code === 'ENOTFOUND' ? 'getaddrinfo' : 'connect';
      done(
        Object.assign(new Error(`${call} ${code} ${host} (${answer.reason})`), {
          code,
          syscall: call,
          hostname: host,
          address: host,
        }),
      );
    });
  });
  request.on('error', (error) => done(error));
}

function patchConnect() {
  net.Socket.prototype.connect = function (...args) {
    // net.connect() hands over an already normalised [options, callback]; sockets are also connected by hand.
    const given = Array.isArray(args[0]) ? args[0] : normalise(args);
    const [options, callback] = given;
    const host = options.host ?? 'localhost';
    // node:http says `path: null` for "no socket file".
    if ((options.path ?? undefined) !== undefined || options.port === undefined || typeof host !== 'string')
      return connect.apply(this, args);
    const go = (to) =>
      connect.call(this, { ...options, host: to.host, port: to.port, lookup: undefined }, callback ?? undefined);
    // As in a container, localhost is the pod itself.
    if (host === 'localhost') return go({ host: address, port: options.port });
    if (host.startsWith('10.244.') && net.isIP(host))
      return go({ host: host.replace(/^10\./, '127.'), port: options.port });
    if (!inCluster(host)) return connect.apply(this, args);
    // As during a DNS lookup: what is written meanwhile waits for the connection.
    this.connecting = true;
    const query = new URLSearchParams({ host, port: String(options.port), namespace });
    ask(`/resolve?${query}`, host, (error, to) => {
      if (this.destroyed) return;
      if (error === undefined) go(to);
      else this.destroy(Object.assign(error, { port: Number(options.port) }));
    });
    return this;
  };
}

function patchListen() {
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...args) {
    const [first] = args;
    if (first === null || typeof first !== 'object') {
      const pipe = typeof first === 'string' && !/^\d+$/.test(first);
      if (pipe) return listen.apply(this, args);
      const callback = args.find((arg) => typeof arg === 'function');
      const host = typeof args[1] === 'string' ? args[1] : '';
      const backlog = args.slice(1).find((arg) => typeof arg === 'number');
      if (!EVERYWHERE.has(host)) return listen.apply(this, args);
      return listen.call(
        this,
        { port: typeof first === 'function' ? 0 : (first ?? 0), host: address, backlog },
        callback,
      );
    }
    const own = 'port' in first && first.path === undefined && EVERYWHERE.has(first.host ?? '');
    return own ? listen.call(this, { ...first, host: address }, ...args.slice(1)) : listen.apply(this, args);
  };
}

function patchLookup() {
  const lookup = dns.lookup;
  const lookupPromise = dns.promises.lookup;
  const answer = (host, options, done) => {
    const query = new URLSearchParams({ host, namespace });
    ask(`/addresses?${query}`, host, (error, found) => {
      if (error) return done(error);
      const all = found.map((one) => ({ address: one, family: 4 }));
      done(null, options?.all ? all : all[0]);
    });
  };
  const ours = (host) => typeof host === 'string' && net.isIP(host) === 0 && inCluster(host);
  dns.lookup = (host, options, callback) => {
    const done = callback ?? options;
    if (!ours(host)) return lookup(host, options, callback);
    const settings = typeof options === 'object' ? options : undefined;
    answer(host, settings, (error, found) => {
      if (error || settings?.all) done(error, found);
      else done(null, found.address, found.family);
    });
  };
  dns.promises.lookup = (host, options) => {
    if (!ours(host)) return lookupPromise(host, options);
    return new Promise((resolve, reject) => {
      answer(host, options, (error, found) => (error ? reject(error) : resolve(found)));
    });
  };
}

/** The forms that Socket.connect takes: (options), (port, host), (path), each with a callback. */
function normalise(args) {
  const callback = typeof args.at(-1) === 'function' ? args.at(-1) : null;
  const [first, second] = args;
  if (first !== null && typeof first === 'object') return [first, callback];
  if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, callback];
  return [{ port: first, ...(typeof second === 'string' ? { host: second } : {}) }, callback];
}

if (address !== undefined) {
  patchListen();
  if (proxy !== undefined) {
    patchConnect();
    patchLookup();
  }
  syncBuiltinESMExports();
}
