import { createPrivateKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Everything that the sandbox's parts trust each other by. Made anew with each sandbox; never leaves its folder. */
export interface Pki {
  readonly ca: string;
  readonly apiServer: KeyPair;
  readonly etcd: KeyPair;
  readonly etcdClient: KeyPair;
  readonly admin: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
  readonly node: KeyPair;
  readonly kubeletServer: KeyPair;
  readonly kubeletClient: KeyPair;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
}

interface Request {
  readonly file: string;
  readonly commonName: string;
  readonly organisation?: string;
  /** Server certificates name hosts; client certificates do not. */
  readonly hosts?: readonly string[];
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** A sandbox is for hours; thirty days leaves room for one that somebody forgot. */
const DAYS = 30;

const API_SERVER_HOSTS = ['127.0.0.1', '10.96.0.1', 'localhost', 'kubernetes', 'kubernetes.default.svc'];

/** Makes a certificate authority and one certificate a part below `dir` (files are 0600). */
export async function createPki(dir: string): Promise<Pki> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // The library is only needed when a sandbox starts, so it is not loaded with the CLI. It wants the metadata polyfill first.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');

  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + DAYS * 86_400_000);
  let serial = 1;
  const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: String(serial),
    name: 'CN=backstay-sandbox-ca',
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const caFile = join(dir, 'ca.crt');
  await writeFile(caFile, ca.toString('pem'), { mode: 0o600 });

  const issue = async (request: Request): Promise<KeyPair> => {
    serial += 1;
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const usage = request.hosts === undefined ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial.toString(16).padStart(2, '0'),
      issuer: ca.subject,
      subject: request.organisation ? `CN=${request.commonName},O=${request.organisation}` : `CN=${request.commonName}`,
      notBefore,
      notAfter,
      signingKey: caKeys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...(request.hosts === undefined
          ? []
          : [
              new x509.SubjectAlternativeNameExtension(
                request.hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }) as const),
              ),
            ]),
      ],
    });
    const pair = { cert: join(dir, `${request.file}.crt`), key: join(dir, `${request.file}.key`) };
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    await writeFile(pair.cert, certificate.toString('pem'), { mode: 0o600 });
    await writeFile(pair.key, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return pair;
  };

  const serviceAccount = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const serviceAccountKey = join(dir, 'service-account.key');
  const serviceAccountPublicKey = join(dir, 'service-account.pub');
  await writeFile(serviceAccountKey, serviceAccount.privateKey.export({ type: 'sec1', format: 'pem' }), {
    mode: 0o600,
  });
  await writeFile(serviceAccountPublicKey, serviceAccount.publicKey.export({ type: 'spki', format: 'pem' }), {
    mode: 0o600,
  });

  return {
    ca: caFile,
    apiServer: await issue({ file: 'apiserver', commonName: 'kube-apiserver', hosts: API_SERVER_HOSTS }),
    etcd: await issue({ file: 'etcd', commonName: 'etcd', hosts: ['127.0.0.1', 'localhost'] }),
    etcdClient: await issue({ file: 'etcd-client', commonName: 'kube-apiserver-etcd-client' }),
    admin: await issue({ file: 'admin', commonName: 'backstay-sandbox-admin', organisation: 'system:masters' }),
    controllerManager: await issue({ file: 'controller-manager', commonName: 'system:kube-controller-manager' }),
    scheduler: await issue({ file: 'scheduler', commonName: 'system:kube-scheduler' }),
    node: await issue({ file: 'node', commonName: 'backstay-sandbox-node', organisation: 'system:masters' }),
    kubeletServer: await issue({
      file: 'kubelet',
      commonName: 'backstay-sandbox-kubelet',
      hosts: ['127.0.0.1', 'localhost'],
    }),
    kubeletClient: await issue({ file: 'kubelet-client', commonName: 'kube-apiserver-kubelet-client' }),
    serviceAccountKey,
    serviceAccountPublicKey,
  };
}

/** Writes a kubeconfig with the certificates inside, so that the file can be copied elsewhere on this machine. */
export async function writeKubeconfig(
  file: string,
  options: {
    readonly server: string;
    readonly ca: Buffer;
    readonly cert: Buffer;
    readonly key: Buffer;
    readonly user: string;
  },
): Promise<void> {
  const name = 'backstay-sandbox';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [
      { name, cluster: { server: options.server, 'certificate-authority-data': options.ca.toString('base64') } },
    ],
    users: [
      {
        name: options.user,
        user: {
          'client-certificate-data': options.cert.toString('base64'),
          'client-key-data': options.key.toString('base64'),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: options.user } }],
  };
  // JSON is YAML: kubectl and every client read it, and it needs no library here.
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
}
