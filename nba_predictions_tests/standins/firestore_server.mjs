// Serve Firestore on the port given as the only argument. The working folder has the package, so
// the package is resolved from there.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { FirestoreServer } = require("@firestore-emulator/server");

await new FirestoreServer().start(Number(process.argv[2]));
