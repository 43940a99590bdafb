// The official Node SDK of v2, in a process of its own: it runs what it is told.
//
//     node agent.js API_SERVER CLIENT_ID CLIENT_SECRET
//
// A line of standard input is a JSON text: the body of an asynchronous function over `nylas`. The answer is a line
// with what it returned, or with what the SDK threw.
import { createInterface } from "node:readline";
import nylas from "nylas-v2";

const [apiServer, clientId, clientSecret] = process.argv.slice(2);
nylas.config({ apiServer, clientId, clientSecret });
const AsyncFunction = (async () => {}).constructor;

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { value: (await new AsyncFunction("nylas", JSON.parse(line))(nylas)) ?? null };
  } catch (error) {
    answer = { refused: { status: error.statusCode ?? 0, type: error.type ?? error.name, message: error.message } };
  }
  console.log(JSON.stringify(answer));
}
