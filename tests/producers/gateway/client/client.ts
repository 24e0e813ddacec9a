// A service in TypeScript, with the client that openapi-typescript makes of docs/openapi.json:
//   node client.js http://127.0.0.1:8000 KEY
// Prints what it got, as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./gateway.js";

type Row = components["schemas"]["Row"];

const [url, key] = process.argv.slice(2);
const gateway = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const row: Row = { pipelineId: "pipe", locationId: "node", contactId: "contact", status: "won", monetaryValue: 12.5 };

const params = { header: { "Idempotency-Key": "order-1" } };
const first = await gateway.POST("/v1/upserts", { params, body: row });
if (!first.data || "id" in first.data) throw new Error("not accepted");
const { job_id } = first.data;
const again = await gateway.POST("/v1/upserts", { params, body: row });
const conflict = await gateway.POST("/v1/upserts", { params, body: { ...row, name: "another" } });
const invalid = await gateway.POST("/v1/upserts", { body: { ...row, contactId: "no id", status: "won" } });
const batch = await gateway.POST("/v1/upserts/batch", {
  body: [1, 2, 3].map((number) => JSON.stringify({ ...row, contactId: `c${number}` })).join("\n"),
  bodySerializer: (lines) => lines as string,
  headers: { "Content-Type": "application/x-ndjson" },
});
const job = await gateway.GET("/v1/jobs/{job_id}", { params: { path: { job_id } } });
const cancelled = await gateway.DELETE("/v1/jobs/{job_id}", { params: { path: { job_id } } });
const unknown = await gateway.GET("/v1/jobs/{job_id}", { params: { path: { job_id: "unknown" } } });
const outcomes = await gateway.GET("/v1/outcomes", { params: { query: { limit: 1000, wait: 10 } } });
const stranger = createClient<paths>({ baseUrl: url });
const noKey = await stranger.GET("/v1/outcomes");

console.log(
  JSON.stringify({
    first: [first.response.status, first.data.state, first.data.duplicate],
    again: [again.response.status, again.data && "duplicate" in again.data && again.data.duplicate],
    conflict: [conflict.response.status, conflict.error?.job_id === job_id],
    invalid: [invalid.response.status, invalid.error?.errors?.map((each) => each.field)],
    batch: [batch.response.status, batch.data?.accepted],
    job: [job.response.status, job.data?.state, job.data?.body],
    cancelled: [cancelled.response.status, cancelled.data?.state],
    unknown: [unknown.response.status, unknown.error?.type],
    outcomes: [outcomes.response.status, outcomes.data?.outcomes.some((each) => each.job_id === job_id)],
    noKey: [noKey.response.status, noKey.response.headers.get("WWW-Authenticate")],
  }),
);
