/** The files of a stack's key folder. `recipients` and `trusted` are public; the others are private (mode 0600). */
export const KEY_FILES = {
  identity: 'identity.txt',
  recipients: 'recipients.txt',
  comparisonKey: 'comparison.key',
  signingKey: 'signing.jwk',
  trusted: 'trusted.json',
  passphrase: 'passphrase',
} as const;
