import { runRoom } from "../fixtures/rooms.ts";

await runRoom("watchdog");
