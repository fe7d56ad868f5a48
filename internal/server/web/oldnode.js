// Browsers and Node 20 have crypto as a global; Debian 12's Node 18 has it in a module.
import {webcrypto} from 'node:crypto';

globalThis.crypto ??= webcrypto;
