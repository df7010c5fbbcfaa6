import t from "tap";
import { inImages, runTogether } from "./fixtures/rooms.ts";

// Packages are installed and compiled.
t.setTimeout(600_000);
await runTogether(inImages);
