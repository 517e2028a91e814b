import { type KubeObject, keyOf } from '../../../src/model/index.ts';
import { typeVersion } from '../../../src/program/classes.ts';

/**
 * A checkpoint in the shape in which plugin 4.25 leaves it behind (design.md, "What the official plugin keeps"): ids, inputs as
 * given, outputs as the live object with three notes, and one field manager a resource.
 */
export function officialState(live: readonly KubeObject[], inputs: readonly KubeObject[], provider: object): object {
  const urn = (type: string, name: string): string => `urn:pulumi:test::backstay::${type}::${name}`;
  const created = { created: '2026-01-01T00:00:00Z', modified: '2026-01-01T00:00:00Z' };
  const stackUrn = urn('pulumi:pulumi:Stack', 'backstay-test');
  const providerUrn = urn('pulumi:providers:kubernetes', 'backstay');
  const providerId = '0d6ba1a7-4d34-4f5c-9d19-6ad5be4f2a11';
  const configuration = {
    clusterIdentifier: 'recorded',
    enableConfigMapMutable: 'true',
    enableSecretMutable: 'true',
    enableServerSideApply: 'true',
    upsertExistingObjects: 'true',
    version: '4.25.0',
    ...provider,
  };
  return {
    version: 3,
    checkpoint: {
      stack: 'organization/backstay/test',
      latest: {
        manifest: { time: '2026-01-01T00:00:00Z', magic: '', version: '' },
        resources: [
          { urn: stackUrn, custom: false, type: 'pulumi:pulumi:Stack', ...created },
          {
            urn: providerUrn,
            custom: true,
            id: providerId,
            type: 'pulumi:providers:kubernetes',
            inputs: configuration,
            outputs: configuration,
            ...created,
          },
          ...live.map((object, index) => {
            const type = `kubernetes:${typeVersion(object.apiVersion)}:${object.kind}`;
            const notes = {
              __fieldManager: 'pulumi-kubernetes-1a2b3c4d',
              __initialApiVersion: object.apiVersion,
              __inputs: inputs[index],
            };
            return {
              urn: urn(type, keyOf(object)),
              custom: true,
              id: `${object.metadata.namespace}/${object.metadata.name}`,
              type,
              inputs: inputs[index],
              outputs: { ...object, ...notes },
              parent: stackUrn,
              provider: `${providerUrn}::${providerId}`,
              propertyDependencies: {},
              ...created,
            };
          }),
        ],
      },
    },
  };
}
