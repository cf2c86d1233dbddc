// Serves Firestore on the port given as the only argument. It runs from the folder that has the
// package, which is why the package is looked up from there.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { FirestoreServer } = require("@firestore-emulator/server");

await new FirestoreServer().start(Number(process.argv[2]));
