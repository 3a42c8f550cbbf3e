// Copies what the extension shares with the rest of the repository into its folder, before it is packed.
import { copyFileSync, mkdirSync } from 'node:fs';

process.chdir(import.meta.dirname);
mkdirSync('syntaxes', { recursive: true });
copyFileSync('../textmate/svc.tmLanguage.json', 'syntaxes/svc.tmLanguage.json');
copyFileSync('../../LICENSE-MIT', 'LICENSE-MIT.txt');
copyFileSync('../../LICENSE-APACHE', 'LICENSE.txt');
