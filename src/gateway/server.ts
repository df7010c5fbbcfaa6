/** Setup of the gateway: the HTTP server for Apache's mod_proxy, and Fastify for other servers. */
import { createServer, METHODS } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { Gateway, type GatewayOptions } from "./transport.ts";

export type { Gateway, GatewayOptions } from "./transport.ts";

/** Creates the gateway. The supervisor owns the sockets. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new Gateway(options);
  const app = createApp(options, gateway);
  await app.ready();
  // Without this event the server, which never listens, would not enforce its timeouts.
  app.server.emit("listening");
  return gateway.attach(app.server);
}

/** Requests of Apache bypass Fastify's router; its one route is for auth endpoints. */
function createApp(options: GatewayOptions, gateway: Gateway): FastifyInstance {
  const app = fastify({
    logger: false,
    // In requests of Apache, the path is a file name; the URL is in the context.
    rewriteUrl: () => "/",
    serverFactory: (handler) => {
      const server = createServer(
        {
          maxHeaderSize: options.headerBytes,
          keepAliveTimeout: options.keepAlive,
          requestTimeout: 0,
          // Handlers decide whether a handshake is accepted.
          shouldUpgradeCallback: (message) => gateway.isUpgrade(message),
        },
        gateway.listener(handler),
      );
      server.on(
        "upgrade",
        (message, socket, head) => void gateway.upgrade(message, socket as Socket, head),
      );
      // Node.js would send "100 Continue" at once; the exchange sends it when a handler reads.
      server.on("checkContinue", (message, reply) => server.emit("request", message, reply));
      return server;
    },
    clientErrorHandler: (error, socket) => gateway.fail(error, socket as Socket),
  });
  // Otherwise Fastify would reject a missing or unknown Content-Type, which handlers may accept.
  for (const method of METHODS) {
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
  app.all("/", (request, reply) => {
    reply.hijack();
    request.raw.url = request.originalUrl;
    void gateway.answer(request.raw, reply.raw);
  });
  return app;
}
