/** A test keeps it equal to package.json: reading that file at every start would cost more than it is worth. */
export const VERSION = '0.1.0';
