// Enqueues an upsert from Node, with nothing but what Node brings:
//   node enqueue.mjs http://127.0.0.1:5555 user:password '{"pipelineId": ...}'
// Prints the id of the job.
async function enqueue(flower, login, row, id = crypto.randomUUID()) {
  const answer = await fetch(`${flower}/api/task/send-task/producers.enqueue`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(login)}`, "Content-Type": "application/json" },
    body: JSON.stringify({ args: [row], queue: "lanes", task_id: id }), // the same id again creates no second job
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json())["task-id"];
}

const [flower, login, row, id] = process.argv.slice(2);
try {
  console.log(await enqueue(flower, login, JSON.parse(row), id));
} catch (error) {
  console.error(`not enqueued: ${error.message}`);
  process.exitCode = 1;
}
