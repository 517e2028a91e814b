/** Entry of plain `pulumi up`: registers the whole snapshot that `backstay:target` of the selected stack names. */
import { Config, getStack } from '@pulumi/pulumi';
import { registerObjects } from './register.ts';
import { loadTarget } from './target.ts';

const target = new Config('backstay').require('target');
const { objects, ...options } = await loadTarget({ stack: getStack(), target, env: process.env, cwd: process.cwd() });
await registerObjects(objects, options);
