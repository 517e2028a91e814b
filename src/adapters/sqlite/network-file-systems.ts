/**
 * File systems shared between machines, by the magic number that statfs(2) gives. WAL needs memory shared by all writers,
 * which two machines do not have, and their locks are not to be trusted. FUSE is not listed: it may well be local.
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
]);

/** The name of a network file system, or undefined for a local or unknown one. `type` as `fs.statfs` gives it. */
export function networkFileSystem(type: number): string | undefined {
  // statfs gives a signed number on some platforms.
  return NETWORK_FILE_SYSTEMS.get(type >>> 0);
}
