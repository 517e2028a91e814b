import { readFileSync } from 'node:fs';
import { type Digest, digestOfBytes } from '../../../model/index.ts';
import type { SandboxImage } from '../../contract.ts';

export interface PulledImage {
  readonly image: SandboxImage;
  readonly tag: string;
  /** `REPOSITORY@sha256:…`, as a runtime reports it. Changes when the program changes. */
  readonly imageID: string;
}

export type PullResult =
  | { readonly ok: true; readonly pulled: PulledImage }
  | { readonly ok: false; readonly reason: 'ErrImagePull' | 'InvalidImageName'; readonly message: string };

/** The images that a node can run, in place of a registry. */
export class ImageCatalog {
  readonly #images: ReadonlyMap<string, SandboxImage>;
  readonly #programs = new Map<string, Digest>();

  constructor(images: readonly SandboxImage[]) {
    this.#images = new Map(images.map((image) => [canonicalRepository(image.repository), image]));
  }

  pull(name: string): PullResult {
    const reference = parseReference(name);
    if (reference === undefined) {
      const message = `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`;
      return { ok: false, reason: 'InvalidImageName', message };
    }
    const image = this.#images.get(canonicalRepository(reference.repository));
    const tag = image && this.#tagOf(image, reference);
    if (image === undefined || tag === undefined) return notFound(name, reference);
    return { ok: true, pulled: { image, tag, imageID: `${image.repository}@${this.#digest(image, tag)}` } };
  }

  #tagOf(image: SandboxImage, reference: ImageReference): string | undefined {
    const { digest, tag } = reference;
    if (digest !== undefined) return image.tags.find((candidate) => this.#digest(image, candidate) === digest);
    return image.tags.find((candidate) => candidate === (tag ?? 'latest'));
  }

  /** Stable as long as the program is: the name and tag are part of it, because one program serves several tags. */
  #digest(image: SandboxImage, tag: string): Digest {
    let program = this.#programs.get(image.entry);
    if (program === undefined) {
      program = digestOfBytes(readFileSync(image.entry));
      this.#programs.set(image.entry, program);
    }
    return digestOfBytes(`${image.repository}:${tag}\n${program}`);
  }
}

export interface ImageReference {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Splits `registry:5000/team/name:tag@sha256:…`; undefined when it is no image name. */
export function parseReference(name: string): ImageReference | undefined {
  const match =
    /^((?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
      name,
    );
  const [, repository, tag, digest] = match ?? [];
  if (repository === undefined) return undefined;
  return { repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** `docker.io` and `library` are what a bare name means. */
function canonicalRepository(repository: string): string {
  return repository.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
}

function notFound(name: string, reference: ImageReference): PullResult {
  const first = reference.repository.split('/')[0] ?? '';
  const hasRegistry = reference.repository.includes('/') && /[.:]|^localhost$/.test(first);
  const bare = canonicalRepository(reference.repository);
  const repository = hasRegistry ? reference.repository : `docker.io/${bare.includes('/') ? bare : `library/${bare}`}`;
  const suffix = reference.digest === undefined ? `:${reference.tag ?? 'latest'}` : `@${reference.digest}`;
  const full = `${repository}${suffix}`;
  const message =
    `rpc error: code = NotFound desc = failed to pull and unpack image "${full}": ` +
    `failed to resolve reference "${full}": ${full}: not found (the sandbox has no image ${name})`;
  return { ok: false, reason: 'ErrImagePull', message };
}
