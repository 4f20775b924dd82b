// garner as a process of its own, as it stands in dist/: argv has DIST and then the command line.
import { pathToFileURL } from 'node:url';

const { main } = await import(pathToFileURL(`${process.argv[2]}/cli/main.js`).href);
process.exitCode = await main(process.argv.slice(3));
