import { fileURLToPath } from 'node:url';
import { atLeast, sameMinor } from './versions.ts';

/** How one tool is recognised and obtained. */
export interface ToolSpec {
  readonly name: string;
  /** Environment variable that names the program. */
  readonly variable: string;
  /** The version that is downloaded or built. */
  readonly version: string;
  readonly versionArgs: readonly string[];
  readonly versionPattern: RegExp;
  /** Whether a program that happens to be there (PATH, KUBEBUILDER_ASSETS) will do. */
  readonly willDo: (version: string) => boolean;
  /** Whether one that the user named will do; more patient. */
  readonly willDoNamed: (version: string) => boolean;
  readonly wanted: string;
  /** KUBEBUILDER_ASSETS may hold it. */
  readonly inAssets: boolean;
  readonly recipe: string;
  /** Go package of the program. */
  readonly goPackage: string;
  readonly download?: DownloadSpec;
}

export type DownloadSpec =
  /** The official installer, through the Automation API. */
  | { readonly kind: 'pulumi' }
  /** One program, or a gzipped tar with it as `member`; beside it `<url>.sha512`. */
  | {
      readonly kind: 'file';
      readonly baseVariable: string;
      readonly base: string;
      readonly path: (version: string, os: string, arch: string) => string;
      readonly member?: string;
    };

/** Pinned Go modules from which one or more tools are built at once. */
export interface RecipeSpec {
  readonly name: string;
  /** Folder of go.mod and go.sum. */
  readonly dir: string;
  readonly ldflags: string;
  /** On two idle cores with nothing cached, downloads included; only for the first estimates. */
  readonly expectedSeconds: number;
  /** Free disk that the build needs, the compiler's cache included. */
  readonly needsBytes: number;
}

export interface Catalogue {
  readonly tools: readonly ToolSpec[];
  /** In the order in which they are built. */
  readonly recipes: readonly RecipeSpec[];
}

const GIB = 1024 ** 3;
const KUBERNETES = '1.35.4';
const PULUMI = '3.250.0';
const ACTIONLINT = '1.7.12';
const recipeDir = (name: string) => fileURLToPath(new URL(`recipes/${name}`, import.meta.url));

const kubernetesFlags = [
  '-s -w',
  `-X k8s.io/component-base/version.gitVersion=v${KUBERNETES}`,
  '-X k8s.io/component-base/version.gitMajor=1',
  `-X k8s.io/component-base/version.gitMinor=${KUBERNETES.split('.')[1]}`,
  '-X k8s.io/component-base/version.gitTreeState=clean',
].join(' ');

function controlPlane(name: string, inAssets: boolean): ToolSpec {
  return {
    name,
    variable: `BACKSTAY_${name.toUpperCase().replaceAll('-', '_')}`,
    version: KUBERNETES,
    versionArgs: ['--version'],
    versionPattern: /^Kubernetes v(\S+)/m,
    // The three programs must not drift apart, so what merely lies around has to be of the pinned minor version.
    willDo: (version) => sameMinor(version, KUBERNETES),
    willDoNamed: (version) => atLeast(version, '1.33.0'),
    wanted: `${KUBERNETES.replace(/\.\d+$/, '')}.x (1.33 or later when named)`,
    inAssets,
    recipe: 'kubernetes',
    goPackage: `k8s.io/kubernetes/cmd/${name}`,
    download: kubernetesRelease(name),
  };
}

function kubernetesRelease(program: string): DownloadSpec {
  return {
    kind: 'file',
    baseVariable: 'BACKSTAY_KUBERNETES_MIRROR',
    base: 'https://dl.k8s.io/release',
    path: (version, os, arch) => `v${version}/bin/${os}/${arch}/${program}`,
  };
}

/** Every tool of the product. Building a recipe again after a change of its flags or modules gives another cache entry. */
export const CATALOGUE: Catalogue = {
  tools: [
    {
      name: 'etcd',
      variable: 'BACKSTAY_ETCD',
      version: '3.6.6',
      versionArgs: ['--version'],
      versionPattern: /^etcd Version: (\S+)/m,
      willDo: (version) => atLeast(version, '3.5.0'),
      willDoNamed: (version) => atLeast(version, '3.5.0'),
      wanted: '3.5 or later',
      inAssets: true,
      recipe: 'etcd',
      goPackage: 'go.etcd.io/etcd/server/v3',
      download: {
        kind: 'file',
        baseVariable: 'BACKSTAY_ENVTEST_MIRROR',
        base: 'https://github.com/kubernetes-sigs/controller-tools/releases/download',
        // The archive of the first patch of our Kubernetes minor carries the etcd that belongs to it.
        path: (_version, os, arch) => `envtest-v1.35.0/envtest-v1.35.0-${os}-${arch}.tar.gz`,
        member: 'controller-tools/envtest/etcd',
      },
    },
    controlPlane('kube-apiserver', true),
    controlPlane('kube-controller-manager', false),
    controlPlane('kube-scheduler', false),
    {
      name: 'pulumi',
      variable: 'BACKSTAY_PULUMI',
      version: PULUMI,
      versionArgs: ['version'],
      versionPattern: /^v?(\d\S+)/m,
      willDo: (version) => atLeast(version, '3.200.0'),
      willDoNamed: (version) => atLeast(version, '3.200.0'),
      wanted: '3.200 or later',
      inAssets: false,
      recipe: 'pulumi',
      goPackage: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
      download: { kind: 'pulumi' },
    },
    {
      name: 'kwok',
      variable: 'BACKSTAY_KWOK',
      version: '0.7.0',
      versionArgs: ['--version'],
      versionPattern: /^kwok version v(\S+)/m,
      willDo: (version) => atLeast(version, '0.6.0'),
      willDoNamed: (version) => atLeast(version, '0.6.0'),
      wanted: '0.6 or later',
      inAssets: false,
      recipe: 'kwok',
      goPackage: 'sigs.k8s.io/kwok/cmd/kwok',
    },
    {
      name: 'kubectl',
      variable: 'BACKSTAY_KUBECTL',
      version: KUBERNETES,
      versionArgs: ['version', '--client'],
      versionPattern: /^Client Version: v(\S+)/m,
      willDo: (version) => atLeast(version, '1.30.0'),
      willDoNamed: (version) => atLeast(version, '1.30.0'),
      wanted: '1.30 or later',
      inAssets: true,
      recipe: 'kubectl',
      goPackage: 'k8s.io/kubernetes/cmd/kubectl',
      download: kubernetesRelease('kubectl'),
    },
    {
      name: 'helm',
      variable: 'BACKSTAY_HELM',
      version: '3.19.0',
      versionArgs: ['version', '--template', '{{.Version}}'],
      versionPattern: /^v(\d\S+)/m,
      willDo: (version) => atLeast(version, '3.14.0'),
      willDoNamed: (version) => atLeast(version, '3.14.0'),
      wanted: '3.14 or later',
      inAssets: false,
      recipe: 'helm',
      goPackage: 'helm.sh/helm/v3/cmd/helm',
    },
    {
      name: 'actionlint',
      variable: 'BACKSTAY_ACTIONLINT',
      version: ACTIONLINT,
      versionArgs: ['-version'],
      versionPattern: /^v?(\d\S+)/m,
      willDo: (version) => atLeast(version, ACTIONLINT),
      willDoNamed: (version) => atLeast(version, ACTIONLINT),
      wanted: `${ACTIONLINT} or later`,
      inAssets: false,
      recipe: 'actionlint',
      goPackage: 'github.com/rhysd/actionlint/cmd/actionlint',
    },
  ],
  recipes: [
    { name: 'etcd', dir: recipeDir('etcd'), ldflags: '-s -w', expectedSeconds: 45, needsBytes: GIB },
    {
      name: 'kubernetes',
      dir: recipeDir('kubernetes'),
      ldflags: kubernetesFlags,
      expectedSeconds: 240,
      needsBytes: 4 * GIB,
    },
    {
      name: 'pulumi',
      dir: recipeDir('pulumi'),
      ldflags: `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${PULUMI}`,
      expectedSeconds: 200,
      needsBytes: 3 * GIB,
    },
    { name: 'kwok', dir: recipeDir('kwok'), ldflags: '-s -w', expectedSeconds: 80, needsBytes: 2 * GIB },
    { name: 'kubectl', dir: recipeDir('kubectl'), ldflags: kubernetesFlags, expectedSeconds: 80, needsBytes: 2 * GIB },
    {
      name: 'helm',
      dir: recipeDir('helm'),
      ldflags: '-s -w -X helm.sh/helm/v3/internal/version.version=v3.19.0',
      expectedSeconds: 90,
      needsBytes: 2 * GIB,
    },
    {
      name: 'actionlint',
      dir: recipeDir('actionlint'),
      ldflags: `-s -w -X github.com/rhysd/actionlint.version=${ACTIONLINT}`,
      expectedSeconds: 15,
      needsBytes: GIB / 2,
    },
  ],
};
