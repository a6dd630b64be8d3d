// The tool and the schema that all clients are given.

import { z } from "zod";

export const Order = z.object({ order_id: z.string() });
export const Weather = z.object({ city: z.string(), celsius: z.number() });

export const LOOKUP = "The state of an order.";

export function stateOf({ order_id }) {
  return { id: order_id, state: order_id === "42" ? "shipped" : "lost" };
}
